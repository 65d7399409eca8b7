from collections.abc import Callable

import pytest
from tests_support import ARTICLES, is_linear, texts_of

from pipeline.clean.leftovers import Leftovers

CASES = {
    "entities-without-end": ("甲&nbsp乙&nbsp&nbsp丙", "甲 乙 丙"),
    "entities-escaped-twice": ("甲&amp;nbsp;&amp;nbsp;乙", "甲 乙"),
    "conditional-comments": ("甲<![endif]-->乙<!--[if gte mso 9]>丙", "甲乙丙"),
    "declaration": ("<!DOCTYPE html>\n甲", "甲"),
    "xml-declaration": ("<?xml version='1.0'?>甲", "甲"),
    "office": ("<o:p>甲</o:p>乙<v:shape id=1>", "甲乙"),
    "character-data": ("<![CDATA[甲]]>", "甲"),
    "cut-tag": ('甲<span style="color:red', "甲"),
    "script-line": ("甲\nvar _hmt = _hmt || [];\n乙\n丙", "甲\n乙\n丙"),
    "style-line": ("甲\n.a b { color: red; margin: 0 }\n乙\n丙", "甲\n乙\n丙"),
    "bbcode": ("[b]粗[/b]文[url=http://a.cn]链[/url][img]http://a/b.png[/img]", "粗文链"),
    "bbcode-of-any-case": ("[SIZE=3]大[/SIZE][IMG]a.png[/IMG]", "大"),
    "wiki": (
        "'''张三'''（[[1990年]]－）是[[中国|中华]]人{{cite web|a}}。<ref name=a>出处</ref><ref name=b />\n"
        "== 生平 ==\n生于[[北京]]",
        "张三（1990年－）是中华人。\n生平\n生于北京",
    ),
    "wiki-files": ("[[文件:图.jpg|说明]]甲[[上海]]和[[分类:人]][http://a.cn 外链]", "甲上海和外链"),
    "wiki-templates": ("{{甲|{{乙}}}}丙[[丁方]]\n* 戊", "丙丁方\n戊"),
    "wiki-variants": ("[[甲方]]用-{zh-hans:计算机;zh-hant:電腦}-算[[乙方]]", "甲方用计算机算乙方"),
    "wiki-table": ("[[甲方]]\n{| class=a\n|-\n| 乙\n|}\n[[丙方]]", "甲方\n丙方"),
}
UNTOUCHED = {
    "about-html": "HTML 里写作 &nbsp 或 <![CDATA[甲]]>。",
    "about-bbcode": "BBCode 写作 [b]粗[/b]。",
    "fence": "[b]甲[/b]\n```\n[[乙]]\n```",
    "array": "取 a[b] 与 c[i]，见 [[1, 2], [3, 4]]。",
    "one-bracket": "见[[附录]]。",
    "python": "写作 '''doc''' 和 {{ name }}。",
    "markdown": "# 题 [[题目]]\n[[题目]]",
    "open-bbcode": "数组 a[i]=1，[b]没有结尾",
    "mostly-code": "window.a = 1;\nwindow.b = 2;\n甲",
    "less-than": "若 a <b 且 c = 1",
    "statute": ARTICLES[0],
}


@pytest.mark.parametrize(("text", "wanted"), CASES.values(), ids=CASES)
def test_takes_out_leftovers_and_keeps_words(text: str, wanted: str) -> None:
    assert Leftovers().clean_text(text) == wanted


@pytest.mark.parametrize("text", UNTOUCHED.values(), ids=UNTOUCHED)
def test_leaves_what_is_meant(text: str) -> None:
    assert Leftovers().clean_text(text) == text


def test_finds_the_rows_that_need_it() -> None:
    texts = [text for text, _ in CASES.values()] + list(UNTOUCHED.values())
    assert texts_of(Leftovers(), texts) == [Leftovers().clean_text(text) for text in texts]


NESTED = {
    "bold": lambda n: "甲&nbsp乙\n'''" + "中" * n,
    "link": lambda n: "甲&nbsp乙\n[[" + "中" * n,
    "style": lambda n: ("甲&nbsp乙\n.a{" + "a:aa" * 40 + "\n") * (n // 160),
    "template": lambda n: "[[甲乙]]" * 2 + "{{甲" * (n // 16) + "}}" * (n // 16),
}


@pytest.mark.parametrize("nested", NESTED.values(), ids=NESTED)
def test_marks_that_nest_or_never_close_take_time_in_proportion(nested: Callable[[int], str]) -> None:
    assert is_linear(Leftovers().clean_text, nested, 2_000)
