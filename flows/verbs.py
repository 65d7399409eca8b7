"""What each verb of `yuliao` takes, with its help in English and Chinese."""

import argparse
import os

from flows.arguments import positive, share
from flows.parser import Verbs
from flows.tool_verbs import tool_verbs, train_verb
from flows.what_if_verb import what_if_verb


def build_parser(lang: str) -> argparse.ArgumentParser:
    """Return the parser of every verb, with help in `lang` (en or zh)."""
    make = Verbs(lang)
    _recipe_verbs(make)
    tool_verbs(make)
    train_verb(make)
    what_if_verb(make)
    _version_verbs(make)
    return make.parser


def _recipe_verbs(make: Verbs) -> None:
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
    run.add_argument(
        "--rehash",
        action="store_true",
        help=say(
            "read every input file again, also where size and time are as they were",
            "重新读取每个输入文件，即使大小与时间未变",
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


def _version_verbs(make: Verbs) -> None:
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
