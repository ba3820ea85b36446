"""The same promises on a real server and a real worker, with both engines where both can do it."""

from __future__ import annotations

import asyncio
import base64
import copy
import datetime as dt
import functools
import json
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Iterator
from types import MappingProxyType
from typing import Any

import pytest
import redis
from celery import Celery

from kimera_tui.config.bootstrap import Bootstrap
from kimera_tui.config.friends import Friend
from kimera_tui.embedded.broker import EmbeddedInfo
from kimera_tui.errors import (
    BrokerUnavailable,
    NotSerialisable,
    TaskFailed,
    TaskRevoked,
    TimeoutException,
    UnknownFriend,
)
from kimera_tui.process import TaskManager, TaskParams
from kimera_tui.process.celery_app import make_app
from kimera_tui.process.events import (
    CallbackFinished,
    ChainAdvanced,
    Dispatched,
    Failed,
    FinishedLate,
    Forgotten,
    Polled,
    RemotelyRevoked,
    RevokeSent,
    StateSeen,
    Succeeded,
    TimedOut,
)
from kimera_tui.process.loop.clock import new_id
from tests.conftest import REPO

from .listening import SECONDS, Listener, in_order, measured_lag

FRIENDS = str(REPO / "friends.yaml")


def configured(url: str, **more: str) -> Bootstrap:
    return Bootstrap({"CELERY": "1", "BROKER_URL": url, "KIMERA_FRIENDS": FRIENDS, **more})


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def server(demo: EmbeddedInfo) -> Iterator[redis.Redis]:
    """What the server holds, seen past the engine."""
    client = redis.Redis(unix_socket_path=demo.url.removeprefix("redis+socket://"))
    yield client
    client.close()


both_engines = pytest.mark.parametrize("manager", ["redis", "thread"], indirect=True)


@pytest.fixture
async def manager(demo: EmbeddedInfo, request: pytest.FixtureRequest) -> AsyncIterator[TaskManager]:
    """The TaskManager on the demo worker, through its Redis engine or the one for every app."""
    TaskManager.reset(configured(demo.url))
    task_manager = TaskManager()
    if getattr(request, "param", "redis") == "thread":
        app = make_app(demo.url, demo.url)
        app.send_task = functools.partial(Celery.send_task, app)  # anything but plain Celery
        task_manager.celery_app = app
    yield task_manager
    await task_manager.aclose()


@pytest.fixture
def own_id() -> str:
    """An id that no other test has used: the server remembers them."""
    return new_id()


def result_key(task_id: str) -> str:
    return f"celery-task-meta-{task_id}"


async def ended(handle: asyncio.Task[Any]) -> Any:
    return await asyncio.wait_for(handle, SECONDS)


# ---- one task


async def test_send_async_gives_a_handle_with_the_result(manager: TaskManager) -> None:
    handle = await manager.send_async("add", "calculator", [2, 3])
    assert isinstance(handle, asyncio.Task)
    assert await ended(handle) == 5


async def test_send_await_gives_the_result(manager: TaskManager) -> None:
    assert await manager.send_await("add", "calculator", kwargs={"a": 2, "b": 3}) == 5


@both_engines
async def test_json_values_travel_unchanged(manager: TaskManager) -> None:
    values = [None, False, 0, "", "text ü \u202e [/x]", [1, [2, None]], {"a": {"b": [1.5]}}, 2**70]
    tasks = [TaskParams("echo", "value", args=[value]) for value in values]
    assert await manager.paraSyncTasks(tasks) == values


@both_engines
async def test_any_mapping_travels_as_kwargs(manager: TaskManager) -> None:
    kwargs = MappingProxyType({"a": 2, "b": 3})
    for _ in range(4):  # by the genuine path and by the template's
        assert await manager.send_await("add", "calculator", (), kwargs) == 5


