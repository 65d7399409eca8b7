"""The files of a source: what its paths, globs and addresses match, each with the uri that names it.

Globs mean the same on disks and in stores. The web cannot be listed, so an address there is one file.
"""

import os
import re
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.errors import SourceError
from schemas.source import Source
from schemas.store import WEB, is_address, refuse_address, secret_in

if TYPE_CHECKING:
    from pipeline.stores.remote import Entry, Reach

_WILD = re.compile(r"[*?\[{]")


def list_files(
    source: Source, base: Path, own: Sequence[Path] = (), *, may_be_empty: bool = False
) -> list[tuple[str, Path]]:
    """Return (uri, path) of every file of a source, in uri order; links are followed, each folder once.

    A uri is relative to the part of the path before the first wildcard; to `base` where the recipe gives a list of
    paths, so that another path changes no uri. Files below `own` are none of the source's.
    Raises SourceError when nothing matches or a folder cannot be listed.
    """
    patterns = [os.path.join(base, os.path.expanduser(path)) for path in source.paths if not is_address(path)]  # noqa: PTH118, PTH111 - may be a glob
    if not patterns:
        return []
    root = _root_of(patterns, base, listed=not isinstance(source.path, str))
    found: dict[Path, None] = {}
    for pattern in patterns:
        matches = [path for plain in _braces(pattern) for path in _matches(plain)]
        matches = [path for path in matches if not any(path.is_relative_to(folder) for folder in own)]
        if not matches and not may_be_empty:
            raise SourceError(
                "source '{source}': no file at {path}; check `path` in the recipe", source=source.id, path=pattern
            )
        found.update(dict.fromkeys(matches))
    by_uri: dict[str, Path] = {}
    for path in sorted(found):
        uri = _uri(path, root)
        by_uri[_raw_uri(path, root) if uri in by_uri else uri] = path
    return sorted(by_uri.items())


def addresses_of(source: Source, base: Path) -> list[str]:
    """Return the addresses among a source's paths, or in its file of addresses (one a line, `#` begins a comment).

    Raises SourceError naming the line of what is no address.
    """
    if source.urls is None:
        return [path for path in source.paths if is_address(path)]
    path = base / source.urls
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError("source '{id}': {path}: {error}", id=source.id, path=path, error=str(error)) from None
    found = []
    for number, line in enumerate(map(str.strip, lines), 1):
        if not line or line.startswith("#"):
            continue
        fault = f"it holds {secret_in(line)}, which no list may" if secret_in(line) else None
        if not fault:
            try:
                refuse_address(line)
            except ValueError as error:
                fault = str(error)
        if fault:
            raise SourceError(
                "source '{id}': {path}, line {line}: no address: {fault}",
                id=source.id,
                path=path,
                line=number,
                fault=fault,
            )
        found.append(line)
    return found


def list_remote(source: Source, base: Path, *, may_be_empty: bool = False) -> "list[tuple[str, Entry]]":
    """Return (uri, entry) of every file behind a source's addresses, in uri order.

    A uri is relative to the part before the first wildcard; in a list of addresses host or bucket stand before it.
    Raises SourceError when an address matches nothing or a store cannot be listed.
    """
    addresses = addresses_of(source, base)
    if not addresses:
        return []
    from pipeline.stores.remote import Reach, address_uri

    single = isinstance(source.path, str)
    reach = Reach(source.store)
    found: dict[str, Entry] = {}
    for address in dict.fromkeys(plain for one in addresses for plain in _braces(one)):
        scheme, _, rest = address.partition("://")
        if scheme in WEB:
            matches = [(address_uri(address) if single and len(addresses) == 1 else rest, reach.below(address)[0])]
        else:
            matches = list(_matching(scheme, rest, reach, whole=not single))
        if not matches and not may_be_empty:
            raise SourceError(
                "source '{source}': no file at {path}; check `path` in the recipe", source=source.id, path=address
            )
        found.update(matches)
    return sorted(found.items())


def _matching(scheme: str, rest: str, reach: "Reach", *, whole: bool) -> "Iterator[tuple[str, Entry]]":
    """Yield (uri, entry) of what lies in a store and matches; `whole`: the uri names the bucket, too."""
    parts = rest.strip("/").split("/")
    fixed = list(takewhile(lambda part: not _WILD.search(part), parts))
    wild = parts[len(fixed) :]
    root = "/".join(fixed)
    wanted = re.compile(_regex(wild)) if wild else None
    for entry in reach.below(f"{scheme}://{root}"):
        place = entry.address.partition("://")[2]
        within = place[len(root) + 1 :]
        if wanted is None or wanted.fullmatch(within):
            yield place if whole else within or parts[-1], entry


def _uri(path: Path, root: Path) -> str:
    """The path below the root; a name that is no UTF-8 is read as GB18030, as old Chinese systems wrote it."""
    raw = os.fsencode(path.relative_to(root) if path != root else path.name)
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return _raw_uri(path, root)


def _raw_uri(path: Path, root: Path) -> str:
    return os.fsencode(path.relative_to(root)).decode("utf-8", "backslashreplace")


def _root_of(patterns: list[str], base: Path, *, listed: bool) -> Path:
    if listed and all(Path(pattern).is_relative_to(base) for pattern in patterns):
        return base
    return Path(os.path.commonpath([_fixed(pattern) for pattern in patterns]))


def _fixed(pattern: str) -> str:
    """The folder before the first wildcard."""
    folder = Path(*takewhile(lambda part: not _WILD.search(part), Path(pattern).parts))
    return str(folder.parent if folder.is_file() else folder)


def _braces(pattern: str) -> list[str]:
    """`*.{txt,md}` as `*.txt` and `*.md`; innermost first, so nesting works."""
    match = re.search(r"\{([^{}]*,[^{}]*)\}", pattern)
    if not match:
        return [pattern]
    return [
        p for part in match[1].split(",") for p in _braces(pattern[: match.start()] + part + pattern[match.end() :])
    ]


def _matches(pattern: str) -> list[Path]:
    path = Path(pattern)
    if path.is_file():
        return [path]
    if path.is_dir():
        return list(_walk(path))
    folder = Path(_fixed(pattern))
    if not _WILD.search(pattern) or not folder.is_dir():
        return []
    wanted = re.compile(_regex(Path(pattern).relative_to(folder).parts))
    return [path for path in _walk(folder) if wanted.fullmatch(path.relative_to(folder).as_posix())]


def _regex(parts: Sequence[str]) -> str:
    """A glob as a regular expression over a relative path: `**` is any number of folders, `*` stays within one."""
    folders = ["(?:[^/]+/)*" if part == "**" else _segment(part) + "/" for part in parts[:-1]]
    return "".join(folders) + (".*" if parts[-1] == "**" else _segment(parts[-1]))


def _segment(part: str) -> str:
    meanings = {"*": "[^/]*", "?": "[^/]", "[": None}
    pieces = re.split(r"(\*+|\?|\[!?[^\]]+\])", part)
    return "".join(
        (meanings[piece[0]] or piece.replace("[!", "[^", 1)) if odd % 2 else re.escape(piece)
        for odd, piece in enumerate(pieces)
    )


def _walk(folder: Path) -> Iterator[Path]:
    """Everything below a folder that is no folder, be it a broken link or a pipe; through links, each folder once."""
    seen: set[str] = set()
    for place, folders, names in os.walk(folder, followlinks=True, onerror=_unlisted):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        for name in names:
            yield Path(place) / name


def _unlisted(error: OSError) -> None:
    raise SourceError(
        "{path}: the folder cannot be listed ({error}); check its permissions",
        path=error.filename,
        error=error.strerror,
    ) from error
