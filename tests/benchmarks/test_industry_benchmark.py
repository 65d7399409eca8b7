"""The scripts behind the signal `industry`: how texts are read and left out, and which words become terms."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from opencc import OpenCC

FOLDER = Path(__file__).parent.parent.parent / "benchmarks" / "industry"


@pytest.fixture(scope="module")
def scripts() -> Iterator[SimpleNamespace]:
    """The scripts as modules; they import each other by bare names, as when they are run."""
    names = ("corpus", "gather", "measure", "overlap", "seeds", "terms", "train")
    sys.path.insert(0, str(FOLDER))
    try:
        import corpus
        import gather
        import measure
        import overlap
        import seeds
        import terms
        import train

        yield SimpleNamespace(
            corpus=corpus, gather=gather, measure=measure, overlap=overlap, seeds=seeds, terms=terms, train=train
        )
    finally:
        sys.path.remove(str(FOLDER))
        for name in names:
            sys.modules.pop(name, None)


def test_records_are_found_however_deep(scripts: SimpleNamespace) -> None:
    nested = [[{"q": "问", "a": "答", "n": 1}], {"data": [{"q": "又问"}]}, ["不看"]]
    assert [text for _, text in scripts.gather.read_json(json.dumps(nested), {"text": ["q", "a"]})] == [
        "问\n答",
        "又问",
    ]


def test_long_files_are_cut_into_bounded_pieces(scripts: SimpleNamespace) -> None:
    pieces = scripts.gather.pieces("第一行文字。\n" * 3_000 + "无换行" * 9_000)
    assert len(pieces) == scripts.gather.PIECES
    assert max(map(len, pieces)) < 2 * scripts.gather.PIECE + 10


def test_classes_lead_to_industries(scripts: SimpleNamespace) -> None:
    paper = f"论文题目\n中图分类号：S 828 文献标识码：A\n{'养猪' * 50}"
    part = {"by_class": True, "read": "chinaxiv"}
    (record,) = scripts.gather.read_chinaxiv(paper, part)
    assert scripts.gather.label_of(part, record[0], scripts.gather.classes("clc")) == "agriculture"
    assert scripts.gather.label_of(part, "ZZ9", scripts.gather.classes("clc")) is None


def test_every_class_and_source_names_a_known_industry(scripts: SimpleNamespace) -> None:
    import yaml

    known = set(scripts.corpus.LABELS)
    schemes = ("apps", "clc", "discipline", "headline", "thuc", "toutiao")
    assert all(set(scripts.gather.classes(scheme).values()) <= known for scheme in schemes)
    assert set(scripts.gather.classes("field").values()) <= known | {"-"}
    assert set(scripts.seeds.seeds().values()) == known
    sources = yaml.safe_load((FOLDER / "sources.yaml").read_text("utf-8"))
    for source in sources.values():
        assert len(source["commit"]) == 40
        assert source["use"] in ("train", "judge")
        assert all(part.get("label", "other") in known for part in source["parts"])


def test_texts_that_share_thirteen_characters_are_found_in_any_script(scripts: SimpleNamespace, tmp_path: Path) -> None:
    secret = "评测题目：下列关于中华人民共和国宪法的说法，正确的是哪一项"
    listed = tmp_path / "secret.jsonl"
    listed.write_text(json.dumps({"text": secret + " internationalization"}) + "\n", encoding="utf-8")
    grams = scripts.overlap.Grams.of([listed])
    assert grams.shared("前文。" + OpenCC("s2t").convert("关于 中华人民共和国宪法 的说法") + "，后文")
    assert not grams.shared("internationalization of documents")
    assert not grams.shared("中华人民共和国宪法是根本法")
    assert not scripts.overlap.Grams.of([]).shared(secret)


def test_what_is_judged_is_the_whole_file_and_what_is_trained_on_its_pieces(scripts: SimpleNamespace) -> None:
    text = "一行文字。\n" * 2_000
    assert [t for _, t in scripts.gather.read_text(text, {"use": "judge"})] == [text]
    assert len(list(scripts.gather.read_text(text, {"use": "train"}))) > 5


def test_a_report_has_the_industry_of_its_headline(scripts: SimpleNamespace) -> None:
    report = "日期: 2025-01-01\n主题: 央行下调利率\n\n来源: https://example.org\n\n## 摘要\n正文"
    assert list(scripts.gather.read_reports(report, {})) == [("央行", "来源: \n\n## 摘要\n正文")]
    assert not list(scripts.gather.read_reports(report.replace("央行下调利率", "法院与银行"), {}))


def test_the_narrowest_discipline_of_a_question_decides(scripts: SimpleNamespace) -> None:
    rows = [{"question": "问", "options": "甲", "labels": ["法学", name]} for name in ("外交学", "法理学")]
    rows.append({"question": "问", "options": "甲", "labels": ["公共管理", "土地资源管理"]})
    lines = "\n".join(json.dumps(row) for row in rows)
    assert [name for name, _ in scripts.gather.read_xiezhi(lines, {})] == ["外交学", "法学"]


def test_a_term_is_shown_by_two_sources_and_belongs_to_one_industry(scripts: SimpleNamespace) -> None:
    law, health = (scripts.corpus.LABELS.index(name) for name in ("law", "health"))
    words = [frozenset({"判令", "本院", "甲站", "手术"})] * 10 + [frozenset({"判令", "本院", "手术"})] * 10
    words += [frozenset({"患处", "本院"})] * 10 + [frozenset({"患处"})] * 10
    sources = np.repeat(np.array(["a", "b", "c", "d"], object), 10)
    learned = scripts.terms.learn(words, sources, np.repeat([law, health], 20))
    seeds = scripts.seeds.seeds()
    assert {term: name for term, (name, _) in learned.items() if term not in seeds} == {"判令": "law", "患处": "health"}
    assert all(0 < weight <= scripts.terms.MOST for _, weight in learned.values())
    assert learned["门诊"] == ("health", scripts.terms.START)
    assert learned["手术"][0] == "law"


def test_seeds_are_found_inside_a_text(scripts: SimpleNamespace) -> None:
    (found, nothing) = scripts.seeds.held(pa.array(["在门诊等候手术，用java写", "在吗"], pa.string()))
    assert {"门诊", "手术", "java"} <= found
    assert not nothing


def test_industries_and_sources_weigh_what_they_should(scripts: SimpleNamespace) -> None:
    labels, sources = np.array([0] * 5 + [1]), np.array(["a"] * 4 + ["b"] + ["c"], object)
    weights = scripts.train.importance(sources, labels)
    assert weights[:5].sum() == pytest.approx(weights[5])
    assert weights[:4].sum() == pytest.approx(2 * weights[4])


def test_figures_are_precision_recall_and_f1(scripts: SimpleNamespace) -> None:
    table = scripts.measure.confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), np.ones(3))
    assert scripts.measure.figures(table)[:2].tolist() == [
        [1.0, 0.5, pytest.approx(2 / 3)],
        [0.5, 1.0, pytest.approx(2 / 3)],
    ]
