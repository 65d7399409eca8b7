import pytest
from tests_support import texts_of

from pipeline.clean.glyphs import Glyphs, mend

CASES = {
    "ligatures": ("ﬁnd the eﬃcient ﬂow", "find the efficient flow", 3, 0),
    "kangxi": ("⼈⼯智能的⼀种⽅法", "人工智能的一种方法", 4, 0),
    "supplement": ("中国⻓城与⻢", "中国长城与马", 2, 0),
    "radical-at-head": ("⼀、总则\n⽤于⼀切⽅⾯", "一、总则\n用于一切方面", 5, 0),
    "bullet": ("\uf0b7 第一项\n  \uf0d8第二项", "• 第一项\n  ➢第二项", 2, 0),
    "spaced-line": ("这 是 一 个 用 来 说 明 的 句 子 。", "这是一个用来说明的句子。", 0, 11),
    "spaced-document": (
        "甲 方 应 当 按 时 付 款 ， 乙 方\n应 当 按 时 交 货 。 合 同 自\n签 字 之 日 起 生 效",
        "甲方应当按时付款，乙方\n应当按时交货。合同自\n签字之日起生效",
        0,
        25,
    ),
    "latin-between": (
        "我 们 用 Python 写 程 序 ， 因 为 它 很 简 单 ， 也 很 快 。 大 家 都 用",
        "我们用 Python 写程序，因为它很简单，也很快。大家都用",
        0,
        20,
    ),
}
UNTOUCHED = {
    "radicals-of-a-dictionary": "部首：⼀ ⼁ ⼂ ⼃",
    "words-of-a-lesson": "天 地 人 你 我 他 一 二 三 四 五 上 下 口 耳 目 手 足 站 坐 日 月 水 火",
    "winds": "东 南 西 北",
    "verse": "春眠不覺曉 處處聞啼鳥",
    "table": "甲 1\n乙 2",
    "private-inside": "吕\ue18d。\uf0b7",
    "strokes": "㇐㇑㇒",
    "spaced-name": "李 白 ， 字 太 白",
}


@pytest.mark.parametrize(("text", "wanted", "glyphs", "spaces"), CASES.values(), ids=CASES)
def test_makes_characters_again(text: str, wanted: str, glyphs: int, spaces: int) -> None:
    assert mend(text) == (wanted, glyphs, spaces)
    assert mend(wanted) == (wanted, 0, 0)


@pytest.mark.parametrize("text", UNTOUCHED.values(), ids=UNTOUCHED)
def test_leaves_what_is_meant(text: str) -> None:
    assert mend(text) == (text, 0, 0)


def test_finds_the_rows_that_need_it() -> None:
    texts = [text for text, *_ in CASES.values()] + list(UNTOUCHED.values())
    assert texts_of(Glyphs(), texts) == [mend(text)[0] for text in texts]
