"""The cleaner by a frozen table; how the table comes about is another test's matter."""

import hashlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.clean.passages import Passages
from pipeline.passages.lines import ANYWHERE, EDGE, WITHIN, Lines
from pipeline.passages.table import Table, table_bytes
from pipeline.text import CodePoints
from schemas.document import DOCUMENT, document_id

PLACES = {
    "首页 新闻 体育 财经": EDGE,
    "版权所有 2019": EDGE,
    "打印": WITHIN,
    "关闭": WITHIN,
    "本文仅代表作者观点，与本站无关，转载请注明出处。": ANYWHERE,
}
NAV, FOOT, PRINT, CLOSE, NOTE = PLACES
LINES = [*PLACES, "首頁　新聞　體育　財經", "版权所有 2021", "正文一句。", "", "  ", "------", "Ａ：是", "A:否"]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    hashes = Lines.of(CodePoints.of(pa.array(list(PLACES)))).hashes
    order = np.argsort(hashes)
    data = table_bytes(hashes[order], [30] * len(order), np.array(list(PLACES.values()), np.uint8)[order])
    path = tmp_path_factory.mktemp("table") / "table.tsv"
    path.write_bytes(data)
    return Table("s", hashlib.sha256(data).hexdigest(), path, "internal")


def batch_of(*texts: str, sources: str = "") -> pa.RecordBatch:
    rows = [
        {
            "id": document_id("s", str(n)),
            "text": text,
            "source": (sources or "s" * len(texts))[n],
            "uri": "u",
            "record": n,
        }
        for n, text in enumerate(texts)
    ]
    return pa.RecordBatch.from_pylist(rows, DOCUMENT)


def cleaned(table: Table, *texts: str, action: str = "remove", sources: str = "") -> list[tuple[str, int, int]]:
    step = Passages(action=action).frozen([table])
    rows = step.clean(batch_of(*texts, sources=sources)).select(["text", *step.adds]).to_pylist()
    return [tuple(row.values()) for row in rows]


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        (f"{NAV}\n正文。\n{FOOT}", "正文。", 2),
        (f"{NAV}\n\n正文。\n\n正文。\n\n\n{FOOT}\n", "正文。\n\n正文。", 2),
        (f"{NAV}\n{PRINT}\n{CLOSE}\n正文。", f"{PRINT}\n{CLOSE}\n正文。", 1),
        (f"{PRINT}\n{CLOSE}\n{NAV}\n正文。", "正文。", 3),
        (f"正文。\n{FOOT}\n----\n{PRINT}", "正文。", 2),
        (f"正文。\n{PRINT}", f"正文。\n{PRINT}", 0),
        (f"题目\n{NAV}\n正文。", f"题目\n{NAV}\n正文。", 0),
        (f"题目\n{NOTE}\n正文。\n", "题目\n正文。\n", 1),
        (f"{NAV}\n{PRINT}\n{FOOT}", "", 3),
        (f"\n \n{NAV}", "", 1),
        ("正文。\r\n 首頁、新聞、體育、財經 ", "正文。", 1),
        (f"正文。\n{FOOT}99", "正文。", 1),
        (f"正文。\n{FOOT}甲", f"正文。\n{FOOT}甲", 0),
        ("", "", 0),
        ("\n\n正文。\n", "\n\n正文。\n", 0),
    ],
)
def test_furniture_is_peeled_from_both_edges(table: Table, before: str, after: str, lines: int) -> None:
    assert cleaned(table, before) == [(after, lines, len(before) - len(after))]
    assert cleaned(table, before, action="mark") == [(before, lines, len(before) - len(after))]


def test_only_the_sources_that_have_a_table_are_cleaned(table: Table) -> None:
    text = f"{NAV}\n正文。"
    assert cleaned(table, text, text, text, sources="tst") == [(text, 0, 0), ("正文。", 1, len(NAV) + 1), (text, 0, 0)]


@settings(deadline=None)
@given(texts=st.lists(st.lists(st.sampled_from(LINES), max_size=8).map("\n".join), min_size=1, max_size=5))
def test_cleaning_twice_is_cleaning_once_and_rows_do_not_matter_to_each_other(table: Table, texts: list[str]) -> None:
    once = cleaned(table, *texts)
    assert once == [cleaned(table, text)[0] for text in texts]
    assert [row[0] for row in cleaned(table, *(row[0] for row in once))] == [row[0] for row in once]
    marked = cleaned(table, *texts, action="mark")
    assert [row[1:] for row in marked] == [row[1:] for row in once]
    for text, (after, lines, chars) in zip(texts, once, strict=True):
        assert chars == len(text) - len(after)
        assert (lines == 0) == (after == text)
        assert "正文一句。".encode() not in text.encode() or "正文一句。" in after
