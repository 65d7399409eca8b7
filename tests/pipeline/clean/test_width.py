from typing import Any

import pyarrow as pa
import pytest
from tests_support import texts_of

from pipeline.clean.width import Width

LETTERS = {
    "letters": ("使用ＡＢＣ和ｘｙｚ，共１２３个", "使用ABC和xyz，共123个", 9),
    "number": ("２．５米", "2.5米", 3),
    "joined": ("ＴＣＰ／ＩＰ协议", "TCP/IP协议", 6),
    "han-zero": ("二０二三年", "二０二三年", 0),
    "marks-stay": ("（１）甲，乙；５０％", "（1）甲，乙；50％", 3),
}
KANA = {
    "kana": ("ｶﾞﾗｽの窓｡", "ガラスの窓。", 5),
    "marks-after-han": ("好｡他说､行", "好。他说、行", 2),
    "face": ("(ﾟДﾟ) ﾉ", "(ﾟДﾟ) ﾉ", 0),
}
MARKS = {
    "comma": ("他说,今天不来了。", "他说，今天不来了。", 1),
    "space-goes": ("他说, 今天不来, 明天来。", "他说，今天不来，明天来。", 2),
    "question": ("你好!今天怎么样?", "你好！今天怎么样？", 2),
    "quotes": ("他说:“好!”然后走了.", "他说：“好！”然后走了。", 3),
    "brackets": ("本法（试行）,自公布之日起施行。", "本法（试行），自公布之日起施行。", 1),
    "time": ("会议12:30开始,地点:A座。", "会议12:30开始，地点:A座。", 1),
    "number": ("共10,000元,分3.5期。", "共10,000元，分3.5期。", 1),
    "address": ("见http://a.cn/b?c=d,e。", "见http://a.cn/b?c=d,e。", 0),
    "table": ("甲,乙,丙\n一,二,三", "甲,乙,丙\n一,二,三", 0),
    "code": ("打印(甲,乙);  # 注释,说明。", "打印(甲,乙);  # 注释,说明。", 0),
    "fence": ("```\n甲,乙。\n```\n甲,乙。", "```\n甲,乙。\n```\n甲，乙。", 1),
    "open-fence": ("甲,乙。\n```\n甲,乙。", "甲，乙。\n```\n甲,乙。", 1),
    "item": ("一.总则,二.分则。", "一.总则，二.分则。", 1),
    "ellipsis": ("他走了...", "他走了...", 0),
    "about-width": ("半角逗号,与全角逗号,不同。", "半角逗号,与全角逗号,不同。", 0),
}
ALL = {**LETTERS, **KANA, **MARKS}


def changed(text: str, **parameters: Any) -> tuple[str, int]:
    row = Width(**parameters).clean(pa.record_batch({"text": pa.array([text])})).to_pylist()[0]
    return row["text"], row["width_change_count"]


@pytest.mark.parametrize("option", ["letters", "kana", "punctuation"])
def test_each_kind_is_changed_by_choice(option: str) -> None:
    only = {name: name == option for name in ("letters", "kana", "punctuation")}
    for name, cases in (("letters", LETTERS), ("kana", KANA), ("punctuation", MARKS)):
        for text, wanted, count in cases.values():
            if name == option:
                assert changed(text, **only) == (wanted, count)
    others = [cases for name, cases in (("letters", LETTERS), ("kana", KANA)) if name != option]
    for text, _, _ in (case for cases in others for case in cases.values()):
        assert changed(text, **only) == (text, 0)


@pytest.mark.parametrize(("text", "wanted", "count"), MARKS.values(), ids=MARKS)
def test_marks_between_han_in_prose_become_chinese(text: str, wanted: str, count: int) -> None:
    assert changed(text) == (wanted, count)
    assert changed(wanted) == (wanted, 0)


def test_finds_the_rows_that_need_it() -> None:
    texts = [text for text, *_ in ALL.values()]
    assert texts_of(Width(), texts) == [changed(text)[0] for text in texts]
