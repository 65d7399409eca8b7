"""Files from a real S3 server and a faulty web server, both on loopback."""

import gzip
import hashlib
import io
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests_support import article

from pipeline.snapshot import list_inputs, take
from pipeline.storage import Workspace
from pipeline.stores import web
from pipeline.stores.faults import ChangedError, NetworkError, NotGivenError
from pipeline.stores.web import Web, is_private
from schemas.errors import SourceError
from schemas.source import Source
from schemas.store import Store

BIG = bytes(range(256)) * 12_000


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
    monkeypatch.setattr(web, "FIRST_PAUSE", 0.001)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)


class Site:
    """A server whose behaviour a test sets: `files` by path, `cut` answers that break, `moves` redirects."""

    def __init__(self):
        self.files, self.cut, self.moves, self.seen, self.etags = {}, 0, {}, [], True
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                site.answer(self)

            do_HEAD = do_GET

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, call):
        self.seen.append((call.command, call.path, dict(call.headers)))
        if call.path in self.moves:
            call.send_response(302)
            call.send_header("Location", self.moves[call.path])
            return call.end_headers()
        content = self.files.get(call.path)
        if not isinstance(content, bytes):
            call.send_response(content or 404)
            return call.end_headers()
        etag, start = f'"{hashlib.md5(content).hexdigest()}"', 0
        asked = call.headers.get("Range")
        if asked and call.headers.get("If-Range", etag) == etag:
            start = int(asked.removeprefix("bytes=").partition("-")[0])
        call.send_response(206 if start or asked == "bytes=0-0" else 200)
        if start:
            call.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        call.send_header("Content-Length", str(len(content) - start))
        if self.etags:
            call.send_header("ETag", etag)
        call.end_headers()
        if call.command == "HEAD":
            return None
        rest = content[start:]
        if self.cut:
            self.cut -= 1
            rest = rest[: len(rest) // 2]
        call.wfile.write(rest)
        return None


@pytest.fixture
def site():
    site = Site()
    yield site
    site.server.shutdown()
    site.server.server_close()


def fetched(site, path, tag="", **store):
    out = io.BytesIO()
    found = Web(Store(**store)).fetch(site.url + path, out, tag)
    return out.getvalue(), found


def test_a_broken_connection_goes_on_where_it_broke(site):
    site.files["/a"], site.cut = BIG, 3
    content, found = fetched(site, "/a")
    assert content == BIG
    assert found.sha256 == hashlib.sha256(BIG).hexdigest()
    assert [headers.get("Range") for _, _, headers in site.seen] == [
        None,
        *(f"bytes={len(BIG) - (len(BIG) >> n)}-" for n in (1, 2, 3)),
    ]


def test_two_states_of_a_file_are_never_stitched(site):
    site.files["/a"], site.cut = BIG, 1
    honest = site.answer

    def answer(call):
        honest(call)
        site.files["/a"] = BIG[::-1]

    site.answer = answer
    content, _ = fetched(site, "/a")
    assert content == BIG[::-1]
    with pytest.raises(ChangedError, match="was changed"):
        fetched(site, "/a", tag='etag:"other"')


def test_without_a_tag_a_broken_file_comes_again_from_the_start(site):
    site.files["/a"], site.cut, site.etags = BIG, 2, False
    assert fetched(site, "/a")[0] == BIG
    assert all("Range" not in headers for *_, headers in site.seen)


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_is_the_files(site, status):
    site.files["/a"] = status
    with pytest.raises(NotGivenError, match=f"status {status}.*check the address"):
        fetched(site, "/a")


def test_tries_are_bounded_and_a_dead_server_is_the_machines_fault(site):
    site.files["/a"] = 503
    with pytest.raises(NetworkError, match="not reached in 3 tries .status 503"):
        fetched(site, "/a", tries=3)
    assert len(site.seen) == 3
    with pytest.raises(NetworkError, match="run again"):
        Web(Store(tries=2)).state("http://127.0.0.1:9/x")


@pytest.mark.parametrize(
    ("address", "private"),
    [
        *((ip, True) for ip in ("127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fe80::1%eth0", "100.64.0.1")),
        *(("::ffff:10.0.0.1", True), ("8.8.8.8", False), ("2606:4700::1111", False)),
    ],
)
def test_private_addresses_are_known(address, private):
    assert is_private(address) is private


def test_redirects_from_a_public_host_lead_to_no_private_one(site, monkeypatch):
    site.files["/b"], site.moves["/a"] = b"secret", "/b"
    assert fetched(site, "/a")[0] == b"secret", "a loopback host may lead to itself"
    first = iter([False])  # the recipe's host counts as public, every later one as what it is
    monkeypatch.setattr(web, "is_private", lambda peer: next(first, is_private(peer)))
    site.seen.clear()
    with pytest.raises(SourceError, match="leads to the private address 127.0.0.1"):
        fetched(site, "/a")
    assert [path for _, path, _ in site.seen] == ["/a"], "nothing was asked of the private host"
    first = iter([False])
    assert fetched(site, "/a", private_redirects=True)[0] == b"secret"
    site.moves["/a"] = "file:///etc/passwd"
    with pytest.raises((SourceError, NotGivenError)):
        fetched(site, "/a")


def test_credentials_go_to_the_recipes_host_alone(site, monkeypatch):
    other = Site()
    monkeypatch.setenv("SITE_TOKEN", "hidden-token")
    site.moves["/a"], other.files["/b"] = f"{other.url}/b", b"text"
    assert fetched(site, "/a", token_env="SITE_TOKEN")[0] == b"text"
    assert site.seen[0][2]["Authorization"] == "Bearer hidden-token"
    assert "Authorization" not in other.seen[0][2]
    other.server.shutdown()
    other.server.server_close()


def store(s3):
    return {"endpoint_url": s3, "key_env": "STORE_KEY", "secret_env": "STORE_SECRET"}


@pytest.mark.parametrize(
    ("path", "uris"),
    [
        ("s3://corpus/raw/**/*.jsonl", ["a.jsonl", "子 目录/b+c.jsonl"]),
        ("s3://corpus/raw", ["a.jsonl", "x.txt", "子 目录/b+c.jsonl"]),
        ("s3://corpus/raw/x.txt", ["x.txt"]),
        ("s3://corpus/raw/*.{jsonl,txt}", ["a.jsonl", "x.txt"]),
        (["s3://corpus/raw/x.txt", "s3://corpus/rawer/y.txt"], ["corpus/raw/x.txt", "corpus/rawer/y.txt"]),
    ],
)
def test_what_a_bucket_holds_is_listed_with_tags(s3, bucket, tmp_path, path, uris):
    for key in ("raw/", "raw/a.jsonl", "raw/子 目录/b+c.jsonl", "raw/x.txt", "rawer/y.txt"):
        bucket.put_object(Bucket="corpus", Key=key, Body=b"" if key == "raw/" else key.encode())
    found = list_inputs(Source(id="s", path=path, license="MIT", store=store(s3)), tmp_path)
    assert [file.uri for file in found] == uris
    assert all(file.bytes and file.tag.startswith('etag:"') for file in found)


def test_a_long_listing_is_read_page_by_page(s3, bucket, tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.stores.s3.PAGE", 4)
    for number in range(9):
        bucket.put_object(Bucket="corpus", Key=f"n/{number:04d}.txt", Body=b"x")
    assert len(list_inputs(Source(id="s", path="s3://corpus/n", license="MIT", store=store(s3)), tmp_path)) == 9


def test_a_missing_bucket_is_a_fault_that_names_the_remedy(s3, bucket, tmp_path):
    with pytest.raises(SourceError, match="NoSuchBucket.*check the bucket") as found:
        list_inputs(Source(id="s", path="s3://nowhere/x", license="MIT", store=store(s3)), tmp_path)
    assert "very-secret-value" not in str(found.value)


def test_s3_the_web_and_a_folder_feed_one_version(s3, bucket, site, make_corpus, curate_here, tmp_path):
    rows = "".join(json.dumps({"text": article(n)}, ensure_ascii=False) + "\n" for n in range(3))
    bucket.put_object(Bucket="corpus", Key="raw/a.jsonl", Body=rows.encode())
    site.files["/b.txt.gz"], site.files["/gone.txt"] = gzip.compress(article(7).encode()), 404
    recipe = make_corpus(
        {"c.txt": article(11)},
        f"""dataset: test/three
store: {json.dumps(store(s3))}
sources:
  - {{id: folder, path: raw, license: public-domain}}
  - {{id: bucket, path: "s3://corpus/raw/**/*.jsonl", license: public-domain}}
  - {{id: site, path: ["{site.url}/b.txt.gz", "{site.url}/gone.txt"], license: public-domain}}
publish: {{license: public-domain}}
""",
    )
    summary = curate_here(recipe)
    assert {name: counts["read"] for name, counts in summary["sources"].items()} == {
        "bucket": 3,
        "folder": 1,
        "site": 1,
    }
    assert summary["files"] == {"failed": 1, "ok": 3}
    assert curate_here(recipe) == {"nothing_to_do": True}
    asked = len(site.seen)
    bucket.put_object(Bucket="corpus", Key="raw/d.jsonl", Body=json.dumps({"text": article(20)}).encode())
    again = curate_here(recipe)
    assert (again["read"], again["changes"]) == (1, {"new": 1})
    assert all(call[0] == "HEAD" or "gone" in call[1] for call in site.seen[asked:]), "what is known is not fetched"
    for path in recipe.parent.rglob("*"):
        if path.is_file():
            assert b"very-secret-value" not in path.read_bytes(), path


def test_rehash_finds_a_file_changed_in_place(tmp_path):
    import os

    (tmp_path / "raw").mkdir()
    path = tmp_path / "raw" / "a.txt"
    path.write_text("one", "utf-8")
    before, workspace = path.stat(), Workspace(tmp_path)
    source = [Source(id="s", path="raw", license="MIT")]
    first = take(source, tmp_path, workspace)
    path.write_text("two", "utf-8")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert take(source, tmp_path, workspace).sha256 == first.sha256
    forced = take(source, tmp_path, workspace, rehash=True)
    (row,) = forced.changes(first).to_pylist()
    assert (row["uri"], row["change"], row["earlier_sha256"]) == ("a.txt", "changed", first.files[0].sha256)
    assert take(source, tmp_path, workspace).sha256 == forced.sha256, "and is remembered"


def test_addresses_in_input_are_never_followed(site, tmp_path):
    from pipeline.engine import ReadJob, read_shard
    from schemas.source import Limits

    (tmp_path / "raw").mkdir()
    pages = {
        "a.html": f'<html><head><base href="{site.url}/"><link rel="stylesheet" href="{site.url}/s.css"></head><body>'
        f'<img src="{site.url}/i.png"><iframe src="{site.url}/f"></iframe><p>{article(1)}</p></body></html>',
        "b.xml": f'<!DOCTYPE r [<!ENTITY e SYSTEM "{site.url}/e">]><r>&e;</r>',
        "c.html": f'<!DOCTYPE html SYSTEM "{site.url}/d.dtd"><html><body><p>{article(2)}</p></body></html>',
        "d.rss": f'<rss version="2.0"><channel><item><link>{site.url}/l</link></item></channel></rss>',
        "e.jsonl": json.dumps({"text": article(3), "url": f"{site.url}/u"}),
    }
    for name, page in pages.items():
        (tmp_path / "raw" / name).write_text(page, "utf-8")
    source = Source(id="s", path="raw", license="MIT")
    read_shard(ReadJob(tmp_path / "out", source, tuple(list_inputs(source, tmp_path)), Limits(), 2 << 30))
    assert site.seen == []
