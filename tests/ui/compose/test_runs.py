"""Running from the composer by keys: inputs, pre-flight, what is recorded, dry run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kimera_tui.cluster.view import ClusterView
from kimera_tui.documents.document import Document
from kimera_tui.execution.replay.from_run import LastRun
from kimera_tui.execution.run_inputs import RunInputs
from kimera_tui.ui.compose.forms import FormWindow
from kimera_tui.ui.compose.preflight_window import Preflight
from kimera_tui.ui.compose.windows import Reader
from kimera_tui.ui.runs.live import LiveScreen
from tests.ui.compose.composing import Composing, call, composer
from tests.ui.stage import NOON

INPUTS: dict[str, Any] = {
    "day": {"type": "date", "required": True, "description": "The day to report on"},
    "count": {"type": "int", "default": 3, "max": 9},
    "paper": {"type": "enum", "values": ["A4", "A5"], "default": "A4"},
    "token": {"type": "secret"},
}
STEPS = [
    call("reports.fetch", kwargs={"day": "${{ inputs.day }}", "count": "${{ inputs.count }}"}),
    {
        "id": "both",
        "para": [
            call("reports.render", kwargs={"token": "${{ inputs.token }}", "title": "A"}),
            call("calculator.total", kwargs={"numbers": [1, 2]}, **{"pass": "none"}),
        ],
    },
    call("echo.value", kwargs={"payload": "run ${{ run.id }}"}),
]
NOBODY = ClusterView(at=NOON, queues={"demo@kimera": frozenset()}, tasks={})


async def composed(it: Composing, **more: Any) -> None:
    await it.put(STEPS, inputs=INPUTS, **more)


async def test_a_workflow_without_inputs_runs_at_once_and_live_shows_it() -> None:
    async with composer() as it:
        await it.put([call("calculator.add")])
        await it.keys("ctrl+r")
        ((document, run_inputs),) = it.stage.documents
        assert document is it.document
        assert (run_inputs.inputs, run_inputs.despite) == ({}, ())
        assert isinstance(it.app.screen, LiveScreen)


async def test_the_form_of_a_run_is_made_of_its_inputs_and_says_what_is_wrong_with_each() -> None:
    async with composer() as it:
        await composed(it)
        await it.keys("r")
        assert "Run: nightly" in it.picture
        assert "The day to report on" in it.picture
        assert it.form.fields["count"].input.value == "3"
        assert it.form.fields["token"].input.password
        await it.fill(count="10", paper="A3")
        for sentence in (
            "day is required.",
            "count: must be at most 9.",
            "paper: must be one of A4, A5.",
            "token is required.",
        ):
            assert sentence in it.picture
        await it.fill(day="2026-01-31", count="5", paper="A5", token="hunter2-canary")
        ((_, run_inputs),) = it.stage.documents
        assert run_inputs.inputs == {"day": "2026-01-31", "count": 5, "paper": "A5"}
        assert run_inputs.prompted == {"token": "hunter2-canary"}
        assert "hunter2" not in it.picture


async def test_a_run_that_is_not_wanted_after_all_is_none() -> None:
    async with composer() as it:
        await composed(it)
        await it.keys("r", "escape", "p", "escape", "P", "escape")
        assert it.stage.documents == []
        assert it.app.screen is it.screen


async def test_running_again_shows_what_the_last_run_was_given() -> None:
    async with composer() as it:
        await composed(it)
        await it.keys("r")
        await it.fill(day="2026-01-31", token="t")
        it.stage.ended(next(iter(it.app.state.run_index.runs)))
        await it.keys("2", "r")
        assert "last: 2026-01-31" in it.picture
        await it.fill(day="2026-02-01", token="t")
        assert it.stage.documents[1][1].inputs["day"] == "2026-02-01"


async def test_a_workflow_with_problems_is_not_run_and_the_cursor_goes_to_the_first() -> None:
    async with composer() as it:
        await it.put([call("calculator.add"), call("nobody.there")])
        for key in ("r", "p", "P"):
            await it.keys("g", key)
            assert it.here == "there"
            assert "no friend `nobody` is configured" in it.toasts
        assert it.stage.documents == []


async def test_a_queue_that_nobody_consumes_stops_the_run_until_it_is_overridden() -> None:
    async with composer() as it:
        it.stage.facts_now = replace(it.stage.facts_now, view=NOBODY)
        await it.put([call("calculator.add"), call("echo.value")])
        await it.keys("r")
        assert isinstance(it.app.screen, Preflight)
        assert "2 things against running it now." in it.picture
        assert "No worker consumes queue calculator" in it.picture
        await it.keys("enter", "escape")
        assert it.stage.documents == []
        await it.keys("r", "R")
        ((_, run_inputs),) = it.stage.documents
        assert [text.partition(":")[0] for text in run_inputs.despite] == ["add", "value"]
        assert "No worker consumes queue echo" in run_inputs.despite[1]


async def test_the_preflight_can_be_looked_at_without_running() -> None:
    async with composer() as it:
        await it.put([call("calculator.add")])
        await it.keys("P")
        assert isinstance(it.app.screen, Preflight)
        assert "Nothing speaks against running it now." in it.picture
        assert "calculator.add is registered on demo@kimera" in it.picture
        await it.keys("R")
        assert it.stage.documents == []
        await it.keys("escape")
        assert not isinstance(it.app.screen, Preflight)


async def test_a_dry_run_shows_every_payload_and_no_secret_and_sends_nothing() -> None:
    async with composer() as it:
        await composed(it)
        await it.keys("p")
        assert isinstance(it.app.screen, FormWindow)
        await it.fill(day="2026-01-31", token="hunter2-canary")
        assert isinstance(it.app.screen, Reader)
        lines = {line.strip(" │╭╮╰╯") for line in it.picture.split("\n")}
        text = "\n".join(lines)
        assert "fetch  reports.fetch  on reports  within 2m" in text
        assert '"2026-01-31"' in text
        assert "total  calculator.total  on calculator  within 30s  pass none" in text
        assert "+ fetch" in text
        assert "a list of 2: render, total: appended to args: 2 values" in text
        assert "run ${{ run.id }}" in text
        assert "hunter2" not in it.picture
        assert "inputs.token" not in text
        await it.keys("escape")
        assert it.stage.documents == []
        assert not it.app.state.run_index.runs


async def test_another_mode_may_change_what_is_composed_while_its_last_run_is_read() -> None:
    async with composer() as composing:
        await composing.put([call("calculator.add"), call("echo.value")])
        await composing.keys("G")
        screen = composing.screen
        await composing.keys("1")
        composing.app.state.composer.start_new()
        composing.app.state.composer.run_ended("nightly")
        screen.news()
        await composing.keys("2")
        assert "Nothing composed yet." in composing.picture


async def test_the_last_run_is_read_again_only_when_one_of_this_name_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with composer() as it:
        read, look = [], it.stage.workflows.last_run

        async def counted(name: str) -> LastRun | None:
            read.append(name)
            return await look(name)

        monkeypatch.setattr(it.stage.workflows, "last_run", counted)
        await it.put([call("calculator.add")])
        runs = []
        for name in ("other", "nightly"):
            document = Document.model_validate({"name": name, "steps": [call("echo.value")]})
            runs.append(it.stage.runner.run(document, RunInputs()))
        await it.keys()
        so_far = len(read)
        it.stage.ended(runs[0])
        await it.keys()
        assert len(read) == so_far
        it.stage.ended(runs[1])
        await it.keys()
        assert read[so_far:] == ["nightly"]


async def test_the_timeline_calls_steps_as_their_document_does() -> None:
    async with composer() as it:
        await it.put([call("echo.value", "first"), call("echo.value", "second")])
        await it.keys("r", "t")
        screen = it.app.screen
        assert isinstance(screen, LiveScreen)
        names = ["".join(text for text, _ in screen.timeline.line_at(at)) for at in range(2)]
        assert [name.split()[1] for name in names] == ["first", "second"]
