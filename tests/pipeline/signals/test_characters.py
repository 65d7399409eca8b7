import math
from typing import Any

import pyarrow as pa
import pytest

from pipeline.signals.characters import Characters


def measured(text: str) -> dict[str, Any]:
    signal = Characters()
    arrays = signal.measure(pa.record_batch({"text": pa.array([text], pa.string())}))
    return {name: array[0].as_py() for name, array in zip(signal.adds, arrays, strict=True)}


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        *(("char_count", "𠮷字\n", 3), ("han_share", "汉字ab", 0.5), ("han_share", "汉 字", 1.0)),
        *(("latin_share", "ＡB汉字", 0.5), ("digit_share", "第１2条", 0.5), ("punctuation_share", "好，的。", 0.5)),
        *(("symbol_share", "1+1=", 0.5), ("kana_share", "のはら野", 0.75), ("hangul_share", "한글汉字", 0.5)),
        *(("private_use_share", "吕\ue18d", 0.5), ("private_use_share", "吕\U000f0000", 0.5)),
        *(
            ("whitespace_share", "甲 \u3000乙", 0.5),
            ("rare_han_share", "鏄龘犵的是", 0.6),
            ("rare_han_share", "abc", 0.0),
        ),
        *(("url_share", "见http://a.cn/b", 13 / 14), ("url_share", "www.a.cn。", 8 / 9), ("url_share", "1://2", 0.0)),
        *(("url_share", "wwww", 0.0), ("line_count", "甲\n\n \n乙", 2), ("mean_line_chars", "甲乙丙\n\n丁 ", 2.0)),
        ("terminal_punctuation_share", "“好。”\n没完\n真的！\n如下：", 0.75),
        *(("terminal_punctuation_share", "完了.", 1.0), ("short_line_share", "短\n这一行有十个字不算短", 0.5)),
        *(("bullet_share", "- 甲\n• 乙\n丙\n丁", 0.5), ("stop_clash_share", "甲，，乙。", 1 / 3)),
        *(("stop_clash_share", "甲。。。", 0.0), ("stop_clash_share", "甲，乙。", 0.0)),
        *(
            ("han_level1_share", "一邶镕龘", 0.25),
            ("han_level2_share", "一邶镕龘", 0.25),
            ("han_level3_share", "一邶镕龘", 0.25),
        ),
        *(
            ("han_level1_share", "國家", 1.0),
            ("hant_share", "国家國這", 2 / 3),
            ("script_mix_share", "国家國這", 1 / 3),
        ),
        *(
            ("hant_share", "大人", 0.0),
            ("full_punctuation_share", "，“—,(", 0.6),
            ("half_punctuation_share", "，“—,(", 0.4),
        ),
        *(("radical_share", "⼈民⺠㇀", 0.75), ("radical_share", "人民", 0.0)),
        *(("entropy", "甲乙丙丁", 2.0), ("entropy", "甲甲甲", 0.0), ("entropy", "甲乙 甲乙", 1.0)),
    ],
)
def test_measures(name: str, text: str, wanted: float) -> None:
    assert measured(text)[name] == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        *(("这是一句。", 1.0), ("（一）甲；", 1.0), ("首页 新闻 体育", 0.0), ("姓名：张三", 0.0), ("1. 甲", 0.0)),
        *(("版本3.11", 0.0), ("题目\n一共八个字啊啊。", 0.8), ("功能正常的,不需治疗.患者", 1.0), ("It is. Yes", 1.0)),
        ("a.b.c", 0.0),
    ],
)
def test_sentences_are_told_from_lists(text: str, wanted: float) -> None:
    assert measured(text)["sentence_share"] == pytest.approx(wanted)


BROKEN = {
    "kunjinkao": "锟斤拷锟斤拷锟斤拷",
    "fill": "烫烫烫烫烫烫",
    "replacement": "\ufffd\ufffd\ufffd",
    "gbk-as-latin1": "第一条为了保护民事主体的合法权益".encode("gb18030").decode("latin-1"),
    "utf8-as-latin1": "第一条为了保护民事主体的合法权益".encode().decode("latin-1"),
    "question-marks": "????????",
    "private": "\ue000\ue001\uf8ff",
    "unassigned": "\u0378\u0379",
}
SOUND = {
    "french": "Où est l'été ? Très bien, garçon, à côté.",
    "german": "Übergrößenträger öffnen Türen.",
    "vietnamese": "Không có gì quý hơn độc lập tự do",
    "surprise": "什么???",
    "measures": "±5°C，10μm²，£3，©某公司",
    "rare-word": "锟铻是宝剑，烫了一下，屯田",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_broken_text_shows(text: str) -> None:
    assert measured(text)["mojibake_share"] > 0.6


@pytest.mark.parametrize("text", SOUND.values(), ids=SOUND)
def test_sound_text_does_not(text: str) -> None:
    assert measured(text)["mojibake_share"] == 0.0


def test_one_encoding_read_as_another_shows_in_rare_characters() -> None:
    text = "为了保护民事主体的合法权益，调整民事关系，维护社会和经济秩序，适应中国特色社会主义发展要求，制定本法。"
    assert measured(text)["rare_han_share"] == 0.0
    assert measured(text.encode().decode("gb18030", "replace"))["rare_han_share"] > 0.3
    assert measured(text.encode("gb18030").decode("big5", "replace"))["rare_han_share"] > 0.3


def test_kinds_of_visible_characters_add_up() -> None:
    row = measured("第1条 the 规定；かな한글+\ue000")
    kinds = ("han", "latin", "digit", "punctuation", "symbol", "kana", "hangul", "private_use")
    assert math.isclose(sum(row[f"{kind}_share"] for kind in kinds), 1.0)
