import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.readers.wikitext import known_names, plain_text

NAMES = known_names()


def plain(text: str) -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    return plain_text(escaped.encode(), NAMES)


@pytest.mark.parametrize(
    ("wikitext", "shown"),
    [
        ("'''北京'''是[[中国|中國]]的[[首都]]。", "北京是中國的首都。"),
        ("见[[File:a.jpg|thumb|[[城|里]]的字]]下[[Category:城市]][[en:Beijing]]文", "见下文"),
        ("[[:Category:城市]]", "Category:城市"),
        ('甲{{cite|a=1|b={{x|y}}}}乙<ref name=a>丙{{d}}</ref>丁<ref name="a"/>戊', "甲乙丁戊"),
        ("北京（{{lang-en|Peking}}，{{bd|1|2}}）", "北京（Peking，）"),
        ("北京（{{bd|1|2}}）", "北京"),
        ("{{tsl|en|Foo|中文}}和{{link-en|本地|English}}{{NoteTA|1=zh-cn:x}}", "中文和本地"),
        ("{{nowrap|1=a=b}}", "a=b"),
        ("-{zh-hant:電腦;zh-hans:计算机}-和-{简}--{H|zh-cn:甲;zh-tw:乙}-", "计算机和简"),
        ("[http://a.b 链接]和[http://a.b]及 http://c.d", "链接和及 http://c.d"),
        ("== 史 ==\n文\n=== 空 ===\n{{a}}\n== 参考 ==\n{{reflist}}", "史\n文"),
        ("* 一\n** 二\n# 三\n----\n四__NOTOC__", "一\n二\n三\n\n四"),
        (
            "{| class=x\n! 名 !! 值\n|-\n| style=a | 甲 || 乙\n|-\n| 丙\n| [[丁|戊]]\n|}\n后",
            "名\t值\n\n甲\t乙\n\n丙\t戊\n\n后",
        ),
        ("一<br/>二<!-- 三 -->四<nowiki>[[五]]</nowiki>", "一\n二四[[五]]"),
        ("<gallery>\na.jpg|b\n</gallery>文''斜'''''粗'''", "文斜粗"),
        ("A&nbsp;B &lt;ref&gt;", "A B <ref>"),
        ("1 < 2，开 {{ 了 [[链|接]] 没 [[ 关", "1 < 2，开 {{ 了 接 没 [[ 关"),
    ],
)
def test_shows_what_a_reader_sees(wikitext: str, shown: str) -> None:
    assert plain(wikitext) == shown


MARKS = ["{{", "}}", "[[", "]]", "<ref>", "</ref>", "{|", "|}", "-{", "}-", *"{}[]|'<>=-*#:;!_/ \n\t&aB甲"]


@given(st.lists(st.sampled_from(MARKS), max_size=120).map("".join))
def test_never_shows_more_than_there_is(text: str) -> None:
    assert len(plain(text)) <= len(text) + 8
    assert "\x01" not in plain(text)


@given(st.binary(max_size=200))
def test_takes_any_bytes(data: bytes) -> None:
    plain_text(data, NAMES)


def test_layers_beyond_the_known_stay_linear() -> None:
    assert plain("{{" * 20_000 + "甲" + "}}" * 20_000)
    assert plain("[[" * 50_000).startswith("[[")
    assert plain("<ref>" * 20_000) == ""
