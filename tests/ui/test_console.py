"""The console by its keys: what a person does, and what comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from textual.widgets import Static

from kimera_tui.documents.calls import Task
from kimera_tui.documents.document import ParaStep, TaskStep
from kimera_tui.process.events import ConnectionBack, ConnectionLost
from kimera_tui.ui.actions import ACTIONS, MODES, actions_of
from kimera_tui.ui.app import KimeraApp
from kimera_tui.ui.compose.forms import FormWindow
from kimera_tui.ui.compose.inputs_editor import InputsEditor
from kimera_tui.ui.friends.screen import FriendsScreen
from kimera_tui.ui.friends.task_form import TaskForm
from kimera_tui.ui.mode_screen import ModeScreen
from kimera_tui.ui.runs.live import LiveScreen
from kimera_tui.ui.windows.modals import Help, PickTask
from kimera_tui.ui.windows.window import Window
from tests.ui.stage import NOON, SIZES, Stage, grid, settle


async def test_a_task_is_sent_with_what_the_form_says_and_live_opens_on_its_run() -> None:
    stage = Stage()
    async with KimeraApp(stage).run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        form = pilot.app.screen.query_one(TaskForm)
        assert (form.friend, form.task_name) == ("calculator", "add")
        form.fields[0].input.value = "40"
        await pilot.press("ctrl+r")
        await settle(pilot)
        (workflow,) = stage.launched
        assert isinstance(workflow.root, Task)
        params = workflow.root.params
        assert (params.friend, params.task_name) == ("calculator", "add")
        assert params.kwargs == {"a": 40, "b": 3}
        assert params.timeout == 30
        assert isinstance(pilot.app.screen, LiveScreen)
        selected = pilot.app.screen.runs.selected
        assert selected is not None
        assert selected.name == "calculator.add"


async def test_a_wrong_field_keeps_the_task_from_being_sent_and_says_why() -> None:
    stage = Stage()
    async with KimeraApp(stage).run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        form = pilot.app.screen.query_one(TaskForm)
        form.fields[0].input.value = "forty"
        await settle(pilot)
        await pilot.press("ctrl+r")
        await settle(pilot)
        assert stage.launched == []
        assert 'a: "forty" is not an integer.' in grid(pilot.app)
        assert pilot.app.focused is form.fields[0].input


@pytest.mark.parametrize(
    ("field", "typed", "sentence"),
    [
        (2, "1,2", "Arguments: not JSON"),
        (2, "{}", "Arguments must be a JSON list"),
        (3, "[1]", "Named arguments must be a JSON object"),
        (3, '{"a": 1}', "`a` has a field of its own above"),
        (4, "0", "must be greater than 0"),
        (4, "-1", "must be greater than 0"),
        (4, "abc", "Timeout: must be a duration"),
    ],
)
async def test_every_field_of_the_form_says_what_is_wrong_with_it(
    field: int, typed: str, sentence: str
) -> None:
    stage = Stage()
    async with KimeraApp(stage).run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        form = pilot.app.screen.query_one(TaskForm)
        form.fields[field].input.value = typed
        await settle(pilot)
        assert sentence in grid(pilot.app)
        assert form.collect() is None
        assert stage.launched == []


async def test_a_chain_is_composed_by_keys_alone_and_run() -> None:
    stage = Stage()
    async with KimeraApp(stage).run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("2")
        for word in ("fetch", "render", "summarise"):
            await pilot.press("a")
            await settle(pilot)
            assert isinstance(pilot.app.screen, PickTask)
            await pilot.press(*word, "enter")
            await settle(pilot)
        await pilot.press("K")
        await pilot.press("t")
        await pilot.press("ctrl+r")
        await settle(pilot)
        ((document, _),) = stage.documents
        (para,) = document.steps
        assert isinstance(para, ParaStep)
        assert [step.id for step in para.para] == ["fetch", "summarise", "render"]


async def test_a_step_is_edited_and_removed() -> None:
    stage = Stage()
    app = KimeraApp(stage)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("ctrl+t", "ctrl+t", "2")
        await settle(pilot)
        await pilot.press("g", "j", "j", "e")
        await settle(pilot)
        assert isinstance(app.screen, FormWindow)
        app.screen.fields["param a"].input.value = "7"
        await pilot.press("ctrl+r")
        await settle(pilot)
        one, two = app.state.composer.document.steps
        assert isinstance(one, TaskStep)
        assert isinstance(two, TaskStep)
        assert one.kwargs == {"a": 7, "b": 3}
        assert two.kwargs == {"a": 2, "b": 3}
        await pilot.press("ctrl+r")
        await settle(pilot)
        assert len(stage.documents[0][0].steps) == 2
        await pilot.press("2", "d")
        await settle(pilot)
        assert len(app.state.composer.document.steps) == 1


async def test_nothing_is_not_run_and_says_why() -> None:
    stage = Stage()
    app = KimeraApp(stage)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("2", "ctrl+r")
        await settle(pilot)
        assert stage.documents == []
        assert any("add a task" in toast.message for toast in app._notifications)


async def test_all_steps_of_a_chain_are_visible_from_the_first_moment() -> None:
    stage = Stage()
    async with KimeraApp(stage).run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("ctrl+t", "ctrl+t", "ctrl+t", "2", "ctrl+r")
        await settle(pilot)
        picture = grid(pilot.app)
        assert picture.count("calculator.add  waiting") == 3


async def test_every_action_of_the_registry_is_bound_and_in_the_palette() -> None:
    app = KimeraApp(Stage())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        seen: set[str] = set()
        for key in ("1", "2", "3", "4", "5"):
            await pilot.press("escape", key)
            await settle(pilot)
            screen = app.screen
            seen |= {binding.id for _, binding in app._bindings if binding.id}
            seen |= {binding.id for _, binding in screen._bindings if binding.id}
            for widget in screen.walk_children():
                seen |= {binding.id for _, binding in widget._bindings if binding.id}
    for window in windows(Window):
        seen |= {binding.id for binding in window.__dict__.get("BINDINGS", ())}
    assert set(BY_ID) <= seen


def windows(base: type[Any]) -> Iterator[type[Any]]:
    """A class of windows, and all that are made of it."""
    yield base
    for each in base.__subclasses__():
        yield from windows(each)


BY_ID = {action.id: action for action in ACTIONS}


def test_no_two_actions_have_one_id() -> None:
    assert len(BY_ID) == len(ACTIONS)


async def test_every_mode_has_a_command_for_each_of_its_actions() -> None:
    app = KimeraApp(Stage())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        for key in ("2", "3", "4"):
            await pilot.press("escape", key)
            await settle(pilot)
            screen = app.screen
            assert isinstance(screen, ModeScreen)
            wanted = {
                each.id
                for scope in screen.SCOPES
                for each in actions_of(scope)
                if each.action == f"do('{each.id}')"
            }
            assert wanted == set(screen.commands)


def test_the_modes_are_those_of_the_registry_in_their_order() -> None:
    assert list(KimeraApp.MODES) == list(MODES)


async def test_help_over_a_window_begins_with_the_keys_of_the_window() -> None:
    app = KimeraApp(Stage())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("2", "i", "question_mark")
        await settle(pilot)
        assert isinstance(app.screen, Help)
        picture = grid(app)
        assert picture.index("Window: inputs") < picture.index("In windows")
        assert "Move the input up" in picture
        await pilot.press("escape")
        await settle(pilot)
        assert isinstance(app.screen, InputsEditor)
        assert "a add   e edit   d delete   K up   J down   esc done" in grid(app)


async def test_help_lists_every_action() -> None:
    app = KimeraApp(Stage())
    async with app.run_test(size=(120, 3 * len(ACTIONS))) as pilot:
        await settle(pilot)
        await pilot.press("question_mark")
        await settle(pilot)
        assert isinstance(app.screen, Help)
        picture = grid(app)
        missing = [action.id for action in ACTIONS if action.help[:40] not in picture]
        assert missing == []
        await pilot.press("escape")
        await settle(pilot)
        assert not isinstance(app.screen, Help)


@pytest.mark.parametrize("key", ["1", "2", "3", "4", "5"])
async def test_help_quit_and_palette_are_on_the_last_line_at_80_columns(key: str) -> None:
    app = KimeraApp(Stage())
    async with app.run_test(size=SIZES[0]) as pilot:
        await settle(pilot)
        await pilot.press(key)
        await settle(pilot)
        last = grid(app).split("\n")[-1]
        assert "? Help" in last
        assert "^q Quit" in last
        assert "^p palette" in last


async def test_a_malformed_friends_file_is_reported_on_the_screen_which_lives_on() -> None:
    stage = Stage(friends={}, problem="friends.yaml, line 3: friends.a.quue: unknown key 'quue'.")
    app = KimeraApp(stage)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        assert "line 3: friends.a.quue: unknown key" in grid(app)
        await pilot.press("3")
        await settle(pilot)
        assert "No runs yet." in grid(app)


async def test_a_refused_password_is_shown_on_the_status_line_until_the_broker_is_back() -> None:
    stage, which = Stage(), "broker"
    app = KimeraApp(stage)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        reason = "at 127.0.0.1:6379 wants a password."
        stage.publish(ConnectionLost(at=NOON, which=which, reason=reason))
        await settle(pilot)
        assert "embedded valkey 9.1.2: broker at 127.0.0.1:6379 wants a password │" in grid(app)
        stage.publish(ConnectionBack(at=NOON, which=which))
        await settle(pilot)
        assert "wants a password" not in grid(app).splitlines()[-1]
        assert "embedded valkey 9.1.2 │" in grid(app)


async def test_leaving_lets_the_services_go() -> None:
    stage = Stage()
    app = KimeraApp(stage)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("ctrl+q")
    assert stage.closed


async def test_a_toast_shows_outside_text_as_it_is_and_acts_on_none_of_it() -> None:
    app = KimeraApp(Stage())
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await settle(pilot)
        app.notify("[/x] [@click=app.quit]press[/] \x1b]52;c;AAAA\x07 \ud800")
        await pilot.pause(0.2)
        (toast,) = app._notifications
        assert not toast.markup
        assert toast.message == "[/x] [@click=app.quit]press[/] ␛]52;c;AAAA␇ \\ud800"
        assert "[@click=app.quit]" in grid(app)


async def test_what_draws_is_ended_before_its_panes_go() -> None:
    drawn = 0

    async def draw(screen: Any) -> None:
        nonlocal drawn
        while True:
            screen.detail.refresh()
            drawn += 1
            await asyncio.sleep(0)

    async with KimeraApp(Stage()).run_test(size=(120, 36)) as pilot:
        await pilot.press("2")
        pilot.app.screen.run_worker(draw(pilot.app.screen))
        await pilot.pause()
    assert drawn


async def test_a_message_about_a_pane_that_is_gone_is_no_crash(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Late(Static):
        async def look(self) -> None:
            while self.display:  # noqa: ASYNC110 - there is no event when it begins to go
                await asyncio.sleep(0.01)
            self.screen.query_one("#gone")

    async with KimeraApp(Stage()).run_test(size=(120, 36)) as pilot:
        await pilot.app.screen.mount(late := Late())
        late.call_next(late.look)
    assert "crashed" not in capsys.readouterr().err


async def test_leaving_before_the_first_panes_are_there_is_no_crash(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Early(FriendsScreen):
        def on_mount(self) -> None:
            self.app.exit(return_code=143)
            self.query_one("#never-there")

    monkeypatch.setitem(KimeraApp.MODES, "friends", Early)
    app = KimeraApp(Stage())
    await app.run_async(headless=True)
    assert app.return_code == 143
    assert "crashed" not in capsys.readouterr().err
