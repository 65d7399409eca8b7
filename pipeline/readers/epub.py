"""EPUB books: the chapters of the spine in order, as one document; title and date from the package document.

Left out: the navigation document, parts that the spine marks as not linear, pictures.
"""

import posixpath
from collections.abc import Iterator
from typing import Any, ClassVar

from pipeline.readers.content import Content, Unreadable
from pipeline.readers.encoding import BinaryContent, decode, detect
from pipeline.readers.main_text import lines_of
from pipeline.readers.package import Package, local, resolved
from pipeline.readers.reader import Bad, Intake, Reader, Record, collected

CONTAINER = "META-INF/container.xml"
UNSEEN = ("script", "style", "svg", "template")


class Epub(Reader):
    """An electronic book (EPUB 2 and 3)."""

    kind: ClassVar[str] = "epub"
    revision: ClassVar[int] = 2
    formats: ClassVar[tuple[str, ...]] = ("epub",)
    hostile: ClassVar[bool] = True

    def records(self, content: Content, intake: Intake) -> Iterator[Record | Bad]:
        """Yield the book as one record."""
        package = Package(content, intake)
        # Some books were packed with the folder that holds them.
        container = min((name for name in package.names if name.endswith(CONTAINER)), key=len, default=CONTAINER)
        root = next(package.tree(container).iter("{*}rootfile"), None)
        if root is None:
            raise Unreadable(f"a damaged epub file: it holds no {CONTAINER}; give it its right name or fetch it again")
        name = resolved(container.removesuffix(CONTAINER), root.get("full-path", ""))
        title, created, modified = _stated(package, name)
        yield Record(0, collected(_chapters(package, name, intake), intake), title, None, created, modified)


def _stated(package: Package, name: str) -> tuple[Any, Any, Any]:
    """Return the title, and the date of publication and change; of several dates the first is the publication's."""
    from pipeline.readers.fields import parse_time

    title, dates, modified = None, [], None
    for element in package.tree(name).iter():
        what, text = local(element), (element.text or "").strip()
        if what == "title" and text and title is None:
            title = text
        elif what == "date" and text:
            dates.append((text, element))
        elif what == "meta" and element.get("property") == "dcterms:modified":
            modified = parse_time(text)
    published = next((text for text, element in dates if "modif" not in " ".join(element.attrib.values())), None)
    return title, parse_time(published), modified


def _chapters(package: Package, name: str, intake: Intake) -> Iterator[str]:
    """Yield the lines of the chapters; a chapter that is not there is a loss."""
    opf = package.tree(name)
    locked = {
        resolved("", reference.get("URI", ""))
        for reference in package.tree("META-INF/encryption.xml").iter("{*}CipherReference")
    }
    items = {item.get("id"): item for item in opf.iter("{*}item")}
    for reference in opf.iter("{*}itemref"):
        item = items.get(reference.get("idref"))
        if item is None or reference.get("linear") == "no" or "nav" in item.get("properties", "").split():
            continue
        if "html" not in item.get("media-type", "html"):
            continue
        chapter = resolved(posixpath.dirname(name), item.get("href", ""))
        if chapter in locked:
            raise Unreadable("an epub file locked by its seller (DRM); save it without the lock")
        try:
            yield from _chapter(package.read(chapter))
        except BinaryContent as error:
            intake.losses.append(f"{chapter} is no text ({error})")
        except Unreadable as error:
            if chapter in package.names:
                raise
            intake.losses.append(str(error))


def _chapter(data: bytes) -> Iterator[str]:
    from lxml import etree, html

    text = decode(data, detect(data, "utf-8")) if data.strip() else ""
    text = text.removeprefix("\ufeff").replace("\0", "")
    if not text.strip():
        return
    parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
    try:
        tree = html.document_fromstring(text.encode("utf-8", "replace"), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        return
    etree.strip_elements(tree, *UNSEEN, "rt", "rp", with_tail=False)
    body = tree.find("body")
    if body is not None:
        yield from lines_of(body)
