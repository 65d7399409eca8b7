import json
import time
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.signals.language import Language

LAW = "为了保护民事主体的合法权益，调整民事关系，维护社会和经济秩序，制定本法。"
LAW_HANT = "為了保護民事主體的合法權益，調整民事關係，維護社會和經濟秩序，制定本法。"
ENGLISH = "The quick brown fox jumps over the lazy dog near the river bank."
CASES = {
    "hans": (LAW, "zh", "Hans"),
    "hant": (LAW_HANT, "zh", "Hant"),
    "hant-short": ("繁體中文的測試文件", "zh", "Hant"),
    "both": (LAW + LAW_HANT, "zh", "both"),
    "neither": ("人工地理中心", "zh", ""),
    "with-terms": ("我们使用Python和PyTorch训练模型", "zh", "Hans"),
    "cantonese": ("佢哋喺嗰度食緊嘢，唔知幾時先返嚟。", "yue", "Hant"),
    "classical": ("子曰：学而时习之，不亦说乎？有朋自远方来，不亦乐乎？", "lzh", "Hans"),
    "classical-hant": ("沛公旦日從百餘騎來見項王，至鴻門，謝曰：臣與將軍戮力而攻秦。", "lzh", "Hant"),
    "classical-without-particles": ("秦孝公據殽函之固，擁雍州之地，君臣固守以窺周室。", "lzh", "Hant"),
    "verse": ("国破山河在，城春草木深。感时花溅泪，恨别鸟惊心。", "lzh", "Hans"),
    "statute": ("本條例所稱主管機關：在中央為內政部；在直轄市為直轄市政府。", "zh", "Hant"),
    "about-old-times": ("公元前221年，秦王灭掉了六国，他自称皇帝，并且把全国分成了三十六个郡。", "zh", "Hans"),
    "japanese": ("これは日本語の文章です。漢字とかなが混ざっています。", "ja", "Hant"),
    "chinese-with-kana": ("这家名为“の”字的店铺，在城里开了许多年，大家都很喜欢。", "zh", "Hans"),
    "korean": ("이 문장은 한국어로 쓰여 있습니다.", "ko", ""),
    "english": (ENGLISH, "en", ""),
    "english-with-han": ("The word 中 means middle in Chinese, and it is used in many names of places.", "en", ""),
    "french": ("Les enfants jouent dans le jardin pendant que leurs parents préparent le dîner.", "fr", ""),
    "russian": ("Все счастливые семьи похожи друг на друга, каждая несчастливая несчастлива по-своему.", "ru", ""),
    "short-russian": ("Добавить новый файл", "ru", ""),
    "bulgarian": ("Всички хора се раждат свободни и равни по достойнство и права.", "bg", ""),
    "ukrainian": ("Всі люди народжуються вільними і рівними у своїй гідності та правах.", "uk", ""),
    "short-english": ("Add a new file to the list", "en", ""),
    "german": ("Alle Menschen sind frei und gleich an Würde und Rechten geboren.", "de", ""),
    "dutch": ("Alle mensen worden vrij en gelijk in waardigheid en rechten geboren.", "nl", ""),
    "in-capitals": ("ПРАВИЛА И УСЛОВИЯ", "ru", ""),
    "georgian": ("ყველა ადამიანი იბადება თავისუფალი", "ka", ""),
    "runes": ("ᚠᚢᚦᚨᚱᚲᚷᚹᚺᚾᛁᛃ", "und", ""),
    "address-in-chinese-words": ("https://example.org/the/path see list below please", "en", ""),
    "vietnamese": ("Không có gì quý hơn độc lập tự do, đó là điều ai cũng biết.", "vi", ""),
    "commands": ("再来 spaghetti carbonara mozzarella tiramisu 四道", "zh", "Hans"),
    "french-with-han": ("Le mot 中 veut dire milieu, et 国 veut dire pays, royaume ou état.", "fr", "Hans"),
    "few-letters": ("Ok, 12!", "und", ""),
    "digits": ("2020-01-01 12:00:00", "und", ""),
    "empty": ("", "und", ""),
    "one-han": ("好", "zh", ""),
}


def measured(*texts: str, **params: Any) -> list[dict[str, Any]]:
    signal = Language(**params)
    arrays = signal.measure(pa.record_batch({"text": pa.array(texts, pa.string())}))
    return pa.table(arrays, names=list(signal.adds)).to_pylist()


@pytest.mark.parametrize(("text", "lang", "script"), CASES.values(), ids=CASES)
def test_tells_language_and_script(text: str, lang: str, script: str) -> None:
    (row,) = measured(text)
    assert (row["lang"], row["script"]) == (lang, script)


def test_tells_them_in_a_batch_too() -> None:
    rows = measured(*(text for text, _, _ in CASES.values()))
    assert [(row["lang"], row["script"]) for row in rows] == [(lang, script) for _, lang, script in CASES.values()]


@pytest.mark.parametrize(
    ("text", "mixed"),
    [
        ("什么是 CloudReady？它是 Chrome OS 的开源替代品吗？", True),
        ("下德为之而有以为。(The ordinary man is always doing things.)", True),
        (LAW, False),
        (ENGLISH, False),
        (LAW + "见 https://www.example.com/path/to/the/page.html", False),
        ("本条所称 GDP，是指国内生产总值。", False),
        ("请先打开 Control Panel，再选择网络连接。", True),
    ],
)
def test_tells_mixed_text(text: str, mixed: bool) -> None:
    assert measured(text)[0]["mixed"] is mixed


