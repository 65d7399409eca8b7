"""Texts for training and judging the classifier of industries, out of clones of the repositories in `sources.yaml`.

    python benchmarks/industry/gather.py CLONES OUT.jsonl [--exclude FILE.jsonl ...]

CLONES holds a git directory `OWNER+NAME/repo` for each repository. A line of OUT: source, use, label, text. A long file
is cut into pieces at line ends; of each source and label a sample is taken, by hash, so that no source outweighs the
others. `--exclude`: JSON lines with a `text`; what shares 13 characters in a row with any of them is not trained on.

Trade: labels are the sources' own (a folder, a class, the words of a headline), so some are wrong.
"""

import argparse
import csv
import hashlib
import html
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
PIECE = 1500  # characters of a piece of a long file
SHORTEST = 60  # Han characters that a text must have
PIECES = 12  # of one file, the first ones
SAMPLE = 500  # texts of one source and label
CHINAXIV_HEAD = 8000
_TAGS = re.compile(r"<(script|style)\b.*?</\1>|<%.*?%>|<!--.*?-->|<[^>]+>", re.S | re.I)
_FRONT = re.compile(r"\A---\n.*?\n---\n", re.S)
_IMAGE = re.compile(r"!\[[^\]]*\]\([^)]*\)|\]\([^)]*\)|https?://\S+")

Record = tuple[str | None, str]  # class (None: the part's label) and text


def classes(scheme: str) -> dict[str, str]:
    """Return the industry of each class of a scheme in `classes.tsv`."""
    lines = (HERE / "classes.tsv").read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines if line and not line.startswith("# "))
    return {name: label for of, name, label in rows if of == scheme}


def files_of(git: Path, commit: str) -> dict[str, tuple[str, int]]:
    """Return hash and size of every file of a commit that the clone holds, by path."""
    command = ["git", "-C", str(git), "-c", "core.quotePath=false", "ls-tree", "-r", "-l", "-z", commit]
    listed = subprocess.run(command, capture_output=True, check=True).stdout.decode("utf-8", "replace")
    found = {}
    for line in filter(None, listed.split("\0")):
        head, path = line.split("\t", 1)
        _, kind, sha, size = head.split()
        if kind == "blob" and size.isdigit():
            found[path] = (sha, int(size))
    return found


