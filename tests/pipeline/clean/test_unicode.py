import pyarrow as pa
import pytest

from pipeline.clean import unicode, width, wrapped
from pipeline.clean.unicode import Unicode

CASES = {
    "zero-width": ("零\u200b宽\ufeff字", "零宽字", 2),
    "bidi": ("甲\u202e乙\u202c", "甲乙", 2),
    "control": ("甲\x00乙\x1f", "甲乙", 2),
    "soft-hyphen": ("甲\u00ad乙", "甲乙", 1),
    "odd-space": ("甲\u00a0乙\u3000丙", "甲 乙 丙", 2),
    "indent": ("\u3000\u3000段首\n\u3000\u3000又一段", "段首\n又一段", 4),
    "ascii-indent": ("def f():\n    return 1", "def f():\n    return 1", 0),
    "trailing": ("行尾  \t\n下一行", "行尾\n下一行", 3),
    "crlf": ("甲\r\n乙\r丙", "甲\n乙\n丙", 2),
    "separators": ("甲\u2028乙\u0085丙", "甲\n乙\n丙", 2),
    "blank-lines": ("甲\n\n\n\n乙", "甲\n\n乙", 2),
    "blank-ends": ("\n\n甲\n \n", "甲", 5),
    "composed": ("e\u0301", "é", 1),
    "compatibility": ("\uf900", "豈", 1),
    "hangul": ("\u1112\u1161\u11ab", "한", 2),
    "full-width": ("ＡＢＣ，。！？：；（１２３）", "ＡＢＣ，。！？：；（１２３）", 0),
    "private-use": ("吕\ue18d。", "吕\ue18d。", 0),
    "emoji-joiner": ("👩\u200d👧", "👩\u200d👧", 0),
    "stray-joiner": ("甲\u200d乙", "甲乙", 1),
    "variation": ("葛\U000e0100城", "葛\U000e0100城", 0),
    "tags": ("甲\U000e0041\U000e007f", "甲", 2),
    "byte-order-mark-inside": ("甲\n\ufeff乙", "甲\n乙", 1),
    "soft-hyphen-at-line-end": ("exam\u00ad\nple", "exam-\nple", 1),
    "soft-hyphen-at-the-end": ("exam\u00ad", "exam", 1),
    "flag": ("🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", None, 0),
    "annotation": ("\ufff9漢字\ufffaかんじ\ufffb。", "漢字（かんじ）。", 3),
    "half-annotation": ("甲\ufffa乙", "甲乙", 1),
    "object": ("图\ufffc说", "图说", 1),
    "hangul-filler": ("甲\u3164乙", "甲乙", 1),
    "non-joiner-persian": ("می\u200cخواهم", None, 0),
    "joiner-devanagari": ("क्\u200dष क्\u200d", None, 0),
    "joiner-khmer": ("ក\u200cខ", None, 0),
    "joiner-before-space": ("👩\u200d\u3000乙", "👩 乙", 2),
    "selector-of-emoji": ("❤\ufe0f 1\ufe0f⃣", None, 0),
    "selector-after-nothing": ("\ufe0f甲 \ufe0e乙a\ufe0f", "甲 乙a", 3),
    "selectors-that-hide-bytes": ("好\U000e0101\U000e0102\U000e0103😀\U000e0150", "好\U000e0101😀", 3),
    "empty": ("", "", 0),
    "only-space": (" \u3000\n ", "", 4),
}


def cleaned(texts: list[str]) -> pa.RecordBatch:
    return Unicode().clean(pa.record_batch({"text": pa.array(texts, pa.string())}))


@pytest.mark.parametrize(("text", "wanted", "count"), CASES.values(), ids=CASES)
def test_repairs(text: str, wanted: str | None, count: int) -> None:
    assert cleaned([text]).to_pylist() == [{"text": text if wanted is None else wanted, "unicode_repair_count": count}]


def test_repairs_each_row_by_itself() -> None:
    batch = cleaned([text for text, _, _ in CASES.values()])
    assert batch.column("text").to_pylist() == [
        text if wanted is None else wanted for text, wanted, _ in CASES.values()
    ]
    assert batch.column("unicode_repair_count").to_pylist() == [count for _, _, count in CASES.values()]


def test_hands_on_the_same_column_when_nothing_is_wrong() -> None:
    column = pa.array(["好的文本。", "第二篇，\n\n分两段。"])
    after = Unicode().clean(pa.record_batch({"text": column})).column("text")
    assert after.buffers()[2].address == column.buffers()[2].address


def test_han_that_kernels_pass_over_have_nothing_to_find() -> None:
    assert not unicode._actions()[0x4000:0x9000].any()
    assert (width._table()[0x4000:0x9000] == width._BESIDE).all()
    assert (wrapped._table()[0x4000:0x9000] == (wrapped._PLAIN | wrapped._WIDE)).all()
