"""Documents that real producers made (documents/make.sh), and broken ones."""

import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from tests_support import is_linear

from pipeline.readers.numbering import counted, formatted
from pipeline.readers.pdf_lines import Line, body
from schemas.source import Limits

HERE = Path(__file__).parent / "documents"
BRIDGE = "河上有一座老石桥，桥面被一代又一代人的脚步磨得发亮。春天一到，桥边的柳树就绿了，孩子们放学以后"


def document(name):
    return (HERE / name).read_bytes()


def packed(**members):
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name.replace("__", "/").replace("_xml", ".xml"), text)
    return stream.getvalue()


def word(body, **members):
    main = f'<w:document xmlns:w="w"><w:body>{body}</w:body></w:document>'
    return packed(**{"[Content_Types]_xml": "<Types/>", "word__document_xml": main, **members})


@pytest.mark.parametrize(
    "name", ["pandoc.docx", "office.docx", "pandoc.odt", "office.odt", "pandoc.epub", "pandoc2.epub"]
)
def test_a_document_is_one_record_with_title_text_table_and_note(read, name):
    found = read(name, document(name))
    assert found.outcome["outcome"] == "ok"
    assert found.outcome["format"] == name.split(".")[1]
    (row,) = found.rows
    assert row["title"] == "石桥村的春天"
    assert row["original_time"] is not None
    assert BRIDGE in row["text"]
    assert "2021\t八百斤\t十二万元" in row["text"].split("\n")
    assert "石匠的名字没有留下来" in row["text"]
    assert row["text"].index("第一章") < row["text"].index("第二章")


@pytest.mark.parametrize("name", ["pandoc.docx", "office.odt", "pandoc.epub"])
def test_a_document_is_known_by_its_content(read, name):
    found = read("没有后缀", document(name))
    assert (found.outcome["outcome"], found.outcome["format"]) == ("ok", name.split(".")[1])


@pytest.mark.parametrize("name", ["pandoc.docx", "office.odt", "pandoc.epub"])
def test_a_document_that_is_cut_off_fails(read, name):
    found = read(name, document(name)[:3000])
    assert found.outcome["outcome"] == "failed"
    assert "fetch it again" in found.outcome["reason"]


@pytest.mark.parametrize("name", ["pandoc.pptx", "office.pptx", "office.odp"])
def test_a_presentation_is_one_record_with_title_and_tables(read, name):
    found = read(name, document(name))
    assert (found.outcome["outcome"], found.outcome["format"]) == ("ok", name.split(".")[1])
    (row,) = found.rows
    lines = row["text"].split("\n")
    assert (row["title"], row["original_time"].year) == ("石桥村的春天", 2026)
    assert lines[:3] == ["石桥村的春天", "无名", "第一章 石桥"]
    assert BRIDGE in row["text"]
    assert "2021\t八百斤\t十二万元" in lines
    assert row["text"].index("第一章") < row["text"].index("第二章")
    assert read("没有后缀", document(name)).texts == found.texts
    broken = read(name, document(name)[:3000]).outcome
    assert broken["outcome"] == "failed"
    assert "fetch it again" in broken["reason"]


@pytest.mark.parametrize("name", ["slides.pptx", "slides.odp"])
def test_notes_follow_their_slide(read, name):
    assert read(name, document(name)).texts[0].split("\n") == [
        "石桥村的春天",
        "修桥",
        "三百年前，一位石匠带着全村人修了这座桥。",
        "每一块石头都从山上用木车拉下来。",
        "先讲石匠的故事，再请老人说一说当年的木车。",
        "种茶",
        "清明以前采的叫明前茶，叶子最嫩。",
        "给客人看第一批春茶。",
    ]


