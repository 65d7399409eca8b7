"""A crash, a hang or an overrun of a hostile reader costs one file, and what it gave before stays."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context

import psutil
import pytest
from hostile_readers import Told

from pipeline.readers import isolation
from pipeline.readers.block import Block
from pipeline.readers.content import Content, Unreadable
from pipeline.readers.isolation import read_records
from pipeline.readers.reader import Bad, Intake, Record
from schemas.errors import SourceError, StoreError
from schemas.source import Fields, Limits

SMALL = Limits(seconds=1, memory_bytes=256 << 20)


def intake(limits: Limits = SMALL) -> Intake:
    return Intake("a.bin", Fields(), limits, "bin")


def told(what: str, limits: Limits = SMALL, notes: Intake | None = None, size: int = 0) -> list[Record | Bad | Block]:
    content = Content(what.encode() + b" " * size)
    return list(read_records(Told(), content, notes or intake(limits)))


def pid() -> int:
    return int(told("process")[1].text)


@pytest.fixture(autouse=True, scope="module")
def no_workers_left() -> Iterator[None]:
    yield
    isolation._close_all()
    assert not [child for child in psutil.Process().children() if "isolat" in " ".join(child.cmdline())]


def test_records_arrive_as_they_were_yielded() -> None:
    notes = intake()
    here = list(Told().records(Content(b"good"), intake()))
    found = told("good", notes=notes)
    assert found[0] == here[0]
    assert found[1:] == [Bad(1, "broken", "\ufffd"), Record(2, "a\ufffdb")]
    assert (notes.encoding, notes.bom, notes.evidence) == ("utf-8", False, "told")
    assert notes.losses == ["something is missing"]


def test_blocks_arrive_in_bulk_and_those_with_nulls_record_by_record() -> None:
    _, block, *rest = told("block")
    assert isinstance(block, Block)
    assert block.texts(100).to_pylist() == ["甲乙", "丙丁"]
    assert block.keys() == ["7", "8"]
    assert block.strings("url") == ["u", None]
    assert [record.key for record in block.careful()] == ["7", "8"]
    assert rest == [Record(3, "戊"), Bad(4, "null", "")]


def test_one_worker_reads_many_files() -> None:
    first = pid()
    assert first != os.getpid()
    assert {pid() for _ in range(20)} == {first}


def test_one_worker_reads_one_file_after_the_other() -> None:
    isolation._close_all()  # one that holds much after many files is replaced, rightly
    assert len({told("process", Limits())[1].text for _ in range(5)}) == 1


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("crash", "SIGSEGV"),
        ("abort", "SIGABRT"),
        ("leave", "exit status 3"),
        ("spin", "more than 1 s of CPU time; split or convert the file, or raise limits.seconds 1"),
        ("swell", "limits.memory_bytes 268,435,456"),
        ("recurse", "RecursionError"),
        ("refuse", "refused; take another"),
        ("trip", "KeyError: 'no such thing'"),
        ("panic", "PanicException: index out of range"),
    ],
)
def test_what_goes_wrong_costs_the_rest_of_one_file(what: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.readers.isolation.SILENCE", 60)  # a busy machine is no hang
    notes = intake()
    found = []
    with pytest.raises(Unreadable, match=reason):
        for record in read_records(Told(), Content(what.encode()), notes):
            found.append(record)  # noqa: PERF402 - what came before the end counts
    assert [record.text for record in found] == ["先有一条"]
    assert notes.encoding == "utf-8"
    assert len(told("good")) == 3


def test_silence_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    told("good")  # the start of a worker is silent, too
    with monkeypatch.context() as patched:
        patched.setattr("pipeline.readers.isolation.SILENCE", 1)
        with pytest.raises(Unreadable, match="nothing came of it for 1 s"):
            told("sleep")
    assert len(told("good")) == 3


def test_what_comes_out_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.readers.isolation.IN_MEMORY", 10 << 20)
    with pytest.raises(Unreadable, match=r"more than 10,485,760 bytes come out of it \(limits: "):
        told("flood")


def test_what_it_writes_is_limited() -> None:
    with pytest.raises(Unreadable, match="limits.unpacked_bytes 2,097,152"):
        told("spill", Limits(unpacked_bytes=2 << 20))


def test_faults_of_the_machine_go_up() -> None:
    with pytest.raises(OSError, match="Input/output error") as error:
        told("disk")
    assert error.value.errno == 5
    with pytest.raises(StoreError, match="the folder is full"):
        told("store")
    with pytest.raises(SourceError, match="ended from outside; run again"):
        told("ended")


def test_what_a_library_prints_is_not_seen(capfd: pytest.CaptureFixture[str]) -> None:
    assert told("write")[1].text == "quiet"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("size", "kind"), [(0, "bytes"), (2 << 20, "Window")])
def test_large_content_is_mapped(size: int, kind: str) -> None:
    assert told("size", size=size)[1].text == f"{len('size') + size} {kind}"


def test_a_reading_that_is_given_up_ends_its_worker() -> None:
    first = pid()
    reading = read_records(Told(), Content(b"spin"), intake())
    next(reading)
    reading.close()
    assert not psutil.pid_exists(first)


def test_a_worker_that_died_idle_is_replaced() -> None:
    first = pid()
    psutil.Process(first).kill()
    psutil.wait_procs([psutil.Process(first)], 5)
    assert pid() != first


def test_a_worker_that_holds_much_memory_is_replaced() -> None:
    first = pid()
    told("keep")
    assert pid() != first


def test_threads_have_workers_of_their_own() -> None:
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(pid())) for _ in range(2)]
    reading = read_records(Told(), Content(b"process"), intake())
    next(reading)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert int(next(reading).text) not in found
    reading.close()


def _in_child(results: object) -> None:
    results.put(pid())  # type: ignore[attr-defined]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_has_a_worker_of_its_own() -> None:
    mine = pid()
    context = get_context("fork")
    results = context.SimpleQueue()
    child = context.Process(target=_in_child, args=[results])
    child.start()
    theirs = results.get()
    child.join()
    assert theirs != mine == pid()
    for _ in range(50):
        if not psutil.pid_exists(theirs):
            break
        time.sleep(0.1)
    assert not psutil.pid_exists(theirs)  # it follows its parent


def test_a_crash_is_one_failed_file_of_a_reading(read: Callable[..., object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.readers.reading._reader", lambda kind, base: Told())
    crashed = read("a.txt", b"crash")
    assert crashed.outcome["outcome"] == "partial"
    assert "SIGSEGV" in crashed.outcome["reason"]
    assert read("b.txt", b"process").outcome["outcome"] == "ok"
