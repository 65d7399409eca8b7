"""The far end of `pipeline.readers.isolation`: a process that reads one content after the other under limits.

The kernel keeps the limits: SIGXCPU ends a process that computes for too long, an allocation past the limit fails, and
so does a write past the size of a file. Trade: what a library does about a failed allocation is its own affair; some
crash, which the other side takes for what it is.
"""

import contextlib
import errno
import importlib
import math
import os
import resource
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from pipeline.readers import wire
from pipeline.readers.content import SMALL, Content, Skipped, Unreadable, Window
from pipeline.readers.isolation import stay_inside
from pipeline.readers.reader import Intake, Reader, encodable
from schemas.errors import CorpusError
from schemas.source import Fields, Limits


def serve(descriptor: int) -> None:
    """Read what comes over the socket until nobody is there any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to every process of the terminal
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    stay_inside()
    threading.Thread(target=_follow, args=[os.getppid()], daemon=True).start()
    with socket.socket(fileno=descriptor) as stream, contextlib.suppress(EOFError, ConnectionError):
        wire.send(stream, wire.DONE, b"")  # ready: what comes after the start is timed
        while True:
            _read(stream)


def _follow(parent: int) -> NoReturn:
    """End with the parent, even in the middle of a file."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _read(stream: socket.socket) -> None:
    job, descriptor = wire.asked(stream)
    limits = Limits(**job["limits"])
    intake = Intake(job["uri"], Fields(**job["fields"]), limits, job["format"], ocr=job["ocr"])
    kind, said = wire.DONE, dict[str, Any]()
    before = _memory()
    try:
        with _content(job, descriptor) as content:
            _limit(limits, job["seconds"])
            _send_all(stream, _reader(*job["reader"]), content, intake)
    except Unreadable as error:
        kind, said = wire.UNREADABLE, {"reason": str(error)}
    except Skipped as error:
        kind, said = wire.SKIPPED, {"reason": str(error)}
    except MemoryError:
        reason = f"it needs more than limits.memory_bytes {limits.memory_bytes:,} of memory; split the file or raise it"
        kind, said = wire.UNREADABLE, {"reason": reason}
    except ConnectionError:
        raise
    except OSError as error:
        kind, said = wire.FAULT, {"errno": error.errno, "reason": error.strerror or str(error)}
        if error.errno == errno.EFBIG:  # past RLIMIT_FSIZE
            kind = wire.UNREADABLE
            said = {"reason": f"more is unpacked than limits.unpacked_bytes {limits.unpacked_bytes:,}; raise the limit"}
    except CorpusError as error:
        kind, said = wire.CORPUS_ERROR, {"name": type(error).__name__, "reason": str(error)}
    except BaseException as error:  # noqa: BLE001 - whatever a library raises costs one file; panics are no Exceptions
        detail = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        reason = f"the reader '{job['reader'][1]}' failed on it ({detail}); fetch the file again or convert it"
        kind, said = wire.UNREADABLE, {"reason": reason}
    _limit(None, 0)
    wire.send(stream, wire.INTAKE, wire.told(intake))
    said["reason"] = encodable(said.get("reason", ""))
    wire.send(stream, kind, said | {"held": max(0, _memory() - before)})


def _send_all(stream: socket.socket, reader: Reader, content: Content, intake: Intake) -> None:
    sent: object = None
    for found in reader.records(content, intake):
        now = (intake.format, intake.encoding, len(intake.losses))
        if now != sent:
            wire.send(stream, wire.INTAKE, wire.told(intake))
            sent = (intake.format, intake.encoding, 0)
        wire.send_item(stream, found, intake.limits.record_bytes)


def _reader(module: str, name: str, parameters: dict[str, Any]) -> Reader:
    found: type[Reader] = getattr(importlib.import_module(module), name)
    return found(**parameters)


@contextlib.contextmanager
def _content(job: dict[str, Any], descriptor: int) -> Iterator[Content]:
    """Give the content that lies in an open file."""
    size, rest = job["size"], (job["packing"], job["damage"])
    try:
        if size > SMALL:
            with Window(descriptor, size, prot=1) as data:
                yield Content(data, *rest, descriptor)
        else:
            yield Content(os.pread(descriptor, size, 0), *rest)
    finally:
        os.close(descriptor)


def _limit(limits: Limits | None, seconds: int) -> None:
    """Set the limits of a file from now on; None for none."""
    none = resource.RLIM_INFINITY
    spent = math.ceil(time.process_time())
    soft = {
        resource.RLIMIT_CPU: none if limits is None else spent + seconds,
        resource.RLIMIT_DATA: none if limits is None else _memory() + limits.memory_bytes,
        resource.RLIMIT_FSIZE: none if limits is None else limits.unpacked_bytes,
    }
    for which, most in soft.items():
        hard = resource.getrlimit(which)[1]
        resource.setrlimit(which, (most if hard == none else min(most, hard), hard))


def _memory() -> int:
    """Return the private writable memory of this process, bytes, as RLIMIT_DATA counts it; 0 where nobody says."""
    with contextlib.suppress(OSError, IndexError, ValueError):
        status = Path("/proc/self/status").read_text("ascii", "replace")
        return int(status.split("VmData:", 1)[1].split(None, 1)[0]) * 1024
    return 0
