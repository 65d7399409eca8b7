"""What `yuliao what-if` takes, with its help in English and Chinese."""

from flows.parser import Verbs


def what_if_verb(make: Verbs) -> None:
    """Add the verb to the parser."""
    say = make.say
    what_if = make.verb(
        "what-if",
        "what each rule removes, and what other thresholds would keep, without measuring again",
        "每条规则删去什么，换个阈值会留下什么；不重新度量",
        "yuliao what-if recipe.yaml --set char_count.min=30 --set digits.max=off",
    )
    what_if.add_argument(
        "subject",
        metavar="RECIPE|RUN|OUT",
        help=say(
            "a recipe (its newest run), a run by its id or NAME@V, the OUT of `measure`, or a preset with --on",
            "配方（取其最新运行）、运行编号或 NAME@V、`measure` 的输出目录，或预设名（配合 --on）",
        ),
    )
    what_if.add_argument(
        "--on",
        nargs="+",
        metavar="INPUT",
        help=say(
            "measure these files by the recipe or preset first, into OUT",
            "先用配方或预设度量这些文件，写入 OUT",
        ),
    )
    what_if.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="RULE.TEST=VALUE",
        help=say(
            "another test: RULE is a name or a column, TEST min, max, in, not_in or equals, VALUE may be `off`; may be "
            "repeated",
            "改动一项检验：RULE 为规则名或列名，TEST 为 min、max、in、not_in 或 equals，VALUE 可为 off；可重复给出",
        ),
    )
    what_if.add_argument(
        "--rule",
        metavar="NAME",
        help=say(
            "show this rule with its curve and samples; --min and --max are its",
            "详示此规则的曲线与样例；--min 与 --max 属于它",
        ),
    )
    for bound, chinese in (("min", "下限"), ("max", "上限")):
        what_if.add_argument(
            f"--{bound}",
            metavar="VALUE",
            help=say(f"as --set NAME.{bound}=VALUE, for --rule NAME", f"--rule 的{chinese}"),
        )
    what_if.add_argument(
        "--recipe",
        metavar="R",
        help=say("rules of a recipe or preset instead of those it was decided by", "改用某配方或预设的规则"),
    )
    what_if.add_argument(
        "--write",
        metavar="FILE",
        help=say("write the changed recipe, comments and all", "写出改动后的配方，保留注释"),
    )
    what_if.add_argument(
        "-o",
        "--out",
        metavar="OUT",
        help=say(
            "folder for what-if.html (default: that of the run, of `measure`, or ./what-if with --on)",
            "what-if.html 的目录（默认：运行目录、`measure` 的输出目录，或配合 --on 时为 ./what-if）",
        ),
    )
    make.fields(what_if)
    make.workspace(what_if)
    make.machine(what_if)
    make.json(what_if)
