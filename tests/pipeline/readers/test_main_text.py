import pytest
from lxml import html

from pipeline.readers.main_text import main_text

PARAGRAPHS = ["".join(f"第{i}段的第{j}句话，说的是一件小事。" for j in range(4)) for i in range(5)]
ARTICLE = "<div id=content>" + "".join(f"<p>{text}</p>" for text in PARAGRAPHS) + "</div>"


def text_of(body):
    return main_text(html.document_fromstring(f"<html><body>{body}</body></html>").find("body"))


@pytest.mark.parametrize(
    "furniture",
    [
        "<div class=nav><a href=1>首页</a><a href=2>新闻</a></div>",
        "<div class='crumbs'>当前位置：<a href=/>首页</a> > 正文</div>",
        "<p>当前位置：首页 > 法规</p>",
        "<div>您的位置：<a href=/>首页</a> > 正文</div>",
        "<ul><li><a href=1>最新资讯一览</a><li><a href=2>一周热点回顾</a><li><a href=3>编辑精选</a></ul>",
        "<aside>读者推荐，值得一看。</aside>",
        "<div id=leftSidebar>热门文章，大家都在看。</div>",
        "<div class=page-footer>版权所有，翻印必究。</div>",
        "<p>版权所有 某某网站</p>",
        "<p>京ICP备00000000号</p>",
        "<div>打印本页</div>",
        "<div>上一篇：<a href=1>别的文章</a></div>",
        "<div class='shareBox'>分享到微信，让朋友也看到。</div>",
        "<button>点我，有奖。</button>",
        "<div hidden>看不见的话，不算。</div>",
    ],
)
def test_furniture_is_left_out_before_and_after_the_article(furniture):
    assert text_of(furniture + ARTICLE) == "\n".join(PARAGRAPHS)
    assert text_of(f"<div>{ARTICLE}{furniture}</div>") == "\n".join(PARAGRAPHS)


@pytest.mark.parametrize("name", ["nav", "sidebar", "footer", "comment", "info"])
def test_what_is_named_as_furniture_but_holds_the_page_is_kept(name):
    assert text_of(f"<div class={name}>{ARTICLE}</div>") == "\n".join(PARAGRAPHS)


@pytest.mark.parametrize("tag", ["nav", "footer", "aside", "button"])
def test_a_page_of_furniture_alone_is_not_empty(tag):
    assert text_of(f"<{tag}>只有这一句。</{tag}>") == "只有这一句。"


def test_a_page_of_links_keeps_its_links():
    links = "".join(f"<li><a href={i}>第{i}号通知</a></li>" for i in range(5))
    assert text_of(f"<ul>{links}</ul>") == "\n".join(f"第{i}号通知" for i in range(5))


def test_links_inside_sentences_stay():
    assert text_of("<p>参看<a href=1>第一章</a>和<a href=2>第二章</a>的说明。</p>") == "参看第一章和第二章的说明。"


def test_one_long_paragraph_does_not_swallow_its_neighbours():
    body = f"<div><p>短的开头。</p><p>{'长的中间，还有很多话。' * 50}</p><p>短的结尾。</p></div>"
    assert text_of(body).startswith("短的开头。\n")
    assert text_of(body).endswith("\n短的结尾。")


def test_rows_are_lines_and_cells_are_tabs():
    assert text_of("<table><tr><td>甲 <b>乙</b></td><td> 丙</td></tr><tr><td>丁</td></tr></table>") == "甲 乙\t丙\n丁"


def test_white_space_collapses_except_in_preformatted_text():
    assert text_of("<p>一\n  二\t三</p><pre>a\n    b\n</pre><p>四</p>") == "一 二 三\na\n    b\n四"


def test_hidden_words_inside_a_sentence_stay():
    assert text_of("<p>按<span hidden>控制键</span>加 S 保存。</p>") == "按控制键加 S 保存。"


def test_border_phrases_inside_a_long_text_stay():
    body = "".join(f"<p>{text}</p>" for text in [*PARAGRAPHS * 2, "版权所有的说明。", *PARAGRAPHS * 2])
    assert "版权所有的说明。" in text_of(f"<div>{body}</div>")


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>甲&lt;乙&gt;&amp;丙&#12;丁\f戊</p>", "甲<乙>&丙 丁 戊"),
        ("<p>甲</x<y>乙<z<w>丙</z<w>丁</p><p>戊</p>", "甲乙\n丙\n丁\n戊"),
        ("<p title='>'>\u3000\u3000甲\u3000乙\u2028</p>", "甲\u3000乙"),
        ("<table><tr><td></td><td>甲 </td><td> </td><td>\u00a0乙</td><td></td></tr></table>", "甲\t\t乙"),
        ("<pre>  甲 \n\n 乙\t丙 </pre>", "  甲\n 乙\t丙"),
        ("<p>甲<br>乙<br/>丙</p>", "甲\n乙\n丙"),
    ],
)
def test_lines_are_what_a_reader_sees(markup, text):
    assert text_of(markup) == text


@pytest.mark.parametrize("end", ["（责任编辑：某某）", "相关阅读", "延伸閱讀：", "我要评论"])
def test_an_article_ends_at_its_editor_or_at_related_news(end):
    others = "".join(f"<p>别的新闻之{i}</p><p>05-0{i} 12:00</p>" for i in range(1, 9))
    assert text_of(f"<div>{ARTICLE}<p>{end}</p>{others}</div>") == "\n".join(PARAGRAPHS)


def test_what_follows_an_editor_stays_where_it_is_much():
    body = f"<p>{PARAGRAPHS[0]}</p><p>（责任编辑：某某）</p>" + "".join(f"<p>{text}</p>" for text in PARAGRAPHS[1:])
    assert text_of(f"<div>{body}</div>").endswith("\n".join(PARAGRAPHS[1:]))


def test_an_index_keeps_its_links_beside_a_few_words():
    links = "".join(f"<li><a href={i}>如何做好第{i}件事情</a></li>" for i in range(30))
    found = text_of(f"<div><p>本页列出各篇。</p><ul>{links}</ul></div>")
    assert found == "本页列出各篇。\n" + "\n".join(f"如何做好第{i}件事情" for i in range(30))
