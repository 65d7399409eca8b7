"""`yuliao train`: a model from labelled files, its account, and what it says of wrong use."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests_support import article, call

from pipeline.step import apply, build
from schemas.document import DOCUMENT

ADS = ["全场五折起，加微信下单，包邮到家，欢迎来电咨询！", "厂家直销，量大从优，限时抢购，立即扫码领取优惠券！"]
Capture = pytest.CaptureFixture[str]


def rows(path: Path, documents: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in documents), encoding="utf-8")
    return path


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    good = [{"text": article(n), "mark": "good", "from": f"site{n % 9}"} for n in range(45)]
    bad = [{"text": f"{n}号店{ADS[n % 2]}" * (1 + n % 3), "mark": "bad", "from": f"site{n % 9}"} for n in range(45)]
    return rows(tmp_path / "docs.jsonl", good + bad)


def scored(texts: list[str], **parameters: Any) -> list[dict[str, Any]]:
    import pyarrow as pa

    documents = [{"id": str(n), "text": t, "source": "s", "uri": "u", "record": n} for n, t in enumerate(texts)]
    return apply([build(parameters)], pa.RecordBatch.from_pylist(documents, DOCUMENT)).to_pylist()


def test_a_trained_model_scores_text_and_is_the_same_file_each_time(
    labelled: Path, tmp_path: Path, capsys: Capture
) -> None:
    for name in "ab":
        status, out, err = call(capsys, "train", labelled, "--label-column", "mark", "-o", tmp_path / name, "--json")
        assert status == 0, err
    summary = json.loads(out)
    assert summary["labels"] == ["bad", "good"]
    assert summary["data"]["documents"] == {"bad": 45, "good": 45}
    assert json.loads((tmp_path / "b/summary.json").read_text("utf-8"))["curves"] == summary["curves"]
    files = {path.name for path in (tmp_path / "a").iterdir()}
    assert files == {"quality.model", "summary.json", "curve.html", "files.parquet", "quarantine.parquet"}
    for name in ("quality.model", "curve.html"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    model = str(tmp_path / "a/quality.model")
    good, bad = scored([article(77), ADS[0] * 2], kind="quality", model=model)
    assert good["quality_score"] > 0.8 > 0.2 > bad["quality_score"]
    flipped = scored([article(77)], kind="quality", model=model, label="bad")
    assert flipped[0]["quality_score"] == pytest.approx(1 - good["quality_score"])


def test_the_curve_is_printed_in_the_language_asked_for(labelled: Path, tmp_path: Path, capsys: Capture) -> None:
    options = ["--label-column", "mark", "--source-column", "from", "--split", "source", "--seed", 3, "--held", "0.4"]
    status, out, err = call(capsys, "train", labelled, *options, "-o", tmp_path / "out", "--lang", "zh")
    assert status == 0, err
    assert "误报率" in out
    assert "最佳阈值" in out


def test_many_labels_have_a_curve_each(labelled: Path, tmp_path: Path, capsys: Capture) -> None:
    food = [{"text": f"锅中倒油{n}克，放入葱姜爆香，小火焖煮，加盐出锅。", "mark": "菜谱"} for n in range(30)]
    more = rows(tmp_path / "more.jsonl", food)
    status, out, err = call(capsys, "train", labelled, more, "--label-column", "mark", "-o", tmp_path / "o", "--json")
    assert status == 0, err
    assert sorted(json.loads(out)["curves"]) == ["bad", "good", "菜谱"]


def test_good_and_bad_files_need_no_labels(tmp_path: Path, capsys: Capture) -> None:
    for n in range(24):
        (tmp_path / f"good{n}.txt").write_text(article(n), encoding="utf-8")
    bad = rows(tmp_path / "bad.jsonl", [{"content": f"{n}号店{ADS[n % 2]}"} for n in range(24)])
    status, out, err = call(
        capsys, "train", "--good", tmp_path / "good*.txt", "--bad", bad, "-o", tmp_path / "o", "--json"
    )
    assert status == 0, err
    assert json.loads(out)["data"]["documents"] == {"bad": 24, "good": 24}


def test_a_language_model_is_trained_on_clean_text(tmp_path: Path, capsys: Capture) -> None:
    clean = rows(tmp_path / "clean.jsonl", [{"text": article(n)} for n in range(60)])
    status, out, err = call(capsys, "train", clean, "--kind", "perplexity", "-o", tmp_path / "o")
    assert status == 0, err
    assert "char_bits" in out
    text = article(3)[:90]
    real, mixed = scored([text, text[::-1]], kind="perplexity", model=str(tmp_path / "o/perplexity.model"))
    assert real["order_bits"] > mixed["order_bits"] + 1
    assert real["char_bits"] + real["order_bits"] == pytest.approx(mixed["char_bits"] + mixed["order_bits"])


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (["{docs}"], 2, "needs labelled documents"),
        (["--good", "{docs}"], 2, "needs labelled documents"),
        (["{docs}", "--label-column", "mark", "--kind", "perplexity"], 2, "without labels"),
        (["{docs}", "--label-column", "none"], 1, "docs.jsonl, record 0: the field 'none' is not there or no text"),
        (["{docs}", "--label-column", "from"], 1, "no document is left"),
        (["{docs}/none.jsonl", "--label-column", "mark"], 1, "none.jsonl"),
    ],
)
def test_wrong_use_is_told_and_leaves_nothing(
    labelled: Path, tmp_path: Path, capsys: Capture, options: list[str], status: int, said: str
) -> None:
    arguments = [option.format(docs=labelled) for option in options]
    if "from" in arguments:
        rows(labelled, [{"text": article(n), "from": f"site{n}"} for n in range(6)])
    code, _, err = call(capsys, "train", *arguments, "-o", tmp_path / "out")
    assert (code, said in err) == (status, True), err
    assert not (tmp_path / "out").exists()


def test_a_label_that_a_model_does_not_have_is_told_before_data_is_read(
    labelled: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert call(capsys, "train", labelled, "--label-column", "mark", "-o", tmp_path / "o")[0] == 0
    step = build({"kind": "quality", "model": str(tmp_path / "o/quality.model"), "label": "law"})
    with pytest.raises(Exception, match="the model has no label 'law'; its labels are: bad, good"):
        step.resources()
