"""data-juicer: its command `dj-process` with `document_minhash_deduplicator` over characters, on two processes.

Bands are those it computes for the threshold.
"""

import json
import subprocess
import sys
from pathlib import Path

from documents import FILES, OUT, PERMUTATIONS, SHINGLE, THRESHOLD, read_ids, write


def main() -> None:
    OUT.mkdir(parents=True)
    operator = {
        "tokenization": "character",
        "window_size": SHINGLE,
        "lowercase": False,
        "num_permutations": PERMUTATIONS,
        "jaccard_threshold": THRESHOLD,
    }
    recipe = {
        "project_name": "dedup",
        "dataset_path": str(Path(FILES[0]).parent),
        "export_path": str(OUT / "kept.jsonl"),
        "text_keys": "text",
        "np": len(FILES),
        "open_tracer": False,
        "process": [{"document_minhash_deduplicator": operator}],
    }
    (OUT / "recipe.yaml").write_text(json.dumps(recipe), "utf-8")
    subprocess.run([Path(sys.executable).parent / "dj-process", "--config", OUT / "recipe.yaml"], check=True)
    with (OUT / "kept.jsonl").open(encoding="utf-8") as lines:
        kept = {json.loads(line)["id"] for line in lines}
    write([id for id in read_ids() if id not in kept])


if __name__ == "__main__":
    main()
