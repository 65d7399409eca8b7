"""The documentation says what the program does: fresh tables, valid recipes, code that runs, links that lead on."""

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from flows.cli import main
from flows.overlap import OVERLAPS
from flows.verbs import build_parser
from pipeline.dedup.tool import DUPLICATES
from pipeline.plan import Plan
from pipeline.publish.shards import published_schema
from pipeline.recipes import parse_recipe
from pipeline.step import Cleaner, Signal, columns_of, of_role
from schemas.decision import FILES, LEDGER, QUARANTINE
from schemas.recipe import Recipe

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *DOCS.glob("**/*.md"),
        *(ROOT / "examples").glob("*.md"),
        ROOT / "examples/sample/ATTRIBUTION.md",
    ]
)
READMES = (ROOT / "README.md", ROOT / "README.zh-CN.md")
REGENERATE = "run `python docs/generate.py`, look at what changed and commit it"
MINIMAL = {
    "dataset": "my/corpus",
    "sources": [{"id": "raw", "path": "raw", "license": "internal"}],
    "publish": {"license": "internal"},
}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def blocks(path: Path, language: str) -> list[str]:
    """The code blocks of a language in a page, blocks within lists moved to the left."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", path.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    return [re.sub(rf"^{indent}", "", body, flags=re.MULTILINE) for indent, body in found]


def headings(path: Path) -> list[tuple[int, str]]:
    text = re.sub(r"^ *```.*?^ *```$", "", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    return [(len(marks), title) for marks, title in re.findall(r"^(#+) (.+)$", text, re.MULTILINE)]


def anchor(title: str) -> str:
    """The anchor a code host gives a heading: lower case, marks gone, spaces to hyphens."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


@pytest.mark.parametrize("name", ["recipe.md", "steps.md", "cli.md"])
def test_tables_are_what_the_code_says(name: str) -> None:
    assert (DOCS / name).read_text("utf-8") == generator().generated(name), f"docs/{name} is stale: {REGENERATE}"


def test_every_meaning_belongs_to_something() -> None:
    module = generator()
    known = module.meanings()
    for model in module.MODELS:
        fields = {field.alias or name for name, field in model.model_fields.items()}
        assert set(known["recipe"][model.__name__]) == fields, f"docs/meanings.yaml, {model.__name__}"
    steps = {kind: cls for role in (Cleaner, Signal) for kind, cls in of_role(role).items()}
    assert set(known["steps"]) <= {*steps, *of_role(module.Reader)}
    assert set(known["columns"]) <= set(columns_of([cls() for cls in steps.values()]))


def test_every_verb_is_documented_in_both_languages() -> None:
    pages = {page: page.read_text("utf-8") for page in (DOCS / "cli.md", *READMES)}
    for verb in generator()._verbs(build_parser("en")):
        assert f"### `yuliao {verb}`" in pages[DOCS / "cli.md"]
        for page in READMES:
            assert re.search(rf"(yuliao |`){verb}\b", pages[page]), f"{name_of(page)} does not name `yuliao {verb}`"


def test_every_column_an_outsider_reads_is_described() -> None:
    layout = (DOCS / "layout.md").read_text("utf-8")
    for schema in (LEDGER, FILES, QUARANTINE, DUPLICATES, OVERLAPS, published_schema({})):
        for column in schema.names:
            assert f"`{column}`" in layout, f"docs/layout.md does not describe the column {column}"


RECIPES = [*sorted((ROOT / "examples").glob("**/*.yaml")), ROOT / "flows/recipe.template.yaml"]
FRAGMENTS = [(page, number) for page in PAGES for number in range(len(blocks(page, "yaml")))]


@pytest.mark.parametrize("path", RECIPES, ids=name_of)
def test_recipes_beside_the_docs_validate(path: Path) -> None:
    text = path.read_text("utf-8").replace("DATASET_NAME", "my/corpus")
    Plan.of(parse_recipe(text, str(path)), path.parent)


@pytest.mark.parametrize(
    ("page", "number"), FRAGMENTS, ids=lambda value: value if isinstance(value, int) else name_of(value)
)
def test_recipes_and_parts_of_recipes_in_pages_validate(page: Path, number: int) -> None:
    text = blocks(page, "yaml")[number]
    values = yaml.safe_load(text)
    assert set(values) <= set(Recipe.model_fields), f"{name_of(page)}: {text}"
    recipe = parse_recipe(yaml.safe_dump({**MINIMAL, **values}, allow_unicode=True), name_of(page))
    if not text.startswith("# needs:"):
        Plan.of(recipe, ROOT)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        place, _, fragment = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        assert target.exists(), f"{name_of(page)}: {link} leads nowhere"
        if fragment:
            anchors = {anchor(title) for _, title in headings(target)}
            assert fragment in anchors, f"{name_of(page)}: {link}: no such heading, there are {sorted(anchors)}"


def test_both_readmes_have_the_same_chapters_and_the_same_code() -> None:
    english, chinese = READMES
    assert [level for level, _ in headings(english)] == [level for level, _ in headings(chinese)]
    for language in ("sh", "python", "yaml", "sql"):
        ours, theirs = ([re.sub(r" *#.*", "", block) for block in blocks(page, language)] for page in READMES)
        assert ours == theirs, language


def test_pages_show_files_as_they_are() -> None:
    for page in PAGES:
        shown = re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
        for path, body in shown:
            assert body == (ROOT / path).read_text("utf-8"), f"{name_of(page)} shows another {path}"


def python(code: str, home: Path, *arguments: str) -> None:
    env = {**os.environ, "HF_HOME": str(home / "hf"), "HF_DATASETS_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], env=env, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_queries_and_code_of_the_pages_run_on_the_sample(
    tmp_path: Path, curate_here: Callable[..., dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    duckdb = pytest.importorskip("duckdb")
    recipe = ROOT / "examples/sample/recipe.yaml"
    curate_here(recipe, tmp_path / "demo", limit=40)
    summary = curate_here(recipe, tmp_path / "demo")
    monkeypatch.chdir(tmp_path)
    [query] = blocks(READMES[0], "sql")
    removed = sum(documents for *_, documents in duckdb.connect().execute(query).fetchall())
    assert removed == summary["read"] - summary["published"], "the sample run before must not count"
    plain, more = blocks(READMES[0], "python")
    absent = "import sys\nsys.modules.update(duckdb=None, polars=None)\n"
    python(f"{absent}{plain}\nassert len(train) > len(laws) > 100 and table.num_rows >= len(train)", tmp_path)
    python(f"{plain}\n{more}\nassert len(frame) == 6 and rows", tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    [tries] = blocks(DOCS / "what-if.md", "sh")
    for line in tries.splitlines():
        assert main(line.split()[1:]) == 0, line
    monkeypatch.chdir(tmp_path / "demo")
    session = duckdb.connect()
    for query in blocks(DOCS / "layout.md", "sql"):
        assert session.execute(query).fetchall(), query
    version = Path(summary["folder"])
    [verify] = set(re.findall(r"`yuliao (verify [^`]+)`", (version / "README.md").read_text("utf-8")))
    monkeypatch.chdir(version)
    python("import sys\nfrom flows.cli import main\nsys.exit(main(sys.argv[1:]))", tmp_path, *verify.split())
