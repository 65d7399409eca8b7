import codecs
import random
import re
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.readers.commonness import commonness, lines_of
from pipeline.readers.encoding import BLOCK, BinaryContent, decode, detect

SIMPLIFIED = "国家对于发展农村教育和改善农民生活的各项政策，应当认真研究并且及时落实。\n"
TRADITIONAL = "國家對於發展農村教育和改善農民生活的各項政策，應當認真研究並且及時落實。\n"
LINES = [
    line
    for line in resources.files("pipeline.readers")
    .joinpath("data/common_characters.txt")
    .read_text("utf-8")
    .split("\n")
    if line and not line.startswith("#")
]
MOVED = [line.split("\t") for line in lines_of("gb18030_2022.tsv")]
COMMON = {"gb18030": LINES[0][:1500], "cp950": LINES[1][:1500]}


@pytest.mark.parametrize(
    ("codec", "text", "name"),
    [
        ("utf-8", SIMPLIFIED, "utf-8"),
        ("utf-8", TRADITIONAL, "utf-8"),
        ("ascii", "plain words only\n", "utf-8"),
        ("gb2312", SIMPLIFIED, "gb18030"),
        ("gbk", TRADITIONAL, "gb18030"),
        ("gb18030", SIMPLIFIED + "𠮷野家㐂", "gb18030"),
        ("cp950", TRADITIONAL, "cp950"),
        ("big5hkscs", "我哋嘅城市喺邊度？佢哋話唔知，" + TRADITIONAL, "big5hkscs"),
        ("utf-16-le", SIMPLIFIED, "utf-16-le"),
        ("utf-16-be", TRADITIONAL, "utf-16-be"),
        ("utf-16-le", "plain words only, no Chinese", "utf-16-le"),
        ("utf-32-le", SIMPLIFIED, "utf-32-le"),
        ("utf-32-be", SIMPLIFIED, "utf-32-be"),
        ("hz", "标题 title\n" + SIMPLIFIED, "hz"),
        ("cp1252", "Le café était fermé, déjà vu près de la gare où il était né.", "cp1252"),
    ],
)
def test_encodings_without_a_mark_are_recognised(codec, text, name):
    found = detect(text.encode(codec))
    assert (found.name, found.errors, found.mark) == (name, 0, 0)
    assert decode(text.encode(codec), found) == text
    assert found.evidence


@pytest.mark.parametrize(
    ("mark", "codec"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
        ("\ufeff".encode("gb18030"), "gb18030"),
    ],
)
def test_a_byte_order_mark_decides_and_is_not_text(mark, codec):
    data = mark + SIMPLIFIED.encode(codec)
    found = detect(data)
    assert (found.name, found.mark) == (codec, len(mark))
    assert decode(data, found) == SIMPLIFIED


@pytest.mark.parametrize(("codec", "text"), [("gb18030", SIMPLIFIED), ("cp950", TRADITIONAL)])
def test_a_mark_of_utf8_before_another_encoding_is_no_proof(codec, text):
    data = codecs.BOM_UTF8 + text.encode(codec) * 9
    found = detect(data)
    assert (found.name, found.mark, found.errors) == (codec, 3, 0)
    assert decode(data, found) == text * 9
    mixed = codecs.BOM_UTF8 + text.encode() * 5 + text.encode(codec) * 5
    found = detect(mixed)
    assert (found.name, found.legacy) == ("utf-8", codec)
    assert decode(mixed, found) == text * 10


def test_a_mark_of_utf8_before_noise_stays():
    data = codecs.BOM_UTF8 + random.Random(7).randbytes(5000)
    assert (detect(data).name, detect(data).errors > 0) == ("utf-8", True)


@given(st.sampled_from(sorted(COMMON)), st.data())
def test_forty_common_characters_are_enough_for_a_legacy_encoding(codec, data):
    text = "".join(data.draw(st.lists(st.sampled_from(COMMON[codec]), min_size=40, max_size=200, unique=True)))
    raw = text.encode(codec, "ignore")
    assert decode(raw, detect(raw)) == raw.decode(codec)


@given(
    st.sampled_from(["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-8-sig", "utf-16", "utf-32"]),
    st.lists(st.sampled_from(COMMON["gb18030"] + "，。\n"), min_size=40, max_size=200, unique=True).map("".join),
)
def test_forty_common_characters_are_enough_for_unicode(codec, text):
    raw = text.encode(codec)
    assert decode(raw, detect(raw)) == text


@given(st.binary(max_size=600))
def test_any_bytes_are_decoded_or_called_binary(raw):
    try:
        found = detect(raw)
    except BinaryContent:
        return
    decode(raw, found).encode("utf-8")


@pytest.mark.parametrize("declared", ["gb2312", "GBK", "utf-8", "big5", "no-such-charset", None])
def test_a_declared_charset_does_not_overrule_the_bytes(declared):
    assert detect(SIMPLIFIED.encode("gb18030"), declared).name == "gb18030"
    assert detect(SIMPLIFIED.encode("utf-8"), declared).name == "utf-8"
    assert detect(TRADITIONAL.encode("cp950"), declared).name == "cp950"


def test_a_declared_charset_of_another_language_is_taken_where_chinese_does_not_fit():
    text = "ひらがなとカタカナのテキストですから、中国語ではありません。よろしくおねがいします。"
    assert decode(text.encode("shift_jis"), detect(text.encode("shift_jis"), "Shift_JIS")) == text


def test_utf8_with_bad_bytes_stays_utf8_and_the_loss_is_counted():
    raw = bytearray((SIMPLIFIED * 20).encode("utf-8"))
    raw[100], raw[1000] = 0xFF, 0xFF
    found = detect(bytes(raw))
    assert (found.name, found.legacy) == ("utf-8", None)
    assert found.errors == decode(bytes(raw), found).count("\ufffd") > 0
    assert SIMPLIFIED in decode(bytes(raw), found)


