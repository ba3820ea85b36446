"""Live by its keys: faults, filters, following, saving, deciding, and what no worker heard."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from textual.pilot import Pilot

from kimera_tui.execution.cancel import Cancelled
from kimera_tui.process import events as e
from kimera_tui.ui.app import KimeraApp
from kimera_tui.ui.compose.forms import FormWindow
from kimera_tui.ui.runs import payload_view
from kimera_tui.ui.runs.decide import AskDecision
from kimera_tui.ui.windows.confirm import Confirm
from tests.pictures.scenes import live_chain, live_failed
from tests.ui.stage import NOON, Stage, grid, settle


async def run_one(pilot: Pilot[Any], stage: Stage) -> Any:
    """Send the form's task; returns what was planned."""
    await pilot.press("1")
    await settle(pilot)
    await pilot.press("ctrl+r")
    await settle(pilot)
    ((_, task),) = stage.plans[-1]
    stage.sent(task)
    await settle(pilot)
    return task


async def test_only_faults_shows_the_runs_and_events_that_went_wrong_and_all_again() -> None:
    stage = Stage()
    app = KimeraApp(stage)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        stage.succeeded(await run_one(pilot, stage), 5)
        await live_failed(pilot, stage)
        await settle(pilot)
        screen: Any = app.screen
        assert screen.runs.line_count() == 2
        await pilot.press("escape", "3", "exclamation_mark")
        await settle(pilot)
        assert screen.runs.line_count() == 1
        assert screen.runs.selected.name == "two at once"
        styles = {line.style for line in screen.events._shown}
        assert styles <= {"bad", "warning"}
        assert "only faults" in grid(app)
        await pilot.press("exclamation_mark")
        await settle(pilot)
        assert screen.runs.line_count() == 2
        assert len({line.style for line in screen.events._shown}) > 2


async def test_events_are_filtered_by_words() -> None:
    stage = Stage()
    app = KimeraApp(stage)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        stage.succeeded(await run_one(pilot, stage), 5)
        await settle(pilot)
        await pilot.press("slash")
        await settle(pilot)
        assert isinstance(app.screen, FormWindow)
        await pilot.press(*"Succeeded", "ctrl+r")
        await settle(pilot)
        screen: Any = app.screen
        assert [line.kind for line in screen.events._shown] == ["succeeded"]
        assert "succeeded" in str(screen.events.border_title)


async def test_follow_goes_to_the_newest_run() -> None:
    stage = Stage()
    app = KimeraApp(stage)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await run_one(pilot, stage)
        await live_failed(pilot, stage)
        await settle(pilot)
        screen: Any = app.screen
        screen.runs.move_cursor(1)
        await pilot.press("F")
        await settle(pilot)
        assert screen.runs.cursor == 0
        assert screen.runs.has_focus


async def test_what_came_out_of_a_step_is_saved_to_a_file() -> None:
    stage = Stage()
    app = KimeraApp(stage)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        task = await run_one(pilot, stage)
        stage.succeeded(task, {"password": "hunter2", "rows": [1, 2]})
        await settle(pilot)
        await pilot.press("s")
        await settle(pilot)
        ((_, name, text),) = stage.acts
        assert name == f"run-{next(iter(app.state.run_index.runs))[:8]}-0.json"
        assert '"rows"' in text
        assert "hunter2" not in text


async def test_a_huge_value_is_shown_part_by_part() -> None:
    stage = Stage()
    app = KimeraApp(stage)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        stage.succeeded(await run_one(pilot, stage), [f"row {n}" for n in range(20_000)])
        await settle(pilot)
        screen: Any = app.screen
        collapsed = screen.output.line_count()
        assert any("+ shows it" in text for line in screen.output._lines for text, _ in line)
        screen.output.focus()
        await pilot.press("plus")
        assert screen.output.line_count() > 2 * collapsed


async def test_an_uncertain_step_is_decided_where_it_stands() -> None:
    stage = Stage()
    app = KimeraApp(stage)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        task = await run_one(pilot, stage)
        await pilot.press("u")
        assert stage.acts == []
        stage.publish(
            e.Refused(at=NOON, task_id=task.task_id, reason="nobody can tell", uncertain=True)
        )
        await settle(pilot)
        await pilot.press("u")
        await settle(pilot)
        assert isinstance(app.screen, AskDecision)
        assert "nobody can tell" in grid(app)
        await pilot.press("down", "down", "enter")
        await settle(pilot)
        assert isinstance(app.screen, FormWindow)
        await pilot.press(*'{"rows": 3}', "ctrl+r")
        await settle(pilot)
        assert stage.acts == [(next(iter(app.state.run_index.runs)), "", "done", {"rows": 3})]


