"""datatrove with the filters of FineWeb-2 for Chinese and its own formatter of personal data, on two workers.

    python with_datatrove.py OUT FILE.jsonl

Thresholds are those of the configuration `cmn_Hani.yml` of FineWeb-2; words are cut by jieba, as it does. What remains
is written as JSON lines; why the others went is in its log.
"""

import sys
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.filters import FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter
from datatrove.pipeline.formatters import PIIFormatter
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter

WORKERS = 2
LANGUAGE = "zho_Hani"
STOP_WORDS = tuple("的 年 在 月 是 和 日 了 於 · 為 有 被 人 中 为 他 與 後 也 而 由".split())  # noqa: SIM905
TOP = ((2, 0.256), (3, 0.201), (4, 0.171))
REPEATED = ((5, 0.198), (6, 0.182), (7, 0.167), (8, 0.154), (9, 0.140), (10, 0.127))


def main() -> None:
    out, folder = Path(sys.argv[1]), Path(sys.argv[2])
    pipeline = [
        JsonlReader(str(folder), glob_pattern="part-*.jsonl"),
        GopherRepetitionFilter(
            dup_line_frac=0.287,
            dup_para_frac=0,
            dup_line_char_frac=0,
            dup_para_char_frac=0,
            top_n_grams=TOP,
            dup_n_grams=REPEATED,
            language=LANGUAGE,
        ),
        FineWebQualityFilter(
            line_punct_thr=0.106,
            short_line_thr=999,
            char_duplicates_ratio=0.1,
            new_line_ratio=0.178,
            language=LANGUAGE,
        ),
        GopherQualityFilter(
            min_avg_word_length=1,
            max_avg_word_length=5,
            max_non_alpha_words_ratio=0.735,
            min_stop_words=2,
            stop_words=STOP_WORDS,
            language=LANGUAGE,
        ),
        PIIFormatter(),
        JsonlWriter(str(out / "kept"), compression=None),
    ]
    LocalPipelineExecutor(pipeline, tasks=WORKERS, workers=WORKERS, logging_dir=str(out / "log")).run()


if __name__ == "__main__":
    main()
