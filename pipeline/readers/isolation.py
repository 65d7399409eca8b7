"""Readers of hostile formats in a process of their own, so that a crash or a hang costs one file and never the run.

What parses a complex format with a library says `hostile = True`. A warm worker does its work, one for each thread that
needs one at a time, with limits on CPU time, memory and output (`schemas.source.Limits`). One that crashed or was
stopped is replaced at the next file. Content goes over as a file descriptor that is mapped there, records come
back one by one as JSON and blocks as Arrow, never as pickles: nothing that a worker says is run. What it gave before it
died stays.

Trade: a worker takes 0.8 s to start, and a record 10 µs. It may read what the run may read: these are limits, no jail.
The limit on memory needs Linux; it counts what no file backs.
"""

import atexit
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import orjson

from pipeline.readers import wire
from pipeline.readers.block import Block
from pipeline.readers.content import IN_MEMORY, Content, Skipped, Unreadable
from pipeline.readers.reader import Bad, Intake, Reader, Record
from schemas import errors
from schemas.source import Limits

STARTING = 120  # seconds that the start of a worker may take, on the slowest of machines
SILENCE = 5  # times the limit on CPU time may pass before something comes
MEMORY_SHARE = 4  # a worker that keeps more than this part of the limit on memory is replaced
START = "import sys; sys.path[:] = sys.argv[2:]; from pipeline.readers.worker import serve; serve(int(sys.argv[1]))"
BY_OTHERS = frozenset((signal.SIGTERM, signal.SIGHUP, signal.SIGINT))

_idle: "list[_Worker]" = []
_inside: list[bool] = []  # filled where this process is a worker


def read_records(reader: Reader, content: Content, intake: Intake) -> Iterator[Record | Bad | Block]:
    """Yield what a reader makes of the content, in a worker process where it is hostile. Raises as it does.

    A limit that is passed, a crash and any fault of a hostile reader are raised as Unreadable.
    """
    if not reader.hostile or _inside:
        yield from reader.records(content, intake)
        return
    worker = _taken()
    try:
        yield from worker.read(reader, content, intake)
    finally:
        if worker.is_fit(intake.limits):
            _idle.append(worker)
        else:
            worker.close()


def stay_inside() -> None:
    """Read everything in this process, which is a worker."""
    _inside.append(True)


def _taken() -> "_Worker":
    while _idle:
        with suppress(IndexError):  # another thread was faster
            worker = _idle.pop()
            if worker.is_alive:
                return worker
            worker.close()
    return _Worker()


@atexit.register
def _close_all() -> None:
    while _idle:
        _idle.pop().close()


def _forget() -> None:
    """Leave the workers to the process that this one was forked from."""
    for worker in _idle:
        worker.leave()
    _idle.clear()


os.register_at_fork(after_in_child=_forget)