@both_engines
async def test_everything_happens_in_order(
    manager: TaskManager, listener: Listener, server: redis.Redis, own_id: str
) -> None:
    called: list[Any] = []

    async def callback(result: Any) -> None:
        called.append(("callback", result["pages"], server.exists(result_key(own_id))))

    def func(result: Any) -> None:
        called.append(("func", result["pages"], server.exists(result_key(own_id))))

    handle = await manager.send_async(
        "render", "reports", None, {"seconds": 0.9, "pages": 3}, callback, func, task_id=own_id
    )
    result = await ended(handle)
    assert called == [("callback", 3, 1), ("func", 3, 1)]  # the result is still there
    await listener.hear(Forgotten, own_id)
    names = listener.names(own_id)
    assert in_order(
        names,
        "Sending", "Dispatched", "StateSeen", "StateSeen", "Succeeded", "CallbackStarted",
        "CallbackFinished", "CallbackStarted", "CallbackFinished", "RevokeSent", "Forgotten",
    )  # fmt: skip
    assert "Polled" in names[: names.index("Succeeded")]
    seen = listener.of(StateSeen, own_id)
    states = [event.state for event in seen]
    assert "PROGRESS" in states
    assert states == sorted(states, reverse=True)  # STARTED, if it was caught, comes first
    assert {event.meta["total"] for event in seen if event.state == "PROGRESS"} == {3}
    assert [event.attempt for event in listener.of(Polled, own_id)] == list(
        range(1, 1 + names.count("Polled"))
    )
    assert listener.of(Succeeded, own_id)[0].result == result


async def test_started_is_seen(manager: TaskManager, listener: Listener, own_id: str) -> None:
    await manager.send_await("sleep", "flaky", [0.5], task_id=own_id)
    assert listener.of(StateSeen, own_id)[0].state == "STARTED"


async def test_a_retry_is_a_state_and_not_an_end(manager: TaskManager, listener: Listener) -> None:
    kwargs = {"times": 1, "wait": 0.5}
    assert await manager.send_await("retry", "flaky", kwargs=kwargs) == {"attempts": 2}
    assert "RETRY" in [event.state for event in listener.of(StateSeen)]


@both_engines
async def test_after_release_the_result_is_gone_and_stays_gone(
    manager: TaskManager, listener: Listener, server: redis.Redis, own_id: str
) -> None:
    ids = [f"{own_id}-{number}" for number in range(5)]
    for task_id in ids:
        await manager.send_await("add", "calculator", [1, 1], task_id=task_id)
    await manager.settle()
    assert len(listener.of(Forgotten)) == 5
    assert all(event.receipts for event in listener.of(RevokeSent))
    assert not any(event.terminate for event in listener.of(RevokeSent))
    assert server.exists(*map(result_key, ids)) == 0
    # The worker has had other things to do since; no REVOKED result has come.
    await manager.paraSyncTasks([TaskParams("calculator", "add", args=[1, 1])] * 6)
    assert server.exists(*map(result_key, ids)) == 0


async def test_release_comes_by_itself(
    manager: TaskManager, listener: Listener, server: redis.Redis, own_id: str
) -> None:
    await manager.send_await("add", "calculator", [1, 1], task_id=own_id)
    await listener.hear(Forgotten, own_id)
    assert server.exists(result_key(own_id)) == 0


@both_engines
async def test_a_failure_raises_at_once_and_calls_nobody_back(
    manager: TaskManager, listener: Listener
) -> None:
    called: list[Any] = []

    async def callback(result: Any) -> None:
        called.append(result)

    handle = await manager.send_async("fail", "flaky", ["no luck today"], callback=callback)
    with pytest.raises(TaskFailed) as caught:
        await ended(handle)
    error = caught.value
    assert (error.error_type, error.error_message) == ("ValueError", "no luck today")
    assert "Traceback" in error.traceback
    assert error.task == "flaky.fail"
    assert listener.of(Failed)[0].error_message == "no luck today"
    assert called == []


@both_engines
async def test_a_task_that_nobody_registered_fails(manager: TaskManager) -> None:
    with pytest.raises(TaskFailed, match=r"echo\.no_such_task"):
        await manager.send_await("no_such_task", "echo")


async def test_a_callback_that_raises_fails_the_handle_and_release_happens(
    manager: TaskManager, listener: Listener, server: redis.Redis, own_id: str
) -> None:
    async def callback(result: Any) -> None:
        raise LookupError("mine")

    handle = await manager.send_async("a_list", "echo", callback=callback, task_id=own_id)
    with pytest.raises(LookupError, match="mine"):
        await ended(handle)
    await listener.hear(Forgotten, own_id)
    assert server.exists(result_key(own_id)) == 0


