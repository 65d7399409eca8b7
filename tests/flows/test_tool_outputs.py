"""What tools leave in OUT, and how they take the place of what an earlier call left."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests_support import article, call

LINES = '{"id": "a", "text": "甲乙丙丁戊己庚辛"}\n{"id": "b", "text": "别的文本一二三四"}\n'


@pytest.fixture
def kept(tmp_path: Path, yuliao: Callable) -> Path:
    """An index of two documents."""
    (tmp_path / "a.jsonl").write_text(LINES, "utf-8")
    assert yuliao("dedup", tmp_path / "a.jsonl", "-o", tmp_path / "kept", "--index").returncode == 0
    return tmp_path / "kept"


def test_a_search_without_an_index_does_not_stand_beside_that_of_another(kept: Path, yuliao: Callable) -> None:
    done = yuliao("dedup", kept.parent / "a.jsonl", "-o", kept)
    assert done.returncode == 1
    assert "holds the index of an earlier call" in done.stderr
    done = yuliao("dedup", kept.parent / "a.jsonl", "-o", kept.parent / "out", "--against", kept)
    assert pq.read_table(kept.parent / "out/duplicates.parquet").num_rows == 2, done.stderr


@pytest.mark.parametrize("verb", [("measure",), ("ingest",), ("dedup", "--index")])
@pytest.mark.parametrize("input", ["own", "raw"])
def test_neither_inputs_nor_files_of_others_are_taken_away(
    tmp_path: Path, yuliao: Callable, verb: tuple[str, ...], input: str
) -> None:
    own = tmp_path / {"measure": "signals", "ingest": "documents", "dedup": "index"}[verb[0]]
    for folder in (own, tmp_path / "raw"):
        folder.mkdir()
        (folder / "a.jsonl").write_text(LINES, "utf-8")
    done = yuliao(*verb, own if input == "own" else tmp_path / "raw", "-o", tmp_path)
    assert done.returncode == 1
    assert "would be replaced" in done.stderr
    assert (own / "a.jsonl").read_text("utf-8") == LINES


def test_an_input_of_the_name_of_an_output_stays(tmp_path: Path, yuliao: Callable) -> None:
    (tmp_path / "raw.jsonl").write_text(LINES, "utf-8")
    assert yuliao("ingest", tmp_path / "raw.jsonl", "-o", tmp_path).returncode == 0
    before = (tmp_path / "files.parquet").read_bytes()
    done = yuliao("ingest", tmp_path / "files.parquet", "-o", tmp_path, "--text-column", "uri")
    assert done.returncode == 1
    assert "choose another OUT" in done.stderr
    assert (tmp_path / "files.parquet").read_bytes() == before


@pytest.mark.parametrize("more", [(), ("--index",)])
@pytest.mark.parametrize("spec", [".", "index"])
def test_an_output_that_is_searched_is_refused(kept: Path, yuliao: Callable, more: tuple[str, ...], spec: str) -> None:
    done = yuliao("dedup", kept.parent / "a.jsonl", "-o", kept, "--against", kept / spec, *more)
    assert done.returncode == 1
    assert "is one of --against, and would be replaced" in done.stderr
    assert (kept / "index/index.json").exists()


def test_bad_records_are_listed(tmp_path: Path, yuliao: Callable) -> None:
    (tmp_path / "a.jsonl").write_text(LINES + 'no json\n{"id": "a", "text": "又来一次"}\n', "utf-8")
    assert yuliao("dedup", tmp_path / "a.jsonl", "-o", tmp_path / "out").returncode == 0
    bad = pq.read_table(tmp_path / "out/quarantine.parquet").to_pylist()
    assert [row["record"] for row in bad] == [2, 3]
    assert "occurs again" in bad[1]["reason"]


def test_records_with_a_blank_id_are_all_read(tmp_path: Path, yuliao: Callable) -> None:
    (tmp_path / "a.csv").write_text("id,text\na,甲乙丙丁\n,戊己庚辛\n,子丑寅卯\n  ,辰巳午未\n", "utf-8")
    (tmp_path / "b.csv").write_text("id,text\n,天地玄黄\n", "utf-8")
    done = yuliao("ingest", tmp_path / "a.csv", tmp_path / "b.csv", "-o", tmp_path / "out")
    assert done.returncode == 0
    assert sum(pq.read_table(path).num_rows for path in (tmp_path / "out/documents").iterdir()) == 5
    assert yuliao("dedup", tmp_path / "a.csv", tmp_path / "b.csv", "-o", tmp_path / "two").returncode == 0


def test_what_killed_calls_left_is_cleared(kept: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for process in (dead.pid, os.getpid()):
        (kept / f".{process}.aside/index").mkdir(parents=True)
    program = "import os, sys; from flows.cli import main; d = sys.argv[2] + f'/.{os.getpid()}.aside'; os.makedirs(d); "
    call = [sys.executable, "-c", program + "sys.exit(main(['dedup', sys.argv[1], '-o', sys.argv[2], '--index']))"]
    subprocess.run([*call, kept.parent / "a.jsonl", kept], check=True, capture_output=True)
    assert [path.name for path in kept.glob(".*")] == [f".{os.getpid()}.aside"]  # that process is alive


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (("dedup", "a.jsonl", "-o", "a.jsonl"), "a.jsonl"),
        (("dedup", "a.jsonl", "-o", "a.jsonl/x"), "a.jsonl"),
        (("index", "kept", "--remove", "nofile"), "nofile"),
        (("index", "kept", "--remove", "bytes"), "save the file as UTF-8"),
    ],
)
def test_a_path_that_cannot_be_used_is_named_in_one_line(
    kept: Path, yuliao: Callable, monkeypatch: pytest.MonkeyPatch, call: tuple[str, ...], named: str
) -> None:
    monkeypatch.chdir(kept.parent)
    (kept.parent / "bytes").write_bytes(b"\xd6\xd0\xff")
    done = yuliao(*call)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert named in done.stderr.splitlines()[-1]


def test_a_damaged_index_is_named_with_its_remedy(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = call(capsys, "index", kept, "--verify")
    assert (status, json.loads(out)["documents"], err) == (0, 2, "")
    (texts,) = kept.glob("index/*/texts.arrow")
    data = bytearray(texts.read_bytes())
    at = data.find("甲乙丙丁".encode())  # too short to be packed
    data[at] ^= 1
    texts.write_bytes(data)
    status, out, err = call(capsys, "index", kept, "--verify")
    assert (status, out) == (1, "")
    assert f"{texts}: does not hold what was written" in err
    assert "make the index again with `yuliao dedup INPUT -o OUT --index`" in err
    texts.unlink()
    status, _, err = call(capsys, "dedup", kept.parent / "a.jsonl", "-o", kept.parent / "out", "--against", kept)
    assert status == 1
    assert f"{texts}: is missing; make the index again" in err
    (kept / "index/index.json").unlink()
    err = call(capsys, "index", kept, "--lang", "zh")[2]
    assert f"{kept / 'index/index.json'}：缺失；请用 `yuliao dedup INPUT -o OUT --index` 重新建立索引" in err


def test_overlap_leaves_a_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    question = "下列关于国家保障自然资源合理利用的表述，符合宪法规定的是哪一项"
    (tmp_path / "cmmlu.csv").write_text(f",Question,A,B\n0,{question},甲,乙\n", "utf-8")
    (tmp_path / "a.txt").write_text(f"练习：{question}？", "utf-8")
    bench = str(tmp_path / "cmmlu.csv")
    status, out, err = call(capsys, "overlap", tmp_path / "a.txt", "--eval", bench, "-o", tmp_path / "out")
    assert status == 0, err
    summary = json.loads((tmp_path / "out/summary.json").read_text("utf-8"))
    assert summary == {
        "documents": 1,
        "with_overlap": 1,
        "overlaps": 1,
        "questions": 1,
        "questions_too_general": 0,
        "eval": [bench],
    }
    assert {**json.loads(out), "eval": [bench]} == {**summary, "out": str(tmp_path / "out")}


@pytest.mark.parametrize(
    "arguments",
    [["--eval", "x"], ["in", "--eval", "x"], ["in", "--signatures", "a", "b"], ["-o", "out", "--signatures", "a", "b"]],
)
def test_overlap_takes_no_argument_that_it_would_not_use(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        call(capsys, "overlap", *arguments)
    err = capsys.readouterr().err
    assert stop.value.code == 2
    assert err.startswith("usage: yuliao overlap ")
    assert "--eval needs INPUT and -o OUT; --signatures takes neither" in err


@pytest.mark.parametrize(
    ("verb", "how", "status"),
    [("dedup", signal.SIGINT, 1), ("dedup", signal.SIGTERM, 143), ("measure", signal.SIGTERM, 143)],
)
def test_a_tool_that_is_told_to_end_says_so_and_leaves_nothing(
    tmp_path: Path, verb: str, how: int, status: int
) -> None:
    lines = (json.dumps({"id": n, "text": article(n % 50) + str(n)}) for n in range(20_000))
    (tmp_path / "long.jsonl").write_text("\n".join(lines), "utf-8")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine").touch()
    program = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from flows.cli import main; sys.exit(main())"
    )
    command = [sys.executable, "-c", program, verb, tmp_path / "long.jsonl", "-o", tmp_path / "out"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
    deadline = time.monotonic() + 200
    while not list((tmp_path / "out").glob(".*")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(how)
    _, err = process.communicate(timeout=200)
    assert process.returncode == status, err
    assert err.splitlines()[-1] == f"yuliao {verb}: stopped; nothing was finished, {tmp_path / 'out'} is as it was"
    assert "Traceback" not in err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]
