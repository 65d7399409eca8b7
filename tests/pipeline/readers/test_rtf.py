"""Documents in Rich Text Format: of real producers (documents/make.sh), of every code page, and broken ones."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent / "documents"
BRIDGE = "河上有一座老石桥，桥面被一代又一代人的脚步磨得发亮。春天一到，桥边的柳树就绿了，孩子们放学以后"


def document(name):
    return (HERE / name).read_bytes()


def escaped(text, codec):
    return "".join(f"\\'{byte:02x}" if byte > 127 or byte in b"\\{}" else chr(byte) for byte in text.encode(codec))


def rtf(
    body, page=936, fonts=r"{\f0\fcharset0 A;}{\f1\fcharset134 \'cb\'ce\'cc\'e5;}{\f2\fcharset136 B;}{\f3\fcharset2 C;}"
):
    return rf"{{\rtf1\ansi\ansicpg{page}\deff0{{\fonttbl{fonts}}}{body}}}".encode("latin-1")


@pytest.mark.parametrize("name", ["pandoc.rtf", "office.rtf", "abiword.rtf"])
def test_a_document_is_one_record_with_text_table_and_note(read, name):
    found = read(name, document(name))
    assert (found.outcome["outcome"], found.outcome["format"]) == ("ok", "rtf")
    (row,) = found.rows
    lines = row["text"].split("\n")
    assert BRIDGE in row["text"]
    assert "2021\t八百斤\t十二万元" in lines
    assert "石匠的名字没有留下来，只在桥栏上刻着一把锤子。" in [line.strip() for line in lines]
    assert row["text"].index("第一章") < row["text"].index("第二章")
    assert any(line.startswith(("1.", "清")) and line.endswith("清明以前采的叫明前茶，叶子最嫩。") for line in lines)
    assert row["title"] in (None, "石桥村的春天")
    assert not [line for line in lines if "Times" in line or "\\" in line or "{" in line]


@pytest.mark.parametrize("name", ["a.doc", "a.txt", "没有后缀"])
def test_a_document_is_known_by_its_content(read, name):
    found = read(name, document("office.rtf"))
    assert (found.outcome["outcome"], found.outcome["format"]) == ("ok", "rtf")


def test_a_document_that_is_cut_off_is_partial(read):
    found = read("a.rtf", document("pandoc.rtf")[:3000])
    assert found.outcome["outcome"] == "partial"
    assert "has no end" in found.outcome["reason"]
    assert found.texts[0].startswith("石桥村的春天")


def test_a_document_that_is_cut_off_in_its_notes_keeps_text_and_notes(read):
    found = read("a.rtf", rb"{\rtf1\ansi First line.{\footnote A note{\footnote of a note")
    assert found.outcome["outcome"] == "partial"
    assert found.texts == ["First line.A noteof a note"]


@pytest.mark.parametrize("name", ["a.doc", "a.xls", "a.ppt"])
def test_what_else_lies_behind_the_name_of_an_old_office_file(read, name, prose):
    page = f"<html><head><meta charset=utf-8></head><body><p>{prose}</p></body></html>".encode()
    found = read(name, page)
    assert (found.outcome["outcome"], found.outcome["format"]) == ("ok", "html")
    assert prose.split("\n")[0] in found.texts[0]
    assert read(name, document("pandoc.docx")).outcome["format"] == "docx"
    assert read(name, document("mutt.eml")).outcome["format"] == "eml"
    assert "content is something else; give it its right name" in read(name, prose.encode()).outcome["reason"]


def test_a_note_that_is_cut_off_stays(read):
    found = read("a.rtf", rtf(r"a{\footnote b{\footnote c")[:-1])
    assert found.outcome["outcome"] == "partial"
    assert found.texts == ["abc"]


def test_what_is_no_document_says_so(read):
    assert "named as rtf but the content is something else" in read("a.rtf", "春天".encode()).outcome["reason"]


@pytest.mark.parametrize(
    ("body", "page", "codec"),
    [
        ("{}\\par", 936, "gb18030"),
        ("{}\\par", 950, "cp950"),
        ("\\f1 {}\\par", 950, "gb18030"),
        ("\\f2 {}\\par", 936, "cp950"),
        ("{{\\f1 x}}{}\\par", 950, "cp950"),
        ("{}\\par", 1252, "gb18030"),
        ("{}\\par", 1252, "cp950"),
        ("\\f1\\plain {}\\par", 950, "cp950"),
    ],
)
def test_bytes_are_joined_and_decoded_by_font_or_code_page(read, traditional, body, page, codec):
    text = traditional.replace("\n", "") + "許功蓋"  # whose second bytes in Big5 are a backslash
    found = read("a.rtf", rtf(body.format(escaped(text, codec)), page))
    assert found.texts[0].removeprefix("x") == text
    assert found.outcome["outcome"] == "ok"


def test_bytes_beyond_ascii_may_stand_as_they_are(read, prose):
    content = rtf("\\f1 X\\par").replace(b"X", prose.split("\n")[0].encode("gbk"))
    assert read("a.rtf", content).texts == [prose.split("\n")[0]]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (r"\u30707?\u26725?a", "石桥a"),
        (r"\uc2\u30707\'ca\'af\u26725\'c7\'c5 a", "石桥 a"),
        (r"\uc0\u30707\u26725?", "石桥?"),
        (r"{\uc2\u30707 ab}\u26725 c", "石桥"),
        (r"\u-10179?\u-8704?", "😀"),
        (r"\u30707\'3fx", "石x"),
        (r"a{\u30707}b", "a石b"),
    ],
)
def test_what_stands_for_older_programs_is_skipped(read, body, text):
    assert read("a.rtf", rtf(body + r"\par")).texts == [text]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (r"a{\pict\pngblip 89504e}{\*\unknown no}{\header no\par}{\stylesheet{\s0 no;}}b", "ab"),
        (r"a{\pict\bin4 {{{{}b", "ab"),
        (r"{\field{\*\fldinst HYPERLINK x}{\fldrslt here}}", "here"),
        (r"a{\v no}{\deleted no}\v no\v0 b", "ab"),
        (r"a{\*\shpinst{\sp{\sn no}{\sv no}}{\shptxt box}}b", "aboxb"),
        (r"a{\header{\shp{\*\shpinst{\shptxt no}}}}b", "ab"),
        (r"{\object{\*\objdata 0105}{\result shown}}", "shown"),
        (r"a\~b\_c\-d\{\}\\ \emdash", "a b-cd{}\\ —"),
        (r"{\listtext\f3 \'b7\tab}a\par{\listtext 2.\tab}b", "a\n2. b"),
        ("a\\\nb\\line c\\tab d", "a\nb\nc\td"),
        (r"\trowd\intbl a\par b\cell c\cell\row\pard d", "a b\tc\nd"),
    ],
)
def test_what_is_no_text_is_left_out(read, body, text):
    assert read("a.rtf", rtf(body + r"\par")).texts == [text]


def test_title_and_times_come_from_the_info(read):
    times = r"{\creatim\yr2024\mo3\dy5\hr8\min30}{\revtim\yr0}"
    info = rf"{{\info{{\title {escaped('石桥村的春天', 'gbk')}}}{{\author no}}{times}}}"
    (row,) = read("a.rtf", rtf(info + r"a\par")).rows
    assert (row["title"], row["text"], row["last_modified_time"]) == ("石桥村的春天", "a", None)
    assert row["original_time"].isoformat() == "2024-03-05T08:30:00+00:00"


@pytest.mark.parametrize("body", ["{" * 200_000, "}" * 10, r"\u99999999?\f99999999999\bin99999999 x", r"\'", "\\"])
def test_hostile_groups_and_numbers_do_no_harm(read, body):
    assert read("a.rtf", rtf(r"a\par" + body)).texts == ["a"] or body.startswith((r"\u", "\\"))
