import pytest

from pipeline.readers.formats import detect_format, kind_of_bytes, known_formats, sniff, unsupported


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("a.txt", "txt"),
        ("目录/文件.TXT", "txt"),
        ("a.b/README.md", "md"),
        ("x.markdown", "md"),
        ("p.htm", "html"),
        ("p.shtml", "html"),
        ("t.csv", "csv"),
        ("t.tsv", "tsv"),
        ("d.json", "json"),
        ("d.ndjson", "jsonl"),
        ("d.jsonl.gz", "jsonl.gz"),
        ("d.jsonl.zst", "jsonl.zst"),
        ("d.txt.bz2", "txt.bz2"),
        ("d.gz", "gz"),
        ("d.parquet", "parquet"),
        ("d.docx", "docx"),
        ("~$d.docx", "docx"),
        ("d.pdf", "pdf"),
        ("b.epub", "epub"),
        ("s.srt", "srt"),
        ("c.warc.gz", "warc.gz"),
        ("c.warc.wet.gz", "wet.gz"),
        ("a.tar.gz", "tar.gz"),
        ("a.tgz", "tar.gz"),
        ("zhwiki-20230401-pages-articles.xml.bz2", "mediawiki-xml.bz2"),
        ("feed.xml", "xml"),
        (".DS_Store", "junk"),
        ("a/Thumbs.db", "junk"),
        ("a\\desktop.ini", "junk"),
        ("._resource.txt", "junk"),
        ("无后缀", ""),
        ("what.ever", ""),
    ],
)
def test_a_name_says_a_format(uri, name):
    assert detect_format(uri) == name


def test_every_known_format_is_read_or_has_a_remedy():
    from pipeline.readers.archive import MEMBERS
    from pipeline.readers.reading import _own_readers

    read = {name for reader in _own_readers().values() for name in reader.formats} | set(MEMBERS)
    for known in known_formats().values():
        assert (known.name.split(".")[0] in read) != bool(known.remedy), known


@pytest.mark.parametrize("name", ["doc", "rar", "7z"])
def test_formats_not_read_yet_have_a_remedy(name):
    assert unsupported(name).remedy


@pytest.mark.parametrize("name", ["txt", "jsonl.gz", "", "gz"])
def test_formats_that_are_read_are_not_unsupported(name):
    assert unsupported(name) is None


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"\x89PNG\r\n\x1a\n....", "a PNG image"),
        (b"\x7fELF\x02\x01", "an ELF program"),
        (b"\xff\xd8\xff\xe0", "a JPEG image"),
        (b"PK\x03\x04", "a zip archive (or docx, xlsx, epub)"),
        (b"%PDF-1.7", "a PDF document"),
        (b"RIFF\x00\x01\x02\x03WEBPVP8", "a WebP image"),
        ("ID3 决策树".encode(), ""),
        ("标题".encode("gb18030"), ""),
        (b"", ""),
    ],
)
def test_binary_files_are_known_by_their_first_bytes(head, what):
    assert kind_of_bytes(head) == what


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"PAR1....PAR1", "parquet"),
        (b"\xef\xbb\xbf<!DOCTYPE html><p>", "html"),
        (b'{"text": "a"}\n', "jsonl"),
        (b'[\n {"text": "a"}]', "json"),
        ("[注] 普通文字".encode(), "txt"),
        ("{花括号}".encode(), "txt"),
    ],
)
def test_content_says_a_format_where_the_name_does_not(data, name):
    assert sniff(data) == name
