from typing import Any

import pyarrow as pa
import pytest

from pipeline.signals.language import Language, detector, plain_detector

LAW = "为了保护民事主体的合法权益，调整民事关系，维护社会和经济秩序，制定本法。"
LAW_HANT = "為了保護民事主體的合法權益，調整民事關係，維護社會和經濟秩序，制定本法。"
ENGLISH = "The quick brown fox jumps over the lazy dog near the river bank."
CASES = {
    "hans": (LAW, "zh", "Hans"),
    "hant": (LAW_HANT, "zh", "Hant"),
    "hant-short": ("繁體中文的測試文件", "zh", "Hant"),
    "both": (LAW + LAW_HANT, "zh", "both"),
    "neither": ("大人山水中天", "zh", ""),
    "with-terms": ("我们使用Python和PyTorch训练模型", "zh", "Hans"),
    "cantonese": ("佢哋喺嗰度食緊嘢，唔知幾時先返嚟。", "yue", "Hant"),
    "classical": ("子曰：学而时习之，不亦说乎？有朋自远方来，不亦乐乎？", "lzh", "Hans"),
    "classical-hant": ("沛公旦日從百餘騎來見項王，至鴻門，謝曰：臣與將軍戮力而攻秦。", "lzh", "Hant"),
    "japanese": ("これは日本語の文章です。漢字とかなが混ざっています。", "ja", "Hant"),
    "chinese-with-kana": ("这家名为“の”字的店铺，在城里开了许多年，大家都很喜欢。", "zh", "Hans"),
    "korean": ("이 문장은 한국어로 쓰여 있습니다.", "ko", ""),
    "english": (ENGLISH, "en", ""),
    "english-with-han": ("The word 中 means middle in Chinese, and it is used in many names of places.", "en", ""),
    "french": ("Les enfants jouent dans le jardin pendant que leurs parents préparent le dîner.", "fr", ""),
    "russian": ("Все счастливые семьи похожи друг на друга, каждая несчастливая несчастлива по-своему.", "ru", ""),
    "vietnamese": ("Không có gì quý hơn độc lập tự do, đó là điều ai cũng biết.", "vi", ""),
    "few-letters": ("Ok, 12!", "und", ""),
    "digits": ("2020-01-01 12:00:00", "und", ""),
    "empty": ("", "und", ""),
    "one-han": ("好", "zh", ""),
}


def measured(*texts: str) -> list[dict[str, Any]]:
    signal = Language()
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
    ],
)
def test_tells_mixed_text(text: str, mixed: bool) -> None:
    assert measured(text)[0]["mixed"] is mixed


def test_looks_at_the_first_characters_only() -> None:
    signal = Language(max_chars=100)
    text = LAW * 4 + ENGLISH * 100
    assert signal.measure(pa.record_batch({"text": pa.array([text])}))[0].to_pylist() == ["zh"]


def test_the_fast_detector_answers_like_langdetect() -> None:
    texts = [text for text, _, _ in CASES.values()]
    assert detector()(texts) == plain_detector()(texts)
