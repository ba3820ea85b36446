"""The engine on a stand-in for the Celery app: what it calls, in which order, and when it stops."""

from __future__ import annotations

import asyncio
import copy
import itertools
import logging
import time
from typing import Any

import pytest

from kimera_tui.errors import (
    BrokerUnavailable,
    ResultUnknown,
    TaskFailed,
    TaskRevoked,
    TimeoutException,
    UnknownFriend,
    UsageError,
)
from kimera_tui.process import Helpers, TaskManager, TaskParams
from kimera_tui.process.events import (
    CallbackFailed,
    ChainAdvanced,
    Dispatched,
    EndedUnknown,
    Failed,
    FinishedLate,
    Forgotten,
    Polled,
    Refused,
    RevokeSent,
    Sending,
    StateSeen,
    TimedOut,
    WatchStopped,
)

from .listening import SECONDS, Held, Listener, in_order, until
from .stand_in import NEVER, FakeApp, FakeResult, Sent, Soon, State, manager_with

QUICK: dict[str, Any] = {"poll_start": 0.01, "max_poll": 0.02}


def name_of(sent: Sent) -> str:
    return sent.name.rpartition(".")[2]


async def ended(handle: asyncio.Task[Any]) -> Any:
    return await asyncio.wait_for(handle, SECONDS)


# ---- send_async: the publish


async def test_publishes_what_send_task_takes() -> None:
    manager, app = manager_with()
    handle = await manager.send_async(
        "load", "etl", [1, "two"], {"three": 3}, task_id="id-1", priority=4, countdown=2
    )
    assert isinstance(handle, asyncio.Task)
    assert app.sent == [
        Sent(
            "jobs.etl.load",
            [1, "two"],
            {"three": 3},
            {"task_id": "id-1", "queue": "etl-queue", "priority": 4, "countdown": 2},
        )
    ]
    await ended(handle)


async def test_the_queue_can_be_another_one(listener: Listener) -> None:
    manager, app = manager_with()
    await manager.send_await("load", "etl", queue="elsewhere", **QUICK)
    assert app.sent[0].options["queue"] == "elsewhere"
    assert listener.of(Dispatched)[0].queue == "elsewhere"


async def test_args_and_kwargs_are_not_required_and_not_changed() -> None:
    def greedy(sent: Sent) -> None:
        sent.args.append("more")
        sent.kwargs["more"] = "more"

    manager, app = manager_with(greedy)
    args, kwargs = [1], {"a": 1}
    await manager.send_await("load", "etl", args, kwargs, **QUICK)
    await manager.send_await("load", "etl", **QUICK)
    assert (args, kwargs) == ([1], {"a": 1})
    assert app.sent[1].args == ["more"]


async def test_every_task_has_its_own_id() -> None:
    manager, app = manager_with()
    await asyncio.gather(*(manager.send_await("load", "etl", **QUICK) for _ in range(3)))
    assert len({sent.options["task_id"] for sent in app.sent}) == 3


async def test_ids_come_from_where_the_test_says() -> None:
    TaskManager.reset(new_id=iter(["first", "second"]).__next__)
    manager, app = manager_with()
    await manager.send_await("load", "etl", **QUICK)
    assert app.sent[0].options["task_id"] == "first"


@pytest.mark.parametrize("error", [RuntimeError("no"), KeyError("k"), ValueError("v")])
async def test_what_send_task_raises_is_raised_here(error: Exception, listener: Listener) -> None:
    manager, _ = manager_with(lambda sent: error)
    with pytest.raises(type(error)):
        await manager.send_async("load", "etl")
    assert listener.names() == ["Sending", "Refused"]


async def test_a_broker_that_refuses_raises_a_plain_sentence() -> None:
    manager, _ = manager_with(lambda sent: ConnectionRefusedError(111, "Connection refused"))
    with pytest.raises(BrokerUnavailable, match=r"^The broker is not there \(connection refused"):
        await manager.send_async("load", "etl")


async def test_even_a_stop_iteration_does_not_hang_the_call() -> None:
    manager, _ = manager_with(lambda sent: StopIteration())
    with pytest.raises(RuntimeError, match="StopIteration"):
        await asyncio.wait_for(manager.send_async("load", "etl"), SECONDS)


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), True, "3"])
async def test_a_wrong_timeout_sends_nothing(timeout: Any) -> None:
    manager, app = manager_with()
    with pytest.raises(UsageError, match="timeout"):
        await manager.send_async("load", "etl", timeout=timeout)
    with pytest.raises(UsageError, match="timeout"):
        await manager.send_await("load", "etl", timeout=timeout)
    assert app.sent == []


async def test_an_empty_task_name_sends_nothing(listener: Listener) -> None:
    manager, app = manager_with()
    with pytest.raises(UsageError, match="empty"):
        await manager.send_async("", "etl")
    assert app.sent == []
    assert listener.of(Refused)[0].reason == "The task name is empty."


# ---- send_async: the wait