# ---- time-outs, revoking


@both_engines
async def test_a_timeout_leaves_the_task_to_run_and_its_end_is_reported(
    manager: TaskManager, listener: Listener, server: redis.Redis, own_id: str
) -> None:
    with pytest.raises(TimeoutException) as caught:
        await manager.send_await("sleep", "flaky", [1.2], timeout=0.4, task_id=own_id)
    for word in ("flaky.sleep", "friend flaky", "0.4 s", own_id):
        assert word in str(caught.value)
    assert listener.of(TimedOut, own_id)[0].seconds == 0.4
    late = await listener.hear(FinishedLate, own_id)
    assert (late.state, late.result) == ("SUCCESS", 1.2)
    await manager.settle()
    assert server.exists(result_key(own_id)) == 1  # not forgotten
    assert not {"RevokeSent", "Forgotten"} & set(listener.names(own_id))
    server.delete(result_key(own_id))


async def test_a_failure_that_comes_late_is_reported_too(
    manager: TaskManager, listener: Listener, own_id: str
) -> None:
    with pytest.raises(TimeoutException):
        await manager.send_await("fail", "flaky", countdown=0.7, timeout=0.2, task_id=own_id)
    late = await listener.hear(FinishedLate, own_id)
    assert late.state == "FAILURE"
    assert late.error == "ValueError: this task always fails"


@both_engines
async def test_a_remote_revoke_raises_task_revoked(
    manager: TaskManager, listener: Listener, own_id: str
) -> None:
    handle = await manager.send_async("sleep", "flaky", [0], task_id=own_id, countdown=1)
    receipts = await manager.revoke(own_id)
    assert receipts
    assert all(receipt.ok for receipt in receipts)
    with pytest.raises(TaskRevoked, match=r"flaky\.sleep was revoked"):
        await ended(handle)
    assert listener.of(RemotelyRevoked, own_id)
    sent = listener.of(RevokeSent, own_id)[0]
    assert sent.asked
    assert tuple(sent.receipts) == tuple(receipts)


@both_engines
async def test_a_running_task_is_terminated_on_demand(
    manager: TaskManager, listener: Listener, own_id: str
) -> None:
    handle = await manager.send_async("sleep", "flaky", [60], task_id=own_id)
    await listener.hear(StateSeen, own_id)
    receipts = await manager.revoke(own_id, terminate=True)
    assert [receipt.worker for receipt in receipts] == ["demo@kimera"]
    with pytest.raises(TaskRevoked):
        await ended(handle)
    assert listener.of(RevokeSent, own_id)[0].terminate


@both_engines
async def test_cancelling_the_handle_leaves_the_remote_task_alone(
    manager: TaskManager, listener: Listener, server: redis.Redis, own_id: str
) -> None:
    handle = await manager.send_async("sleep", "flaky", [0.6], task_id=own_id)
    await listener.hear(StateSeen, own_id)
    handle.cancel()
    with pytest.raises(asyncio.CancelledError):
        await handle
    async with asyncio.timeout(SECONDS):
        while b"SUCCESS" not in (server.get(result_key(own_id)) or b""):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert not {"RevokeSent", "Forgotten"} & set(listener.names(own_id))
    server.delete(result_key(own_id))


# ---- options


async def queued(
    manager: TaskManager, server: redis.Redis, **options: Any
) -> tuple[str, dict[str, Any]]:
    """Send to a queue that nobody consumes; the key and the message found there."""
    handle = await manager.send_async("add", "calculator", [1], queue="nobody", **options)
    handle.cancel()
    key = next(iter(server.scan_iter("nobody*", count=1000)))
    message: Any = server.lpop(key)
    assert server.exists(key) == 0
    return key.decode(), json.loads(message)


@both_engines
async def test_options_are_those_of_apply_async(
    manager: TaskManager, server: redis.Redis, listener: Listener, own_id: str
) -> None:
    now = dt.datetime.now(dt.UTC)
    key, message = await queued(
        manager, server, countdown=600, expires=1200, headers={"x-mark": "here"},
        time_limit=30, soft_time_limit=20, task_id=own_id,
    )  # fmt: skip
    assert key == "nobody"
    headers = message["headers"]
    assert headers["task"] == "calculator.add"
    assert headers["id"] == own_id
    assert headers["x-mark"] == "here"
    assert headers["timelimit"] == [30, 20]
    eta, expires = (dt.datetime.fromisoformat(headers[name]) for name in ("eta", "expires"))
    assert 590 < (eta - now).total_seconds() < 700
    assert 1190 < (expires - now).total_seconds() < 1300
    assert json.loads(base64.b64decode(message["body"]))[:2] == [[1], {}]
    assert message["properties"]["delivery_info"]["routing_key"] == "nobody"
    assert listener.of(Dispatched)[0].queue == "nobody"


