import time
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.signals.lines import Lines


def measured(text: str) -> dict[str, Any]:
    signal = Lines()
    arrays = signal.measure(pa.record_batch({"text": pa.array([text], pa.string())}))
    return {name: array[0].as_py() for name, array in zip(signal.adds, arrays, strict=True)}


SENTENCE = "本法自公布之日起施行。"
LAW = "第一条 为了保护民事主体的合法权益，调整民事关系，维护社会和经济秩序，制定本法。\n（一）甲；\n（二）乙。"
CODE = 'int main(void) {\n    printf("%d", 42);\n    return 0;\n}'


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        *(("menu_share", "首页 | 新闻 | 体育 | 财经", 1.0), ("menu_share", "首页 新闻 体育 财经\n" + SENTENCE, 8 / 19)),
        *(
            ("menu_share", "首页 | 新闻", 0.0),
            ("menu_share", "甲 乙 丙 丁。", 0.0),
            ("menu_share", "http://a.cn/b/c/d", 0.0),
        ),
        *(("menu_share", "先运行 Python 和 Go 语言 的程序", 0.0), ("menu_share", LAW, 0.0)),
        ("short_list_share", "公司简介\n产品中心\n新闻动态\n联系我们\n人才招聘", 1.0),
        ("short_list_share", "床前明月光\n疑是地上霜\n举头望明月\n低头思故乡", 0.0),
        ("short_list_share", "甲。\n乙。\n丙。\n丁。\n戊。", 0.0),
        ("verse_share", "床前明月光，疑是地上霜。\n举头望明月，低头思故乡。", 1.0),
        ("verse_share", "床前明月光，\n疑是地上霜。\n举头望明月，\n低头思故乡。", 1.0),
        ("verse_share", "關關雎鳩，在河之洲。\n" + SENTENCE, 10 / 21),
        *(
            ("verse_share", "春暖花开、万紫千红、鸟语花香。", 0.0),
            ("verse_share", LAW, 0.0),
            ("verse_share", "下午五点见。", 0.0),
        ),
        ("dialogue_share", "问：你是谁？\n答：我是张三。\n问：多大了？\n答：三十岁。", 1.0),
        *(("dialogue_share", "“你好。”\n他说。", 5 / 8), ("dialogue_share", "注意：天冷。", 0.0)),
        *(("dialogue_share", "姓名：张三\n姓名：李四", 0.0), ("dialogue_share", "——你好。\n" + SENTENCE, 5 / 16)),
        *(
            ("code_share", CODE, 1.0),
            ("code_share", "```\n内容\n```\n正文", 0.8),
            ("code_share", LAW, 0.0),
            ("code_share", "```\n没有关上", 0.0),
            ("code_share", "```\n正文四字\n```py\n码码\n```", 10 / 17),
        ),
        ("code_share", 'He said: "Hello, world (see above)." And so on.', 0.0),
        ("markup_share", '<b class="a">好</b>&nbsp;', 22 / 23),
        *(("markup_share", "[链](http://a.b)", 13 / 15), ("markup_share", "[[甲]]说", 4 / 6)),
        *(
            ("markup_share", "{{模\n|乙=丙}}甲", 9 / 10),
            ("markup_share", "{{没有关上", 0.0),
            ("markup_share", "## 题", 2 / 3),
        ),
        *(("markup_share", "a < b 且 c > d & e", 0.0), ("markup_share", LAW, 0.0)),
    ],
)
def test_measures(name: str, text: str, wanted: float) -> None:
    assert measured(text)[name] == pytest.approx(wanted)


HOSTILE = ["{", "<a", "](", "}}{{", "&a", "甲", "\n", " 甲", "甲：乙。\n", "{{<b>]]\n", "```\n"]


@pytest.mark.parametrize("part", HOSTILE)
def test_ten_megabytes_of_one_thing_take_seconds(part: str) -> None:
    text = part * (10_000_000 // len(part.encode()))
    measured(part)
    started = time.process_time()
    row = measured(text)
    assert time.process_time() - started < 10
    assert all(0 <= value <= 1 for value in row.values())


@settings(max_examples=100, deadline=None)
@given(text=st.text("甲乙a1 \n，。：“|{}<>[]()#*`=&;!/'—", max_size=80))
def test_a_share_is_one_whatever_the_marks(text: str) -> None:
    assert all(0 <= value <= 1 for value in measured(text).values())