async def test_polls_back_off_from_poll_start_to_max_poll(listener: Listener) -> None:
    manager, _ = manager_with(lambda sent: Soon("done", 5))
    result = await manager.send_await("load", "etl", poll_start=0.05, max_poll=0.3)
    assert result == "done"
    polls = listener.of(Polled)
    assert [poll.attempt for poll in polls] == [1, 2, 3, 4, 5, 6]
    assert [poll.next_delay for poll in polls] == pytest.approx([0.1, 0.2, 0.3, 0.3, 0.3, 0])
    assert [poll.state for poll in polls] == ["", "", "", "", "", "SUCCESS"]
    gaps = [after.at - original.at for original, after in itertools.pairwise(polls)]
    for gap, delay in zip(gaps, [0.1, 0.2, 0.3, 0.3, 0.3], strict=True):
        assert gap >= delay * 0.9


async def test_polling_begins_after_a_tenth_of_a_second_and_slows_to_one(
    listener: Listener,
) -> None:
    manager, _ = manager_with(lambda sent: Soon("done", 2))
    started = time.time()
    await manager.send_await("load", "etl")
    polls = listener.of(Polled)
    assert polls[0].at - started >= 0.09
    assert [poll.next_delay for poll in polls] == pytest.approx([0.2, 0.4, 0])


async def test_poll_start_over_max_poll_means_max_poll(listener: Listener) -> None:
    manager, _ = manager_with(lambda sent: Soon("done", 2))
    await asyncio.wait_for(
        manager.send_await("load", "etl", poll_start=1000, max_poll=0.02), SECONDS
    )
    assert [poll.next_delay for poll in listener.of(Polled)] == pytest.approx([0.02, 0.02, 0])


async def test_a_poll_start_of_0_does_not_spin(listener: Listener) -> None:
    manager, app = manager_with(lambda sent: NEVER)
    with pytest.raises(TimeoutException):
        await manager.send_await("load", "etl", poll_start=0, max_poll=0, timeout=0.3)
    assert 1 <= app.polls <= 31


async def test_a_result_that_is_there_at_once_is_taken_at_the_first_poll() -> None:
    manager, app = manager_with(lambda sent: {"rows": 3})
    assert await manager.send_await("load", "etl", **QUICK) == {"rows": 3}
    assert app.polls == 1


@pytest.mark.parametrize("value", [None, 0, False, "", [], {}])
async def test_falsy_results_are_results(value: Any) -> None:
    manager, _ = manager_with(lambda sent: value)
    got: list[Any] = []

    async def callback(result: Any) -> None:
        got.append(result)

    handle = await manager.send_async("load", "etl", callback=callback, **QUICK)
    assert await ended(handle) == value
    assert got == [value]


# ---- send_async: the end


async def test_callback_then_func_then_release_in_that_order(listener: Listener) -> None:
    manager, app = manager_with(lambda sent: Soon(42, 1))

    async def callback(result: Any) -> None:
        app.happened.append(f"callback begins with {result}")
        await asyncio.sleep(0.01)
        app.happened.append("callback ends")

    def func(result: Any) -> None:
        app.happened.append(f"func {result}")

    handle = await manager.send_async("load", "etl", None, None, callback, func, 0.01, 0.05)
    assert await ended(handle) == 42
    await manager.settle()
    assert app.happened[:4] == ["send", "callback begins with 42", "callback ends", "func 42"]
    # Revoked first: a worker that gets a revoke for a forgotten id stores a REVOKED result.
    assert app.happened[4:] == ["revoke", "forget"]
    assert app.revokes == [{}]  # plain: nothing is terminated
    assert in_order(
        listener.names(),
        "Sending", "Dispatched", "Polled", "Polled", "Succeeded", "CallbackStarted",
        "CallbackFinished", "CallbackStarted", "CallbackFinished", "RevokeSent", "Forgotten",
    )  # fmt: skip


async def test_the_events_carry_the_facts(listener: Listener) -> None:
    manager, _ = manager_with(lambda sent: 42)
    await manager.send_await("load", "etl", [1], {"a": 2}, task_id="id-1", **QUICK)
    await manager.settle()
    sending, dispatched = listener.of(Sending)[0], listener.of(Dispatched)[0]
    assert (sending.task, sending.friend, sending.queue) == ("jobs.etl.load", "etl", "etl-queue")
    assert (list(sending.args), sending.kwargs) == ([1], {"a": 2})
    assert (dispatched.task, dispatched.queue) == ("jobs.etl.load", "etl-queue")
    assert {event.task_id for event in listener.events} == {"id-1"}
    assert not listener.of(RevokeSent)[0].asked
    times = [event.at for event in listener.events]
    assert times == sorted(times)


async def test_release_follows_within_a_moment_without_being_asked(listener: Listener) -> None:
    manager, app = manager_with(lambda sent: 42)
    await manager.send_await("load", "etl", **QUICK)
    ended_at = time.time()
    forgotten = await listener.hear(Forgotten)
    assert app.happened == ["send", "revoke", "forget"]
    assert forgotten.at - ended_at < 5


async def test_release_is_batched() -> None:
    manager, app = manager_with(lambda sent: 42)
    await manager.paraSyncTasks([TaskParams("etl", "load")] * 20)
    await manager.settle()
    assert app.happened.count("revoke") == app.happened.count("forget") == 20
    last_revoke = len(app.happened) - 1 - app.happened[::-1].index("revoke")
    assert "forget" not in app.happened[:last_revoke]