@both_engines
async def test_eta_and_priority(manager: TaskManager, server: redis.Redis) -> None:
    eta = dt.datetime(2040, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    key, message = await queued(manager, server, eta=eta, priority=9)
    assert dt.datetime.fromisoformat(message["headers"]["eta"]) == eta
    assert message["properties"]["priority"] == 9
    assert key == "nobody\x06\x169"  # Redis keeps priorities in lists of their own


async def test_a_countdown_delays(manager: TaskManager) -> None:
    began = time.monotonic()
    await manager.send_await("add", "calculator", [1, 1], countdown=1)
    assert time.monotonic() - began > 0.9


@both_engines
async def test_an_expired_task_counts_as_revoked(manager: TaskManager) -> None:
    past = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=5)
    with pytest.raises(TaskRevoked):
        await manager.send_await("add", "calculator", [1, 1], expires=past)


@both_engines
@pytest.mark.parametrize(
    ("args", "kwargs", "sentence"),
    [
        ([1, object()], {}, "argument 2: a object cannot be sent"),
        ([], {"when": {1, 2}}, "argument `when`: a set cannot be sent; use a list"),
        ([], {"deep": {"x": [0, object()]}}, "argument `deep`.x[1]: a object cannot"),
        ([{(1, 2): 3}], {}, "argument 1: a tuple cannot be the key"),
    ],
)
async def test_what_cannot_be_sent_is_named(
    manager: TaskManager, listener: Listener, args: list[Any], kwargs: Any, sentence: str
) -> None:
    with pytest.raises(NotSerialisable) as caught:
        await manager.send_async("value", "echo", args, kwargs)
    assert str(caught.value).startswith(sentence)
    assert str(caught.value).endswith("; nothing was sent.")
    assert listener.names() == ["Sending", "Refused"]


# ---- many at once


@both_engines
async def test_para_sync_gives_results_or_exceptions_in_order(manager: TaskManager) -> None:
    tasks = [
        TaskParams("flaky", "sleep", args=[0.4]),
        TaskParams("nobody", "x"),
        TaskParams("calculator", "add", args=[1, 2]),
        TaskParams("flaky", "fail"),
        TaskParams("flaky", "sleep", args=[1], timeout=0.1),
    ]
    results = await manager.paraSyncTasks(tasks)
    assert [results[0], results[2]] == [0.4, 3]
    assert [type(results[place]) for place in (1, 3, 4)] == [
        UnknownFriend,
        TaskFailed,
        TimeoutException,
    ]


@both_engines
async def test_para_of_many(manager: TaskManager, server: redis.Redis) -> None:
    tasks = [TaskParams("calculator", "add", args=[number, 1]) for number in range(60)]
    assert await manager.paraSyncTasks(tasks) == list(range(1, 61))


async def test_para_tasks_without_and_with_a_gather_callback(manager: TaskManager) -> None:
    own: list[Any] = []
    gathered: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()

    async def callback(result: Any) -> None:
        own.append(result)

    async def gather_callback(results: Any) -> None:
        gathered.set_result(results)

    tasks = [
        TaskParams("calculator", "add", callback, [1, 2]),
        TaskParams("flaky", "fail", callback),
        TaskParams("calculator", "add", callback, [3, 4]),
    ]
    awaited = await manager.paraTasks(tasks)
    assert [awaited[0], awaited[2]] == [3, 7]
    assert isinstance(awaited[1], TaskFailed)
    assert sorted(own) == [3, 7]
    handles = await manager.paraTasks(tasks, gather_callback)
    assert not gathered.done()
    results = await asyncio.wait_for(gathered, SECONDS)
    assert [results[0], results[2]] == [3, 7]
    assert isinstance(results[1], TaskFailed)
    assert [handle.done() for handle in handles] == [True] * 3
    assert sorted(own) == [3, 3, 7, 7]


