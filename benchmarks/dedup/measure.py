"""Runs a program and measures all of its processes, also those that outlive their parents.

The measuring process adopts orphans (Linux: `PR_SET_CHILD_SUBREAPER`), so that their CPU seconds count and none is left
behind: what still runs ten seconds after the program has ended, or when its time is over, is killed. That is everything
below the measuring process, which therefore must start nothing else meanwhile. Memory is read from /proc, fifty times a
second at first and five times later, so that it costs little; a process that lives shorter than that is missed.
"""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

GRACE = 10.0  # seconds


def adopt_orphans() -> None:
    """Make orphans among the descendants children of this process."""
    if ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0):  # PR_SET_CHILD_SUBREAPER
        raise OSError(ctypes.get_errno(), "this benchmark needs Linux 3.4 or newer: prctl(PR_SET_CHILD_SUBREAPER)")


def measured(
    command: Sequence[object], cwd: Path, log: Path, limit: float, env: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Run a command and return what it took.

    Args:
        command: program and arguments.
        cwd: where it runs.
        log: file for what it prints.
        limit: seconds after which it is killed.
        env: more variables.

    Returns:
        `seconds` of wall time, `cpu` seconds of all processes, `peaks_mib` (the sum of the peak resident memory of
        each), `peak_mib` (the highest sum at one moment); `over` where the time was over; where the exit status was
        not 0, `failed` with the last line of the log.
    """
    adopt_orphans()
    before, started = os.times(), time.perf_counter()
    with log.open("wb") as printed:
        variables = {**os.environ, **(env or {})}
        process = subprocess.Popen(list(map(str, command)), cwd=cwd, env=variables, stdout=printed, stderr=printed)
        peaks: dict[int, int] = {}
        peak, pause = 0, 0.02
        try:
            while process.poll() is None and time.perf_counter() - started < limit:
                peak = max(peak, _sampled(peaks))
                time.sleep(pause)
                pause = min(pause * 1.002, 0.2)
        finally:
            wall, over = time.perf_counter() - started, process.returncode is None
            _end(process, 0.0 if over else GRACE)
    after = os.times()
    found = {
        "seconds": round(wall, 2),
        "cpu": round(after.children_user + after.children_system - before.children_user - before.children_system, 2),
        "peaks_mib": sum(peaks.values()) >> 10,
        "peak_mib": peak >> 10,
    }
    if over:
        return {**found, "over": limit}
    return found if process.returncode == 0 else {**found, "failed": _end_of(log)}


def _descendants() -> list[int]:
    """The processes below this one."""
    found, waiting = [], [os.getpid()]
    while waiting:
        try:
            for children in Path(f"/proc/{waiting.pop()}/task").glob("*/children"):
                waiting += (below := [int(pid) for pid in children.read_text("ascii").split()])
                found += below
        except OSError:  # it has ended
            continue
    return found


def _sampled(peaks: dict[int, int]) -> int:
    """Note the peak resident memory of each process in KiB; return the sum of what they hold now."""
    total = 0
    for pid in _descendants():
        try:
            status = Path(f"/proc/{pid}/status").read_text("ascii", "replace")
            peaks[pid] = int(status.split("VmHWM:", 1)[1].split(None, 1)[0])
            total += int(status.split("VmRSS:", 1)[1].split(None, 1)[0])
        except (OSError, IndexError):  # it has ended
            continue
    return total


def _end(process: "subprocess.Popen[bytes]", grace: float) -> None:
    """Wait for all descendants, kill those that do not end in time."""
    deadline = time.perf_counter() + grace
    while left := _descendants():
        if time.perf_counter() >= deadline:
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
        process.poll()
        if process.returncode is not None:
            try:
                os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                continue
        time.sleep(0.02)


def _end_of(log: Path) -> str:
    """The last line of what a program printed."""
    lines = [line.strip() for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1][-300:] if lines else "no message"