def test_looks_at_the_first_characters_only() -> None:
    signal = Language(max_chars=100)
    text = LAW * 4 + ENGLISH * 100
    assert signal.measure(pa.record_batch({"text": pa.array([text])}))[0].to_pylist() == ["zh"]


DECLARATION = "All human beings are born free and equal in dignity and rights."
JAPANESE = "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。"
KOREAN = "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다."
RUSSIAN = "Все люди рождаются свободными и равными в своем достоинстве и правах."


def foreign(text: str, **params: Any) -> list[tuple[str, str]]:
    signal = Language(**params)
    arrays = signal.measure(pa.record_batch({"text": pa.array([text], pa.string())}))
    (spans,) = dict(zip(signal.adds, arrays, strict=True))["foreign_spans"].to_pylist()
    return [(span["lang"], text[span["start"] : span["end"]]) for span in json.loads(spans)]


@pytest.mark.parametrize(
    ("text", "spans"),
    {
        "none": (LAW, []),
        "a-paragraph": (f"{LAW}\n{DECLARATION}\n{LAW}", [("en", DECLARATION[:-1])]),
        "two-paragraphs-are-one": (
            f"{LAW}{DECLARATION}\n\n{DECLARATION}{LAW}",
            [("en", f"{DECLARATION}\n\n{DECLARATION[:-1]}")],
        ),
        "in-quotes": (f"他写道：“{DECLARATION}”后来又说了许多。" + LAW, [("en", DECLARATION[:-1])]),
        "japanese": (LAW * 6 + JAPANESE + LAW * 6, [("ja", JAPANESE[:-1])]),
        "korean": (LAW * 3 + KOREAN + LAW * 3, [("ko", KOREAN[:-1])]),
        "russian": (f"{LAW * 3}\n{RUSSIAN}", [("ru", RUSSIAN[:-1])]),
        "several": (
            f"𠮷{LAW * 9}{DECLARATION}{LAW}{JAPANESE}\n{KOREAN}",
            [("en", DECLARATION[:-1]), ("ja", JAPANESE[:-1]), ("ko", KOREAN[:-1])],
        ),
        "terms": (LAW + "使用 Python 3 和 the Linux kernel 编译。", []),
        "one-kana": (LAW + "这家名为“の”字的店铺。", []),
        "address": (LAW + "见 https://www.example.com/path/to/the/page/of/all/files.html", []),
        "code": (LAW * 3 + "\nfor (i = 0; i < n; i++) { total += rows[i] * (a - b); }\n" + LAW, []),
        "not-chinese": (DECLARATION, []),
    }.values(),
)
def test_finds_other_languages_inside_chinese(text: str, spans: list[tuple[str, str]]) -> None:
    assert foreign(text) == spans


def test_the_share_of_other_languages_is_of_characters() -> None:
    text = LAW * 2 + DECLARATION
    assert measured(text)[0]["foreign_share"] == (len(DECLARATION) - 1) / len(text)
    assert measured(LAW)[0]["foreign_share"] == 0.0


def test_spans_end_where_looking_ends() -> None:
    assert foreign(LAW * 2 + DECLARATION * 9, max_chars=len(LAW) * 2 + 31) == [("en", DECLARATION[:31].rstrip())]


PIECES = st.sampled_from(
    ["的", "也", "かな", "です。", "한국어", " ", "\n", "。", ".", "word ", "ж", "жук ", "ก", "𠮷", "\U0010ffff"]
)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=60).map("".join)))
def test_spans_are_in_order_and_inside_the_text(text: str) -> None:
    (row,) = measured("这是中文。" * 60 + text)
    spans = json.loads(row["foreign_spans"])
    ends = [0, *(span["end"] for span in spans)]
    assert all(before <= span["start"] < span["end"] for before, span in zip(ends, spans, strict=False))
    assert ends[-1] <= 300 + len(text)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80))
def test_any_text_has_a_language(text: str) -> None:
    (row,) = measured(text)
    assert row["lang"]
    assert row["script"] in ("Hans", "Hant", "both", "")


@pytest.mark.parametrize(
    "piece", ["的", "か", "가", "a", "a ", "ж", "か。", "one two three four five 中", "@", "\U0010ffff", "：//"]
)
def test_takes_no_longer_for_more_of_the_same(piece: str) -> None:
    measured("", piece)  # compiled and loaded
    began = time.process_time()
    measured("的" + piece * (1_000_000 // len(piece)), max_chars=1_000_000)
    assert time.process_time() - began < 2


def test_takes_no_longer_for_random_code_points() -> None:
    points = np.random.default_rng(5).integers(0, 0x110000, 3_000_000, np.uint32)
    text = points[(points < 0xD800) | (points > 0xDFFF)].tobytes().decode("utf-32-le")
    measured("")
    began = time.process_time()
    (row,) = measured(text, max_chars=3_000_000)
    assert time.process_time() - began < 4
    assert row["lang"]
