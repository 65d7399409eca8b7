import re

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pipeline.clean.boilerplate import LONGEST, Boilerplate
from pipeline.tables import lines_of

BODY = "国务院办公厅近日印发通知，要求各地切实做好防汛抗旱工作。"
FURNITURE = [
    *("责任编辑：张三", "（责任编辑：李四 王五）", "[编辑：赵六]", "编辑：小李 校对：小王"),
    *("上一篇：没有了", "下一页", "上一章 目录 下一章", "上一篇 | 下一篇"),
    *("点击查看更多", "查看更多>>", "阅读原文", "展开全文", "更多>>", "返回顶部", "返回列表"),
    *("分享到：微信 微博 QQ空间", "分享至：", "扫一扫，分享到朋友圈", "关注我们的微信公众号：某某", "微信扫码"),
    *(
        "版权所有 © 2020 某某网",
        "某某网 版权所有，未经许可不得转载",
        "未经授权禁止转载。",
        "Copyright © 2001-2020 某某公司",
    ),
    *("© 2019 Example Inc. All Rights Reserved.", "京ICP备12345678号-1", "京公网安备 11010802020001号"),
    *("关于我们 | 联系我们 | 网站地图", "当前位置：首页 > 新闻 > 正文", "首页 > 新闻 > 国内", "相关阅读：", "推荐阅读"),
    *("打印本页 关闭窗口", "点赞 12 评论 3", "浏览次数：123次", "本文来源：新华网", "技术支持：某某科技有限公司"),
    *("声明：本文由作者授权发布，不代表本站立场", "登录 | 注册", "增值电信业务经营许可证：京B2-20200001"),
]
KEPT = [
    "责任编辑制度是出版单位质量管理的基础，责任编辑：对书稿负有全面审读的责任，不得委托他人代行其职务，也不得以其他理由推卸。",
    "第五条 编辑应当对稿件进行审核。",
    "版权所有者有权许可他人使用其作品。",
    "更多的人开始关注环境问题。",
    "他点击查看更多的图片，然后关闭窗口。",
    "分享是一种美德。",
    "举报电话应当向社会公布。",
    "首页设计要简洁。",
    "登录系统后，注册新的用户。",
    "上一篇文章里我们谈到了索引。",
    "A：你好，知道这个人吗？",
    "推荐阅读《红楼梦》和《水浒传》，二者都是名著。",
]


@pytest.mark.parametrize("line", FURNITURE)
def test_takes_out_furniture(line: str) -> None:
    assert Boilerplate().clean_text(f"{BODY}\n {line} \n{BODY}") == f"{BODY}\n{BODY}"


@pytest.mark.parametrize("line", KEPT)
def test_keeps_sentences_that_speak_of_furniture(line: str) -> None:
    assert Boilerplate().clean_text(f"{BODY}\n{line}") == f"{BODY}\n{line}"


def test_a_line_that_is_too_long_is_no_furniture() -> None:
    line = "上一篇：" + "长" * 60
    assert Boilerplate().clean_text(line) == ""
    assert Boilerplate().clean_text(line + " " * LONGEST) == line + " " * LONGEST


def test_a_menu_goes_only_where_it_recurs() -> None:
    menu = "国内 | 国际 | 军事 | 社会"
    assert Boilerplate().clean_text(f"{menu}\n{BODY}") == f"{menu}\n{BODY}"
    assert Boilerplate().clean_text(f"{menu}\n{BODY}\n{menu}") == BODY


def test_recurring_lines_of_statutes_verse_and_dialogue_stay() -> None:
    verse = ["采薇采薇，薇亦作止。", "采薇采薇，薇亦柔止。", "采薇采薇，薇亦作止。"]
    text = "\n".join(["（一）警告；", "罚款。", "（一）警告；", *verse, "A：好。", "A：好。"])
    assert Boilerplate().clean_text(text) == text


@pytest.mark.parametrize("pattern", lines_of("pipeline.clean", "boilerplate.txt"))
@given(data=st.data())
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_a_pattern_matches_is_looked_at(pattern: str, data: st.DataObject) -> None:
    line = data.draw(st.from_regex(pattern, fullmatch=True)).strip()
    assume("\n" not in line and len(line) <= LONGEST and re.fullmatch(pattern, line))
    assert Boilerplate().clean_text(line) == ""


def test_hyphens_between_words_take_no_exponential_time() -> None:
    line = "关于我们" + "-" * 60 + "|甲"
    assert Boilerplate().clean_text(line) == line
    assert Boilerplate().clean_text("关于我们" + "-联系我们" * 11) == ""


@pytest.mark.parametrize("pattern", lines_of("pipeline.clean", "boilerplate.txt"))
def test_no_pattern_matches_nothing_or_a_sentence(pattern: str) -> None:
    assert not re.fullmatch(pattern, "")
    assert not re.fullmatch(pattern, BODY)
