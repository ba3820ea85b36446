"""One TaskManager for all threads, one running loop at a time, one task for each id."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from kimera_tui.errors import BrokerUnavailable, ConfigError, PublishUncertain, UsageError
from kimera_tui.process import TaskManager, TaskParams, dispatch
from kimera_tui.process.engines import Engines
from kimera_tui.process.events import Dispatched, Refused

from .listening import SECONDS, Held, Listener, until
from .stand_in import NEVER, Soon, State, manager_with

QUICK: dict[str, Any] = {"poll_start": 0.01, "max_poll": 0.02}


def in_threads(count: int, work: Callable[[], Any]) -> list[Any]:
    """What each of some threads got, which all begin at once; an error counts as got."""
    begin, got = threading.Barrier(count), []

    def run() -> None:
        begin.wait(SECONDS)
        try:
            got.append(work())
        except BaseException as error:
            got.append(error)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(count)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(SECONDS)
    assert len(got) == count
    return got


# ---- one instance


def test_threads_that_ask_at_once_get_one_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[Any] = []
    set_up = TaskManager._set_up

    def slow(self: TaskManager, *args: Any) -> None:
        built.append(self)
        threading.Event().wait(0.05)
        set_up(self, *args)

    monkeypatch.setattr(TaskManager, "_set_up", slow)
    got = in_threads(8, TaskManager)
    assert len(built) == 1
    assert all(each is built[0] for each in got)
    assert all(each.friends == {} for each in got)


def test_a_first_call_that_fails_leaves_the_next_one_to_try(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as broken:
        broken.setenv("BROKER_URL", "nonsense")
        assert all(isinstance(each, ConfigError) for each in in_threads(4, TaskManager))
    assert TaskManager() is TaskManager()


# ---- one running loop


class OtherLoop:
    """A loop that runs in a thread of its own until it is left."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(SECONDS)

    def __enter__(self) -> OtherLoop:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(SECONDS)
        self._loop.close()


IN_USE = "TaskManager is in use on another running event loop"


@pytest.mark.parametrize(
    "use",
    [
        lambda manager: manager.send_async("load", "etl", **QUICK),
        lambda manager: manager.send_await("load", "etl", **QUICK),
        lambda manager: manager.paraSyncTasks([TaskParams("etl", "load")]),
        lambda manager: manager.paraTasks([TaskParams("etl", "load")]),
        lambda manager: manager.chainSyncTasks([TaskParams("etl", "load")] * 2),
        lambda manager: manager.chainTasks([TaskParams("etl", "load")] * 2),
        lambda manager: manager.revoke("id-1"),
        lambda manager: manager.settle(),
        lambda manager: manager.aclose(),
        lambda manager: manager.adoption.server("etl"),
    ],
)
async def test_a_second_running_loop_is_refused_and_the_first_goes_on(
    use: Callable[[TaskManager], Any], listener: Listener
) -> None:
    held = Held("done")
    manager, app = manager_with(held)
    mine = asyncio.ensure_future(manager.send_await("load", "etl", task_id="id-1", **QUICK))
    with OtherLoop() as other:
        await until(lambda: manager._engines._loop is not None)
        with pytest.raises(UsageError, match=IN_USE) as caught:
            await asyncio.to_thread(other.call, use(manager))
    assert "run_coroutine_threadsafe" in caught.value.hint
    await held.let_go()
    assert await asyncio.wait_for(mine, SECONDS) == "done"
    assert len(app.sent) == 1
    assert app.revokes in ([], [{}])  # that of its release
    assert listener.of(Refused) == []  # the bus belongs to the first loop


def test_of_loops_that_begin_at_once_one_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    manager, app = manager_with(lambda sent: Soon("done", 10))
    close = Engines.close

    def slow(self: Engines) -> None:
        close(self)
        threading.Event().wait(0.1)

    monkeypatch.setattr(Engines, "close", slow)

    def work() -> Any:
        return asyncio.run(manager.send_await("load", "etl", poll_start=0.1, max_poll=0.1))

    got = in_threads(6, work)
    assert len(app.sent) == got.count("done") >= 1
    rest = [each for each in got if each != "done"]
    assert all(isinstance(each, UsageError) and IN_USE in str(each) for each in rest)


def test_a_loop_that_rests_or_is_closed_is_followed_by_the_next() -> None:
    manager, app = manager_with(lambda sent: "done")
    resting = asyncio.new_event_loop()
    assert resting.run_until_complete(manager.send_await("load", "etl", **QUICK)) == "done"
    assert asyncio.run(manager.send_await("load", "etl", **QUICK)) == "done"
    assert resting.run_until_complete(manager.send_await("load", "etl", **QUICK)) == "done"
    resting.close()
    assert asyncio.run(manager.send_await("load", "etl", **QUICK)) == "done"
    assert len(app.sent) == 4