class _Worker:
    """A worker process, seen from here: it reads one content at a time."""

    def __init__(self) -> None:
        self._socket, far = socket.socketpair()
        command = [sys.executable, "-c", START, str(far.fileno()), *sys.path]
        # Arrow's other allocators reserve a gibibyte at once, which counts as memory.
        environment = {**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system"}
        null = subprocess.DEVNULL
        with far:
            self._process = subprocess.Popen(
                command, stdin=null, stdout=null, stderr=null, pass_fds=[far.fileno()], env=environment
            )
        self._is_ready, self._held = True, 0
        self._socket.settimeout(STARTING)
        try:
            wire.heading(self._socket)
        except (TimeoutError, EOFError, ConnectionError):
            self.close()
            raise errors.SourceError(
                "the process that reads hostile formats did not start; run again when the machine has memory to spare"
            ) from None

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def is_fit(self, limits: Limits) -> bool:
        """Whether it can read another file: it finished the last one, and does not hold much memory."""
        return self._is_ready and self._held < limits.memory_bytes // MEMORY_SHARE

    def close(self) -> None:
        """End the process."""
        self._socket.close()
        self._process.kill()
        self._process.wait()

    def leave(self) -> None:
        """Let go of another's child."""
        self._socket.close()
        self._process.returncode = 0

    def read(self, reader: Reader, content: Content, intake: Intake) -> Iterator[Record | Bad | Block]:
        """Yield what the reader makes of the content. Raises Unreadable, or what the reader raised of the machine."""
        limits, size = intake.limits, len(content.data)
        seconds = limits.seconds + (size >> 20)
        most = min(limits.unpacked_bytes, max(IN_MEMORY, limits.ratio * size))
        self._is_ready = False
        self._socket.settimeout(SILENCE * seconds)
        came = 0
        try:
            self._ask(reader, content, intake, seconds)
            while True:
                kind, length = wire.heading(self._socket)
                came += length
                if came > most:
                    raise Unreadable(
                        f"more than {most:,} bytes come out of it (limits: unpacked_bytes {limits.unpacked_bytes:,}, "
                        f"ratio {limits.ratio}); split the file or raise the limit"
                    )
                payload = wire.received(self._socket, length)
                if kind in wire.ITEMS:
                    yield wire.item(kind, payload)
                elif not self._told(kind, payload, intake):
                    return
        except TimeoutError:
            raise Unreadable(f"nothing came of it for {SILENCE * seconds} s; {_slow(limits)}") from None
        except (EOFError, ConnectionError):
            raise Unreadable(self._end(reader, limits, seconds)) from None

    def _ask(self, reader: Reader, content: Content, intake: Intake, seconds: int) -> None:
        job = {
            "reader": [type(reader).__module__, type(reader).__qualname__, reader.model_dump(mode="json")],
            "uri": intake.uri,
            "format": intake.format,
            "fields": intake.fields.model_dump(),
            "limits": intake.limits.model_dump(),
            "ocr": intake.ocr,
            "packing": content.packing,
            "damage": content.damage,
            "size": len(content.data),
            "seconds": seconds,
        }
        with _descriptor(content) as descriptor:
            wire.ask(self._socket, orjson.dumps(job), descriptor)

    def _told(self, kind: int, payload: bytearray, intake: Intake) -> bool:
        """Note what the reader says about the file; False at its end. Raises what it raised."""
        said = orjson.loads(payload)
        if kind == wire.INTAKE:
            wire.note(said, intake)
            return True
        self._is_ready, self._held = True, self._held + said["held"]
        if kind == wire.UNREADABLE:
            raise Unreadable(said["reason"])
        if kind == wire.SKIPPED:
            raise Skipped(said["reason"])
        if kind == wire.FAULT:
            raise OSError(said["errno"], said["reason"]) if said["errno"] else OSError(said["reason"])
        if kind == wire.CORPUS_ERROR:
            raise getattr(errors, said["name"], errors.ContractError)(said["reason"])
        return False

    def _end(self, reader: Reader, limits: Limits, seconds: int) -> str:
        """Return why the process ended. Raises SourceError where somebody else ended it."""
        status = self._process.wait()
        if -status in BY_OTHERS:
            raise errors.SourceError(f"the process of the reader '{reader.kind}' was ended from outside; run again")
        if -status == signal.SIGXCPU:
            return f"reading took more than {seconds} s of CPU time; {_slow(limits)}"
        how = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        return (
            f"the reader '{reader.kind}' crashed on it ({how}); fetch the file again or convert it, and if it needs "
            f"more memory, raise limits.memory_bytes {limits.memory_bytes:,}"
        )


def _slow(limits: Limits) -> str:
    return f"split or convert the file, or raise limits.seconds {limits.seconds} (a second more for each MiB)"


@contextmanager
def _descriptor(content: Content) -> Iterator[int]:
    """Give an open file with the content: its own, or one in memory."""
    if content.descriptor is not None:
        yield content.descriptor
        return
    stream: Any
    if hasattr(os, "memfd_create"):
        stream = os.fdopen(os.memfd_create("content"), "wb", buffering=0)
    else:
        stream = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed below
    with stream:
        rest = memoryview(content.data)
        while len(rest):
            rest = rest[stream.write(rest) :]
        yield stream.fileno()