async def test_one_that_cannot_be_forgotten_keeps_no_other(listener: Listener) -> None:
    manager, app = manager_with(lambda sent: 42)
    handles = [await manager.send_async("load", "etl", **QUICK) for _ in range(3)]

    def broken(*args: Any) -> None:
        raise RuntimeError("no")

    app.results[0].forget = broken  # type: ignore[method-assign]
    app.results[1].revoke = broken  # type: ignore[method-assign,assignment]
    await asyncio.gather(*handles)
    await manager.settle()
    assert app.happened.count("revoke") == 2
    assert app.happened.count("forget") == 2


async def test_the_handle_fails_with_what_its_callback_raised_and_release_happens(
    listener: Listener,
) -> None:
    manager, app = manager_with(lambda sent: 42)

    async def callback(result: Any) -> None:
        raise LookupError(f"callback of {result}")

    def func(result: Any) -> None:
        raise AssertionError("after a failed callback")

    handle = await manager.send_async("load", "etl", callback=callback, func=func, **QUICK)
    with pytest.raises(LookupError, match="callback of 42"):
        await ended(handle)
    await manager.settle()
    assert app.happened == ["send", "revoke", "forget"]
    failed = listener.of(CallbackFailed)[0]
    assert failed.error == "LookupError: callback of 42"
    assert failed.callback.endswith("callback")


async def test_a_func_that_raises_fails_the_handle_too(listener: Listener) -> None:
    manager, app = manager_with(lambda sent: 42)

    def func(result: Any) -> None:
        raise LookupError("func")

    handle = await manager.send_async("load", "etl", func=func, **QUICK)
    with pytest.raises(LookupError, match="func"):
        await ended(handle)
    await manager.settle()
    assert "forget" in app.happened
    assert listener.of(CallbackFailed)[0].error == "LookupError: func"


async def test_a_failed_task_raises_at_once_and_calls_nobody_back(listener: Listener) -> None:
    state = State("FAILURE", ValueError("bad", 3), "Traceback ...")
    manager, app = manager_with(lambda sent: state)

    async def callback(result: Any) -> None:
        raise AssertionError("it failed")

    handle = await manager.send_async("load", "etl", callback=callback, task_id="id-1", **QUICK)
    with pytest.raises(TaskFailed) as caught:
        await ended(handle)
    error = caught.value
    assert (error.error_type, error.error_message) == ("ValueError", "bad, 3")
    assert error.traceback == "Traceback ..."
    assert (error.task, error.task_id) == ("jobs.etl.load", "id-1")
    assert app.polls == 1
    assert listener.of(Failed)[0].error_type == "ValueError"
    assert listener.of(CallbackFailed) == []


async def test_a_stored_system_exit_ends_nothing_but_the_task() -> None:
    manager, _ = manager_with(lambda sent: State("FAILURE", SystemExit(3)))
    with pytest.raises(TaskFailed, match="SystemExit: 3"):
        await manager.send_await("load", "etl", **QUICK)
    assert await manager.paraSyncTasks([]) == []


async def test_a_remote_revoke_raises_task_revoked(listener: Listener) -> None:
    manager, _ = manager_with(lambda sent: State("REVOKED", RuntimeError("terminated")))
    handle = await manager.send_async("load", "etl", **QUICK)
    with pytest.raises(TaskRevoked, match=r"jobs\.etl\.load was revoked"):
        await ended(handle)
    assert "RemotelyRevoked" in listener.names()


async def test_states_on_the_way_are_seen_once_each_with_their_meta(listener: Listener) -> None:
    manager, app = manager_with(lambda sent: State("STARTED"))
    handle = await manager.send_async("load", "etl", **QUICK)
    result = app.results[0]
    assert (await listener.hear(StateSeen)).state == "STARTED"
    for done in (1, 2):
        result.value = {"done": done}
        result.state = "PROGRESS"  # type: ignore[attr-defined]
        await until(lambda: listener.of(StateSeen)[-1].meta == {"done": done})  # noqa: B023
    result.value, result.state = "end", "SUCCESS"  # type: ignore[attr-defined]
    assert await ended(handle) == "end"
    seen = [(event.state, event.meta) for event in listener.of(StateSeen)]
    assert seen[-2:] == [("PROGRESS", {"done": 1}), ("PROGRESS", {"done": 2})]
    assert len(seen) == len({repr(each) for each in seen})


async def test_a_backend_that_is_away_is_asked_again() -> None:
    manager, app = manager_with(lambda sent: Soon("done", 0))
    handle = await manager.send_async("load", "etl", **QUICK)
    result, answers = app.results[0], iter([ConnectionResetError("Connection reset"), None])

    def successful() -> bool:
        if (error := next(answers)) is not None:
            raise error
        return True

    result.successful = successful  # type: ignore[method-assign]
    assert await ended(handle) == "done"


class Racing(FakeResult):
    """Goes on with every question, as a task does whose state is asked for anew each time."""

    course = ("STARTED",) * 4 + ("PROGRESS",) * 4 + ("SUCCESS",)
    asked = 0

    def now(self) -> str:
        self.asked += 1
        return self.course[min(self.asked, len(self.course)) - 1]

    @property
    def state(self) -> str:
        return self.now()

    @property
    def info(self) -> Any:
        return {"meta of": self.now()}

    def successful(self) -> bool:
        return self.now() == "SUCCESS"


