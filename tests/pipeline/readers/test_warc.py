"""WARC, WET and WACZ: golden archives of wget, and broken variants of them."""

import gzip
import io
import zipfile
import zlib
from datetime import UTC, datetime
from pathlib import Path

import brotli
import pytest
import zstandard

from pipeline.readers.warc import entries

PAGES = Path(__file__).parent / "pages"
PAGE = "<html><head><title>步道</title></head><body><p>河边的步道今天开放，市民可以去走一走。</p></body></html>"
BODY = PAGE.encode()
TEXT = "河边的步道今天开放，市民可以去走一走。"


def record(kind="response", block=b"", media="application/http; msgtype=response", address="http://a.cn/1", **more):
    lines = {"WARC-Type": kind, "WARC-Target-URI": address, "WARC-Date": "2023-11-02T08:00:00Z", "Content-Type": media}
    lines |= {name.replace("_", "-"): value for name, value in more.items()}
    lines.setdefault("Content-Length", str(len(block)))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return b"WARC/1.0\r\n" + head.encode() + b"\r\n" + block + b"\r\n\r\n"


def answered(body=BODY, status="200 OK", media="text/html", *headers):
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: {media}\r\n".encode()
        + b"".join(f"{line}\r\n".encode() for line in headers)
        + b"\r\n"
        + body
    )


def test_answered_pages_are_records_with_address_and_date(read):
    found = read("a.warc", record(block=answered()))
    assert found.texts == [TEXT]
    row = found.rows[0]
    assert (row["title"], row["url"]) == ("步道", "http://a.cn/1")
    assert row["original_time"] == datetime(2023, 11, 2, 8, tzinfo=UTC)
    assert found.outcome["format"] == "warc"
    assert found.outcome["evidence"] == "pages by encoding: 1 utf-8"


def test_other_records_are_counted_by_kind(read):
    archive = b"".join(
        [
            record("warcinfo", b"software: x", "application/warc-fields"),
            record("request", b"GET / HTTP/1.1\r\n\r\n", "application/http; msgtype=request"),
            record(block=answered(status="404 Not Found")),
            record(block=answered(b"\x89PNG", media="image/png")),
            record("revisit", answered(b"")),
            record(block=answered()),
        ]
    )
    found = read("a.warc.gz", gzip.compress(archive, mtime=0))
    assert found.texts == [TEXT]
    assert found.outcome["outcome"] == "ok"
    for part in ("5 other records", "1 warcinfo", "1 request", "1 response 404", "1 response image/png", "1 revisit"):
        assert part in found.outcome["notes"]


