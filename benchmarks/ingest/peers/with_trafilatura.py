"""Pages by trafilatura as it comes."""

import json
import sys
from pathlib import Path

import trafilatura

with Path(sys.argv[1]).open("w", encoding="utf-8") as out:
    for name in sys.argv[2:]:
        text = trafilatura.extract(Path(name).read_bytes()) or ""
        out.write(json.dumps({"name": name, "text": text}, ensure_ascii=False) + "\n")