@pytest.mark.parametrize("asked", range(9))
async def test_a_task_that_goes_on_between_two_questions_is_reported_correctly(
    asked: int, listener: Listener
) -> None:
    def racing(app: FakeApp) -> FakeResult:
        result = Racing(app, "the result")
        result.asked = asked
        return result

    manager, _ = manager_with(lambda sent: racing)
    assert await manager.send_await("load", "etl", **QUICK) == "the result"
    assert all(event.meta == {"meta of": event.state} for event in listener.of(StateSeen))


# ---- time-outs, cancelling, revoking


async def test_a_task_that_never_ends_times_out_and_is_left_alone(listener: Listener) -> None:
    manager, app = manager_with(lambda sent: NEVER)
    handle = await manager.send_async("load", "etl", timeout=0.1, task_id="id-1", **QUICK)
    with pytest.raises(TimeoutException) as caught:
        await ended(handle)
    for word in ("jobs.etl.load", "etl", "0.1 s", "id-1"):
        assert word in str(caught.value)
    await manager.settle()
    assert app.happened == ["send"]
    assert listener.of(TimedOut)[0].seconds == 0.1


async def test_no_timeout_means_no_limit() -> None:
    manager, _ = manager_with(lambda sent: Soon("done", 20))
    assert await manager.send_await("load", "etl", timeout=None, **QUICK) == "done"


async def test_a_late_end_is_reported_and_its_result_stays(listener: Listener) -> None:
    manager, app = manager_with(lambda sent: NEVER)
    with pytest.raises(TimeoutException):
        await manager.send_await("load", "etl", timeout=0.1, task_id="id-1", **QUICK)
    app.results[0].value, app.results[0].polls_left = "late", 0
    late = await listener.hear(FinishedLate)
    assert (late.task_id, late.state, late.result) == ("id-1", "SUCCESS", "late")
    await manager.settle()
    assert app.happened == ["send"]


async def test_a_late_end_is_reported_for_a_task_that_is_watched_again_too(
    listener: Listener,
) -> None:
    manager, app = manager_with(lambda sent: NEVER)
    with pytest.raises(TimeoutException):
        await manager.send_await("load", "etl", timeout=0.1, task_id="id-1", **QUICK)
    handle = await manager.adoption.adopt("etl", "load", "id-1")
    app.results[0].value, app.results[0].polls_left = "late", 0
    assert await ended(handle) == "late"
    assert (await listener.hear(FinishedLate)).result == "late"


async def test_cancelling_the_handle_stops_watching_and_revokes_nothing(
    listener: Listener,
) -> None:
    manager, app = manager_with(lambda sent: NEVER)
    handle = await manager.send_async("load", "etl", **QUICK)
    await listener.hear(Polled)
    handle.cancel()
    with pytest.raises(asyncio.CancelledError):
        await handle
    await listener.hear(WatchStopped)
    polls = app.polls
    await manager.settle()
    await asyncio.sleep(0.1)
    assert app.polls <= polls + 1
    assert app.happened == ["send"]
    assert len(listener.of(WatchStopped)) == 1


async def test_cancelling_before_its_first_step_stops_watching_too(listener: Listener) -> None:
    manager, _ = manager_with(lambda sent: NEVER)
    handle = await manager.send_async("load", "etl", **QUICK)
    handle.cancel()
    with pytest.raises(asyncio.CancelledError):
        await handle
    assert len(listener.of(WatchStopped)) == 1


async def test_a_cancelled_send_await_stops_watching(listener: Listener) -> None:
    manager, _ = manager_with(lambda sent: NEVER)
    waiting = asyncio.create_task(manager.send_await("load", "etl", **QUICK))
    await listener.hear(Polled)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await listener.hear(WatchStopped)


async def test_revoke_on_demand(listener: Listener) -> None:
    manager, app = manager_with(lambda sent: NEVER)
    handle = await manager.send_async("load", "etl", task_id="id-1", **QUICK)
    await manager.revoke("id-1")
    await manager.revoke("id-1", terminate=True)
    handle.cancel()
    await manager.revoke("id-1", True, "SIGKILL")
    assert app.revokes == [
        {},
        {"terminate": True, "signal": "SIGTERM"},
        {"terminate": True, "signal": "SIGKILL"},
    ]
    assert [event.terminate for event in listener.of(RevokeSent)] == [False, True, True]
    assert all(event.asked for event in listener.of(RevokeSent))


# ---- the loop


async def test_a_blocking_send_task_never_blocks_the_loop() -> None:
    held = Held("done")
    manager, _ = manager_with(held)
    sending = asyncio.ensure_future(manager.send_await("load", "etl", **QUICK))
    await held.let_go()
    assert await sending == "done"
    assert held.let_go_by_the_loop


async def test_a_blocking_poll_never_blocks_the_loop() -> None:
    manager, app = manager_with(lambda sent: "done")
    handle = await manager.send_async("load", "etl", **QUICK)
    held = app.results[0].successful = Held(True)  # type: ignore[method-assign]
    await held.let_go()
    assert await ended(handle) == "done"
    assert held.let_go_by_the_loop


