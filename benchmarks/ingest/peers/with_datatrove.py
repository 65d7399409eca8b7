"""Pages of archives by datatrove: its reader and its extractor with their defaults, in this process."""

import json
import sys
from pathlib import Path

from datatrove.pipeline.extractors import Trafilatura
from datatrove.pipeline.readers import WarcReader

with Path(sys.argv[1]).open("w", encoding="utf-8") as out:
    for name in sys.argv[2:]:
        path = Path(name)
        reader = WarcReader(str(path.parent), glob_pattern=path.name, compression="infer")
        for document in Trafilatura().run(reader.run(), 0, 1):
            row = {"name": document.metadata["url"], "text": document.text}
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
