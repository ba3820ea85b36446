"""Acts that can't be taken back: asked for first, and their receipts shown."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot
from textual.worker import WorkerFailed

from kimera_tui.documents.calls import Workflow
from kimera_tui.execution.replay.plan import ReplayRequest
from kimera_tui.execution.replay.uncertain_steps import Doubt, StepsInDoubt
from kimera_tui.process import events as e
from kimera_tui.runs.events import StepIntended
from kimera_tui.runs.recovery import Fate
from kimera_tui.ui.app import KimeraApp
from kimera_tui.ui.friends.screen import FriendsScreen
from kimera_tui.ui.runs.history import HistoryScreen
from kimera_tui.ui.runs.live import LiveScreen
from kimera_tui.ui.windows.confirm import Confirm
from kimera_tui.ui.windows.modals import Help
from tests.ui.stage import FRIENDS, NOON, Stage, StageRunner, grid, settle, until

RISKY = {name: friend.model_copy(update={"danger": True}) for name, friend in FRIENDS.items()}


async def running_chain(pilot: Pilot[int], stage: Stage) -> str:
    """A chain of two whose first task runs; returns that task's id."""
    await settle(pilot)
    await pilot.press("ctrl+t", "ctrl+t", "2", "ctrl+r")
    await settle(pilot)
    (_, first), _ = stage.plans[0]
    stage.sent(first)
    stage.started(first)
    await settle(pilot)
    return first.task_id


async def test_cancel_is_what_enter_does_in_the_question() -> None:
    stage = Stage()
    app = KimeraApp(stage)
    async with app.run_test(size=(120, 36)) as pilot:
        await running_chain(pilot, stage)
        await pilot.press("C")
        await settle(pilot)
        assert isinstance(app.screen, Confirm)
        assert "In flight, will be revoked: 1" in grid(app)
        assert "Not sent yet, never will be: 1" in grid(app)
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(app.screen, LiveScreen)
        assert stage.acts == []


async def test_a_run_is_cancelled_once_that_is_chosen() -> None:
    stage = Stage()
    app = KimeraApp(stage)
    async with app.run_test(size=(120, 36)) as pilot:
        await running_chain(pilot, stage)
        await pilot.press("C")
        await settle(pilot)
        await pilot.press("right", "enter")
        await settle(pilot)
        assert stage.acts == [next(iter(app.state.run_index.runs))]
        assert any("Acknowledged by demo@kimera" in toast.message for toast in app._notifications)


async def test_a_step_is_terminated_by_the_signal_chosen_and_not_said_to_be_gone_before() -> None:
    stage = Stage()
    app = KimeraApp(stage)
    async with app.run_test(size=(120, 36)) as pilot:
        task_id = await running_chain(pilot, stage)
        await pilot.press("T")
        await settle(pilot)
        assert task_id in grid(app)
        await pilot.press("right", "right", "enter")
        await settle(pilot)
        assert stage.acts == [(task_id, True, "SIGKILL")]
        assert "terminate acknowledged by" in grid(app)
        assert "demo@kimera; not gone yet" in grid(app)
        stage.publish(e.RemotelyRevoked(at=stage.clock.now(), task_id=task_id, reason="terminated"))
        await settle(pilot)
        assert "revoked" in grid(app)
        assert "not gone yet" not in grid(app)


async def test_there_is_nothing_to_revoke_of_a_step_that_was_never_sent() -> None:
    stage = Stage()
    app = KimeraApp(stage)
    async with app.run_test(size=(120, 36)) as pilot:
        await running_chain(pilot, stage)
        await pilot.press("enter", "down", "R")
        await settle(pilot)
        assert isinstance(app.screen, LiveScreen)
        assert stage.acts == []


async def test_the_next_failure_is_one_key_away() -> None:
    stage = Stage()
    app = KimeraApp(stage)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("ctrl+t", "ctrl+t", "ctrl+t", "2", "t", "ctrl+r")
        await settle(pilot)
        for (_, task), fails in zip(stage.plans[0], (False, True, False), strict=True):
            stage.sent(task)
            if fails:
                stage.failed(task, "ValueError", "no")
            else:
                stage.succeeded(task, 1)
        await settle(pilot)
        await pilot.press("f")
        await settle(pilot)
        assert isinstance(app.screen, LiveScreen)
        assert app.screen.shown_step is not None
        assert app.screen.shown_step.error_type == "ValueError"


async def test_a_dangerous_friend_is_asked_about_before_anything_is_sent() -> None:
    stage = Stage(RISKY)
    app = KimeraApp(stage)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("ctrl+r")
        await pilot.pause(0.3)
        assert isinstance(app.screen, Confirm)
        await pilot.press("enter")
        await settle(pilot)
        assert stage.launched == []
        await pilot.press("ctrl+r")
        await pilot.pause(0.3)
        await pilot.press("right", "enter")
        await settle(pilot)
        assert len(stage.launched) == 1


