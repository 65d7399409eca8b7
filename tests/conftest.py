"""What all tests share: small corpora, the command as a user calls it, and the evaluation sets where they are."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SHARED = Path(__file__).parent.parent.parent / "shared"


@pytest.fixture
def make_corpus(tmp_path: Path) -> Callable[..., Path]:
    """Make a folder with raw files and a recipe; returns the recipe's path."""

    def make(files: dict[str, bytes | str], recipe: str = "", name: str = "corpus") -> Path:
        folder = tmp_path / name
        for path, content in files.items():
            target = folder / "raw" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        text = recipe or (
            "dataset: test/corpus\n"
            "sources:\n  - {id: raw, path: raw, license: public-domain}\n"
            "publish: {license: public-domain}\n"
        )
        (folder / "recipe.yaml").write_text(text, encoding="utf-8")
        return folder / "recipe.yaml"

    return make


@pytest.fixture
def yuliao() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Call the command in a process of its own, as a user would."""

    def call(*arguments: object, env: dict[str, str] | None = None, cwd: Path | None = None, timeout: float = 240):
        command = [sys.executable, "-m", "flows.cli", *map(str, arguments)]
        environment = {**os.environ, "LANG": "C.UTF-8", **(env or {})}
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            encoding="utf-8",
            env=environment,
            cwd=cwd,
            timeout=timeout,
            check=False,
        )

    return call


@pytest.fixture(scope="session")
def shared() -> Path:
    """The evaluation sets beside the project; tests that need them skip visibly where they are not."""
    if not SHARED.is_dir():
        pytest.skip("the evaluation sets are not beside the project")
    return SHARED


@pytest.fixture
def curate_here() -> Callable[..., dict]:
    """Run a recipe's stages in this process, in order, without Prefect or workers; returns the run's summary."""

    def run(recipe: Path, root: Path | None = None, **options: object) -> dict:
        from pipeline.curation import Curation
        from pipeline.publish.version import complete
        from pipeline.recipes import load_recipe
        from pipeline.stages import Plainly, carry_out
        from pipeline.storage import Workspace

        complete(Workspace(root or recipe.parent).store(load_recipe(recipe).dataset))
        curation = Curation.open(recipe, root, **options)
        if curation.finished:
            return {"nothing_to_do": True}
        facts = {"seconds": 0.0, "workers": 1, "peak_memory_bytes": 0, "prefect_flow_run": None}
        return carry_out(curation, Plainly(), lambda _: facts)

    return run
