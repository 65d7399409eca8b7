"""The promises of every step in the catalogue; a new cleaner or signal is held to them without a line here.

Stored results of a step change only with its `revision`. For a new step, or after raising a revision, run
`YULIAO_WRITE_GOLDENS=1 pytest tests/test_contract.py -k stored` and commit the new file.
"""

import json
import math
import os
import pickle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.step import Cleaner, Signal, Step, apply, build, of_role
from schemas.document import DOCUMENT, document_id

GOLDEN = Path(__file__).parent / "golden"
CLEANERS = sorted(of_role(Cleaner))
SIGNALS = sorted(of_role(Signal))
KINDS = [*CLEANERS, *SIGNALS]
SECONDS_ALLOWED = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))

FRAGMENTS = (
    *(
        "第一条 为了",
        "，、。",
        "\n",
        "\n\n",
        "\u3000",
        "了的是",
        "曰之乎者也",
        "佢哋嘅",
        "髮後發",
        "发头这",
        "かな",
        "한국",
    ),
    *("**粗**", "# 题\n", "[链](http://a.cn/x_y)", "![图](a.png)", "```\n码\n```", "<p>", "</div>", "<!--", "-->"),
    *("---\n", "|甲|乙|\n|---|---|\n", "- ", "* ", "> ", "_", "`", "\\", "[1]: http://a.cn\n", "<br/>", "&nbsp;"),
    *("&lt;", "&gt;", "&amp;", "&#10;", "13912345678", "11010519491231002X", "a.b@mail.cn", "卡号6222020000000000000"),
    *("+86 ", "-", ".", "@", "责任编辑：张三\n", "上一篇", "首页 > 新闻 > 正文\n", "首页 | 新闻 | 体育 | 财经\n"),
    *("版权所有", "京ICP备12345678号", "锟斤拷", "烫烫", "ï¿½", "????", "\ufffd", "\ue000", "\U000f0000", "𠮷", "👩‍👧"),
    *("\u200b", "\u200d", "\u0301", "\x00", "\r\n", "\t", " ", "\u2028", "the cat", "https://a.cn/b?c=d ", "12.5%"),
    *("１２３", "\U0010ffff", "가", "\u1161"),
)
PIECES = st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=8), st.text("的一是了我不人在他有，。", max_size=20))
texts = st.lists(PIECES, max_size=12).map("".join)


def batch_of(documents: list[str]) -> pa.RecordBatch:
    rows = [
        {"id": document_id("s", str(n)), "text": text, "source": "s", "uri": f"{n}.txt", "record": 0}
        for n, text in enumerate(documents)
    ]
    return pa.RecordBatch.from_pylist(rows, DOCUMENT)


def step_of(kind: str) -> Step:
    return build({"kind": kind})


def measured(step: Step, documents: list[str]) -> list[dict[str, Any]]:
    return [
        {name: row[name] for name in ("text", *step.adds)} for row in apply([step], batch_of(documents)).to_pylist()
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_keeps_rows_and_order_and_adds_what_it_declares(kind: str) -> None:
    step = step_of(kind)
    before = batch_of(["甲", "", "第二篇，讲的是另一件事。", "𠮷"])
    after = apply([step], before)
    assert after.column("id").equals(before.column("id"))
    assert after.schema.names == [*DOCUMENT.names, *step.adds]
    assert [after.schema.field(name).type for name in step.adds] == list(step.adds.values())
    assert all(after.column(name).null_count == 0 for name in step.adds)


@pytest.mark.parametrize("kind", KINDS)
@SECONDS_ALLOWED
@given(one=st.lists(texts, max_size=4), other=st.lists(texts, max_size=4))
def test_depends_on_the_text_alone(kind: str, one: list[str], other: list[str]) -> None:
    step = step_of(kind)
    together = measured(step, [*one, *other])
    assert together == measured(step, one) + measured(step, other)
    assert together == measured(step, [*one, *other])


@pytest.mark.parametrize("kind", KINDS)
@SECONDS_ALLOWED
@given(documents=st.lists(texts, min_size=1, max_size=4))
def test_values_lie_where_their_names_say(kind: str, documents: list[str]) -> None:
    for row in measured(step_of(kind), documents):
        for name, value in row.items():
            if name.endswith("_share"):
                assert 0.0 <= value <= 1.0, name
            elif name.endswith("_count"):
                assert isinstance(value, int), name
                assert value >= 0, name
            elif isinstance(value, float):
                assert math.isfinite(value), name


@pytest.mark.parametrize("kind", CLEANERS)
@SECONDS_ALLOWED
@given(documents=st.lists(texts, min_size=1, max_size=4))
def test_cleaning_twice_is_cleaning_once(kind: str, documents: list[str]) -> None:
    step = step_of(kind)
    once = [row["text"] for row in measured(step, documents)]
    assert [row["text"] for row in measured(step, once)] == once


@pytest.mark.parametrize("kind", SIGNALS)
def test_signals_leave_the_text_alone(kind: str) -> None:
    documents = ["", "第一条 **不变** \u200b\r\n"]
    assert [row["text"] for row in measured(step_of(kind), documents)] == documents


@pytest.mark.parametrize("kind", KINDS)
def test_measures_a_slice_of_a_batch_like_a_batch(kind: str) -> None:
    step = step_of(kind)
    documents = ["前面的一篇。", "中间的一篇，长一些。", "**后面**的一篇。", "最后"]
    cut = apply([step], batch_of(documents).slice(1, 2)).to_pylist()
    assert [{name: row[name] for name in ("text", *step.adds)} for row in cut] == measured(step, documents)[1:3]


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_batch_stays_empty(kind: str) -> None:
    step = step_of(kind)
    assert apply([step], batch_of([])).schema.names == [*DOCUMENT.names, *step.adds]


@pytest.mark.parametrize("kind", KINDS)
def test_goes_through_recipe_and_pickle(kind: str) -> None:
    step = step_of(kind)
    assert build(json.loads(json.dumps(step.spec()))) == step
    assert pickle.loads(pickle.dumps(step)) == step


@pytest.mark.parametrize("kind", KINDS)
def test_resources_are_named_hashed_and_licensed(kind: str) -> None:
    for resource in step_of(kind).resources():
        assert len(resource.hash) == 64
        assert resource.name
        assert resource.license


@pytest.mark.parametrize("kind", KINDS)
def test_gives_the_stored_columns(kind: str) -> None:
    step = step_of(kind)
    path = GOLDEN / "steps" / f"{kind}-{step.revision}.json"
    now = measured(step, json.loads((GOLDEN / "documents.json").read_text("utf-8")))
    if not path.exists():
        assert os.environ.get("YULIAO_WRITE_GOLDENS"), (
            f"no stored result of '{kind}' revision {step.revision}: run YULIAO_WRITE_GOLDENS=1 "
            "pytest tests/test_contract.py -k stored, look at the new file and commit it"
        )
        path.write_text(json.dumps(now, ensure_ascii=False, indent=1) + "\n", "utf-8")
    for row, stored in zip(now, json.loads(path.read_text("utf-8")), strict=True):
        wanted = {name: pytest.approx(value) if isinstance(value, float) else value for name, value in stored.items()}
        assert row == wanted, (
            f"'{kind}' gives other columns than its revision {step.revision} did: undo that, or raise `revision` "
            "and run YULIAO_WRITE_GOLDENS=1 pytest tests/test_contract.py -k stored"
        )
