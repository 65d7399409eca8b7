"""Messages that real mailers made (documents/mail.sh), and broken ones."""

from base64 import b64encode
from pathlib import Path

import pytest

from schemas.source import Limits

HERE = Path(__file__).parent / "documents"
SUBJECT = "关于清明植树与春茶开采的通知，请各家互相转告，不要误了时间"
LETTER = (HERE / "letter.txt").read_text("utf-8").strip()


def mail(name):
    return (HERE / name).read_bytes()


def message(*headers, body=b""):
    return "\r\n".join(("From: a@example.org", "Message-ID: <1@example.org>", *headers)).encode() + b"\r\n\r\n" + body


def word(data, charset="utf-8"):
    return f"=?{charset}?B?{b64encode(data).decode()}?="


def alternative(plain, page):
    parts = (("text/plain", plain), ("text/html", page))
    body = "".join(f"--x\r\nContent-Type: {kind}; charset=utf-8\r\n\r\n{text}\r\n" for kind, text in parts)
    return message('Content-Type: multipart/alternative; boundary="x"', body=f"{body}--x--\r\n".encode())


def test_a_message_is_its_text_with_subject_and_date(read):
    found = read("a.eml", mail("mutt.eml"))
    assert (found.outcome["outcome"], found.outcome["format"]) == ("ok", "eml")
    (row,) = found.rows
    assert row["title"] == SUBJECT
    assert row["text"] == LETTER
    assert row["original_time"].year == 2026
    assert found.outcome["encoding"] == "gb18030"
    assert found.outcome["notes"] == "attachments that are not read: table.csv (text/csv)"


def test_a_part_without_a_type_is_text(read):
    found = read("a.eml", mail("mpack.eml"))
    assert (found.outcome["outcome"], found.texts) == ("ok", [LETTER])


def test_a_mailbox_is_a_record_a_message(read):
    found = read("a.mbox", mail("mutt.mbox"))
    assert (found.outcome["outcome"], found.outcome["format"]) == ("ok", "mbox")
    assert [row["title"] for row in found.rows] == [SUBJECT, SUBJECT]
    assert [row["record"] for row in found.rows] == [0, 1]
    assert found.texts[0] == LETTER
    assert "河上有一座老石桥" in found.texts[1]
    assert "<p>" not in found.texts[1]


def test_patches_are_a_mailbox(read):
    found = read("0001.patch", mail("git.mbox"))
    assert (found.outcome["outcome"], found.outcome["format"]) == ("ok", "mbox")
    assert found.rows[0]["title"] == "[PATCH] 记下清明植树的通知：请各家互相转告，不要误了时间"
    assert "清明那天上午九点" in found.texts[0]


@pytest.mark.parametrize("name", ["a.txt", "没有后缀", "a.html"])
def test_a_message_is_known_by_its_content(read, name):
    assert read(name, mail("mutt.eml")).outcome["format"] == "eml"
    assert read(name, mail("mutt.mbox")).outcome["format"] == "mbox"


@pytest.mark.parametrize(
    "text", ["From: 石桥村\n春天来了。\n", "标题: 一\n作者: 二\n\n春天。", "From here on it is 2024\nwell: a"]
)
def test_a_text_that_only_resembles_mail_stays_a_text(read, text):
    assert read("a.txt", text.encode()).texts == [text]


def test_a_message_that_is_cut_off_is_partial(read):
    found = read("a.eml", mail("mutt.eml")[:900])
    assert found.outcome["outcome"] == "partial"
    assert "without the end of its last part" in found.outcome["reason"]
    assert found.texts == [LETTER]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.eml", "春天来了，没有信头。".encode(), "begins with no header"),
        ("a.mbox", "春天来了。".encode(), "does not begin with a line 'From …'"),
        ("a.eml", message("Content-Type: multipart/encrypted; boundary=x", body=b"--x\r\n\r\nabc\r\n"), "decrypted"),
        ("a.eml", b"\x89PNG\r\n\x1a\n" + bytes(100), "a PNG image"),
    ],
)  # fmt: skip
def test_what_is_no_message_or_cannot_be_read_says_why(read, name, content, words):
    found = read(name, content)
    assert found.outcome["outcome"] == "failed"
    assert words in found.outcome["reason"]


def test_a_broken_message_costs_only_itself(read):
    start = b"From a@example.org Wed Nov 25 12:57:28 2026\n"
    deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(2000))
    letters = [b"Subject: 1\n\n" + "春天。".encode(), b"Subject: 2\n" + deep, b"Subject: 3\n\n" + "秋天。".encode()]
    found = read("a.mbox", b"".join(start + letter + b"\n\n" for letter in letters))
    assert found.texts == ["春天。", "秋天。"]
    assert found.outcome["outcome"] == "partial"
    assert found.quarantine[0]["record"] == 1
    assert "a damaged message" in found.quarantine[0]["reason"]