async def test_a_revoke_that_no_worker_heard_can_be_asserted_again_and_again() -> None:
    stage = Stage()
    stage.receipts = ()
    app = KimeraApp(stage)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        task = await run_one(pilot, stage)
        await pilot.press("R")
        await settle(pilot)
        await pilot.press("right", "enter")
        await settle(pilot)
        assert isinstance(app.screen, Confirm)
        assert "Keep asking" in grid(app)
        await pilot.press("right", "enter")
        await settle(pilot)
        assert stage.acts[-1] == ("keep revoking", [("calculator", task.task_id)])
        assert any("Acknowledged by late@kimera" in t.message for t in app._notifications)


async def test_what_a_cancel_left_unheard_can_be_asserted_again() -> None:
    stage = Stage()
    app = KimeraApp(stage)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        task = await run_one(pilot, stage)
        (run_id,) = app.state.run_index.runs
        unheard = [("calculator", task.task_id)]
        stage.cancelled = Cancelled(run_id, "Cancelled: 1 may still run.", unacknowledged=unheard)
        await pilot.press("C")
        await settle(pilot)
        await pilot.press("right", "enter")
        await settle(pilot)
        assert isinstance(app.screen, Confirm)
        await pilot.press("escape")
        await settle(pilot)
        assert stage.acts == [run_id]


async def test_what_is_usual_of_a_run_stands_beside_it_where_there_is_room() -> None:
    stage = Stage()
    app = KimeraApp(stage)
    async with app.run_test(size=(200, 60)) as pilot:
        await settle(pilot)
        await run_one(pilot, stage)
        app.state.usual_runs["calculator.add"] = (4.0, 6.0)
        app.tick()
        await settle(pilot)
        assert "4.0s to 6.0s" in grid(app)


async def test_what_is_saved_is_json_that_says_what_came_out() -> None:
    stage = Stage()
    app = KimeraApp(stage)
    odd = "a\x1b[31m\x7f\x85\u200b\ud800\U000e0001\n" + "x" * 5000
    result = {"text": odd, "7": [1.5, None, True]}
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        stage.succeeded(await run_one(pilot, stage), result)
        await settle(pilot)
        await pilot.press("s")
        await settle(pilot)
        ((_, _, text),) = stage.acts
        assert json.loads(text) == result
        assert text.isascii()


async def test_a_result_that_json_cannot_express_is_saved_as_text_where_it_must_be() -> None:
    stage = Stage()
    app = KimeraApp(stage)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        stage.succeeded(await run_one(pilot, stage), {(1, 2): {3}})
        await settle(pilot)
        await pilot.press("s")
        await settle(pilot)
        ((_, _, text),) = stage.acts
        assert json.loads(text) == {"(1, 2)": "{3}"}


async def test_a_secret_that_a_result_repeats_is_neither_shown_nor_copied_nor_saved() -> None:
    stage = Stage()
    app = KimeraApp(stage)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await live_chain(pilot, stage)
        (_, (_, render), _) = stage.plans[0]
        stage.succeeded(render, {"said": "the token was hunter2-canary", "rows": [1] * 5000})
        await settle(pilot)
        screen: Any = app.screen
        await pilot.press("k")
        assert screen.shown_step.task_id == render.task_id
        shown = "\n".join(text for line in screen.output._lines for text, _ in line)
        assert "the token was ••••" in shown
        await pilot.press("y", "s")
        await settle(pilot)
        ((_, _, saved),) = stage.acts
        assert json.loads(saved)["said"] == app.clipboard.split('"')[3] == "the token was ••••"
        event_lines = "\n".join(line.text for line in screen.events._shown)
        for text in (shown, app.clipboard, saved, event_lines, grid(app)):
            assert "hunter2" not in text


async def test_only_as_much_of_a_huge_value_as_is_copied_is_formatted_and_beside_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage, formatted = Stage(), []
    app = KimeraApp(stage)
    looks = payload_view.to_json  # type: ignore[attr-defined]

    def watched(value: Any, **how: Any) -> str:
        formatted.append((len(value), threading.current_thread() is threading.main_thread()))
        return looks(value, **how)

    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        stage.succeeded(await run_one(pilot, stage), "x" * 3_000_000)
        await settle(pilot)
        monkeypatch.setattr(payload_view, "to_json", watched)
        await pilot.press("y")
        await settle(pilot)
        ((length, on_the_loop),) = formatted
        assert length < 1_100_000
        assert not on_the_loop
        assert len(app.clipboard) < 1_000_100