def contents(git: Path, wanted: list[str]) -> Iterator[str]:
    """Yield the text of blobs, by their hashes, in order."""
    command = ["git", "-C", str(git), "cat-file", "--batch"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for sha in wanted:
            process.stdin.write(f"{sha}\n".encode())
            process.stdin.flush()
            size = int(process.stdout.readline().split()[2])
            data = process.stdout.read(size)
            process.stdout.read(1)
            yield data.decode("utf-8-sig", "replace")
        process.stdin.close()


def values(record: Any, fields: list[Any]) -> str:
    """Return the values of fields of a record, wherever they are nested; no fields: every string."""
    if isinstance(record, str):
        return "" if fields else record
    if isinstance(record, list) and fields and isinstance(fields[0], int):
        return "\n".join(str(record[k]) for k in fields if k < len(record))
    if isinstance(record, dict):
        own = [str(record[name]) for name in fields if isinstance(record.get(name), str)]
        return "\n".join(filter(None, own))
    return ""


def records_of(loaded: Any, fields: list[Any]) -> Iterator[str]:
    """Yield the text of every record in loaded JSON, however deep it lies."""
    here = values(loaded, fields)
    if here.strip():
        yield here
    elif isinstance(loaded, dict | list):
        for value in loaded.values() if isinstance(loaded, dict) else loaded:
            yield from records_of(value, fields)


def read_json(text: str, part: dict[str, Any]) -> Iterator[Record]:
    """Yield the records of a JSON file."""
    for record in records_of(json.loads(text), part["text"]):
        yield None, record


def read_jsonl(text: str, part: dict[str, Any]) -> Iterator[Record]:
    """Yield the records of a file of JSON lines."""
    for line in filter(str.strip, text.split("\n")):
        loaded = json.loads(line)
        for record in records_of(loaded, part["text"]):
            yield loaded[part["class"]] if "class" in part else None, record


def read_csv(text: str, part: dict[str, Any]) -> Iterator[Record]:
    """Yield the rows of a CSV with a header."""
    for row in csv.DictReader(text.splitlines(keepends=True)):
        yield None, "\n".join(str(row[name]) for name in part["text"] if row.get(name))


def read_tsv(text: str, part: dict[str, Any]) -> Iterator[Record]:
    """Yield class and text of the rows of a TSV without a header."""
    for line in text.splitlines():
        row = line.split("\t")
        yield row[part["class"]], "\n".join(row[k] for k in part["text"])


def read_text(text: str, part: dict[str, Any]) -> Iterator[Record]:
    """Yield the pieces of a Markdown or text file, without front matter and addresses."""
    for piece in cut(_TAGS.sub("", _IMAGE.sub("", _FRONT.sub("", text))), part):
        yield None, piece


def read_html(text: str, part: dict[str, Any]) -> Iterator[Record]:
    """Yield the pieces of the text of a page."""
    for piece in cut(html.unescape(_TAGS.sub("\n", text)), part):
        yield None, piece


def read_chinaxiv(text: str, _: dict[str, Any]) -> Iterator[Record]:
    """Yield class and pieces of a paper; the class is that of the Chinese Library Classification."""
    found = re.search(r"分\s*类\s*号[^A-Za-z0-9\n]{0,8}([A-Z]{1,2}\s?\d{0,2})", text[:CHINAXIV_HEAD])
    if found:
        for piece in pieces(text)[:3]:
            yield found.group(1).replace(" ", ""), piece


def headline_class(title: str) -> str | None:
    """Return a word of a headline whose words are all of one industry."""
    known = classes("headline")
    words = [word for word in known if word in title]
    return words[0] if words and len({known[word] for word in words}) == 1 else None


def read_headlines(text: str, _: dict[str, Any]) -> Iterator[Record]:
    """Yield the items of a day's news whose headline has words of one industry alone."""
    for item in text.split("\n### ")[1:]:
        title, _, body = item.partition("\n")
        if found := headline_class(title):
            yield found, html.unescape(_TAGS.sub("\n", body))


def read_reports(text: str, _: dict[str, Any]) -> Iterator[Record]:
    """Yield the body of a report on a headline, which has words of one industry alone."""
    title = re.search(r"^主题: *(.+)", text, re.M)
    if title and (found := headline_class(title[1])):
        yield found, _IMAGE.sub("", text[title.end() :]).split("\n\n", 1)[-1]


def read_policies(text: str, _: dict[str, Any]) -> Iterator[Record]:
    """Yield the pieces of each document in a dump of statements that insert one."""
    for statement in re.split(r"(?i)\binsert into ge_policy_raw", text)[1:]:
        body = html.unescape(_TAGS.sub("\n", statement))
        for piece in pieces(body[max(body.find("标 题"), 0) :])[:4]:
            yield None, piece


def read_dialogues(text: str, _: dict[str, Any]) -> Iterator[Record]:
    """Yield the dialogues of a file that prints them as lists."""
    for found in re.finditer(r"'dialog': \[(.*?)\]", text):
        yield None, found.group(1).replace("\\n", "\n").replace("'", "")


def read_xiezhi(text: str, _: dict[str, Any]) -> Iterator[Record]:
    """Yield questions with the discipline that all their known labels agree on; the narrowest labels decide."""
    narrow, wide = classes("field"), classes("discipline")
    for line in text.splitlines():
        row = json.loads(line)
        known = narrow if any(name in narrow for name in row["labels"]) else wide
        said = [name for name in row["labels"] if name in known]
        if said and len({known[name] for name in said}) == 1 and known[said[0]] != "-":
            yield said[0], f"{row['question']}\n{row['options']}"


def read_toutiao(text: str, _: dict[str, Any]) -> Iterator[Record]:
    """Yield class and headline of lines of `_!_`-separated fields."""
    for line in text.splitlines():
        row = line.split("_!_")
        if len(row) > 3:
            yield row[2], row[3]


def read_lines(text: str, _: dict[str, Any]) -> Iterator[Record]:
    """Yield the lines of a file whose words stand apart."""
    for line in text.splitlines():
        yield None, line.replace(" ", "").replace("\t", "\n")


def read_thuc(text: str, _: dict[str, Any]) -> Iterator[Record]:
    """Yield class and headline of lines of headline, tab and number of the class."""
    for line in text.splitlines():
        headline, _, number = line.partition("\t")
        yield number, headline


def read_captions(text: str, _: dict[str, Any]) -> Iterator[Record]:
    """Yield the descriptions in a script of data."""
    for found in re.finditer(r'"description": "(.*?)"[,\n]', text):
        yield None, found.group(1).replace("\\n", "\n")


SCHEMES = {
    "chinaxiv": "clc",
    "tsv": "discipline",
    "xiezhi": "discipline",
    "toutiao": "toutiao",
    "thuc": "thuc",
    "headlines": "headline",
    "reports": "headline",
}


def cut(text: str, part: dict[str, Any]) -> list[str]:
    """Return the pieces of a file that is trained on, or, as one, the file that is judged: its label is the whole's."""
    return [text] if part["use"] == "judge" else pieces(text)


def pieces(text: str) -> list[str]:
    """Return the first pieces of a text, cut at line ends, each of about PIECE characters."""
    out: list[str] = [""]
    for line in text.splitlines(keepends=True):
        for begin in range(0, len(line), PIECE):
            if len(out[-1]) >= PIECE:
                out.append("")
            out[-1] += line[begin : begin + PIECE]
        if len(out) > PIECES:
            break
    return out[:PIECES]


def label_of(part: dict[str, Any], name: str | None, known: dict[str, str]) -> str | None:
    """Return the industry of a record, or None where its class is not known."""
    if name is None or not part.get("by_class"):
        return str(part["label"])
    if "only" in part and name not in part["only"]:
        return None
    if part["read"] == "chinaxiv":
        return next((known[name[:size]] for size in (3, 2, 1) if name[:size] in known), None)
    return known.get(name)


def texts_of(git: Path, commit: str, part: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield label and text of every record of a part that has a label and is long enough."""
    read = globals()[f"read_{part['read']}"]
    known = classes(part.get("scheme") or SCHEMES.get(part["read"], ""))
    known |= classes("field") if part["read"] == "xiezhi" else {}
    listed = files_of(git, commit)
    wanted = [sha for path, (sha, _) in sorted(listed.items()) if re.search(part["files"], path)]
    waiting: dict[str, list[str]] = {}
    for content in contents(git, wanted):
        for name, text in read(content, part):
            label = label_of(part, name, known)
            if label is None:
                continue
            bundle = waiting.setdefault(label, [])
            bundle.append(text.strip())
            if len(bundle) == part.get("join", 1):
                joined = "\n".join(bundle)
                bundle.clear()
                if sum("\u4e00" <= char <= "\u9fff" for char in joined) >= SHORTEST:
                    yield label, joined[: 4 * PIECE]


def sampled(texts: Iterator[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return up to SAMPLE texts of each label, those with the smallest hashes, each once."""
    by_label: dict[str, dict[str, str]] = {}
    for label, text in texts:
        by_label.setdefault(label, {})[hashlib.sha256(text.encode()).hexdigest()] = text
    return [(label, found[key]) for label, found in by_label.items() for key in sorted(found)[:SAMPLE]]


def main() -> None:
    """Write the texts of all sources that there are clones of, and say how many."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clones", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--exclude", type=Path, nargs="*", default=[])
    given = parser.parse_args()
    from overlap import Grams

    forbidden = Grams.of(given.exclude)
    sources = yaml.safe_load((HERE / "sources.yaml").read_text(encoding="utf-8"))
    with given.out.open("w", encoding="utf-8") as out:
        for name, source in sources.items():
            git = given.clones / source["repository"].replace("/", "+") / "repo"
            git = git / ".git" if (git / ".git").exists() else git
            commit = source.get("commit", "HEAD")
            counts: dict[str, int] = {}
            left = 0
            every = (pair for part in source["parts"] for pair in texts_of(git, commit, {**part, "use": source["use"]}))
            for label, text in sampled(every):
                if source["use"] == "train" and forbidden.shared(text):
                    left += 1
                    continue
                counts[label] = counts.get(label, 0) + 1
                row = {"source": name, "use": source["use"], "label": label, "text": text}
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
            sys.stdout.write(f"{name}: {counts}, left out {left}\n")


if __name__ == "__main__":
    main()