def test_a_line_that_begins_with_from_is_text_unless_a_header_follows(read):
    start = b"From a@example.org Wed Nov 25 12:57:28 2026\n"
    found = read(
        "a.mbox", start + b"Subject: 1\n\nhello\n\nFrom here it is far.\n>From there, too.\n\n" + start + b"A: b\n\nx\n"
    )
    assert found.texts == ["hello\n\nFrom here it is far.\nFrom there, too.", "x"]


def test_a_message_over_the_limits_is_refused(read):
    content = mail("mutt.mbox") + b"x" * 40_000_000
    found = read("a.mbox", content, limits=Limits(memory_bytes=300 << 20))
    assert [row["record"] for row in found.rows] == [0]
    assert "limits.memory_bytes" in found.quarantine[0]["reason"]


@pytest.mark.parametrize(
    ("said", "codec"),
    [("gb2312", "gbk"), ("gbk", "gb18030"), ("iso-8859-1", "gbk"), ("us-ascii", "big5"), ("big5", "big5"),
     ("gb2312", "utf-8"), ("utf-8", "gbk"), ("hz-gb-2312", "hz"), ("iso-2022-jp", "iso-2022-jp"), ("no-such", "utf-8")],
)  # fmt: skip
def test_a_charset_that_is_declared_wrongly_is_found(read, prose, traditional, said, codec):
    text = traditional if codec == "big5" else "春の川と古い橋" if codec == "iso-2022-jp" else prose
    content = message(f"Content-Type: text/plain; charset={said}", body=text.encode(codec))
    assert read("a.eml", content).texts == [text]


@pytest.mark.parametrize(
    ("header", "title"),
    [
        (f"{word('石桥'.encode()[:4])}\r\n {word('石桥'.encode()[4:])}", "石桥"),
        ("Re: =?gb2312?Q?=CA=AF=C7=C5?= (2)", "Re: 石桥 (2)"),
        (word("村里的老人说这座桥很老".encode("gbk"), "ISO-8859-1"), "村里的老人说这座桥很老"),
        ("=?utf-8?B?abcde?=", "=?utf-8?B?abcde?="),
        ("  spring \r\n\tcomes ", "spring comes"),
    ],
)  # fmt: skip
def test_the_subject_is_decoded(read, header, title):
    assert read("a.eml", message(f"Subject: {header}", body=b"x")).rows[0]["title"] == title


def test_a_subject_in_raw_bytes_is_decoded(read, prose):
    raw = prose.split("，")[0] + "，在公园里散步"
    content = b"From: a@example.org\r\nMIME-Version: 1.0\r\nSubject: " + raw.encode("gbk") + b"\r\n\r\nx"
    assert read("a.eml", content).rows[0]["title"] == raw


def test_of_a_text_in_two_forms_the_plain_one_is_taken_unless_it_is_empty(read, prose):
    page = f"<html><body><p>{prose}</p></body></html>"
    assert read("a.eml", alternative("春天", page)).texts == ["春天"]
    assert prose.split("\n")[0] in read("a.eml", alternative(" \r\n", page)).texts[0]


def test_flowed_lines_are_joined(read):
    flowed = message(
        "Content-Type: text/plain; format=flowed; delsp=yes; charset=utf-8",
        body="春天 \r\n来了。\r\n> 是 \r\n花 \r\n开\r\n-- \r\n人".encode(),
    )
    assert read("a.eml", flowed).texts == ["春天来了。\n> 是 \n花开\n-- \n人"]


def test_a_message_of_attachments_alone_is_empty_and_says_so(read):
    content = message("Content-Type: application/pdf; name=a.pdf", "Content-Disposition: attachment", body=b"x")
    found = read("a.eml", content)
    assert found.outcome["outcome"] == "empty"
    assert "only attachments: attachments that are not read: a.pdf" in found.outcome["reason"]


def test_of_many_attachments_the_first_are_named(read):
    parts = "".join(f"--x\r\nContent-Type: image/png; name={n}.png\r\n\r\n\r\n" for n in range(25))
    content = message("Content-Type: multipart/mixed; boundary=x", body=f"--x\r\n\r\na\r\n{parts}--x--".encode())
    assert read("a.eml", content).outcome["notes"].endswith("9.png (image/png) and 15 more")


def test_a_message_forwarded_whole_belongs_to_the_text(read):
    inner = message("Subject: =?utf-8?B?5qGl?=", "Content-Type: text/plain; charset=utf-8", body="里面。".encode())
    outer = (
        "--x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n外面。\r\n--x\r\nContent-Type: message/rfc822\r\n\r\n"
    )
    body = outer.encode() + inner + b"\r\n--x--\r\n"
    content = message("Content-Type: multipart/mixed; boundary=x", body=body)
    assert read("a.eml", content).texts == ["外面。\n\n里面。"]
