"""The friends and the form beside them, by keys."""

from __future__ import annotations

from kimera_tui.config.friends import Friend
from kimera_tui.documents.calls import Task
from kimera_tui.documents.document import TaskStep
from kimera_tui.ui.app import KimeraApp
from kimera_tui.ui.friends.task_form import TaskForm
from tests.ui.stage import Stage, grid, settle

BARE = {"ledger": Friend(route="ledger.tasks", queue="ledger")}


async def test_any_task_of_a_friend_without_a_list_is_sent_by_the_name_that_is_typed() -> None:
    stage = Stage(BARE)
    app = KimeraApp(stage)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("ctrl+r")
        await settle(pilot)
        assert stage.launched == []
        assert "Task name is empty." in grid(app)
        form = app.screen.query_one(TaskForm)
        assert app.focused is form.fields[0].input
        for typed, sentence in (("no, go", "has a space"), ("?", "has a character outside")):
            form.fields[0].input.value = typed
            await settle(pilot)
            assert sentence in grid(app)
            await pilot.press("ctrl+r", "ctrl+t")
            await settle(pilot)
            assert stage.launched == []
            assert app.composition.document.steps == []
        form.fields[0].input.value = "book.entry"
        await settle(pilot)
        assert "kimera-tui send ledger book.entry --timeout 30" in grid(app)
        await pilot.press("ctrl+t", "ctrl+r")
        await settle(pilot)
        (workflow,) = stage.launched
        assert isinstance(workflow.root, Task)
        assert workflow.root.params.task_name == "book.entry"
        (step,) = app.composition.document.steps
        assert isinstance(step, TaskStep)
        assert step.task == "ledger.book.entry"


async def test_a_form_can_be_asked_before_it_stands_on_the_screen() -> None:
    """As news do that come while it is being put there."""
    async with KimeraApp(Stage(BARE)).run_test():
        assert TaskForm("ledger", BARE["ledger"], "").named == ""


async def test_the_preflight_of_any_task_is_about_the_queue_until_it_is_named() -> None:
    stage = Stage(BARE)
    app = KimeraApp(stage)
    async with app.run_test(size=(160, 36)) as pilot:
        await settle(pilot)
        assert "No worker consumes queue ledger" in grid(app)
        stage.friends["ledger"] = Friend(route="ledger.tasks", queue="calculator")  # type: ignore[index]
        app.tick()
        await settle(pilot)
        assert "✓ Queue calculator is consumed by demo@kimera." in grid(app)
        app.screen.query_one(TaskForm).fields[0].input.value = "book"
        await settle(pilot)
        app.tick()
        await settle(pilot)
        assert "No worker has ledger.tasks.book registered." in grid(app)
