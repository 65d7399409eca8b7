import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests_support import is_linear, texts_of

from pipeline.clean.markup import _TAG, Markup, _fences, _tag_patterns, _without_tags

MARKDOWN = {
    "heading": ("## 第二章 总则 ##\n正文。", "第二章 总则\n正文。"),
    "link": ("见[文档](https://a.cn/b_(c))。", "见文档。"),
    "reference": ("见[文档][1]。\n\n[1]: https://a.cn '题'\n", "见文档。"),
    "image": ("甲\n\n![图](a.png)\n\n乙", "甲\n\n乙"),
    "linked-image": ("[![图](a.png)](http://a.cn)文", "文"),
    "bold": ("这是**重点**内容，也__重要__。", "这是重点内容，也重要。"),
    "italic": ("# 题\n*强调*与_强调_", "题\n强调与强调"),
    "struck": ("# 题\n~~删~~留", "题\n删留"),
    "list": ("# 题\n- 甲\n  * 乙\n- [x] 丙", "题\n甲\n  乙\n丙"),
    "quote": ("# 题\n> 引文\n> > 再引", "题\n引文\n再引"),
    "table": ("| 名 | 值 |\n|---|:-:|\n| 甲 | 1 |", "名\t值\n甲\t1"),
    "rule": ("# 甲\n\n---\n\n乙", "甲\n\n乙"),
    "setext": ("标题\n===\n正文", "标题\n正文"),
    "front-matter": ("---\ntitle: 题\ntags:\n- a\n---\n正文。", "正文。"),
    "autolink": ("# 题\n<https://a.cn/b>", "题\nhttps://a.cn/b"),
    "fence": ("# 题\n```py\n# 注释 **x** <p>\n```\n**粗**", "题\n```py\n# 注释 **x** <p>\n```\n粗"),
    "inline-code": ("# 题\n用 `a_b_c` 与 `**kw`", "题\n用 `a_b_c` 与 `**kw`"),
}
HTML = {
    "tags": ("<p>一段<b>粗</b>文</p><p>二段</p>", "一段粗文\n\n二段"),
    "line-break": ("甲<br/>乙<BR>丙", "甲\n乙\n丙"),
    "comment": ("甲<!-- 不见 -->乙", "甲乙"),
    "script": ("甲<script>var a = '<p>';</script>乙", "甲乙"),
    "ruby": ("<ruby>雪莉<rp>(</rp><rt>Sheryl</rt><rp>)</rp></ruby>", "雪莉（Sheryl）"),
    "cells": ("<table><tr><td>甲</td><td>乙</td></tr></table>", "甲\t乙"),
    "entities": ("A&nbsp;B&ldquo;引&rdquo;&#20013;&#x6587;", "A B“引”中文"),
    "ampersand": ("AT&amp;T，a &lt; b，c &gt; d", "AT&T，a < b，c > d"),
    "escaped-tag": ("写作&lt;div&gt;", "写作&lt;div&gt;"),
    "escaped-entity": ("写作&amp;nbsp;", "写作&amp;nbsp;"),
}
UNTOUCHED = {
    "statute": "第一条 *注：本条自2020年起施行。\n第二条 罚款 5*2=10 元。",
    "law-list": "（一）甲；\n（二）乙。\n- 附则",
    "verse": "床前明月光，疑是地上霜。\n———————\n举头望明月。",
    "generics": "用 vector<int> 和 Map<String, List> 表示，a<b 且 c>d。",
    "hash-tag": "#话题# 今天#天气#好",
    "snake": "变量 user_name 和 a_b_c 不变。",
    "brackets": "他[笑]说（笑）：[1]好。",
    "url": "见 https://a.cn/?a=1&b=2 和 www.a.cn。",
    "stars": "难度：★★★ 评分 *** 等级",
}


@pytest.mark.parametrize(("text", "wanted"), (MARKDOWN | HTML).values(), ids=MARKDOWN | HTML)
def test_takes_out_marks_and_keeps_words(text: str, wanted: str) -> None:
    assert Markup().clean_text(text) == wanted


@pytest.mark.parametrize("text", UNTOUCHED.values(), ids=UNTOUCHED)
def test_leaves_what_is_no_markup(text: str) -> None:
    assert Markup().clean_text(text) == text


def test_a_link_inside_emphasis_inside_a_heading() -> None:
    assert Markup().clean_text("# **[甲](a)与[乙](b)**") == "甲与乙"


@pytest.mark.parametrize("text", ["* **甲**乙", "-\t甲\n** *乙", "[甲](a)\n-\t乙"])
def test_rare_forms_of_rules_and_lists_count_beside_usual_ones_alone(text: str) -> None:
    alone = {"* **甲**乙": "甲乙", "-\t甲\n** *乙": "-\t甲\n** *乙", "[甲](a)\n-\t乙": "甲\n-\t乙"}
    assert Markup().clean_text(text) == alone[text]


FENCE = re.compile(r"^[ \t]*(```+(?!`)|~~~+(?!~)).*\n(?:.*\n)*?[ \t]*\1`*~*[ \t]*$", re.M)


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["```", "````", "~~~", "~~~~", "~~~`", "```~", " ```py", "甲", "", "~~~a "]), max_size=9)
)
def test_fences_are_those_of_the_pattern_that_says_what_they_are(lines: list[str]) -> None:
    text = "\n".join(lines)
    assert list(_fences(text)) == [fence.span() for fence in FENCE.finditer(text)]


@settings(deadline=None)
@given(st.lists(st.sampled_from([*(text for text, _ in (MARKDOWN | HTML).values()), *UNTOUCHED.values()]), max_size=6))
def test_texts_of_a_batch_do_not_touch_one_another(texts: list[str]) -> None:
    assert texts_of(Markup(), texts) == [Markup().clean_text(text) for text in texts]


NESTED = {
    "image": lambda n: "# 题\n" + "![" * n,
    "comment": lambda n: "# 题\n" + "<!--" * n,
    "list": lambda n: "# 题\n" + "- " * n,
    "definition": lambda n: "[a]: " * n,
    "link": lambda n: "[" * (n // 2) + "甲" + "](a)" * (n // 2),
    "quote": lambda n: "# 题\n" + "> # " * n,
    "fence": lambda n: "```a\n" * n,
    "shorter-fence": lambda n: "\n".join("`" * k for k in range(int((8 * n) ** 0.5), 3, -1)),
    "code": lambda n: "# 题\n" + " ".join("`" * k for k in range(1, int((8 * n) ** 0.5))),
    "front-matter": lambda n: "---\n" + " 甲: 乙\n" * n + "# 题",
    "element": lambda n: "<script>" * n,
}


@pytest.mark.parametrize("nested", NESTED.values(), ids=NESTED)
def test_marks_that_nest_or_never_close_take_time_in_proportion(nested: Callable[[int], str]) -> None:
    assert is_linear(Markup().clean_text, nested, 2_000)


@given(st.text(alphabet='<>/ \n="ſİıKabprtdiv甲').map(lambda text: text.replace("p", "<p>").replace("r", "<rt>")))
@settings(max_examples=500)
def test_a_text_without_the_beginning_of_a_tag_has_no_tag_to_lose(text):
    tags = _tag_patterns()
    if not _TAG.search(text):
        assert not any(pattern.search(text) for pattern in tags)
        assert _without_tags(text) == text


@pytest.mark.parametrize("tag", ["<p>", "</P>", "<ſpan>", "<LINK>"])
def test_a_tag_goes_however_it_is_written(tag):
    assert any(pattern.search(tag) for pattern in _tag_patterns())
    assert _TAG.search(tag)
