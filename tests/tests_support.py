"""Texts that tests write into corpora, the command called in this process, and a strict reader of pages."""

import json
import time
import unicodedata
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pyarrow as pa
import pytest

from pipeline.properties import UNICODE
from pipeline.step import Cleaner

# What a shipped table is compared with is this Python's own, which may know other characters.
same_unicode = pytest.mark.skipif(
    unicodedata.unidata_version != UNICODE, reason=f"this Python has Unicode {unicodedata.unidata_version}"
)

VOID = {"meta", "br", "hr", "img", "input", "link"}

# Sentences of the constitution and of old books: public domain, long enough for every rule of the preset.
ARTICLES = [
    "中华人民共和国的一切权力属于人民。人民行使国家权力的机关是全国人民代表大会和地方各级人民代表大会。"
    "人民依照法律规定，通过各种途径和形式，管理国家事务，管理经济和文化事业，管理社会事务。",
    "国家维护社会主义法制的统一和尊严。一切法律、行政法规和地方性法规都不得同宪法相抵触。"
    "一切国家机关和武装力量、各政党和各社会团体、各企业事业组织都必须遵守宪法和法律。",
    "矿藏、水流、森林、山岭、草原、荒地、滩涂等自然资源，都属于国家所有，即全民所有；"
    "由法律规定属于集体所有的森林和山岭、草原、荒地、滩涂除外。国家保障自然资源的合理利用，保护珍贵的动物和植物。",
    "公民有受教育的权利和义务。国家培养青年、少年、儿童在品德、智力、体质等方面全面发展。"
    "国家发展各种教育设施，扫除文盲，对工人、农民、国家工作人员和其他劳动者进行教育。",
    "婚姻、家庭、母亲和儿童受国家的保护。夫妻双方有实行计划生育的义务。父母有抚养教育未成年子女的义务，"
    "成年子女有赡养扶助父母的义务。禁止破坏婚姻自由，禁止虐待老人、妇女和儿童。",
    "话说天下大势，分久必合，合久必分。周末七国分争，并入于秦。及秦灭之后，楚、汉分争，又并入于汉。"
    "汉朝自高祖斩白蛇而起义，一统天下，后来光武中兴，传至献帝，遂分为三国。",
]


def article(number: int) -> str:
    """A text of its own for each number, natural enough to pass every rule of the preset."""
    first, second = ARTICLES[number % len(ARTICLES)], ARTICLES[(number * 7 + 3) % len(ARTICLES)]
    digits = "零一二三四五六七八九"
    name = "".join(digits[int(digit)] for digit in str(number))
    parts = first.split("，")
    turned = "，".join(parts[number % len(parts) :] + parts[: number % len(parts)])
    own = "".join(chr(0x4E00 + (number * 131 + i * 977) % 5000) for i in range(60))
    return f"第{name}条　{turned}\n第{name}款　{second}\n附录{name}：{own}的说明见第{name}页，由编者写于当年的春天。"


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Call a verb in this process; returns exit status, results and messages."""
    from flows.cli import main

    status = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return status, out, err


def edited(dice, source, edits):
    """A text with some characters replaced by ones from U+5400 on, at places that `dice` (random.Random) draws."""
    chars = list(source)
    for place in dice.sample(range(len(chars)), edits):
        chars[place] = chr(dice.randrange(0x5400, 0x5800))
    return "".join(chars)


def is_linear(work: Callable[[str], object], make: Callable[[int], str], size: int) -> bool:
    """Tell whether work on a text 16 times as large takes at most 64 times as long; quadratic work takes 256.

    CPU time, the least of three, so that neither another process nor a pause counts.
    """
    least = []
    for factor in (1, 16):
        text = make(size * factor)
        seconds = []
        for _ in range(3):
            started = time.process_time()
            work(text)
            seconds.append(time.process_time() - started)
        least.append(min(seconds))
    return least[1] <= 64 * max(least[0], 0.001)


def texts_of(cleaner: Cleaner, texts: list[str]) -> list[str]:
    """The texts as a cleaner leaves them."""
    return cleaner.clean(pa.record_batch({"text": pa.array(texts, pa.string())})).column("text").to_pylist()


class Page(HTMLParser):
    """Parses a page strictly: tags must nest; collects scripts, attributes and the text between tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()
        assert not self.stack

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "script":
            self.scripts.append((dict(attrs), ""))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.stack and self.stack[-1] == "script":
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + data)
        elif "style" not in self.stack:
            self.text.append(data)

    @property
    def data(self) -> dict[str, Any]:
        (found,) = [json.loads(text) for attrs, text in self.scripts if attrs.get("type") == "application/json"]
        return dict(found)