def slides(*shapes, names=("a.xml",)):
    """Return a presentation whose first slide holds these shapes; of the further slides there is only the name."""
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    entries = "".join(f'<p:sldId id="{at}" r:id="r{at}"/>' for at, _ in enumerate(names))
    main = f'<p:presentation xmlns:p="p" xmlns:r="{kind}"><p:sldIdLst>{entries}</p:sldIdLst></p:presentation>'
    targets = "".join(f'<Relationship Id="r{at}" Type="x/slide" Target="{name}"/>' for at, name in enumerate(names))
    relations = (
        f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{targets}</Relationships>'
    )
    members = {"ppt__presentation_xml": main, "ppt___rels__presentation_xml.rels": relations}
    slide = f'<p:sld xmlns:p="p" xmlns:a="a"><p:cSld><p:spTree>{"".join(shapes)}</p:spTree></p:cSld></p:sld>'
    return packed(**{"[Content_Types]_xml": "<Types/>", **members, "ppt__a_xml": slide})


def shape(text, kind="body"):
    place = f'<p:nvSpPr><p:nvPr><p:ph type="{kind}"/></p:nvPr></p:nvSpPr>'
    return f"<p:sp>{place}<p:txBody><a:p>{text}</a:p></p:txBody></p:sp>"


def test_what_stands_on_every_slide_is_left_out_and_the_title_comes_first(read):
    run = "<a:r><a:t>{}</a:t></a:r>".format
    number = '<a:fld type="slidenum"><a:t>7</a:t></a:fld>'
    body = shape(run("一") + "<a:br/>" + run("二") + number)
    found = read(
        "a.pptx", slides(body, shape(run("9"), "sldNum"), shape(run("页脚"), "ftr"), shape(run("题"), "ctrTitle"))
    )
    assert found.texts == ["题\n一\n二"]
    assert found.rows[0]["title"] == "题"


def test_a_slide_that_is_missing_is_told(read):
    found = read("a.pptx", slides(shape("<a:r><a:t>一</a:t></a:r>"), names=("a.xml", "b.xml")))
    assert (found.outcome["outcome"], found.texts) == ("partial", ["一"])
    assert "no slide ppt/b.xml" in found.outcome["reason"]
    assert "give it its right name" in read("a.pptx", packed(a_xml="<a/>")).outcome["reason"]


def test_damage_in_a_member_is_told(read):
    data = bytearray(document("pandoc.docx"))
    at = data.find(b"word/document.xml") + 100
    data[at : at + 40] = bytes(40)
    found = read("a.docx", bytes(data))
    assert found.outcome["outcome"] in ("failed", "partial")
    assert "fetch it again" in found.outcome["reason"]


def test_a_package_without_its_main_part_fails(read):
    assert "give it its right name" in read("a.docx", packed(a_xml="<a/>")).outcome["reason"]
    assert read("a.epub", packed(a_xml="<a/>")).outcome["outcome"] == "failed"


def test_a_chapter_that_is_no_text_costs_itself(read):
    stream = BytesIO(document("pandoc.epub"))
    with zipfile.ZipFile(stream) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    (chapter, *_) = sorted(name for name in members if "ch00" in name)
    found = read("a.epub", packed(**members | {chapter: bytes(1000)}))
    assert found.outcome["outcome"] == "partial"
    assert f"{chapter} is no text" in found.outcome["reason"]
    assert len(found.texts[0]) > 100


def test_a_bomb_is_refused(read):
    bomb = word("<w:p><w:r><w:t>" + "大" * 2_000_000 + "</w:t></w:r></w:p>")
    found = read("a.docx", bomb, limits=Limits(unpacked_bytes=1 << 20))
    assert found.outcome["outcome"] == "failed"
    assert "limits.unpacked_bytes" in found.outcome["reason"]


def test_entities_are_never_expanded(read):
    lol = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10 if i else "笑"}">' for i in range(10))
    text = "<w:p><w:r><w:t>字&a9;&f;</w:t></w:r></w:p>"
    head = f'<!DOCTYPE x [{lol}<!ENTITY f SYSTEM "file:///etc/passwd">]>'
    main = f'{head}<d xmlns:w="w"><w:body>{text}</w:body></d>'
    found = read("a.docx", packed(**{"[Content_Types]_xml": "<Types/>", "word__document_xml": main}))
    assert "".join(found.texts) in ("", "字")


