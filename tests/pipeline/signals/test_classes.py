import opencc
import pytest

from pipeline.signals import classes
from pipeline.tables import lines_of

PACKAGE = "pipeline.signals"


def characters(name: str) -> set[str]:
    return set("".join(lines_of(PACKAGE, name)))


@pytest.mark.parametrize(
    ("char", "name"),
    [
        *(("中", "HAN"), ("〇", "HAN"), ("々", "HAN"), ("𠮷", "HAN"), ("a", "LATIN"), ("é", "LATIN"), ("Ａ", "LATIN")),
        *(
            ("7", "DIGIT"),
            ("７", "DIGIT"),
            ("，", "PUNCTUATION"),
            ("-", "PUNCTUATION"),
            ("＋", "SYMBOL"),
            ("$", "SYMBOL"),
        ),
        *(("か", "KANA"), ("ー", "KANA"), ("ｱ", "KANA"), ("한", "HANGUL"), ("ж", "CYRILLIC"), ("α", "OTHER_LETTER")),
        *(("\u3000", "SPACE"), ("\n", "SPACE"), ("\ue000", "PRIVATE"), ("\ufffd", "BROKEN"), ("\x81", "BROKEN")),
        *(("龘", "RARE"), ("国", "HANS"), ("國", "HANT"), ("図", "JAPANESE"), ("。", "SENTENCE_END"), ("”", "CLOSER")),
        *(("•", "BULLET"), ("Ã", "LATIN_1"), ("锟", "PAIR"), ("：", "CLAUSE_END"), ("、", "STOP"), ("嘅", "CANTONESE")),
        *(("，", "FULL"), ("—", "FULL"), ("⼀", "RADICAL"), ("⺀", "RADICAL"), ("的", "FUNCTION"), ("這", "FUNCTION")),
        *(("｜", "SEPARATOR"), ("{", "SIGN"), ("？", "SENTENCE_END"), ("?", "WATCHED")),
    ],
)
def test_knows_what_a_character_is(char: str, name: str) -> None:
    assert classes.table()[ord(char)] & getattr(classes, name)


@pytest.mark.parametrize("char", "的们們佢嘅曰矣兮龍龙裡裏")
def test_characters_of_every_kind_of_chinese_are_common(char: str) -> None:
    assert not classes.table()[ord(char)] & classes.RARE


@pytest.mark.parametrize("char", "后里干台云只后乾著於")
def test_characters_that_both_scripts_use_tell_neither(char: str) -> None:
    assert not classes.table()[ord(char)] & (classes.HANS | classes.HANT)


def test_the_norm_table_is_whole() -> None:
    rows = [line.split("\t") for line in lines_of(PACKAGE, "han_levels.tsv")]
    levels = {level: "".join(chars for of, chars in rows if of == level) for level in "123"}
    assert [len(chars) for chars in levels.values()] == [3_500, 3_000, 1_605]
    assert len(set("".join(levels.values()))) == 8_105
    assert [(chars[0], chars[-1]) for chars in levels.values()] == [("一", "矗"), ("乂", "齉"), ("亍", "蠼")]


@pytest.mark.parametrize(
    ("char", "level"), [("一", 1), ("國", 1), ("国", 1), ("邶", 2), ("镕", 3), ("龘", 0), ("a", 0)]
)
def test_knows_the_level_of_a_character(char: str, level: int) -> None:
    assert classes.table()[ord(char)] >> classes.LEVEL & 3 == level


def test_a_character_has_one_kind() -> None:
    kinds = ["HAN", "LATIN", "DIGIT", "PUNCTUATION", "SYMBOL", "KANA", "HANGUL", "CYRILLIC", "OTHER_LETTER", "SPACE"]
    bits = classes.table()
    assert max(sum((bits & getattr(classes, kind) > 0).astype(int) for kind in [*kinds, "PRIVATE", "BROKEN"])) == 1


def test_script_tables_agree_with_opencc() -> None:
    to_hans, to_hant = opencc.OpenCC("t2s"), opencc.OpenCC("s2t")
    hans, hant = characters("hans_only.txt"), characters("hant_only.txt")
    assert not hans & hant
    assert all(to_hans.convert(char) != char for char in hant)
    assert all(to_hant.convert(char) != char for char in hans)
    assert len(hans) > 2500
    assert len(hant) > 2500


def test_japanese_forms_are_in_no_chinese_table() -> None:
    japanese = characters("ja_only.txt")
    assert len(japanese) > 200
    assert not japanese & (characters("hans_only.txt") | characters("hant_only.txt") | characters("han_common.txt"))