def test_replacement_characters_of_the_text_itself_are_no_errors():
    raw = (SIMPLIFIED + "锟斤拷\ufffd\ufffd").encode("utf-8")
    assert detect(raw).errors == 0


@pytest.mark.parametrize(("codec", "text"), [("gb18030", SIMPLIFIED), ("cp950", TRADITIONAL)])
def test_legacy_text_with_bad_bytes_keeps_its_encoding(codec, text):
    raw = bytearray((text * 20).encode(codec))
    raw[200:202] = b"\xff\xff"
    found = detect(bytes(raw))
    assert found.name == codec
    assert 0 < found.errors < 6
    assert text in decode(bytes(raw), found)


@pytest.mark.parametrize("legacy", ["gb18030", "cp950"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_lines_of_two_encodings_are_each_decoded_as_what_they_are(legacy, share):
    line = SIMPLIFIED if legacy == "gb18030" else TRADITIONAL
    count = int(40 * share)
    raw = (line * (40 - count)).encode("utf-8") + (line * count).encode(legacy)
    found = detect(raw)
    assert found.legacy == legacy
    assert decode(raw, found) == line * 40
    assert "lines of" in found.evidence


def test_code_points_that_moved_in_gb18030_2022_are_put_right():
    raw = SIMPLIFIED.encode("gb18030") + bytes.fromhex("A6D9 A8BC FE59 FE51 A6F3")
    assert decode(raw, detect(raw)).endswith("\ufe10\u1e3f\u9fb4\U00020087\ufe19")


@pytest.mark.parametrize("row", MOVED)
def test_each_of_them_is_put_right_in_files_and_in_lines_among_utf8(row):
    line = bytes.fromhex(row[0]) + SIMPLIFIED.encode("gb18030")
    right = chr(int(row[2], 16)) + SIMPLIFIED
    assert decode(line, detect(line)) == right
    mixed = SIMPLIFIED.encode() * 3 + line
    assert decode(mixed, detect(mixed)) == SIMPLIFIED * 3 + right


def test_private_use_characters_of_other_encodings_stay():
    raw = (SIMPLIFIED + "\ue78d").encode("utf-8")
    assert decode(raw, detect(raw)).endswith("\ue78d")


def test_every_moved_code_point_is_a_private_use_one_of_the_codec():
    assert len(MOVED) == 25
    for raw, old, new in MOVED:
        assert bytes.fromhex(raw).decode("gb18030") == chr(int(old, 16))
        assert not re.match("[\ue000-\uf8ff]", chr(int(new, 16)))


@pytest.mark.parametrize("seed", range(3))
def test_random_bytes_are_binary(seed):
    with pytest.raises(BinaryContent):
        detect(random.Random(seed).randbytes(5000))


@pytest.mark.parametrize("raw", [bytes(4000), bytes(range(32)) * 50, b"\x00\x01\x02\x03" * 100])
def test_control_characters_are_binary(raw):
    with pytest.raises(BinaryContent):
        detect(raw)


def test_nul_characters_inside_a_text_do_not_change_its_encoding():
    assert detect(SIMPLIFIED.replace("\n", "\0\n").encode("utf-8") * 5).name == "utf-8"
    assert detect(SIMPLIFIED.replace("\n", "\0\n").encode("gb18030") * 5).name == "gb18030"


@pytest.mark.parametrize("codec", ["utf-8", "gb18030", "utf-16-le"])
def test_characters_across_block_borders_are_whole(codec):
    text = "a" + "国" * (BLOCK // 2 * 3) + "\n"
    raw = text.encode(codec)
    assert decode(raw, detect(raw)) == text


def test_the_end_of_a_large_file_counts(tmp_path: Path):
    raw = (SIMPLIFIED * 60000).encode("gb18030") + b"\xff\xff"
    assert len(raw) > 4 * BLOCK
    found = detect(raw)
    assert (found.name, found.errors > 0) == ("gb18030", True)


@pytest.mark.parametrize("text", ["联通", "一一一一", "移动联通"])
def test_gbk_that_is_also_valid_utf8_is_read_as_the_commoner_characters(text):
    raw = text.encode("gbk")
    assert decode(raw, detect(raw)) == text


@pytest.mark.parametrize("text", ["Съешь же ещё этих мягких французских булок", "Γειά σου Κόσμε", "é è à ç ù", "ñandú"])
def test_alphabets_in_utf8_are_not_taken_for_gbk(text):
    assert detect(text.encode("utf-8")).name == "utf-8"


def test_tildes_and_braces_in_code_are_no_hz():
    assert detect(b"for (x in ~{ab12~}) { y ~{ } ~}\n" * 20).name == "utf-8"


def test_commonness_ranks_readings():
    assert commonness(SIMPLIFIED) > 0.8
    assert commonness(TRADITIONAL) > 0.8
    assert commonness(TRADITIONAL.encode("cp950").decode("gb18030", "replace")) < 0.35
    assert commonness(SIMPLIFIED.encode("gb18030").decode("cp950", "replace")) < 0.35
    assert commonness("") == 0


@pytest.mark.parametrize("codec", ["utf-8", "utf-32-le", "utf-32-be", "hz", "gb18030", "cp950"])
@pytest.mark.parametrize("size", [50, 203, 1001])
def test_a_piece_that_ends_inside_a_character_is_told(codec, size):
    text = ("網路安全法" if codec == "cp950" else "网络安全法") + "，第一條，人民的生活。" * 200
    text = text if codec == "cp950" else text.replace("條", "条")
    data = text.encode(codec)[:size]
    assert decode(data, detect(data))[:10] == text[:10]