def test_what_is_deleted_hidden_or_doubled_is_left_out(read):
    body = (
        "<w:p><w:r><w:t>留</w:t></w:r><w:del><w:r><w:delText>删</w:delText></w:r></w:del>"
        "<w:r><w:rPr><w:vanish/></w:rPr><w:t>藏</w:t></w:r><w:ins><w:r><w:t>下</w:t></w:r></w:ins>"
        "<w:r><w:ruby><w:rt><w:r><w:t>zi</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>字</w:t></w:r></w:rubyBase></w:ruby>"
        "</w:r><w:r><w:instrText>PAGE</w:instrText></w:r></w:p>"
        '<w:p><w:pPr><w:pStyle w:val="TOC1"/></w:pPr><w:r><w:t>目录 1</w:t></w:r></w:p>'
    )
    styles = '<w:styles xmlns:w="w"><w:style w:styleId="TOC1"><w:name w:val="toc 1"/></w:style></w:styles>'
    relations = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        '<Relationship Id="a" Type="x/styles" Target="styles.xml"/></Relationships>'
    )
    members = {"word___rels__document_xml.rels": relations, "word__styles_xml": styles}
    assert read("a.docx", word(body, **members)).texts == ["留下字"]


@pytest.mark.parametrize(
    ("name", "golden", "outcome", "said"),
    [
        ("a.docx", "office.rtf", "ok", "rtf"),
        ("a.rtf", "office.docx", "ok", "docx"),
        ("a.txt", "office.odt", "ok", "odt"),
        ("a.html", "office.pptx", "ok", "pptx"),
        ("a.pdf", "mutt.eml", "ok", "eml"),
        ("a.mht", "mutt.eml", "ok", "eml"),
        ("a.eml", "office.pdf", "ok", "pdf"),
        ("a.csv", "office.xls", "partial", "xls"),
        ("a.pptx", "office.xls", "partial", "xls"),
        ("a.pptx", "letter.html", "failed", "named as pptx but the content is something else; give it its right name"),
        ("a.rtf", "letter.txt", "failed", "named as rtf but the content is something else; give it its right name"),
        ("a.mbox", "letter.txt", "failed", "give it its right name"),
        ("a.eml", "letter.txt", "failed", "give it its right name"),
    ],
)
def test_a_wrong_name_is_seen_through_or_told(read, name, golden, outcome, said):
    found = read(name, document(golden))
    assert found.outcome["outcome"] == outcome
    assert said in (found.outcome["reason"] if outcome == "failed" else found.outcome["format"])


def test_old_office_documents_are_skipped_with_what_to_do(read):
    found = read("a.doc", bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600))
    assert found.outcome["outcome"] == "skipped"
    assert "convert to txt or html" in found.outcome["reason"]


@pytest.mark.parametrize(
    ("number", "form", "text"),
    [(3, "decimal", "3"), (12, "chineseCounting", "十二"), (3, "upperRoman", "III"), (27, "lowerLetter", "aa"),
     (2, "ideographTraditional", "乙"), (7, "decimalZero", "07"), (105, "chineseLegalSimplified", "壹佰零伍")],
)  # fmt: skip
def test_numbers_are_written_as_word_writes_them(number, form, text):
    assert formatted(number, form) == text


@pytest.mark.parametrize(("number", "text"), [(1, "一"), (10, "十"), (20, "二十"), (1005, "一千〇五")])
def test_numbers_are_counted_in_chinese(number, text):
    assert counted(number) == text


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("a.srt", "1\n0:0:01,000 --> 0:0:02,000\n<i>春天</i>\n\n2\n0:0:03,000 --> 0:0:04,000\n来了。\n", "春天来了。"),
        ("b.srt", "1\n0:0:01,000 --> 0:0:02,000\n春天\n\n2\n0:0:03,000 --> 0:0:04,000\n花开\n", "春天\n花开"),
        ("a.vtt", "WEBVTT\n\nNOTE 注\n\n0:01.0 --> 0:02.0 align:start\n<c.x>花</c>开了。\n\nNOTE 不\n", "花开了。"),
        ("c.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\n一行\n\n00:02.000 --> 00:03.000\n一行\n二行\n", "一行\n二行"),
        ("d.srt", "1\n0:0:01,000 --> 0:0:02,000\n花开了。\nFlowers bloom.\n", "花开了。\nFlowers bloom."),
        ("a.ass", "[Events]\nDialogue: 0,0:00:01.00,0:00:02.00,D,,0,0,0,,{\\an8}你好，\\N世界。\n", "你好，世界。"),
    ],
)  # fmt: skip
def test_subtitles_are_what_is_said(read, name, content, text):
    assert read(name, content.encode()).texts == [text]


