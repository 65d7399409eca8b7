"""A small run with every kind of outcome, as arguments of `collect`."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from pipeline.report.data import ReportData, collect
from pipeline.select import checks_of, evidence, select
from schemas.decision import FILES, LEDGER
from schemas.document import content_hash, document_id
from schemas.recipe import Rule

RULES = [
    Rule(column="lang", one_of=["zh"]),
    Rule(column="han_share", min=0.3),
    Rule(column="char_count", min=4, max=60, sources=["百科"]),
    Rule(column="mixed", equals=False),
]


class Run:
    """Ledger, signals, files and texts of made-up documents: (source, text, duplicate of row or None, Jaccard)."""

    def __init__(self, documents: Sequence[tuple[str, str, int | None, float | None]]) -> None:
        self.texts = [text for _, text, _, _ in documents]
        self.asked: list[int] = []
        self.calls = 0
        counts = [len(text) for text in self.texts]
        han = [sum("一" <= c <= "鿿" for c in text) / max(1, len(text)) for text in self.texts]
        self.signals = pa.table(
            {
                "char_count": pa.array(counts, pa.int64()),
                "han_share": pa.array(han, pa.float64()),
                "lang": pa.array(["zh" if share > 0.1 else "en" for share in han], pa.string()),
                "script": pa.array(["Hans"] * len(counts), pa.string()),
                "mixed": pa.array([text.startswith("Mix") for text in self.texts], pa.bool_()),
                "entropy": pa.array([None if count == 3 else count / 7 for count in counts], pa.float64()),
            }
        )
        self.ledger = self._ledger(documents)
        self.files = files([(source, "ok", 1) for source, *_ in documents])

    def _ledger(self, documents: Sequence[tuple[str, str, int | None, float | None]]) -> pa.Table:
        table = self.signals.append_column("source", pa.array([source for source, *_ in documents], pa.string()))
        chosen = select(table, checks_of(RULES))
        reasons, values, thresholds, details = (array.to_pylist() for array in evidence(table, chosen))
        ids = [document_id(source, str(row)) for row, (source, *_) in enumerate(documents)]
        rows = []
        for row, (source, text, of, jaccard) in enumerate(documents):
            record = {
                "id": ids[row],
                "source": source,
                "uri": f"/srv/机密/{row}.txt",
                "record": 0,
                "decision": "drop" if reasons[row] else "keep",
                "stage": "select" if reasons[row] else "kept",
                "rule": reasons[row],
                "value": values[row],
                "threshold": thresholds[row],
                "detail": details[row],
                "content_hash": content_hash(text),
            }
            if reasons[row] is None and of is not None:
                kind = "exact" if jaccard is None else "near"
                record |= {"decision": "drop", "stage": kind, "rule": f"duplicate.{kind}", "survivor_id": ids[of]}
                record |= {"jaccard": jaccard, "threshold": None if jaccard is None else 0.8}
            rows.append(record)
        return pa.Table.from_pylist(rows, LEDGER)

    def fetch(self, rows: Sequence[int]) -> list[tuple[str | None, str]]:
        self.calls += 1
        self.asked += rows
        return [(self.texts[row][:6] or None, self.texts[row]) for row in rows]

    def report(self, **changes: Any) -> ReportData:
        whole: dict[str, Any] = {
            "ledger": self.ledger,
            "signals": self.signals,
            "files": self.files,
            "rules": RULES,
            "texts": self.fetch,
            "dataset": "org/语料",
            "version": None,
            "facts": {"title": "Corpus", "run": "/srv/机密/run-7"},
            "public": False,
        }
        whole |= changes
        tables = [whole.pop(name) for name in ("ledger", "signals", "files", "rules", "texts")]
        return collect(*tables, **whole)


def files(rows: Sequence[tuple[str, str, int]]) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "source": source,
                "uri": f"/srv/机密/{number}.txt",
                "format": "txt",
                "outcome": outcome,
                "records": records,
                "bad_records": 0,
                "bytes": 1,
                "reason": "" if outcome == "ok" else "坏 <b>字节</b>",
            }
            for number, (source, outcome, records) in enumerate(rows)
        ],
        FILES,
    )


def typical() -> Run:
    good = "天地玄黄宇宙洪荒日月盈昃辰宿列张"
    return Run(
        [
            ("百科", good, None, None),
            ("百科", good + "寒来暑往", 0, 0.85),
            ("百科", good, 0, None),
            ("百科", "天地玄", None, None),
            ("百科", "长" * 90, None, None),
            ("web", "plain English without Han", None, None),
            ("web", "Mix 中文与英文混排的一句话", None, None),
            ("web", "abcdefg 天地玄", None, None),
            ("web", "手机13912345678请联系我们的编辑部", None, None),
            (
                "web",
                "</script><script>alert(1)</script>天地玄黄宇宙洪荒日月盈昃辰宿列张天地玄黄宇宙𠀀\u2028\"'",
                None,
                None,
            ),
        ]
    )
