"""The file of a model: a header that people can read, then its arrays, compressed.

Layout: the eight bytes of MAGIC; the length of the header, four bytes, little-endian; the header, JSON in UTF-8; one
zstd frame with a checksum, which holds the arrays end to end. The header names each array with type and shape, and
holds no date and no path, so the same training gives the same bytes.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.storage import write_bytes
from schemas.errors import RecipeError
from schemas.manifest import Resource

MAGIC = b"yuliao-m"
FORMAT = 1
SUFFIX = ".model"
_LARGEST = 1 << 30  # bytes of arrays that a header may ask for


@dataclass(frozen=True, eq=False)
class ModelFile:
    """A model as it lies on disk; the same bytes give the same object, so that what is made of it can be remembered.

    `header`: `kind`, `format`, `parameters`, `labels`, `data` (what it was trained on: name, licence, documents),
    `figures` (on held-out text). `arrays`: by name. `sha256`: of the whole file, hex.
    """

    header: Mapping[str, Any]
    arrays: Mapping[str, npt.NDArray[Any]]
    sha256: str


def write_model(path: Path, header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write a model; the file appears whole or not at all."""
    import zstandard

    listed = [{"name": n, "dtype": a.dtype.str, "shape": list(a.shape)} for n, a in arrays.items()]
    head = json.dumps({**header, "format": FORMAT, "arrays": listed}, ensure_ascii=False, sort_keys=True).encode()
    body = b"".join(np.ascontiguousarray(array).tobytes() for array in arrays.values())
    packed = zstandard.ZstdCompressor(level=19, write_checksum=True).compress(body)
    write_bytes(path, MAGIC + len(head).to_bytes(4, "little") + head + packed)


def read_model(path: str | None, shipped: str, kind: str, step: str) -> ModelFile:
    """Read the model at `path`, or the shipped one named `shipped`.

    `kind`: what it must be; `step`: whose error it is. Raises RecipeError that names file, fault and remedy.
    """
    try:
        data = _shipped(shipped) if path is None else Path(path).read_bytes()
    except OSError as error:
        raise RecipeError(f"step '{step}': model {path}: {error.strerror}; give the path of a model file") from None
    found = _parsed(data, path or shipped, step)
    if found.header.get("kind") != kind:
        raise RecipeError(
            f"step '{step}': model {path}: it is of kind '{found.header.get('kind')}', and '{kind}' is needed; "
            f"train one with `yuliao train`"
        )
    return found


def model_resource(path: str | None, shipped: str, kind: str, step: str) -> Resource:
    """Return the record of a model for fingerprints; raises RecipeError like `read_model`."""
    found = read_model(path, shipped, kind, step)
    license = "internal" if path is not None else str(found.header.get("license", "internal"))
    return Resource(name=Path(path).name if path else shipped, hash=found.sha256, license=license)


@lru_cache(maxsize=8)
def _shipped(name: str) -> bytes:
    return files(__package__).joinpath("data", name).read_bytes()


@lru_cache(maxsize=8)
def _parsed(data: bytes, name: str, step: str) -> ModelFile:
    """Take a file's bytes apart; raises RecipeError where they are no model or a broken one."""
    import zstandard

    if data[: len(MAGIC)] != MAGIC:
        raise RecipeError(f"step '{step}': model {name}: not a model of yuliao; train one with `yuliao train`")
    try:
        begin = len(MAGIC) + 4
        end = begin + int.from_bytes(data[begin - 4 : begin], "little")
        header = json.loads(data[begin:end])
        if header["format"] != FORMAT:
            raise RecipeError(
                f"step '{step}': model {name}: its format is {header['format']}, this version reads {FORMAT}; "
                "train it again with `yuliao train`"
            )
        body = zstandard.ZstdDecompressor().decompress(data[end:], max_output_size=_LARGEST)
        arrays, place = {}, 0
        for entry in header.pop("arrays"):
            dtype = np.dtype(entry["dtype"])
            count = int(np.prod(entry["shape"], dtype=np.int64))
            arrays[entry["name"]] = np.frombuffer(body, dtype, count, place).reshape(entry["shape"])
            place += count * dtype.itemsize
    except (KeyError, TypeError, ValueError, zstandard.ZstdError) as error:
        raise RecipeError(
            f"step '{step}': model {name}: broken ({error}); copy or train it again with `yuliao train`"
        ) from None
    return ModelFile(header, arrays, hashlib.sha256(data).hexdigest())
