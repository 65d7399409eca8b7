"""What the flow does before it works: runs that were killed are marked, others are left alone."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from prefect.client.schemas.objects import StateType

from flows import curate


def test_of_the_runs_of_a_recipe_only_killed_ones_are_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    marked: list[str] = []

    def run(id: str, type: StateType, minutes: int, recipe: str = "a.yaml") -> SimpleNamespace:
        state = SimpleNamespace(type=type, timestamp=datetime.now(UTC) - timedelta(minutes=minutes))
        return SimpleNamespace(id=id, state=state, parameters={"recipe": recipe, "workspace": None})

    runs = [
        run("own", StateType.RUNNING, 0),
        run("running", StateType.RUNNING, 0),
        run("began to begin long ago", StateType.PENDING, 5),
        run("about to begin", StateType.PENDING, 0),
        run("another recipe's", StateType.RUNNING, 5, recipe="b.yaml"),
    ]
    client = SimpleNamespace(
        read_flow_runs=lambda **_: runs, set_flow_run_state=lambda id, _state, force: marked.append(id)
    )
    monkeypatch.setattr(curate, "get_client", lambda **_: nullcontext(client))
    curate._bury("a.yaml", None, own="own")
    assert marked == ["running", "began to begin long ago"]
