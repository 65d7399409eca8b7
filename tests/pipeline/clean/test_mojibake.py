from collections.abc import Callable

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.clean.mojibake import Mojibake, mend

LINE = "第三条　国家保护公民的合法权益，任何组织和个人不得侵犯。"
EVEN = "国家保护公民合法权益"
TRADITIONAL = "第三條　國家保護公民的合法權益，任何組織和個人不得侵犯。"


def cp1252(data: bytes) -> str:
    return "".join(bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in data)


def windows_gbk(data: bytes) -> str:
    text, place = "", 0
    while place < len(data):
        size = 1 if data[place] <= 0x80 else 2
        text += "€" if data[place] == 0x80 else data[place : place + size].decode("gb18030")
        place += size
    return text


WAYS: dict[str, tuple[str, Callable[[str], str]]] = {
    "utf-8 as latin-1": (LINE, lambda text: text.encode().decode("latin-1")),
    "utf-8 as cp1252": (LINE, lambda text: cp1252(text.encode())),
    "utf-8 as cp1252 twice": (LINE, lambda text: cp1252(cp1252(text.encode()).encode())),
    "utf-8 as cp1252 thrice": (LINE, lambda text: cp1252(cp1252(cp1252(text.encode()).encode()).encode())),
    "utf-8 as gbk": (EVEN, lambda text: text.encode().decode("gb18030")),
    "utf-8 as gbk twice": ("法律規定", lambda text: text.encode().decode("gb18030").encode().decode("gb18030")),
    "utf-8 as gbk of windows": ("一个国家的公民", lambda text: windows_gbk(text.encode())),
    "utf-8 as big5": ("夫人夫人女士女士", lambda text: text.encode().decode("cp950")),
    "gbk as latin-1": (LINE, lambda text: text.encode("gb18030").decode("latin-1")),
    "gbk as cp1252": (LINE, lambda text: cp1252(text.encode("gb18030"))),
    "gbk as cp1252, then utf-8 as cp1252": (LINE, lambda text: cp1252(cp1252(text.encode("gb18030")).encode())),
    "big5 as latin-1": (TRADITIONAL, lambda text: text.encode("cp950").decode("latin-1")),
    "big5 as gbk": (TRADITIONAL, lambda text: text.encode("cp950").decode("gb18030")),
    "cyrillic": ("Привет, мир", lambda text: cp1252(text.encode())),
    "quotes": ("don’t say “no”", lambda text: cp1252(text.encode())),
    "emoji": ("nice 😀", lambda text: cp1252(text.encode())),
    "french": ("L’été, à l’hôtel, près de la forêt", lambda text: cp1252(text.encode())),
}
GOOD = (
    *("« CAFÉ»", "“le café”…", "Il a été à l’hôtel « Été»", "COMUNICAÇÃO»", "ÄÖÜ äöü ß straße", "Æðí þýðíng"),
    *("Việt Nam, tiếng Việt là “đẹp”", "Tôi đã đến đó", "El Niño «mañana»", "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ"),
    *("参差荇菜，左右流之。窈窕淑女，寤寐求之。", "魑魅魍魉，饕餮狻猊。", "觱篥裛裛，縠紋灩灩。", "气温25°C±2°，×3。"),
    *("锟斤拷锟斤拷", "烫烫烫", "第\ufffd条", "????", "·˙°²³", "㊣①②③", "日本語のテキスト", "한국어 텍스트", "©®™ “a”"),
)


@pytest.mark.parametrize(("text", "misread"), WAYS.values(), ids=WAYS)
def test_reads_again_what_was_read_wrong(text: str, misread: Callable[[str], str]) -> None:
    broken = misread(text)
    assert broken != text
    mended, count = mend(broken)
    assert mended == text
    assert 0 < count <= len(broken) * 3


@pytest.mark.parametrize(("text", "misread"), WAYS.values(), ids=WAYS)
def test_mends_one_line_among_good_ones(text: str, misread: Callable[[str], str]) -> None:
    good = "\n".join(GOOD[-4:])
    if text in (LINE, TRADITIONAL):
        assert mend(f"{good}\n{misread(text)}\n{good}")[0] == f"{good}\n{text}\n{good}"


def test_mends_a_run_inside_a_line() -> None:
    broken = cp1252("保护公民".encode())
    assert mend(f"宪法规定：{broken}，不得侵犯。")[0] == "宪法规定：保护公民，不得侵犯。"
    broken = EVEN.encode().decode("gb18030")
    assert mend(f"宪法规定：{broken}，不得侵犯。")[0] == f"宪法规定：{EVEN}，不得侵犯。"


def test_a_short_run_is_mended_beside_a_proven_one() -> None:
    short = "法律".encode().decode("gb18030")
    assert mend(short) == (short, 0)
    assert mend(EVEN.encode().decode("gb18030") + "\n" + short)[0] == f"{EVEN}\n法律"


@pytest.mark.parametrize("text", GOOD)
def test_leaves_good_text_and_what_is_lost(text: str) -> None:
    assert mend(text) == (text, 0)
    assert mend("\n".join((text, *GOOD))) == ("\n".join((text, *GOOD)), 0)


WORDS = (
    *(
        "été",
        "à",
        "où",
        "naïve",
        "Straße",
        "für",
        "über",
        "Đường",
        "phố",
        "là",
        "người",
        "the",
        "cat’s",
        "«",
        "»",
        "“",
        "”",
    ),
    *(
        "…",
        "—",
        "国家",
        "保护",
        "公民",
        "，",
        "。",
        "：",
        "niño",
        "São",
        "coração",
        "Þór",
        "Ça",
        "ÊTRE",
        "½",
        "°C",
        "£5",
    ),
)


@given(st.lists(st.sampled_from(WORDS), max_size=30), st.sampled_from(["", " ", "\n"]))
def test_never_changes_words_of_good_languages(words: list[str], between: str) -> None:
    text = between.join(words)
    assert mend(text) == (text, 0)


@given(st.text("国家保护公民的合法权益任何组织和个人不得侵犯，。", max_size=60))
def test_mends_any_chinese(rest: str) -> None:
    text = EVEN + rest
    for broken in (cp1252(text.encode()), text.encode("gb18030").decode("latin-1")):
        assert mend(broken)[0] == text


def test_counts_rows_that_were_mended() -> None:
    batch = Mojibake().clean(pa.record_batch({"text": pa.array(["好的。", cp1252(LINE.encode()), ""])}))
    assert batch.column("text").to_pylist() == ["好的。", LINE, ""]
    assert [count > 0 for count in batch.column("mojibake_repair_count").to_pylist()] == [False, True, False]