def chunked(body):
    return b"".join(b"%x;ext=1\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:])) + b"0\r\n\r\n"


RAW = zlib.compressobj(wbits=-15)
BODIES = [
    (chunked(PAGE.encode()), ["Transfer-Encoding: chunked"]),
    (PAGE.encode(), ["Transfer-Encoding: chunked"]),
    (gzip.compress(PAGE.encode(), mtime=0), ["Content-Encoding: gzip"]),
    (chunked(gzip.compress(PAGE.encode(), mtime=0)), ["Transfer-Encoding: chunked", "Content-Encoding: gzip"]),
    (PAGE.encode(), ["Content-Encoding: gzip"]),
    (zlib.compress(PAGE.encode()), ["Content-Encoding: deflate"]),
    (RAW.compress(PAGE.encode()) + RAW.flush(), ["Content-Encoding: deflate"]),
    (brotli.compress(PAGE.encode()), ["Content-Encoding: br"]),
    (zstandard.compress(PAGE.encode()), ["Content-Encoding: zstd"]),
]


@pytest.mark.parametrize(("body", "headers"), BODIES)
def test_bodies_are_unpacked_as_they_are_and_not_as_the_header_says(read, body, headers):
    assert read("a.warc", record(block=answered(body, "200 OK", "text/html", *headers))).texts == [TEXT]


@pytest.mark.parametrize(
    ("body", "header", "reason"),
    [
        (gzip.compress(PAGE.encode(), mtime=0)[:-20], "Content-Encoding: gzip", "no whole gzip stream"),
        (b"\x00\x01\x02broken", "Content-Encoding: br", "no whole br stream"),
        (b"\x00\x01\x02broken", "Content-Encoding: zstd", "no whole zstd stream"),
        (b"xyz", "Content-Encoding: lzma", "'lzma' is not known"),
        (b"5\r\nabcdeXX", "Transfer-Encoding: chunked", "chunks break off"),
        (gzip.compress(b"<p>" + b"a" * 5000, mtime=0), "Content-Encoding: gzip", "limits.record_bytes"),
        (brotli.compress(b"<p>" + b"a" * 5000), "Content-Encoding: br", "limits.record_bytes"),
        (zstandard.compress(b"<p>" + b"a" * 5000), "Content-Encoding: zstd", "limits.record_bytes"),
    ],
)
def test_a_broken_body_costs_its_page_alone(read, body, header, reason):
    from schemas.source import Limits

    archive = record(block=answered(body, "200 OK", "text/html", header)) + record(block=answered())
    found = read("a.warc", archive, limits=Limits(record_bytes=2000))
    assert found.texts == [TEXT]
    assert found.outcome["outcome"] == "partial"
    assert reason in found.quarantine[0]["reason"]
    assert found.quarantine[0]["excerpt"] == "http://a.cn/1"


@pytest.mark.parametrize("length", ["10", "99999", "none", "-5", ""])
def test_a_wrong_length_costs_its_record_alone(read, length):
    archive = record(block=answered(), Content_Length=length) + record(block=answered()) * 2
    found = read("a.warc", archive)
    assert found.texts == [TEXT] * 2
    assert found.outcome["outcome"] == "partial"
    assert len(found.quarantine) == 1


@pytest.mark.parametrize("cut", [5, 100, 300])
def test_a_cut_archive_keeps_what_is_whole_and_says_so(read, cut):
    archive = record(block=answered()) * 2
    found = read("a.warc", archive[:-cut])
    assert found.texts == [TEXT]
    assert found.outcome["outcome"] == "partial"
    packed = gzip.compress(record(block=answered()), mtime=0) + gzip.compress(record(block=answered()), mtime=0)
    found = read("b.warc.gz", packed[: -40 - cut // 10])
    assert found.texts == [TEXT]
    assert "it is cut off" in found.outcome["reason"]


def test_bytes_between_records_are_a_loss_and_reading_goes_on(read):
    found = read("a.warc", record(block=answered()) + b"garbage" * 9 + b"\n" + record(block=answered()))
    assert len(found.texts) == 1
    assert found.outcome["outcome"] == "partial"


def test_what_pages_reserve_is_noted(read):
    meta = PAGE.replace("<title>", '<meta name="robots" content="index, noai"><title>').encode()
    archive = b"".join(
        [
            record(block=answered(meta), address="http://a.cn/meta"),
            record(block=answered(PAGE.encode(), "200 OK", "text/html", "X-Robots-Tag: noai, noimageai")),
            record(block=answered(PAGE.encode(), "200 OK", "text/html", "TDM-Reservation: 1")),
            record(block=answered(PAGE.encode(), "200 OK", "text/html", "TDM-Reservation: 0")),
        ]
    )
    notes = read("a.warc", archive).outcome["notes"]
    assert "2 pages say noai, the first is http://a.cn/meta" in notes
    assert "1 pages say noimageai" in notes
    assert "1 pages say tdm-reservation: 1" in notes


def test_pages_are_decoded_by_their_bytes(read):
    body = PAGE.replace("<head>", '<head><meta charset="big5">').encode("gb18030")
    assert read("a.warc", record(block=answered(body, media="text/html; charset=utf-8"))).texts == [TEXT]


def test_the_texts_of_a_wet_are_records(read):
    archive = record("conversion", TEXT.encode(), "text/plain") * 2
    found = read("a.warc.wet.gz", gzip.compress(archive, mtime=0))
    assert found.texts == [TEXT] * 2
    assert found.outcome["format"] == "wet.gz"
    assert found.outcome["encoding"] == "utf-8"


def test_a_wat_is_empty_and_says_what_it_holds(read):
    found = read("a.wat", record("metadata", b"{}", "application/json"))
    assert found.outcome["outcome"] == "empty"
    assert found.outcome["reason"] == "no text in it: 1 other records: 1 metadata"


def test_an_archive_is_known_by_its_first_line(read):
    assert read("crawl", record(block=answered())).texts == [TEXT]


def test_line_feeds_alone_end_headers_too():
    archive = record(block=b"abc").replace(b"\r\n", b"\n")
    assert [archive[entry.start : entry.end] for entry in entries(archive)] == [b"abc"]


def collection(*names, content=None):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr("datapackage.json", "{}")
        for name in names:
            data = record(block=answered())
            made.writestr(name, content or (gzip.compress(data, mtime=0) * 2 if name.endswith(".gz") else data))
    return out.getvalue()


def test_the_archives_of_a_collection_are_read_in_order(read):
    found = read("a.wacz", collection("archive/1.warc.gz", "archive/2.warc"))
    assert found.texts == [TEXT] * 3
    assert [row["record"] for row in found.rows] == [0, 1, 2]
    assert found.outcome["outcome"] == "ok"


def test_broken_collections_say_what_is_wrong(read):
    whole = gzip.compress(record(block=answered()), mtime=0)
    cut = read("a.wacz", collection("archive/1.warc.gz", content=whole + whole[:-20]))
    assert (cut.texts, cut.outcome["outcome"]) == ([TEXT], "partial")
    assert "name it .zip" in read("b.wacz", collection("x.txt")).outcome["reason"]
    assert read("c.wacz", collection("archive/1.warc.gz")[:200]).outcome["outcome"] == "failed"
    assert read("d.wacz", b"PK\x03\x04nothing").outcome["outcome"] == "failed"


def golden(name):
    return (PAGES / f"{name}.txt").read_text(encoding="utf-8").rstrip("\n")


def test_an_archive_of_wget_is_read(read):
    packed = (PAGES / "wget.warc.gz").read_bytes()
    found = read("wget.warc.gz", packed)
    assert found.texts == [golden("news"), golden("manual")]
    assert [row["url"].rpartition("/")[2] for row in found.rows] == ["news.html", "manual.html"]
    assert found.outcome["outcome"] == "ok"
    assert "1 response 404" in found.outcome["notes"]
    plain = gzip.decompress(packed)
    assert read("wget.warc", plain).texts == found.texts
    cut = read("cut.warc.gz", packed[: len(packed) // 2])
    assert cut.outcome["outcome"] == "partial"
    assert cut.texts[0] == golden("news")