async def test_after_aclose_another_loop_may_have_it() -> None:
    manager, _ = manager_with(lambda sent: "done")
    await manager.send_await("load", "etl", **QUICK)
    await manager.aclose()
    with OtherLoop() as other:
        sending = manager.send_await("load", "etl", **QUICK)
        assert await asyncio.to_thread(other.call, sending) == "done"
        await asyncio.to_thread(other.call, manager.aclose())
    assert await manager.send_await("load", "etl", **QUICK) == "done"


# ---- one task for each id

USED = "^`task_id` 'a' has been used: give each task an id of its own; nothing was sent"


async def test_an_id_that_is_in_flight_is_refused(listener: Listener) -> None:
    manager, app = manager_with(lambda sent: Soon(sent.args[0], 3))
    first = await manager.send_async("load", "etl", [1], task_id="a", **QUICK)
    for door in (manager.send_async, manager.send_await):
        with pytest.raises(UsageError, match=USED):
            await door("load", "etl", [2], task_id="a", **QUICK)
    assert await asyncio.wait_for(first, SECONDS) == 1
    assert len(app.sent) == 1
    # It would be folded into what is told of the first one.
    assert listener.of(Refused) == []


async def test_of_two_at_once_with_one_id_one_is_sent() -> None:
    manager, app = manager_with(lambda sent: sent.args[0])
    sending = [manager.send_await("load", "etl", [n], task_id="a", **QUICK) for n in (1, 2)]
    one, other = await asyncio.gather(*sending, return_exceptions=True)
    assert one == 1
    assert isinstance(other, UsageError)
    assert len(app.sent) == 1


@pytest.mark.parametrize("answer", ["done", State("FAILURE", ValueError("no")), NEVER])
async def test_an_id_is_not_used_again_after_its_task_has_ended(answer: Any) -> None:
    """Its result or its revoke would be taken for those of the second task."""
    manager, app = manager_with(lambda sent: answer)
    sending = manager.send_await("load", "etl", task_id="a", timeout=0.5, **QUICK)
    await asyncio.gather(sending, return_exceptions=True)
    with pytest.raises(UsageError, match=USED):
        await manager.send_async("load", "etl", task_id="a")
    assert len(app.sent) == 1


async def test_an_id_whose_task_was_cancelled_here_is_not_used_again() -> None:
    manager, app = manager_with(lambda sent: NEVER)
    handle = await manager.send_async("load", "etl", task_id="a")
    handle.cancel()
    await asyncio.wait({handle})
    with pytest.raises(UsageError, match=USED):
        await manager.send_async("load", "etl", task_id="a")
    assert len(app.sent) == 1


async def test_an_id_of_which_nothing_was_sent_is_still_free() -> None:
    answers = iter([ConnectionRefusedError("Connection refused"), "done"])
    manager, app = manager_with(lambda sent: next(answers))
    with pytest.raises(UsageError):
        await manager.send_async("load", "nobody", task_id="a")
    with pytest.raises(UsageError):
        await manager.send_async("load", "etl", task_id="a", timeout=0)
    with pytest.raises(BrokerUnavailable):
        await manager.send_async("load", "etl", task_id="a")
    assert await manager.send_await("load", "etl", task_id="a", **QUICK) == "done"
    assert len(app.sent) == 1


async def test_after_an_uncertain_publish_the_same_id_may_be_sent_again() -> None:
    """That is for its caller to decide; a Redis broker queues it once."""
    answers = iter([PublishUncertain("Lost."), "done"])
    manager, _ = manager_with(lambda sent: next(answers))
    with pytest.raises(PublishUncertain):
        await manager.send_async("load", "etl", task_id="a")
    assert await manager.send_await("load", "etl", task_id="a", **QUICK) == "done"


async def test_how_many_used_ids_are_known_is_limited(
    monkeypatch: pytest.MonkeyPatch, listener: Listener
) -> None:
    monkeypatch.setattr(dispatch, "MAX_USED_IDS", 2)
    manager, _ = manager_with(lambda sent: "done")
    for task_id in ("a", "b", "c", "a"):
        await manager.send_await("load", "etl", task_id=task_id, **QUICK)
    assert len(listener.of(Dispatched)) == 4
    with pytest.raises(UsageError, match="'c' has been used"):
        await manager.send_await("load", "etl", task_id="c", **QUICK)
