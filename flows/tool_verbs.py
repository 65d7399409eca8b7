"""What the standalone tools take, and what trains their models: ingest, measure, dedup, overlap, index, train."""

from flows.arguments import match, positive, share, threshold
from flows.parser import Verbs


def tool_verbs(make: Verbs) -> None:
    """Add the verbs to the parser."""
    say = make.say
    ingest = make.verb(
        "ingest",
        "only read: documents and the outcome of every file",
        "只读取：文档及每个文件的结果",
        "yuliao ingest raw/ -o out",
    )
    make.inputs(ingest, usual=None)

    measure = make.verb(
        "measure",
        "all signals and the decision on each document",
        "全部指标及每篇文档的取舍",
        "yuliao measure docs.jsonl -o out",
    )
    make.inputs(measure)
    measure.add_argument(
        "--recipe",
        metavar="R",
        help=say(
            "steps and rules of a recipe, or the name of a preset (default: zh-web)",
            "使用配方的步骤与规则，或预设名称（默认 zh-web）",
        ),
    )
    measure.add_argument(
        "--texts",
        action="store_true",
        help=say("keep the cleaned texts in OUT/texts, too", "同时在 OUT/texts 保留清洗后的正文"),
    )

    dedup = make.verb(
        "dedup",
        "exact and verified near-duplicates",
        "精确去重与经核验的近似去重",
        "yuliao dedup docs.jsonl -o out --threshold 0.8",
    )
    make.inputs(dedup)
    dedup.add_argument(
        "--threshold",
        type=threshold,
        default=0.8,
        metavar="J",
        help=say("least Jaccard (default 0.8)", "最低 Jaccard 相似度（默认 0.8）"),
    )
    dedup.add_argument(
        "--match",
        type=match,
        metavar="NAME=VALUE,...",
        help=say(
            "what texts are compared by: script, width, punctuation, digits; e.g. script=keep,digits=zero",
            "比对所依据的形式：script、width、punctuation、digits；例如 script=keep,digits=zero",
        ),
    )
    dedup.add_argument(
        "--against",
        action="append",
        metavar="NAME@V|DIR",
        help=say(
            "documents that stay: a version, its folder, or the OUT of an earlier `dedup --index`; may be repeated",
            "保留不动的文档：版本、版本目录，或先前 `dedup --index` 的输出目录；可重复给出",
        ),
    )
    dedup.add_argument(
        "--index",
        action="store_true",
        help=say("leave an index of what is kept in OUT/index", "在 OUT/index 留下所保留文档的索引"),
    )
    dedup.add_argument(
        "--scratch", metavar="DIR", help=say("folder for temporary files (default: OUT)", "临时文件目录（默认 OUT）")
    )
    make.workspace(dedup)

    overlap = make.verb(
        "overlap",
        "documents that hold evaluation questions; or how much of a dataset is in another, by signatures alone",
        "含有评测题目的文档；或仅凭签名估计一个数据集有多少在另一个之中",
        "yuliao overlap docs.jsonl --eval cmmlu.jsonl -o out",
    )
    make.inputs(overlap, required=False)
    overlap.set_defaults(misuse=overlap.error)
    which = overlap.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "--signatures",
        nargs=2,
        metavar=("A", "B"),
        help=say(
            "instead of documents: how much of A is in B, by signatures alone; each a NAME@V, the folder of a version "
            "or dataset, a folder of signature files, or one such file",
            "不读文档，仅凭签名估计 A 有多少在 B 中；A、B 可为 NAME@V、版本或数据集目录、签名文件目录或单个签名文件",
        ),
    )
    overlap.add_argument(
        "--threshold",
        type=threshold,
        default=0.8,
        metavar="J",
        help=say("for --signatures (default 0.8)", "用于 --signatures（默认 0.8）"),
    )
    make.workspace(overlap)
    make.json(overlap)
    which.add_argument(
        "--eval",
        action="append",
        metavar="BENCH",
        help=say(
            "questions: JSON lines, Parquet or CSV with id, question, and options if any; may be repeated",
            "评测题目：JSON 行、Parquet 或 CSV，含 id、question，可有 options；可重复给出",
        ),
    )

    index = make.verb(
        "index",
        "what the index that `dedup --index` left holds; check it, or remove documents from it",
        "查看或核验 `dedup --index` 留下的索引，或从中移除文档",
        "yuliao index out --remove ids.txt",
    )
    index.add_argument("index", metavar="OUT", help=say("folder that `dedup` wrote", "`dedup` 的输出目录"))
    index.add_argument(
        "--remove", metavar="FILE", help=say("text file of ids to remove, one a line", "要移除的编号，每行一个")
    )
    index.add_argument(
        "--verify",
        action="store_true",
        help=say("read all of it and compare checksums", "读取全部内容并核对校验和"),
    )


def train_verb(make: Verbs) -> None:
    """Add `train` to the parser."""
    train = make.verb(
        "train",
        "a quality model from labelled documents, or a language model from clean ones",
        "用带标签的文档训练质量模型，或用干净的文档训练语言模型",
        "yuliao train docs.jsonl --label-column label -o out",
    )
    kinds = {"choices": ("quality", "perplexity"), "default": "quality"}
    splits = {"choices": ("hash", "source"), "default": "hash"}
    for name, options, en, zh in (
        ("inputs", {"nargs": "*", "metavar": "INPUT"}, "files, folders or globs", "文件、目录或通配符"),
        ("--out", {"required": True}, "folder to write into", "输出目录"),
        ("--kind", kinds, "for which signal (default quality)", "供哪个指标使用（默认 quality）"),
        ("--good", {"nargs": "+"}, "good documents", "优质文档"),
        ("--bad", {"nargs": "+"}, "bad documents", "劣质文档"),
        ("--text-column", {}, "field of the text", "正文字段"),
        ("--label-column", {}, "field of the label", "标签字段"),
        ("--source-column", {}, "field of the source (default: the file)", "来源字段（默认为文件）"),
        ("--split", splits, "hold out single documents or whole sources", "按单篇或按整个来源留出"),
        ("--held", {"type": share, "default": 0.2}, "share held out (default 0.2)", "留出用于评定的比例（默认 0.2）"),
        ("--seed", {"type": positive, "default": 1}, "of split and order (default 1)", "划分与顺序的种子（默认 1）"),
    ):
        short = ("-o",) if name == "--out" else ()
        train.add_argument(*short, name, help=make.say(en, zh), **options)
    train.set_defaults(id_column=None, usual_id=None, memory="2GiB")
    make.json(train)
