"""The training of the classical weights: what it reads, what it leaves out, and that its table tells both apart."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import zstandard

from benchmarks import classical
from pipeline.signals.classical import weights

OLD = "子曰：學而時習之，不亦說乎？有朋自遠方來，不亦樂乎？人不知而不慍，不亦君子乎？"
NEW = "孔子说：学习了又按时去温习，不也很高兴吗？有朋友从远方来，不也很快乐吗？别人不了解我，我也不生气。"


def test_takes_the_chinese_lines_of_a_file() -> None:
    page = f"<p>{NEW}</p>\n<code>x = 1</code>\nEnglish only\nこれは日本語です漢字\n".encode()
    assert list(classical.pieces_of("a.html", page)) == [NEW]
    assert list(classical.pieces_of("a.json", json.dumps({"a": [NEW, 3, {"b": OLD}]}).encode())) == [f"{NEW}\n{OLD}"]
    assert list(classical.pieces_of("a.txt", "# 標題一二三四\n學而¶\n時習之¶\n".encode())) == ["學而時習之"]


def test_leaves_out_what_it_is_judged_by(tmp_path: Path) -> None:
    folder = tmp_path / "some+texts"
    folder.mkdir()
    for name, lines in (("kept.txt", NEW), ("judged.txt", OLD)):
        (folder / name).write_text(lines, encoding="utf-8")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-C", str(folder)]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "texts"]):
        subprocess.run([*git, *command], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    judged = tmp_path / "judged.jsonl.zst"
    judged.write_bytes(zstandard.compress(json.dumps({"text": "前言" + OLD[3:] + "後記"}).encode()))
    source = classical.Source("zh", 1.0, "some/texts", commit, r"\.txt$")
    trained, held = classical.read(source, tmp_path, classical.excluded_runs([str(judged)]))
    assert [len(trained), len(held)] == [1, len(NEW) + 2]
    both, _ = classical.read(source, tmp_path, classical.excluded_runs([]))
    assert len(both) == len(NEW) + 2 or len(both) == len(OLD) + 2


def test_learns_to_tell_and_writes_what_the_signal_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classical, "SAMPLES", 2_000)
    rows = [classical.Source(language, 1.0, "", "", "") for language in ("zh", "lzh")]
    texts = [np.tile(np.append(classical.tokens_of(text), np.uint16(0)), 30) for text in (NEW, OLD)]
    known, slots, fitted = classical.fit(texts, rows)
    assert classical.called_classical(texts[0], 12, known, slots, fitted) == 0
    assert classical.called_classical(texts[1], 12, known, slots, fitted) == 1
    classical.write(tmp_path / "table.tsv", slots, fitted)
    lines = [line for line in (tmp_path / "table.tsv").read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    assert {line.split("\t")[0] for line in lines} == {"0", "1", "2"}
    again = classical.fit(texts, rows)[2]
    assert (again == fitted).all()


def test_every_source_says_where_it_is_from() -> None:
    rows = classical.sources()
    assert {row.language for row in rows} == {"zh", "lzh"}
    assert all(len(row.commit) == 40 and row.share > 0 for row in rows)
    assert len(weights().folds)
