"""What all verbs of `yuliao` share: a parser that speaks two languages, and the arguments that several verbs take."""

import argparse
import os
import sys
from typing import Any, NoReturn

from flows.arguments import positive, size
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


class Verbs:
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
        """Return the one of two texts that is in the parser's language."""
        return zh if self.lang == "zh" else en

    def _lang(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--lang",
            choices=LANGUAGES,
            help=self.say("language of messages", "提示信息的语言"),
            default=argparse.SUPPRESS,
        )

    def verb(self, name: str, en: str, zh: str, example: str) -> argparse.ArgumentParser:
        """Add a verb with its help and an example, and return its parser."""
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
        """Where runs and versions lie."""
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
        """How much of the machine is used."""
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
        """Whether the result is printed as JSON."""
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