async def test_a_blocking_release_never_blocks_the_loop() -> None:
    manager, app = manager_with(lambda sent: "done")
    handle = await manager.send_async("load", "etl", **QUICK)
    revoke = app.results[0].revoke = Held()  # type: ignore[method-assign,assignment]
    forget = app.results[0].forget = Held()  # type: ignore[method-assign]
    await ended(handle)
    for held in (revoke, forget):
        await held.let_go()
    await manager.settle()
    assert revoke.let_go_by_the_loop
    assert forget.let_go_by_the_loop


async def test_no_poll_is_reported_before_the_publish_came_back(listener: Listener) -> None:
    held = Held("done")
    manager, _ = manager_with(held)
    sending = asyncio.ensure_future(manager.send_await("load", "etl", **QUICK))
    await asyncio.sleep(0.3)  # time enough for a poll
    await held.let_go()
    await sending
    assert listener.names()[:3] == ["Sending", "Dispatched", "Polled"]


def test_several_loops_one_after_the_other() -> None:
    manager, app = manager_with(lambda sent: Soon(sent.args[0], 1))

    async def once(number: int) -> Any:
        return await manager.send_await("load", "etl", [number], **QUICK)

    for number in range(3):
        assert asyncio.run(once(number)) == number
        # The end of the loop doesn't lose what was still to be released.
        assert app.happened.count("forget") == number + 1
        assert app.happened.count("revoke") == number + 1


def test_a_loop_that_ends_in_the_middle_leaves_the_next_one_clean() -> None:
    manager, _ = manager_with(lambda sent: NEVER if sent.args else "done")

    async def leave() -> None:
        await manager.send_async("load", "etl", ["never"], task_id="left", **QUICK)

    async def go_on() -> Any:
        await manager.revoke("left")
        return await manager.send_await("load", "etl", **QUICK)

    asyncio.run(leave())
    assert asyncio.run(go_on()) == "done"


async def test_aclose_releases_first_and_the_next_call_opens_again() -> None:
    manager, app = manager_with(lambda sent: "done")
    await manager.send_await("load", "etl", **QUICK)
    await manager.aclose()
    assert app.happened == ["send", "revoke", "forget"]
    assert await manager.send_await("load", "etl", **QUICK) == "done"


async def test_setting_no_app_turns_celery_off() -> None:
    manager, _ = manager_with()
    manager.celery_app = None
    assert manager.celery_app is None
    with pytest.raises(Exception, match="CELERY=1"):
        await manager.send_await("load", "etl")


async def test_nobody_listening_changes_nothing() -> None:
    assert not TaskManager.events.has_listeners
    manager, app = manager_with(lambda sent: Soon("done", 2))
    assert await manager.send_await("load", "etl", **QUICK) == "done"
    await manager.settle()
    assert app.happened == ["send", "revoke", "forget"]


async def test_a_slow_listener_is_told_how_many_it_lost_and_slows_nobody() -> None:
    manager, _ = manager_with(lambda sent: "done")
    with TaskManager.events.subscribe(5) as mailbox, Listener() as listener:
        await manager.paraSyncTasks([TaskParams("etl", "load")] * 5)
        await manager.settle()
        assert mailbox.dropped == len(listener.events) - 5
        assert mailbox.drain() == listener.events[-5:]


# ---- many at once


def by_number(sent: Sent) -> Any:
    """The later ones end first; a negative number fails."""
    number = sent.args[0]
    return State("FAILURE", ValueError(number)) if number < 0 else Soon(number, int(number < 2))


def numbered(*numbers: int, friend: str = "etl") -> list[TaskParams]:
    return [TaskParams(friend, "load", args=[number]) for number in numbers]


async def test_para_sync_gives_results_or_exceptions_in_the_order_given() -> None:
    manager, app = manager_with(by_number)
    tasks = [*numbered(1, -1, 5), *numbered(0, friend="unknown"), *numbered(4)]
    results = await manager.paraSyncTasks(tasks)
    assert [results[0], results[2], results[4]] == [1, 5, 4]
    assert isinstance(results[1], TaskFailed)
    assert isinstance(results[3], UnknownFriend)
    assert len(results) == 5
    assert len(app.sent) == 4


class Unreadable(FakeResult):
    """Succeeded, with a result that cannot be read."""

    @property
    def result(self) -> Any:
        raise ValueError("no such form")


class UnreadableError(Unreadable):
    """Failed, with an exception that cannot be read."""

    state = "FAILURE"

    def successful(self) -> bool:
        return False


def unreadable(sent: Sent) -> Any:
    kind = {"load": Unreadable, "fail": UnreadableError}.get(name_of(sent))
    return 1 if kind is None else lambda app: kind(app, 0)


async def test_a_result_that_cannot_be_read_is_an_exception_in_its_place(
    listener: Listener,
) -> None:
    manager, app = manager_with(unreadable)
    first, second, third = await manager.paraSyncTasks(chain("load", "fail", "other"))
    assert isinstance(first, ResultUnknown)
    assert first.reason == "the stored result cannot be read (ValueError: no such form)"
    assert isinstance(second, TaskFailed)
    assert (second.error_type, third) == ("UnreadableResult", 1)
    assert [each.reason for each in listener.of(EndedUnknown)] == [first.reason]
    await manager.settle()
    assert app.happened.count("forget") == 1