# ---- chains


@pytest.mark.parametrize(
    ("first", "fed"),
    [
        ("a_dict", {"args": ["own"], "city": "Lisbon", "visitors": 1290, "a": 1}),
        ("a_list", {"args": ["own", 3, 5, 8], "a": 1, "city": "own"}),
        ("a_scalar", {"args": ["own"], "a": 1, "city": "own", "payload": 42}),
        ("nothing", {"args": ["own"], "a": 1, "city": "own"}),
    ],
)
async def test_every_kind_of_result_feeds_the_next_step(
    manager: TaskManager, first: str, fed: dict[str, Any]
) -> None:
    if first == "a_scalar":  # echo.value's own first parameter is called payload
        second = TaskParams("echo", "value", kwargs={"a": 1, "city": "own"})
        fed = {"args": [42], "a": 1, "city": "own"}
    else:
        second = TaskParams("echo", "value", args=["own"], kwargs={"a": 1, "city": "own"})
    steps = [TaskParams("echo", first), second]
    original = copy.deepcopy(steps)
    assert await manager.chainSyncTasks(steps) == fed
    assert await manager.chainSyncTasks(steps) == fed
    assert steps == original


async def test_a_chain_returns_the_final_payload_and_logs_the_others(
    manager: TaskManager,
    listener: Listener,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    steps = [
        TaskParams("reports", "fetch", kwargs={"day": "2026-01-31", "count": 2}),
        TaskParams("reports", "render", kwargs={"seconds": 0.1, "pages": 2}),
        TaskParams("reports", "summarise"),
    ]
    with caplog.at_level(logging.INFO, "kimera"):
        final = await manager.chainSyncTasks(steps)
    assert final == "2026-01-31: 2 rows in report-2026-01-31-a4.pdf, 237 in all"
    logged = [record.getMessage() for record in caplog.records if record.name == "kimera"]
    assert logged[0].startswith("step 1 of 3 (reports.fetch) returned")
    assert "Lisbon" in logged[0]
    assert "report-2026-01-31-a4.pdf" in logged[1]
    assert capsys.readouterr().out == ""
    assert [event.place for event in listener.of(ChainAdvanced)] == [
        "step 2 of 3 (reports.render)",
        "step 3 of 3 (reports.summarise)",
    ]


@both_engines
async def test_a_failing_step_stops_the_chain_and_names_its_place(
    manager: TaskManager, listener: Listener
) -> None:
    steps = [TaskParams("echo", "a_scalar"), TaskParams("flaky", "fail"), TaskParams("echo", "big")]
    with pytest.raises(TaskFailed) as caught:
        await manager.chainSyncTasks(steps)
    assert str(caught.value) == (
        "step 2 of 3 (flaky.fail): flaky.fail failed: ValueError: this task always fails"
    )
    assert len(listener.of(Dispatched)) == 2


@both_engines
async def test_chain_tasks_carries_each_result_on(manager: TaskManager, listener: Listener) -> None:
    got: list[Any] = []
    last: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def note(result: Any) -> None:
        got.append(result)

    async def finish(result: Any) -> None:
        last.set_result(result)

    handle = await manager.chainTasks(
        [
            TaskParams("calculator", "add", note, [1, 2]),
            TaskParams("calculator", "multiply", note, [10]),
            TaskParams("echo", "value", finish),
        ]
    )
    assert not handle.done()
    assert await asyncio.wait_for(last, SECONDS) == 30
    assert await ended(handle) == 3
    assert got == [3, 30]
    assert len(listener.of(ChainAdvanced)) == 2
    await manager.settle()
    await listener.hear(CallbackFinished)


async def test_a_failing_step_ends_chain_tasks(manager: TaskManager, listener: Listener) -> None:
    handle = await manager.chainTasks(
        [TaskParams("flaky", "fail"), TaskParams("calculator", "add", args=[1])]
    )
    with pytest.raises(TaskFailed, match=r"^step 1 of 2 \(flaky\.fail\): "):
        await ended(handle)
    handle = await manager.chainTasks(
        [TaskParams("echo", "a_scalar"), TaskParams("flaky", "fail"), TaskParams("echo", "big")]
    )
    assert await ended(handle) == 42
    async with asyncio.timeout(SECONDS):
        while len(listener.of(Failed)) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert [event.task for event in listener.of(Dispatched)] == [
        "flaky.fail",
        "echo.a_scalar",
        "flaky.fail",
    ]


# ---- loops, brokers


def test_several_loops_one_after_the_other(
    demo: EmbeddedInfo, server: redis.Redis, own_id: str
) -> None:
    TaskManager.reset(configured(demo.url))

    async def once(number: int) -> Any:
        return await TaskManager().send_await(
            "add", "calculator", [number, 1], task_id=f"{own_id}-{number}"
        )

    for number in range(3):
        assert asyncio.run(once(number)) == number + 1
        assert server.exists(result_key(f"{own_id}-{number}")) == 0  # released on the way out


async def test_a_broker_that_is_not_there_is_reported_soon_and_blocks_nothing() -> None:
    TaskManager.reset(configured(f"redis://:s3cret@127.0.0.1:{closed_port()}/0"))
    async with measured_lag() as lag:
        began = time.monotonic()
        with pytest.raises(BrokerUnavailable) as caught:
            await TaskManager().send_async("add", "calculator", [1, 1])
        assert time.monotonic() - began < 12
    assert "is not there (connection refused)." in str(caught.value)
    assert "127.0.0.1" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert not lag.held_up
    await TaskManager().aclose()


async def test_a_broker_that_is_silent_is_reported_soon_and_blocks_nothing() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        TaskManager.reset(configured(f"redis://127.0.0.1:{silent.getsockname()[1]}/0"))
        async with measured_lag() as lag:
            began = time.monotonic()
            with pytest.raises(BrokerUnavailable, match="did not answer"):
                await TaskManager().send_async("add", "calculator", [1, 1])
            assert time.monotonic() - began < 12
        assert not lag.held_up
        await TaskManager().aclose()


async def test_a_refused_chain_and_para_are_refused_too() -> None:
    TaskManager.reset(configured(f"redis://127.0.0.1:{closed_port()}/0"))
    manager = TaskManager()
    two = [TaskParams("calculator", "add", args=[1, 1])] * 2
    results = await manager.paraSyncTasks(two)
    assert all(isinstance(result, BrokerUnavailable) for result in results)
    for chain in (manager.chainSyncTasks, manager.chainTasks):
        with pytest.raises(BrokerUnavailable, match=r"^step 1 of 2 \(calculator\.add\): "):
            await chain(two)
    await manager.aclose()


@pytest.fixture
async def far(demo: EmbeddedInfo, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TaskManager]:
    """The default broker is nowhere; a friend has its own."""
    monkeypatch.setenv("FAR_BROKER", demo.url)
    friends = {
        "far": Friend(route="flaky", queue="flaky", broker="${FAR_BROKER}"),
        "near": Friend(route="flaky", queue="flaky"),
    }
    environ = {"CELERY": "1", "BROKER_URL": f"redis://127.0.0.1:{closed_port()}/0"}
    TaskManager.reset(Bootstrap(environ, friends))
    manager = TaskManager()
    yield manager
    await manager.aclose()


async def test_a_friend_has_its_own_broker_and_backend(far: TaskManager) -> None:
    assert await far.send_await("sleep", "far", [0]) == 0
    with pytest.raises(BrokerUnavailable):
        await far.send_await("sleep", "near", [0])


async def test_what_was_left_running_is_revoked_where_it_runs(
    far: TaskManager, listener: Listener, own_id: str
) -> None:
    with pytest.raises(TimeoutException):
        await far.send_await("sleep", "far", [60], timeout=0.5, task_id=own_id)
    assert await far.revoke(own_id, terminate=True)
    await listener.hear(RevokeSent, own_id)
    handle = await far.send_async("sleep", "far", [60], task_id=f"{own_id}-too")
    await listener.hear(StateSeen, f"{own_id}-too")
    handle.cancel()
    await asyncio.wait({handle})
    assert await far.revoke(f"{own_id}-too", terminate=True)


def test_this_process_was_given_no_broker() -> None:
    """Every test here says which broker it means."""
    assert not {"BROKER_URL", "RESULT_BACKEND", "CELERY"} & os.environ.keys()
