"""Web archive collections (WACZ): a zip of WARC files, whose pages are records in the order of the archives.

The zip is read where it lies; one archive at a time is unpacked, within the limits on sizes.
"""

import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import ClassVar
from zipfile import BadZipFile, ZipFile, ZipInfo

from pipeline.readers.content import Content, Unreadable
from pipeline.readers.reader import Bad, Intake, Reader, Record
from pipeline.readers.warc import Crawl

ARCHIVES = ("archive/", "archives/")
PIECE = 1 << 20


class Wacz(Reader):
    """The pages of all archives of a collection."""

    kind: ClassVar[str] = "wacz"
    formats: ClassVar[tuple[str, ...]] = ("wacz",)

    def records(self, content: Content, intake: Intake) -> Iterator[Record | Bad]:
        """Yield a record for each answered page. Raises Unreadable for a broken collection."""
        try:
            collection = ZipFile(BytesIO(content.data[:]))
        except BadZipFile as error:
            raise Unreadable(f"no WACZ collection ({error}); fetch it again") from None
        names = [name for name in collection.infolist() if name.filename.startswith(ARCHIVES) and not name.is_dir()]
        if not names:
            raise Unreadable("a zip without `archive/*.warc.gz`, so no WACZ collection; name it .zip")
        crawl = Crawl(intake)
        for name in names:
            yield from crawl.records(_unpacked(collection, name, intake))
        crawl.close()


def _unpacked(collection: ZipFile, name: ZipInfo, intake: Intake) -> bytes:
    """Return the bytes of an archive, as far as they can be read."""
    packed, most, parts = name.filename.endswith(".gz"), intake.limits.unpacked_bytes, bytearray()
    stream = zlib.decompressobj(wbits=31) if packed else None
    try:
        with collection.open(name) as member:
            while piece := member.read(PIECE):
                while piece:
                    if stream is not None and stream.eof:  # a gzip member for each record
                        stream = zlib.decompressobj(wbits=31)
                    parts += piece if stream is None else stream.decompress(piece, most)
                    piece = stream.unused_data if stream is not None else b""
                    if len(parts) > min(most, max(64 << 20, intake.limits.ratio * max(1, name.compress_size))):
                        raise Unreadable(
                            f"{name.filename} unpacks to more than limits.unpacked_bytes {most:,} or ratio"
                        )
    except (BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        intake.losses.append(f"{name.filename} is damaged after {len(parts):,} unpacked bytes ({error})")
    if stream is not None and not stream.eof:
        intake.losses.append(f"{name.filename} is cut off after {len(parts):,} unpacked bytes; fetch it again")
    return bytes(parts)