async def test_a_chain_stops_at_a_result_that_cannot_be_read_and_names_its_place() -> None:
    manager, app = manager_with(unreadable)
    with pytest.raises(ResultUnknown, match=r"^step 1 of 2 \(etl.load\): jobs.etl.load ended"):
        await manager.chainSyncTasks(chain("load", "other"))
    assert [name_of(sent) for sent in app.sent] == ["load"]
    handle = await manager.chainTasks(chain("other", "load", "more"))
    assert await ended(handle) == 1
    await until(lambda: len(app.sent) == 3)
    assert [name_of(sent) for sent in app.sent] == ["load", "other", "load"]


async def test_para_sync_sends_all_at_once() -> None:
    manager, _ = manager_with(lambda sent: NEVER)
    tasks = [TaskParams("etl", "load", timeout=0.5) for _ in range(10)]
    results = await asyncio.wait_for(manager.paraSyncTasks(tasks), 4.5)
    assert all(isinstance(result, TimeoutException) for result in results)


async def test_para_of_nothing_is_nothing() -> None:
    manager, _ = manager_with()
    assert await manager.paraSyncTasks([]) == []
    assert await manager.paraTasks([]) == []


async def test_para_awaits_each_tasks_own_callback() -> None:
    manager, _ = manager_with(by_number)
    got: list[Any] = []

    def noting(word: str) -> Any:
        async def callback(result: Any) -> None:
            got.append((word, result))

        return callback

    tasks = [TaskParams("etl", "load", noting(str(number)), [number]) for number in (1, 2, -1)]
    results = await manager.paraTasks(tasks)
    assert results[:2] == [1, 2]
    assert isinstance(results[2], TaskFailed)
    assert sorted(got) == [("1", 1), ("2", 2)]


async def test_a_failing_callback_is_the_exception_in_its_place() -> None:
    async def callback(result: Any) -> None:
        raise LookupError("mine")

    manager, app = manager_with(by_number)
    results = await manager.paraTasks([TaskParams("etl", "load", callback, [1]), *numbered(2)])
    assert isinstance(results[0], LookupError)
    assert results[1] == 2
    await manager.settle()
    assert app.happened.count("forget") == 2


async def test_with_a_gather_callback_para_returns_handles_at_once() -> None:
    manager, app = manager_with(by_number)
    gathered: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()

    async def gather_callback(results: Any) -> None:
        gathered.set_result(results)

    tasks = [*numbered(1, -1), *numbered(0, friend="unknown"), *numbered(2)]
    handles = await manager.paraTasks(tasks, gather_callback)
    assert app.sent == []  # not even published yet
    assert all(isinstance(handle, asyncio.Task) for handle in handles)
    results = await asyncio.wait_for(gathered, SECONDS)
    assert [results[0], results[3]] == [1, 2]
    assert isinstance(results[1], TaskFailed)
    assert isinstance(results[2], UnknownFriend)
    assert [handle.done() for handle in handles] == [True] * 4
    assert handles[0].result() == 1


async def test_a_gather_callback_gets_an_exception_for_a_cancelled_handle() -> None:
    manager, _ = manager_with(lambda sent: NEVER)
    gathered: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()

    async def gather_callback(results: Any) -> None:
        gathered.set_result(results)

    handles = await manager.paraTasks(numbered(1), gather_callback)
    handles[0].cancel()
    assert isinstance((await asyncio.wait_for(gathered, SECONDS))[0], asyncio.CancelledError)


async def test_a_gather_callback_that_raises_is_an_event(listener: Listener) -> None:
    manager, _ = manager_with(by_number)

    async def gather_callback(results: Any) -> None:
        raise LookupError("gathering")

    await manager.paraTasks(numbered(1, 2), gather_callback)
    assert (await listener.hear(CallbackFailed)).error == "LookupError: gathering"


async def test_a_plain_gather_callback_is_called_before_the_list_comes_back() -> None:
    manager, _ = manager_with(by_number)
    gathered: list[Any] = []
    results = await manager.paraTasks(numbered(1, 2), gathered.append)
    assert results == [1, 2]
    assert gathered == [[1, 2]]


async def test_a_plain_gather_callback_that_raises_is_an_event(listener: Listener) -> None:
    manager, _ = manager_with(by_number)

    def broken(results: Any) -> None:
        raise LookupError("gathering")

    assert await manager.paraTasks(numbered(1, 2), broken) == [1, 2]
    assert listener.of(CallbackFailed)[0].error == "LookupError: gathering"


async def test_cancelling_para_stops_watching_all(listener: Listener) -> None:
    manager, app = manager_with(lambda sent: NEVER)
    waiting = asyncio.create_task(manager.paraSyncTasks(numbered(1, 2, 3)))
    await until(lambda: len(listener.of(Dispatched)) == 3)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await until(lambda: len(listener.of(WatchStopped)) == 3)
    assert app.happened == ["send"] * 3


# ---- chains


def pipeline(sent: Sent) -> Any:
    match name_of(sent):
        case "a_dict":
            return {"city": "Lisbon", "a": "result"}
        case "a_list":
            return [3, 5]
        case "a_scalar":
            return 42
        case "fail":
            return State("FAILURE", ValueError("no luck"))
        case "never":
            return NEVER
        case _:
            return {"args": sent.args, **sent.kwargs} if name_of(sent) == "all" else None


