import bz2
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.readers.reading import read_file
from schemas.source import InputFile, Limits, Source

# The frame of an export of MediaWiki 1.39 (schema export-0.11).
HEAD = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="zh">
  <siteinfo><sitename>维基</sitename><dbname>zhwiki</dbname><base>https://zh.wikipedia.org/wiki/Wikipedia:%E9%A6%96%E9%A1%B5</base>
    <namespaces><namespace key="0" case="first-letter" /><namespace key="1" case="first-letter">Talk</namespace>
      <namespace key="14" case="first-letter">Κατηγορία</namespace></namespaces></siteinfo>
"""
END = "</mediawiki>\n"


def page(title: str, text: str, *, ns: int = 0, redirect: bool = False, model: str = "wikitext") -> str:
    mark = '<redirect title="别处" />' if redirect else ""
    return f"""  <page><title>{title}</title><ns>{ns}</ns><id>7</id>{mark}
    <revision><id>9</id><timestamp>2023-04-01T08:30:00Z</timestamp><model>{model}</model><format>text/x-wiki</format>
      <text bytes="9" xml:space="preserve">{text}</text><sha1 /></revision></page>
"""


def read(
    tmp_path: Path, content: str | bytes, name: str = "zhwiki-pages-articles.xml", **limits: int
) -> tuple[Any, Any]:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    source = Source(id="wiki", path="x", license="CC-BY-SA-4.0")
    reading = read_file(InputFile("wiki", name, str(path), path.stat().st_size, ""), source, Limits(**limits))
    return [row for batch in reading for row in batch.to_pylist()], reading


DUMP = (
    HEAD
    + page("R&amp;D 研发", "研发是'''研究'''。[[Κατηγορία:词]]")
    + page("讨论", "不读", ns=1)
    + page("别名", "#REDIRECT [[别处]]", redirect=True)
    + page("脚本", "x", model="javascript")
    + page("空", "{{stub}}")
    + page("第二", "二。")
    + END
)


def test_reads_articles_and_counts_what_is_none(tmp_path: Path) -> None:
    rows, reading = read(tmp_path, DUMP)
    assert [(row["title"], row["text"], row["record"]) for row in rows] == [
        ("R&D 研发", "研发是研究。", 0),
        ("第二", "二。", 5),
    ]
    assert rows[0]["url"] == "https://zh.wikipedia.org/wiki/R%26D_%E7%A0%94%E5%8F%91"
    assert rows[0]["last_modified_time"] == datetime(2023, 4, 1, 8, 30, tzinfo=UTC)
    outcome = reading.outcome
    assert (outcome["outcome"], outcome["format"], outcome["encoding"]) == ("ok", "mediawiki-xml", "utf-8")
    for part in ("1 of Talk", "1 of javascript", "1 redirects", "1 without prose"):
        assert part in outcome["notes"]


def test_reads_a_packed_dump_of_several_streams(tmp_path: Path) -> None:
    middle = len(DUMP) // 2
    packed = bz2.compress(DUMP[:middle].encode()) + bz2.compress(DUMP[middle:].encode())
    rows, reading = read(tmp_path, packed, "zhwiki-pages-articles-multistream.xml.bz2")
    assert len(rows) == 2
    assert reading.outcome["format"] == "mediawiki-xml.bz2"


def test_knows_an_export_by_its_content(tmp_path: Path) -> None:
    rows, reading = read(tmp_path, DUMP, "export")
    assert (len(rows), reading.outcome["format"]) == (2, "mediawiki-xml")


def test_takes_the_last_revision(tmp_path: Path) -> None:
    older = "<revision><timestamp>2020-01-01T00:00:00Z</timestamp><text>旧</text></revision>"
    history = HEAD + page("史", "新").replace("<revision>", older + "<revision>") + END
    rows, _ = read(tmp_path, history)
    assert [(row["text"], row["last_modified_time"].year) for row in rows] == [("新", 2023)]


def test_says_where_a_dump_breaks_off(tmp_path: Path) -> None:
    rows, reading = read(tmp_path, DUMP[: DUMP.find("二。")])
    assert len(rows) == 1
    assert reading.outcome["outcome"] == "partial"
    assert "breaks off behind page 4" in reading.outcome["reason"]
    rows, reading = read(tmp_path, bz2.compress(DUMP.encode())[:-40], "zhwiki-pages-articles.xml.bz2")
    assert reading.outcome["outcome"] == "failed"
    assert "damaged" in reading.outcome["reason"]


def test_refuses_what_is_no_dump_and_pages_past_the_limit(tmp_path: Path) -> None:
    _, reading = read(tmp_path, "<rss><channel/></rss>")
    assert reading.outcome["outcome"] == "failed"
    assert "<mediawiki" in reading.outcome["reason"]
    rows, reading = read(tmp_path, HEAD + page("大", "长" * 2000) + page("小", "短") + END, record_bytes=2000)
    assert [row["text"] for row in rows] == ["短"]
    assert "over limits.record_bytes" in reading.quarantine[0]["reason"]
