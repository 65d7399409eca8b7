"""The signal `industry`: names industries of both scripts, shows its terms, and takes lists and models of one's own."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.models.file import write_model
from pipeline.models.form import REVISION, Folded
from pipeline.models.linear import KIND, Training, train
from pipeline.signals.industry import EVIDENCE, OTHER, Industry
from pipeline.text import CodePoints
from schemas.errors import RecipeError

CASES: dict[str, str] = yaml.safe_load((Path(__file__).parent / "industry_cases.yaml").read_text(encoding="utf-8"))
HANT = "患者因咳嗽、發熱三天就診，醫生診斷為肺炎，給予抗生素治療，建議複查血常規和胸部影像，注意藥物不良反應。"
LIST = """---
name: own
version: "1"
license: CC0-1.0
language: zh
---
term\tcategory\tweight
甲乙\tlaw\t3
丙丁\tlaw\t2
戊己\thealth\t1
"""


def measured(texts: list[str], **parameters: str) -> list[dict[str, object]]:
    step = Industry(**parameters)
    arrays = step.measure(pa.record_batch({"text": pa.array(texts, pa.string())}))
    return pa.table(dict(zip(step.adds, arrays, strict=True))).to_pylist()


@pytest.mark.parametrize("industry", CASES)
def test_names_the_industry_and_shows_terms_of_the_text(industry: str) -> None:
    (row,) = measured([CASES[industry]])
    assert row["industry"] == industry
    assert 0.3 < row["industry_score"] <= 1
    assert 1 <= len(row["industry_evidence"]) <= EVIDENCE
    assert all(term in CASES[industry] for term in row["industry_evidence"])


def test_scripts_are_alike() -> None:
    (hant, hans) = measured([HANT, CASES["health"]])
    assert hant == hans


def test_small_talk_and_nothing_are_of_no_industry() -> None:
    recipe = "热锅倒食用油，葱姜蒜末爆香，下锅大火翻炒，加盐、白糖和生抽调味出锅。"
    for row in measured(["哈哈哈哈，晚安，明天见，早点睡，我也想你。", recipe, ""]):
        assert row["industry"] == ""
        assert row["industry_evidence"] == []


def test_the_heaviest_terms_stand_first_and_each_once(tmp_path: Path) -> None:
    own = tmp_path / "own.tsv"
    own.write_text(LIST, encoding="utf-8")
    (row,) = measured(["甲乙丙丁丙丁戊己。" + CASES["law"]], lexicon=str(own))
    assert row["industry"] == "law"
    assert row["industry_evidence"] == ["甲乙", "丙丁"]


def test_a_list_of_ones_own_changes_the_identity(tmp_path: Path) -> None:
    own = tmp_path / "own.tsv"
    own.write_text(LIST, encoding="utf-8")
    ours, theirs = (step.identity()["resources"] for step in (Industry(), Industry(lexicon=str(own))))
    assert ours[0] != theirs[0]
    assert ours[1] == theirs[1]
    moved = own.rename(tmp_path / "moved.tsv")
    assert Industry(lexicon=str(moved)).identity()["resources"] == theirs
    assert Industry(lexicon=str(moved)).identity()["params"] == {}


def test_an_industry_that_the_model_lacks_is_refused(tmp_path: Path) -> None:
    own = tmp_path / "own.tsv"
    own.write_text(LIST.replace("health", "tourism"), encoding="utf-8")
    with pytest.raises(RecipeError, match=r"tourism.*agriculture"):
        Industry(lexicon=str(own)).resources()


def test_a_model_without_texts_of_no_industry_is_refused(tmp_path: Path) -> None:
    folded = Folded.of(CodePoints.of(pa.array(["依法判决。", "患者咳嗽。", "银行贷款。"], pa.string())))
    model = train(folded, np.arange(3), ("law", "health", "finance"), Training(bits=8))
    header = {"kind": KIND, "labels": list(model.labels), "parameters": {"form": REVISION}}
    write_model(tmp_path / "own.model", header, model.arrays)
    with pytest.raises(RecipeError, match="other"):
        Industry(model=str(tmp_path / "own.model")).resources()


def test_a_missing_list_is_named() -> None:
    with pytest.raises(RecipeError, match="nowhere.tsv"):
        Industry(lexicon="nowhere.tsv").resources()


def test_a_model_of_ones_own_is_used(tmp_path: Path) -> None:
    texts = ["游客乘船游览西湖。", "导游带团参观景点。", "在吗？", "好的好的。"]
    names = ("tourism", OTHER)
    three = train(
        Folded.of(CodePoints.of(pa.array([*texts, "依法判决。"], pa.string()))),
        np.array([0, 0, 1, 1, 2]),
        (*names, "law"),
        Training(bits=10),
    )
    path, own = tmp_path / "own.model", tmp_path / "own.tsv"
    header = {"kind": KIND, "labels": list(three.labels), "parameters": {"form": REVISION}}
    write_model(path, header, three.arrays)
    own.write_text(LIST.replace("health", "tourism"), encoding="utf-8")
    (row,) = measured(["游客乘船游览西湖，戊己。"], lexicon=str(own), model=str(path))
    assert row["industry"] == "tourism"
    assert row["industry_evidence"] == ["戊己"]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([*CASES.values(), "晚安。", ""]), min_size=1, max_size=4))
def test_scores_are_likelihoods_and_evidence_is_of_the_text(texts: list[str]) -> None:
    for text, row in zip(texts, measured(texts), strict=True):
        assert 0 < row["industry_score"] <= 1
        assert len(row["industry_evidence"]) <= EVIDENCE
        assert len(set(row["industry_evidence"])) == len(row["industry_evidence"])
        assert all(term in text for term in row["industry_evidence"])
