"""What a reader in a worker process and the run say to each other: frames of a kind, a length and a payload.

Records and what is said about a file are JSON, blocks are Arrow IPC. Trade: a lone surrogate, which neither can hold,
arrives as U+FFFD, as it would in the documents.
"""

import socket
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import orjson
import pyarrow as pa

from pipeline.readers.block import Block
from pipeline.readers.fields import parse_time
from pipeline.readers.reader import Bad, Intake, Record, encodable

RECORD, BAD, BLOCK, INTAKE, UNREADABLE, FAULT, CORPUS_ERROR, DONE = b"RQBIUFCD"
ITEMS = (RECORD, BAD, BLOCK)
TOLD = ("format", "encoding", "bom", "evidence", "nothing")  # what a reader says in its intake
ADDED = ("losses", "notes")  # what it says one by one
COLUMNS = ("text", "title", "url", "original_time", "last_modified_time", "key")


def send(stream: socket.socket, kind: int, payload: Any) -> None:
    """Send a frame; `payload`: bytes, or what JSON can hold."""
    data = payload if isinstance(payload, (bytes, pa.Buffer)) else orjson.dumps(payload)
    stream.sendall(bytes([kind]) + len(data).to_bytes(8, "little"))
    stream.sendall(data)


def heading(stream: socket.socket) -> tuple[int, int]:
    """Return the kind and the length of the next frame. Raises EOFError where the other side has gone."""
    data = received(stream, 9)
    return data[0], int.from_bytes(data[1:], "little")


def received(stream: socket.socket, length: int) -> bytearray:
    """Return exactly so many bytes. Raises EOFError where the other side has gone."""
    data = bytearray(length)
    view = memoryview(data)
    while len(view):
        count = stream.recv_into(view)
        if not count:
            raise EOFError
        view = view[count:]
    return data


def ask(stream: socket.socket, job: bytes, descriptor: int) -> None:
    """Send a job with an open file."""
    socket.send_fds(stream, [len(job).to_bytes(8, "little")], [descriptor])
    stream.sendall(job)


def asked(stream: socket.socket) -> tuple[dict[str, Any], int]:
    """Return the next job and its open file. Raises EOFError where the other side has gone."""
    length, descriptors, _, _ = socket.recv_fds(stream, 8, 1)
    if not descriptors:
        raise EOFError
    length += received(stream, 8 - len(length))
    return orjson.loads(received(stream, int.from_bytes(length, "little"))), descriptors[0]


def send_item(stream: socket.socket, found: Record | Bad | Block, limit: int) -> None:
    """Send what a reader yields; a block that is not plainly good goes record by record. `limit`: bytes of a record."""
    if isinstance(found, Block):
        batch = _batch(found, limit)
        if batch is None:
            for record in found.careful():
                send_item(stream, record, limit)
            return
        with pa.BufferOutputStream() as sink:
            with pa.ipc.new_stream(sink, batch.schema) as writer:
                writer.write_batch(batch)
            send(stream, BLOCK, sink.getvalue())
        return
    values = list(found)
    kind = BAD if isinstance(found, Bad) else RECORD
    try:
        payload = orjson.dumps(values)
    except TypeError:
        payload = orjson.dumps([encodable(value) if isinstance(value, str) else value for value in values])
    send(stream, kind, payload)


def item(kind: int, payload: bytearray) -> Record | Bad | Block:
    """Return what `send_item` sent."""
    if kind == BLOCK:
        return _block(pa.ipc.open_stream(payload).read_next_batch())
    values = orjson.loads(payload)
    if kind == BAD:
        return Bad(*values)
    record = Record(*values)
    original, modified = (time and datetime.fromisoformat(time) for time in values[4:6])
    return record._replace(original_time=original, last_modified_time=modified)


def told(intake: Intake) -> dict[str, Any]:
    """Return what a reader says about a file; what is said once is not said again."""
    said = {name: getattr(intake, name) for name in TOLD}
    for name in ADDED:
        said[name] = list(map(encodable, getattr(intake, name)))
        getattr(intake, name).clear()
    return said


def note(said: dict[str, Any], intake: Intake) -> None:
    """Take over what `told` gave."""
    for name in TOLD:
        setattr(intake, name, said[name])
    for name in ADDED:
        getattr(intake, name).extend(said[name])


def _batch(block: Block, limit: int) -> pa.RecordBatch | None:
    """Return a block as a batch; None where one of its texts or other strings is not plainly good."""
    text = block.texts(limit)
    if text is None:
        return None
    columns = {name: getattr(block, name) for name in COLUMNS} | {"text": text}
    columns = {name: column for name, column in columns.items() if column is not None}
    batch = pa.record_batch(columns).replace_schema_metadata({"record": str(block.record)})
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid:
        return None
    return batch


def _block(batch: pa.RecordBatch) -> Block:
    batch.validate(full=True)
    first = int(batch.schema.metadata[b"record"])
    columns = {name: batch.column(name) if name in batch.schema.names else None for name in COLUMNS}

    def careful() -> Iterator[Record | Bad]:
        for number, row in enumerate(batch.to_pylist(), first):
            text, title, url, original, modified, key = (row.get(name) for name in COLUMNS)
            original, modified = parse_time(original), parse_time(modified)
            yield Record(number, text, _bare(title), _bare(url), original, modified, _bare(key))

    return Block(first, **columns, careful=careful)


def _bare(value: Any) -> str | None:
    return None if value is None or not str(value).strip() else str(value).strip()