def chain(*names: str, timeout: float = 30) -> list[TaskParams]:
    return [
        TaskParams("etl", name, args=["own"], kwargs={"a": "own"}, timeout=timeout)
        for name in names
    ]


@pytest.mark.parametrize(
    ("first", "fed"),
    [
        ("a_dict", {"args": ["own"], "a": "result", "city": "Lisbon"}),
        ("a_list", {"args": ["own", 3, 5], "a": "own"}),
        ("a_scalar", {"args": ["own"], "a": "own", "payload": 42}),
        ("nothing", {"args": ["own"], "a": "own"}),
    ],
)
async def test_both_chains_feed_by_the_same_rule(first: str, fed: dict[str, Any]) -> None:
    manager, _ = manager_with(pipeline)
    assert await manager.chainSyncTasks(chain(first, "all")) == fed
    got: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def callback(result: Any) -> None:
        got.set_result(result)

    steps = chain(first, "all")
    steps[1] = TaskParams("etl", "all", callback, ["own"], {"a": "own"})
    await manager.chainTasks(steps)
    assert await asyncio.wait_for(got, SECONDS) == fed


async def test_a_chain_changes_no_task_params_and_runs_the_same_again() -> None:
    manager, app = manager_with(pipeline)
    steps = chain("a_dict", "a_list", "a_scalar", "all")
    original = copy.deepcopy(steps)
    first = await manager.chainSyncTasks(steps)
    sent, app.sent = app.sent, []
    assert steps == original
    assert await manager.chainSyncTasks(steps) == first
    assert [(each.name, each.args, each.kwargs) for each in app.sent] == [
        (each.name, each.args, each.kwargs) for each in sent
    ]
    assert steps == original


@pytest.mark.parametrize("count", [0, 1])
async def test_a_chain_of_fewer_than_two_is_an_error(count: int) -> None:
    manager, app = manager_with(pipeline)
    for method in (manager.chainSyncTasks, manager.chainTasks):
        with pytest.raises(UsageError, match="at least two"):
            await method(chain("all")[:count])
    assert app.sent == []


async def test_an_unknown_friend_anywhere_sends_nothing_and_is_placed() -> None:
    manager, app = manager_with(pipeline)
    steps = [*chain("a_dict", "a_list"), TaskParams("etI", "all")]
    for method in (manager.chainSyncTasks, manager.chainTasks):
        with pytest.raises(UnknownFriend) as caught:
            await method(steps)
        assert str(caught.value) == "step 3 of 3 (etI.all): No friend `etI`. Near: `etl`."
    assert app.sent == []


async def test_a_failing_step_stops_the_chain_and_names_its_place() -> None:
    manager, app = manager_with(pipeline)
    with pytest.raises(TaskFailed) as caught:
        await manager.chainSyncTasks(chain("a_dict", "fail", "all"))
    assert str(caught.value).startswith("step 2 of 3 (etl.fail): jobs.etl.fail failed: ValueError")
    assert [name_of(sent) for sent in app.sent] == ["a_dict", "fail"]


async def test_a_refused_publish_in_the_middle_names_its_place() -> None:
    def answer(sent: Sent) -> Any:
        return RuntimeError("no room") if name_of(sent) == "all" else 1

    manager, _ = manager_with(answer)
    with pytest.raises(RuntimeError, match="no room") as caught:
        await manager.chainSyncTasks(chain("a_scalar", "all"))
    assert caught.value.__notes__ == ["step 2 of 2 (etl.all)"]


async def test_each_steps_timeout_holds() -> None:
    manager, app = manager_with(pipeline)
    steps = [*chain("a_dict"), *chain("never", timeout=0.2), *chain("all")]
    with pytest.raises(TimeoutException, match=r"^step 2 of 3 .* in 0\.2 s"):
        await manager.chainSyncTasks(steps)
    assert len(app.sent) == 2


