"""The panes of lines: clicks, the cursor in view, what is held, and what is told of a step."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from textual.pilot import Pilot

from kimera_tui.cluster.events import ClusterSeen
from kimera_tui.documents.document import Document
from kimera_tui.execution.planning import DocumentPlanner
from kimera_tui.process import events as e
from kimera_tui.runs.events import RunStarted
from kimera_tui.runs.plan import PlannedTask
from kimera_tui.ui.app import KimeraApp
from kimera_tui.ui.runs import payload_view
from kimera_tui.ui.runs.event_pane import RING, EventLine
from tests.ui.stage import NOON, VIEW, Stage, grid, settle


def begun(stage: Stage, count: int, name: str = "many") -> list[PlannedTask]:
    """A run of so many steps at once; returns what is planned."""
    calls = [{"id": f"step{n}", "task": "calculator.add"} for n in range(count)]
    document = Document.model_validate({"name": name, "steps": [{"id": "all", "para": calls}]})
    plan = DocumentPlanner(stage.new_id).plan(document)
    stage.publish(RunStarted(at=NOON, run_id=stage.new_id(), name=name, plan=plan))
    return [task for _, task in plan.leaves()]


def pane(app: Any, name: str) -> str:
    """What is in one pane of the screen."""
    region = app.screen.query_one(name).region
    rows = grid(app).split("\n")[region.y + 1 : region.bottom - 1]
    return "\n".join(row[region.x : region.right] for row in rows)


async def shown(pilot: Pilot[Any], key: str = "3") -> Any:
    """The screen of a mode, once all that was told is on it."""
    await settle(pilot)
    await pilot.press(key)
    await settle(pilot)
    return pilot.app.screen


async def test_a_click_takes_the_line_that_is_under_the_mouse() -> None:
    stage = Stage()
    async with KimeraApp(stage).run_test(size=(120, 36)) as pilot:
        begun(stage, 5)
        screen = await shown(pilot)
        inside = screen.steps.content_region.offset
        await pilot.click(offset=(inside.x + 5, inside.y + 3))
        assert screen.steps.selected_step.id == "step2"
        await pilot.click(offset=(inside.x + 5, inside.y + 4), times=2)
        await settle(pilot)
        assert screen.steps.selected_step.id == "step3"
        assert screen.output.has_focus
        await pilot.click(offset=(inside.x + 5, inside.y - 1))
        assert screen.steps.selected_step.id == "step3"


async def test_the_step_that_failed_is_in_view_among_many() -> None:
    stage = Stage()
    async with KimeraApp(stage).run_test(size=(120, 36)) as pilot:
        tasks = begun(stage, 60)
        screen = await shown(pilot)
        stage.sent(tasks[40])
        stage.failed(tasks[40], "ValueError", "no such day")
        await settle(pilot)
        assert screen.steps.selected_step.id == "step40"
        assert "step40" in pane(pilot.app, "#step-tree")


async def test_the_view_stays_where_it_was_scrolled_to_until_the_cursor_moves() -> None:
    stage = Stage()
    async with KimeraApp(stage).run_test(size=(120, 36)) as pilot:
        tasks = begun(stage, 60)
        screen = await shown(pilot)
        stage.sent(tasks[40])
        await settle(pilot)
        assert "step40" in pane(pilot.app, "#step-tree")
        screen.steps.scroll_home(animate=False)
        pilot.app.tick()  # type: ignore[attr-defined]
        await settle(pilot)
        assert "step40" not in pane(pilot.app, "#step-tree")
        stage.failed(tasks[30], "ValueError", "no such day")
        await settle(pilot)
        assert "step30" in pane(pilot.app, "#step-tree")


async def test_a_run_that_is_found_again_below_others_is_in_view() -> None:
    stage = Stage()
    async with KimeraApp(stage).run_test(size=(120, 36)) as pilot:
        begun(stage, 1, "first")
        screen = await shown(pilot, "4")
        assert screen.table.selected.name == "first"
        for n in range(50):
            begun(stage, 1, f"later {n}")
        screen.draw()
        await settle(pilot)
        assert screen.table.selected.name == "first"
        assert "first" in pane(pilot.app, "#history-table")


def lines(first: int, count: int) -> list[EventLine]:
    """Events that are told apart by their text."""
    numbers = range(first, first + count)
    return [EventLine(NOON, "", "who", "kind", "", f"event {n}.") for n in numbers]


async def test_what_is_held_in_view_stays_there_when_older_events_are_forgotten() -> None:
    stage = Stage()
    async with KimeraApp(stage).run_test(size=(120, 36)) as pilot:
        pane = (await shown(pilot)).events
        pane.add(lines(0, RING))
        await pilot.pause()
        pane.scroll_to(y=3000, animate=False, immediate=True)
        first = pane._shown[pane.scroll_offset.y]
        pane.add(lines(RING, 100))
        await pilot.pause()
        assert pane._shown[pane.scroll_offset.y] is first
        assert first.text in grid(pilot.app)
        pane.add(lines(RING + 100, 100))
        await pilot.pause()
        assert pane._shown[pane.scroll_offset.y] is first
        assert "+200 new" in str(pane.border_subtitle)


async def test_what_a_broker_says_reaches_the_terminal_as_text() -> None:
    stage = Stage()
    async with KimeraApp(stage).run_test(size=(120, 36)) as pilot:
        screen = await shown(pilot, "5")
        screen.worker_list._view = None
        problem = "said \x1b]52;c;AAAA\x07 \ud800"
        view = dataclasses.replace(VIEW, queues={}, tasks={}, problem=problem)
        stage.publish(ClusterSeen(at=NOON, view=view))
        await settle(pilot)
        picture = pane(pilot.app, "#workers")
        assert "said ␛]52;c;AAAA␇ \\ud800" in picture
        assert not {"\x1b", "\x07", "\ud800"} & set(picture)


async def test_the_polls_of_a_step_that_waits_go_on_counting() -> None:
    stage = Stage()
    async with KimeraApp(stage).run_test(size=(120, 36)) as pilot:
        (task,) = begun(stage, 1)
        stage.sent(task)
        screen = await shown(pilot)
        screen.steps.move_cursor(1)
        for attempt in (1, 2, 3):
            stage.publish(
                e.Polled(at=NOON, task_id=task.task_id, attempt=attempt, state="", next_delay=1)
            )
            await settle(pilot)
            assert f"polls   {attempt}" in grid(pilot.app)


async def test_what_did_not_change_is_not_reported_again(monkeypatch: pytest.MonkeyPatch) -> None:
    stage, described = Stage(), []
    async with KimeraApp(stage).run_test(size=(120, 36)) as pilot:
        (task,) = begun(stage, 1)
        stage.sent(task)
        screen = await shown(pilot)
        screen.steps.move_cursor(1)
        await settle(pilot)
        monkeypatch.setattr(payload_view, "describe_step", lambda *args: described.append(args))
        pilot.app.tick()  # type: ignore[attr-defined]
        await settle(pilot)
        assert described == []


async def test_ctrl_c_says_how_to_quit_in_plain_words() -> None:
    app = KimeraApp(Stage())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("3", "ctrl+c")
        (toast,) = app._notifications
        assert toast.message == "ctrl+q quits the console."


async def test_the_tasks_that_a_step_spawned_are_shown_with_their_ids() -> None:
    stage = Stage()
    async with KimeraApp(stage).run_test(size=(120, 36)) as pilot:
        one, many = begun(stage, 2)
        await shown(pilot)
        for task, ids, total in ((one, ["c[/0]"], 1), (many, ["c0", "c1"], 1250)):
            stage.sent(task)
            stage.publish(
                e.Spawned(at=NOON, task_id=task.task_id, children=tuple(ids), total=total)
            )
            stage.succeeded(task, 1)
        await settle(pilot)
        await pilot.press("tab", "down")
        await settle(pilot)
        assert "spawned 1,250 tasks c0, c1 and 1,248 more" in pane(pilot.app, "#output")
        await pilot.press("up")
        await settle(pilot)
        assert "spawned 1 task c[/0]" in pane(pilot.app, "#output")
        assert "spawned    1,250 tasks: c0, c1, ..." in grid(pilot.app)


@pytest.mark.parametrize(
    ("meta", "told"),
    [
        (None, "its worker will retry it"),
        ({"error_type": "OSError"}, "failed with OSError; its worker will retry it"),
        (
            {"error_type": "OSError", "error_message": "no [/x]", "retries": 1},
            "try 2 failed with OSError: no [/x]; its worker",
        ),
    ],
)
async def test_a_retry_tells_what_failed_and_which_try_it_was(meta: Any, told: str) -> None:
    stage = Stage()
    async with KimeraApp(stage).run_test(size=(200, 60)) as pilot:
        (task,) = begun(stage, 1)
        await shown(pilot)
        stage.sent(task)
        stage.publish(e.StateSeen(at=NOON, task_id=task.task_id, state="RETRY", meta=meta))
        await settle(pilot)
        assert f"retrying  0.0s  {told}" in pane(pilot.app, "#step-tree")
