"""The friends and the form beside them, by keys."""

from __future__ import annotations

from kimera_tui.config.friends import Friend, TaskInfo
from kimera_tui.documents.calls import Task
from kimera_tui.documents.document import TaskStep
from kimera_tui.ui.app import KimeraApp
from kimera_tui.ui.friends.task_form import TaskForm
from kimera_tui.ui.widgets.unmarked import PlainTree
from tests.ui.stage import Stage, grid, settle, until

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
            assert app.state.composer.document.steps == []
        form.fields[0].input.value = "book.entry"
        await settle(pilot)
        assert "kimera-tui send ledger book.entry --timeout 30" in grid(app)
        await pilot.press("ctrl+t", "ctrl+r")
        await settle(pilot)
        (workflow,) = stage.launched
        assert isinstance(workflow.root, Task)
        assert workflow.root.params.task_name == "book.entry"
        (step,) = app.state.composer.document.steps
        assert isinstance(step, TaskStep)
        assert step.task == "ledger.book.entry"


async def test_values_that_were_read_otherwise_are_reported_when_the_console_opens() -> None:
    stage = Stage(BARE)
    stage.friends_lines = ("friends.yaml is now read as YAML 1.2.", "line 5: `no` is text")
    app = KimeraApp(stage)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: bool(app._notifications))
        assert [toast.message for toast in app._notifications] == ["\n".join(stage.friends_lines)]


async def test_of_many_tasks_a_friend_lists_its_own_when_it_is_opened() -> None:
    tasks = {f"task_{number:02}": TaskInfo() for number in range(30)}
    many = {f"friend_{n:03}": Friend(route="r", queue="q", tasks=tasks) for n in range(200)}
    app = KimeraApp(Stage(many))
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        tree = app.screen.query_one("#friends-tree", PlainTree)
        assert app.screen.query_one(TaskForm).friend == "friend_000"
        assert sum(len(friend.children) for friend in tree.root.children) == 30
        await pilot.press("G", "enter")
        await settle(pilot)
        assert [len(friend.children) for friend in tree.root.children][-1] == 30
        await pilot.press("down", "enter")
        await settle(pilot)
        form = app.screen.query_one(TaskForm)
        assert (form.friend, form.task_name) == ("friend_199", "task_00")


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
        stage.friends["ledger"] = Friend(route="ledger.tasks", queue="calculator")
        app.tick()
        await settle(pilot)
        assert "✓ Queue calculator is consumed by demo@kimera." in grid(app)
        app.screen.query_one(TaskForm).fields[0].input.value = "book"
        await settle(pilot)
        app.tick()
        await settle(pilot)
        assert "No worker has ledger.tasks.book registered." in grid(app)