async def test_a_window_that_is_told_twice_to_close_closes_once() -> None:
    stage = Stage()
    app = KimeraApp(stage)
    async with app.run_test(size=(120, 36)) as pilot:
        await running_chain(pilot, stage)
        for key in ("C", "question_mark", "ctrl+p"):
            await pilot.press(key)
            await settle(pilot)
            window = app.screen
            assert not isinstance(window, LiveScreen)
            for _ in range(3):
                window.dismiss(None)
            await settle(pilot)
            assert isinstance(app.screen, LiveScreen)


def coming() -> Stage:
    """A stage whose broker comes up when a test says so."""
    stage = Stage()
    stage.connection.up.clear()
    return stage


def toasts(app: KimeraApp) -> list[str]:
    return [toast.message for toast in app._notifications]


async def test_sending_again_while_the_broker_comes_up_sends_once_and_says_so() -> None:
    stage = coming()
    app = KimeraApp(stage)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("ctrl+r", "ctrl+r", "ctrl+r")
        assert toasts(app) == [
            "Waiting for the broker.",
            *["Not sent: the previous run is still starting."] * 2,
        ]
        stage.connection.up.set()
        await settle(pilot)
        assert len(stage.launched) == 1
        assert isinstance(app.screen, LiveScreen)
        await pilot.press("1", "ctrl+r")
        await settle(pilot)
        assert len(stage.launched) == 2


async def test_a_run_that_begins_late_leaves_the_operator_where_he_went_meanwhile() -> None:
    stage = coming()
    app = KimeraApp(stage)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("ctrl+r", "4", "slash", "x")
        stage.connection.up.set()
        await settle(pilot)
        assert isinstance(app.screen, HistoryScreen)
        assert app.screen.past.search.value == "x"
        assert "Run started. Press 3 to watch it." in toasts(app)
        await pilot.press("escape", "3")
        await settle(pilot)
        assert isinstance(app.screen, LiveScreen)
        assert app.screen.runs.selected is not None


async def test_a_run_that_begins_late_does_not_go_away_with_the_window_that_was_opened() -> None:
    stage = coming()
    app = KimeraApp(stage)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("ctrl+r", "escape", "question_mark")
        await until(pilot, lambda: isinstance(app.screen, Help))
        stage.connection.up.set()
        await settle(pilot)
        assert isinstance(app.screen, Help)
        await pilot.press("escape")
        await settle(pilot)
        assert isinstance(app.screen, FriendsScreen)


async def test_what_nobody_foresaw_of_a_launch_is_a_crash_like_any_other() -> None:
    class Broken(StageRunner):
        def start(self, workflow: Workflow) -> str:
            raise ZeroDivisionError

    stage = Stage()
    stage.runner = Broken(stage)

    async def sends() -> None:
        async with KimeraApp(stage).run_test(size=(120, 36)) as pilot:
            await settle(pilot)
            await pilot.press("ctrl+r")
            await settle(pilot)

    with pytest.raises(WorkerFailed, match="ZeroDivisionError"):
        await sends()


async def test_a_replay_to_a_dangerous_friend_is_asked_about_first() -> None:
    stage = Stage(dict(FRIENDS))
    app = KimeraApp(stage)
    async with app.run_test(size=(120, 36)) as pilot:
        await running_chain(pilot, stage)
        stage.ended(next(iter(app.state.run_index.runs)))
        stage.friends.update(RISKY)
        await pilot.press("4")
        await settle(pilot)
        for answer in (["enter"], ["right", "enter"]):
            assert stage.acts == []
            await pilot.press("p")
            await settle(pilot)
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(app.screen, Confirm))
            assert "Marked as dangerous: calculator" in grid(app)
            await pilot.press(*answer)
            await settle(pilot)
        assert len(stage.acts) == 1


async def test_a_step_that_may_run_twice_is_asked_about_before_it_is_sent_again() -> None:
    stage = Stage()
    app = KimeraApp(stage)
    async with app.run_test(size=(120, 36)) as pilot:
        await running_chain(pilot, stage)
        run = next(iter(app.state.run_index.runs.values()))
        stage.ended(run.run_id)
        step = next(iter(run.steps.values()))
        intent = StepIntended(
            at=NOON, run_id=run.run_id, path=step.path, task_id=step.task_id, args=(), kwargs={}
        )
        doubt = Doubt((step, intent), Fate("in flight", "with worker w1"))
        sent = stage.runs.replay

        async def replay(run_id: str, request: ReplayRequest) -> str:
            if doubt.name not in request.again:
                raise StepsInDoubt([doubt])
            return await sent(run_id, request)

        stage.runs.replay = replay  # type: ignore[method-assign]
        await pilot.press("4")
        await settle(pilot)
        for answer in (["enter"], ["right", "enter"]):
            assert stage.acts == []
            await pilot.press("p")
            await settle(pilot)
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(app.screen, Confirm))
            assert "has not ended (with worker w1)" in grid(app)
            await pilot.press(*answer)
            await settle(pilot)
        (act,) = stage.acts
        assert isinstance(act, tuple)
        assert act[1].again == {doubt.name}
