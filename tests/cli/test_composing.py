"""The whole way by keys on a real broker: composed, saved, opened again, run, and right."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kimera_tui.console.console import Console, build_console
from kimera_tui.runs.index import RunState
from kimera_tui.ui.app import KimeraApp
from kimera_tui.ui.runs.live import LiveScreen
from tests.conftest import REPO
from tests.ui.compose.composing import Composing, shape


@pytest.fixture
def console(broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Console:
    """A console with a journal and a folder of workflows of their own."""
    monkeypatch.setenv("KIMERA_HOME", str(tmp_path / "home"))
    return build_console(
        {
            "BROKER_URL": broker_url,
            "RESULT_BACKEND": broker_url,
            "KIMERA_FRIENDS": str(REPO / "friends.yaml"),
            "KIMERA_WORKFLOWS": str(tmp_path),
        }
    )


async def ended(app: KimeraApp) -> str:
    """Id of the only run, once it is over."""
    async with asyncio.timeout(30):
        while not any(run.ended for run in app.state.run_index.runs.values()):  # noqa: ASYNC110 - shown state
            await asyncio.sleep(0.05)
    (run_id,) = app.state.run_index.runs
    return run_id


async def journaled(console: Console, run_id: str) -> RunState:
    return await console.journal.run(run_id)


async def test_a_workflow_composed_by_keys_is_saved_opened_run_and_journaled(
    console: Console, tmp_path: Path
) -> None:
    app = KimeraApp(console)
    async with app.run_test(size=(120, 36)) as pilot:
        async with asyncio.timeout(30):
            while app.state.vitals.view is None or not app.state.vitals.view.workers:  # noqa: ASYNC110 - same
                await asyncio.sleep(0.05)
        it = Composing(pilot, console)
        await it.keys("2")
        await it.add("calculator.add")
        await it.add("multiply")
        await it.keys("w", "p")
        await it.add("calculator.add")
        await it.keys("w", "c")
        await it.add("multiply")
        await it.keys("backspace", "backspace")
        await it.add("total")
        await it.keys("ctrl+s")
        await it.fill(name="sums")
        assert (tmp_path / "sums.kimera.yaml").is_file()

        await it.keys("ctrl+n")
        assert it.document.steps == []
        await it.keys("o")
        await it.pick("sums")
        para = ("para", ["multiply", ("chain", ["add_2", "multiply_2"])])
        assert shape(it.document.steps) == ["add", para, "total"]
        await it.keys("ctrl+r")
        run_id = await ended(app)
        assert isinstance(app.screen, LiveScreen)

        run = await journaled(console, run_id)
        assert run.name == "sums"
        assert {step.id: (step.status.value, step.result) for step in run.steps.values()} == {
            "add": ("done", 5),
            "multiply": ("done", 10),
            "add_2": ("done", 10),
            "multiply_2": ("done", 20),
            "total": ("done", 36),
        }
        await it.keys("2", "G")
        assert it.here == "total"
        assert "appended to args: 2 values" in it.picture
        assert "[10, 20]" in it.picture
        assert "36" in it.picture