async def test_intermediate_results_go_through_sys_print_into_the_log(
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    printed: list[str] = []
    real = Helpers.sysPrint

    def noting(*values: object) -> None:
        printed.append(" ".join(map(str, values)))
        real(*values)

    monkeypatch.setattr(Helpers, "sysPrint", noting)
    manager, _ = manager_with(pipeline)
    with caplog.at_level(logging.INFO, "kimera"):
        await manager.chainSyncTasks(chain("a_dict", "a_list", "all"))
    assert "Lisbon" in printed[0]
    assert "[3, 5]" in printed[1]
    logged = [record.getMessage() for record in caplog.records if record.name == "kimera"]
    assert "Lisbon" in logged[0]
    assert "[3, 5]" in logged[1]
    assert capsys.readouterr().out == ""


async def test_chain_tasks_returns_the_first_handle_at_once() -> None:
    manager, app = manager_with(lambda sent: NEVER)
    handle = await asyncio.wait_for(manager.chainTasks(chain("never", "all")), SECONDS)
    assert isinstance(handle, asyncio.Task)
    assert not handle.done()
    assert len(app.sent) == 1
    handle.cancel()


async def test_chain_tasks_awaits_every_callback_with_its_own_result(listener: Listener) -> None:
    manager, app = manager_with(pipeline)
    got: list[Any] = []
    last: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def noting(step: int) -> Any:
        async def callback(result: Any) -> None:
            await asyncio.sleep(0)
            got.append((step, result, len(app.sent)))
            if step == 2:
                last.set_result(result)

        return callback

    steps = [
        TaskParams("etl", name, noting(number))
        for number, name in enumerate(("a_dict", "a_scalar", "all"))
    ]
    original = copy.copy(steps)
    handle = await manager.chainTasks(steps)
    assert await ended(handle) == {"city": "Lisbon", "a": "result"}
    final = await asyncio.wait_for(last, SECONDS)
    assert got == [
        (0, {"city": "Lisbon", "a": "result"}, 1),
        (1, 42, 2),
        (2, {"args": [], "payload": 42}, 3),
    ]
    assert final == {"args": [], "payload": 42}
    assert steps == original
    advanced = listener.of(ChainAdvanced)
    ids = [sent.options["task_id"] for sent in app.sent]
    assert [(each.task_id, each.next_task_id) for each in advanced] == [
        (ids[0], ids[1]),
        (ids[1], ids[2]),
    ]
    assert advanced[1].place == "step 3 of 3 (etl.all)"


async def test_the_callbacks_come_from_the_callback_wrapper(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    built: list[Any] = []
    real = TaskManager._get_callback_wrapper

    def noting(self: TaskManager) -> Any:
        build = real(self)

        def noted(*args: Any) -> Any:
            built.append(build(*args))
            return built[-1]

        return noted

    monkeypatch.setattr(TaskManager, "_get_callback_wrapper", noting)
    manager, app = manager_with(pipeline)
    await manager.chainTasks(chain("a_dict", "all"))
    await until(lambda: app.happened.count("forget") == 2)
    assert len(built) == 2
    assert all(asyncio.iscoroutinefunction(each) for each in built)


async def test_a_built_callback_sends_the_next_step_with_the_next_callback() -> None:
    manager, app = manager_with(pipeline)
    got: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def last(result: Any) -> None:
        got.set_result(result)

    steps = [*chain("never", "a_scalar"), TaskParams("etl", "all", last)]
    build = manager._get_callback_wrapper()
    await build(steps, ["id-0", "id-1", "id-2"], 0)({"a": "fed"})
    assert await asyncio.wait_for(got, SECONDS) == {"args": [], "payload": 42}
    assert [sent.options["task_id"] for sent in app.sent] == ["id-1", "id-2"]
    assert app.sent[0].kwargs == {"a": "fed"}


async def test_the_first_steps_failure_is_raised_from_its_handle(listener: Listener) -> None:
    manager, app = manager_with(pipeline)
    handle = await manager.chainTasks(chain("fail", "all"))
    with pytest.raises(TaskFailed) as caught:
        await ended(handle)
    assert str(caught.value).startswith("step 1 of 2 (etl.fail): ")
    assert len(app.sent) == 1
    assert listener.of(Failed)[0].error_message == "no luck"


async def test_a_later_steps_failure_ends_the_chain_and_is_an_event(listener: Listener) -> None:
    manager, app = manager_with(pipeline)

    async def never(result: Any) -> None:
        raise AssertionError("after a failed step")

    steps = [*chain("a_dict", "fail"), TaskParams("etl", "all", never)]
    handle = await manager.chainTasks(steps)
    assert (await ended(handle))["city"] == "Lisbon"
    failed = await listener.hear(Failed)
    assert failed.task_id == app.sent[1].options["task_id"]
    await manager.settle()
    assert [name_of(sent) for sent in app.sent] == ["a_dict", "fail"]


async def test_a_refused_later_step_ends_the_chain_and_names_its_place(
    listener: Listener,
) -> None:
    def answer(sent: Sent) -> Any:
        return ConnectionRefusedError("Connection refused") if name_of(sent) == "all" else 1

    manager, _ = manager_with(answer)
    handle = await manager.chainTasks(chain("a_scalar", "all"))
    with pytest.raises(BrokerUnavailable, match=r"^step 2 of 2 \(etl\.all\): The broker is not"):
        await ended(handle)
    assert "connection refused" in (await listener.hear(Refused)).reason


async def test_a_later_steps_timeout_holds_in_chain_tasks(listener: Listener) -> None:
    manager, app = manager_with(pipeline)
    await manager.chainTasks([*chain("a_dict"), *chain("never", timeout=0.1), *chain("all")])
    timed_out = await listener.hear(TimedOut)
    assert timed_out.task_id == app.sent[1].options["task_id"]
    assert len(app.sent) == 2


async def test_a_chains_callback_that_raises_ends_the_chain(listener: Listener) -> None:
    manager, app = manager_with(pipeline)

    async def callback(result: Any) -> None:
        raise LookupError("mine")

    handle = await manager.chainTasks([TaskParams("etl", "a_dict", callback), *chain("all")])
    with pytest.raises(LookupError, match="mine"):
        await ended(handle)
    await manager.settle()
    assert app.happened == ["send", "revoke", "forget"]
    assert listener.of(CallbackFailed)[0].error == "LookupError: mine"


def test_the_stand_in_is_what_the_seed_calls_an_app() -> None:
    result = FakeApp(lambda sent: 1).send_task("x")
    assert result.successful()
    assert result.result == 1