@pytest.mark.parametrize(
    ("name", "title"), [("xelatex.pdf", None), ("office.pdf", "石桥村的春天"), ("chromium.pdf", "石桥村通讯")]
)
def test_paragraphs_of_a_pdf_are_whole(read, name, title):
    found = read(name, document(name))
    assert (found.outcome["outcome"], found.outcome["format"]) == ("ok", "pdf")
    (row,) = found.rows
    assert row["title"] == title
    assert row["original_time"].year >= 2026
    lines = row["text"].split("\n")
    assert any(line.startswith("石桥村在两座山之间") and line.endswith("看水里的小鱼游来游去。") for line in lines)
    assert any(
        line.startswith("The old bridge is") and line.endswith("on their way home from school.") for line in lines
    )


def test_columns_of_a_pdf_follow_each_other_without_heads_and_page_numbers(read):
    lines = read("a.pdf", document("xelatex.pdf")).texts[0].split("\n")
    assert lines[0] == "石桥"
    assert len(lines) == 1 + 6 * 3
    assert len(set(lines[1:])) == 3


@pytest.mark.parametrize(
    ("content", "outcome", "words"),
    [
        (document("locked.pdf"), "failed", "locked with a password"),
        (document("office.pdf")[:9000], "failed", "fetch it again"),
        (b"%PDF-1.7\nnothing", "failed", "fetch it again"),
        (document("table.csv"), "failed", "named as pdf"),
    ],
)
def test_a_pdf_that_cannot_be_read_says_why(read, content, outcome, words):
    found = read("a.pdf", content)
    assert found.outcome["outcome"] == outcome
    assert words in found.outcome["reason"]


def test_a_pdf_without_a_text_layer_is_empty_and_says_what_to_do(read):
    import pypdfium2

    blank = pypdfium2.PdfDocument.new()
    blank.new_page(200, 200).close()
    stream = BytesIO()
    blank.save(stream)
    blank.close()
    found = read("a.pdf", stream.getvalue())
    assert found.outcome["outcome"] == "empty"
    assert "OCR" in found.outcome["reason"]


@pytest.mark.parametrize("name", ["office.xlsx", "office.xls", "office.ods"])
def test_rows_of_a_workbook_are_records(read, name):
    found = read(name, document(name))
    assert [row["title"] for row in found.rows] == ["石桥", "茶园"]
    assert "磨得发亮" in found.texts[0]
    assert found.rows[0]["original_time"].year == 2024
    assert found.outcome["outcome"] == "partial"
    assert "the text in '正文' is empty" in found.outcome["reason"]


@pytest.mark.parametrize("name", ["office.xlsx", "office.xls", "office.ods"])
def test_a_workbook_that_is_cut_off_or_has_no_text_column_fails(read, name):
    assert read(name, document(name)[:2500]).outcome["outcome"] == "failed"
    found = read(name, document(name), text="内容")
    assert found.outcome["outcome"] == "failed"
    assert "no field '内容'" in found.outcome["reason"]


def test_heads_of_many_pages_are_found_in_time_that_grows_with_them():
    def heads(pages):
        texts = [chr(0x4E00 + number) * 20 for number in range(len(pages))]
        return body([[Line("春天", 90, 130, 800, 812, 842), Line(text, 90, 330, 400, 412, 842)] for text in texts])

    assert [len(lines) for lines in heads("123")] == [1, 1, 1]
    assert is_linear(heads, "x".__mul__, 300)
