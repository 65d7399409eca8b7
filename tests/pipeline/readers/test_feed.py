from datetime import UTC, datetime

import pytest

ITEM = (
    "<item><title>春&nbsp;天</title><link>http://a.cn/1</link>"
    "<pubDate>Fri, 30 Dec 2005 14:19:19 +0800</pubDate>{}</item>"
)
RSS = '<?xml version="1.0" encoding="{}"?><rss version="2.0"><channel><title>某站</title>{}</channel></rss>'
TEXT = "春天来了，城市里的树木开始发芽，人们走出家门。"


def rss(*texts, charset="utf-8"):
    return RSS.format(charset, "".join(ITEM.format(text) for text in texts))


def test_entries_of_rss_are_records(read):
    found = read("a.xml", rss(f"<description>&lt;p&gt;{TEXT}&lt;/p&gt;</description>").encode())
    row = found.rows[0]
    assert (row["text"], row["title"], row["url"]) == (TEXT, "春 天", "http://a.cn/1")
    assert row["original_time"] == datetime(2005, 12, 30, 6, 19, 19, tzinfo=UTC)
    assert found.outcome["notes"] == "a feed of 1 entries"


def test_the_longest_text_counts_and_a_title_alone_is_one(read):
    full = f"<description>短。</description><content:encoded><![CDATA[<p>{TEXT}</p><p>二</p>]]></content:encoded>"
    assert read("a.rss", rss(full, "").encode()).texts == [f"{TEXT}\n二", "春 天"]


def test_entries_of_atom_are_records(read):
    atom = f"""<feed xmlns="http://www.w3.org/2005/Atom"><entry><title>题</title>
    <link rel="edit" href="http://a.cn/edit"/><link href="http://a.cn/2"/><published>2023-01-02T03:04:05Z</published>
    <updated>2023-02-02T03:04:05Z</updated>
    <content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>{TEXT}</p>次<br/>行</div></content></entry></feed>"""
    row = read("a.atom", atom.encode()).rows[0]
    assert (row["text"], row["title"], row["url"]) == (f"{TEXT}\n次\n行", "题", "http://a.cn/2")
    assert (row["original_time"].month, row["last_modified_time"].month) == (1, 2)


@pytest.mark.parametrize("codec", ["gb18030", "big5", "utf-8", "utf-16"])
def test_the_bytes_decide_on_the_encoding(read, codec):
    text = "春天已到，城市的公園，人們走出家門，在公園散步聊天。" * 3
    feed = rss(f"<description>{text}</description>", charset="gb2312").encode(codec)
    assert read("a.xml", feed).texts == [text]


@pytest.mark.parametrize(
    ("xml", "reason"),
    [
        ("<urlset><url><loc>http://a.cn</loc></url></urlset>", "a sitemap, 1 addresses"),
        ("<sitemapindex><sitemap><loc>http://a.cn</loc></sitemap></sitemapindex>", "an index of sitemaps, 1 addresses"),
    ],
)
def test_sitemaps_are_empty_and_named(read, xml, reason):
    found = read("sitemap.xml", xml.encode())
    assert found.outcome["outcome"] == "empty"
    assert found.outcome["reason"] == f"no text in it: {reason}"


def test_other_xml_is_skipped_with_its_root(read):
    found = read("pom.xml", b"<project><a>1</a></project>")
    assert found.outcome["outcome"] == "skipped"
    assert "'project'" in found.outcome["reason"]


def test_a_cut_feed_keeps_its_whole_entries_and_is_partial(read):
    feed = rss(*(f"<description>{TEXT}</description>",) * 3)
    found = read("a.xml", feed[: feed.rindex("<description>")].encode())
    assert found.outcome["outcome"] == "partial"
    assert found.texts[:2] == [TEXT] * 2


def test_entities_neither_explode_nor_reach_out(read, tmp_path):
    (tmp_path / "secret").write_text("机密", encoding="utf-8")
    bomb = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 12))
    dtd = f'<!DOCTYPE rss [<!ENTITY a0 "笑">{bomb}<!ENTITY x SYSTEM "file://{tmp_path}/secret">]>'
    feed = rss(f"<description>{TEXT}&a11;&x;</description>").replace("<rss", dtd + "<rss", 1)
    texts = "".join(read("a.xml", feed.encode()).texts)
    assert TEXT in texts
    assert "机密" not in texts
    assert len(texts) < 1000


@pytest.mark.parametrize("content", [b"<rss>", b"<rss><channel>", b"<", b"x", b"<rss><channel><item></channel></rss>"])
def test_broken_xml_never_raises(read, content):
    assert read("a.xml", content).outcome["outcome"] in ("failed", "empty", "skipped", "partial")
