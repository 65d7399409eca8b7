"""What each verb of `yuliao` takes, with its help in English and Chinese."""

import argparse
import os
import sys
from typing import Any, NoReturn

from flows.arguments import match, positive, share, size, threshold
from flows.what_if_verb import what_if_verb
from flows.words import misuse, say

LANGUAGES = ("en", "zh")


class _Parser(argparse.ArgumentParser):
    """A parser that answers wrong use in a language."""

    def __init__(self, *, lang: str = "en", **options: Any) -> None:
        super().__init__(**options)
        self._lang = lang

    def error(self, message: str) -> NoReturn:
        """Say how to call it and what was wrong, and end with status 2."""
        self.print_usage(sys.stderr)
        self.exit(2, say("misuse", self._lang, program=self.prog, error=misuse(message, self._lang)) + "\n")


class _Verbs:
    """Builds the parser in one language."""

    def __init__(self, lang: str) -> None:
        self.lang = lang
        self.parser = _Parser(
            lang=lang,
            prog="yuliao",
            description=self.say(
                "Chinese corpus curation: scattered raw text in, versioned Parquet datasets out.",
                "中文语料处理：输入零散的原始文本，输出带版本的 Parquet 数据集。",
            ),
            epilog=self.say("Start with: yuliao init my-corpus", "从这里开始：yuliao init my-corpus"),
        )
        self.parser.add_argument("--version", action="version", version=_version())
        self._lang(self.parser)
        self.verbs = self.parser.add_subparsers(dest="verb", metavar="VERB", required=True)

    def say(self, en: str, zh: str) -> str:
        return zh if self.lang == "zh" else en

    def _lang(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--lang",
            choices=LANGUAGES,
            help=self.say("language of messages", "提示信息的语言"),
            default=argparse.SUPPRESS,
        )

    def verb(self, name: str, en: str, zh: str, example: str) -> argparse.ArgumentParser:
        text = self.say(en, zh)
        label = self.say("example", "示例")
        parser: argparse.ArgumentParser = self.verbs.add_parser(
            name,
            lang=self.lang,
            help=text,
            description=text,
            epilog=f"{label}:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self._lang(parser)
        return parser

    def workspace(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--workspace",
            metavar="DIR",
            default=os.environ.get("YULIAO_WORKSPACE"),
            help=self.say(
                "folder that holds workspace/ and store/ (default: the recipe's folder, or here; or YULIAO_WORKSPACE)",
                "存放 workspace/ 与 store/ 的目录（默认：配方所在目录或当前目录；也可用 YULIAO_WORKSPACE）",
            ),
        )

    def machine(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--workers",
            type=positive,
            default=os.cpu_count() or 1,
            metavar="N",
            help=self.say("worker processes (default: the cores)", "工作进程数（默认：核数）"),
        )
        parser.add_argument(
            "--memory",
            type=size,
            default="2GiB",
            metavar="SIZE",
            help=self.say("ceiling of each process (default 2GiB)", "每个进程的内存上限（默认 2GiB）"),
        )

    def json(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help=self.say("print JSON", "输出 JSON"))

    def inputs(self, parser: argparse.ArgumentParser, usual: str | None = "id", *, required: bool = True) -> None:
        """What every tool takes; `usual` is the field of the id where none is named."""
        help = self.say("files, folders or globs", "文件、目录或通配符")
        parser.add_argument("inputs", nargs="+" if required else "*", metavar="INPUT", help=help)
        parser.add_argument(
            "-o", "--out", required=required, metavar="OUT", help=self.say("folder to write into", "输出目录")
        )
        self.fields(parser, usual)
        self.machine(parser)

    def fields(self, parser: argparse.ArgumentParser, usual: str | None = "id") -> None:
        """Which fields of a record hold id and text; `usual` is that of the id where none is named."""
        parser.add_argument(
            "--id-column",
            metavar="NAME",
            help=self.say(
                f"field of the id, or `none`: made from path and place (default: {usual or 'none'})",
                f"编号字段；`none` 表示由路径与序号生成（默认 {usual or 'none'}）",
            ),
        )
        parser.set_defaults(usual_id=usual)
        parser.add_argument("--text-column", metavar="NAME", help=self.say("field of the text", "正文字段"))


def _version() -> str:
    from importlib.metadata import version

    return f"yuliao {version('yuliao')}"


def build_parser(lang: str) -> argparse.ArgumentParser:
    """Return the parser of every verb, with help in `lang` (en or zh)."""
    make = _Verbs(lang)
    _recipe_verbs(make)
    _tool_verbs(make)
    _train_verb(make)
    what_if_verb(make)
    _version_verbs(make)
    return make.parser


def _recipe_verbs(make: _Verbs) -> None:
    say = make.say
    init = make.verb(
        "init", "make a folder with a commented recipe that runs", "新建带注释配方的目录", "yuliao init my-corpus"
    )
    init.add_argument("dir", metavar="DIR", help=say("folder to make", "要新建的目录"))

    plan = make.verb(
        "plan", "check a recipe without reading any data", "检查配方，不读取数据", "yuliao plan recipe.yaml"
    )
    plan.add_argument("recipe", metavar="RECIPE", help=say("recipe file", "配方文件"))
    make.workspace(plan)
    make.json(plan)

    run = make.verb(
        "run",
        "run a recipe through Prefect to a published version; run again to continue",
        "通过 Prefect 运行配方直至发布版本；再次运行即继续",
        "yuliao run recipe.yaml --workers 4",
    )
    run.add_argument("recipe", metavar="RECIPE", help=say("recipe file", "配方文件"))
    make.workspace(run)
    make.machine(run)
    some = run.add_mutually_exclusive_group()
    some.add_argument(
        "--sample",
        type=share,
        metavar="SHARE",
        help=say("a share by id hash; not published", "按编号散列抽样；不发布"),
    )
    some.add_argument(
        "--limit",
        type=positive,
        metavar="N",
        help=say("N documents by id hash; not published", "按编号散列取 N 篇；不发布"),
    )
    run.add_argument(
        "--refresh-passages",
        action="store_true",
        help=say(
            "count recurring lines anew, instead of by the table of the last version (recipe field `passages`)",
            "重新统计重复行，不沿用上一版本的表（配方字段 `passages`）",
        ),
    )
    make.json(run)

    deploy = make.verb(
        "deploy",
        "register a scheduled Prefect deployment of a recipe",
        "为配方登记定时的 Prefect 部署",
        'yuliao deploy recipe.yaml --cron "0 2 * * *" --timezone Asia/Shanghai',
    )
    deploy.add_argument("recipe", metavar="RECIPE", help=say("recipe file", "配方文件"))
    deploy.add_argument("--cron", metavar="CRON", help=say("schedule, five fields", "定时表达式，五段"))
    deploy.add_argument(
        "--timezone", default="Asia/Shanghai", metavar="TZ", help=say("of the schedule", "定时所用时区")
    )
    deploy.add_argument(
        "--name",
        metavar="NAME",
        help=say("name of the deployment (default: the dataset's)", "部署名称（默认同数据集）"),
    )
    deploy.add_argument("--pool", default="yuliao", metavar="POOL", help=say("work pool", "工作池"))
    make.workspace(deploy)
    make.machine(deploy)


def _tool_verbs(make: _Verbs) -> None:
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


def _train_verb(make: _Verbs) -> None:
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


def _version_verbs(make: _Verbs) -> None:
    say = make.say
    explain = make.verb(
        "explain",
        "why a document is in or out: every rule and signal, what cleaning changed, its copies",
        "某文档为何被保留或剔除：全部规则与度量、清洗改动、副本",
        "yuliao explain 0f3a... --workspace my-corpus",
    )
    explain.add_argument(
        "document",
        nargs="?",
        metavar="ID|URI",
        help=say("id of a document, or its uri within its source", "文档编号，或其在来源内的路径"),
    )
    explain.add_argument("--run", metavar="R", help=say("only in this run", "仅在此次运行中查找"))
    explain.add_argument(
        "--version",
        metavar="NAME@V",
        dest="of_version",
        help=say("only in this version's run", "仅在此版本的运行中查找"),
    )
    explain.add_argument(
        "--text",
        metavar="FILE",
        help=say("decide on a text file instead; - reads stdin", "改为判定一个文本文件；- 为标准输入"),
    )
    explain.add_argument(
        "--recipe",
        metavar="R",
        help=say("a recipe or preset, for --text (default: zh-web)", "配方或预设，用于 --text（默认 zh-web）"),
    )
    make.workspace(explain)
    make.json(explain)

    lister = make.verb(
        "list", "the published datasets and versions", "已发布的数据集与版本", "yuliao list --workspace my-corpus"
    )
    make.workspace(lister)
    make.json(lister)

    for name, en, zh in (
        ("show", "what a version holds", "某版本的内容"),
        ("report", "where a version's or run's report is", "某版本或运行的报告位置"),
        ("verify", "check a version against its manifest", "按清单核验版本"),
    ):
        parser = make.verb(name, en, zh, f"yuliao {name} my/dataset@1.0.0 --workspace my-corpus")
        parser.add_argument(
            "version",
            metavar="NAME[@V]",
            help=say("dataset and version; the latest by default", "数据集与版本；默认最新"),
        )
        make.workspace(parser)
        make.json(parser)
    verify = parser
    verify.add_argument(
        "--rebuild",
        metavar="RECIPE",
        help=say("also make it again from its recipe and sources, and compare", "并按配方与来源重新构建后比较"),
    )
    verify.add_argument(
        "--workers",
        type=positive,
        default=os.cpu_count() or 1,
        metavar="N",
        help=say("worker processes of --rebuild (default: the cores)", "--rebuild 的工作进程数（默认：核数）"),
    )
