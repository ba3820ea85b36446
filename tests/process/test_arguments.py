"""A call that can't be done right is refused before anything is sent, naming the argument."""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
from collections.abc import AsyncIterator, Iterator
from types import MappingProxyType
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest
from kombu import Queue
from pydantic import ValidationError

from kimera_tui.errors import UsageError
from kimera_tui.process import TaskManager, TaskParams
from kimera_tui.process.events import CallbackFailed, Refused, Sending

from .listening import SECONDS, Listener
from .stand_in import manager_with

QUICK: dict[str, Any] = {"poll_start": 0.01, "max_poll": 0.02}


async def good(result: Any) -> None:
    del result


async def takes_nothing() -> None:
    return None


async def takes_two(result: Any, other: Any) -> None:
    del result, other


async def streams(result: Any) -> AsyncIterator[Any]:
    yield result


def yields(result: Any) -> Iterator[Any]:
    yield result


class Async:
    async def __call__(self, result: Any) -> None:
        del result

    async def method(self, result: Any) -> None:
        del result


class Plain:
    def __call__(self, result: Any) -> None:
        del result


class Deep(list[Any]):
    pass


WRONG: list[tuple[str, Any]] = [
    ("friend", None),
    ("friend", 7),
    ("friend", ["etl"]),
    ("task_name", None),
    ("task_name", b"load"),
    ("args", "12"),
    ("args", b"12"),
    ("args", ""),
    ("args", 0),
    ("args", {}),
    ("args", {1, 2}),
    ("args", iter([1])),
    ("kwargs", [("a", 1)]),
    ("kwargs", ""),
    ("kwargs", 0),
    ("kwargs", {1: 2}),
    ("kwargs", {"a": 1, None: 2}),
    ("callback", "load"),
    ("callback", print),
    ("callback", Plain()),
    ("callback", lambda result: None),
    ("callback", functools.partial(print)),
    ("callback", Async),
    ("callback", streams),
    ("callback", takes_nothing),
    ("callback", takes_two),
    ("callback", functools.partial(good, 1)),
    ("timeout", 0),
    ("timeout", -1),
    ("timeout", "30"),
    ("timeout", True),
    ("timeout", float("nan")),
    ("timeout", float("inf")),
    ("timeout", 10**400),
    ("timeout", 1e308),
]
"""What neither door takes."""
WRONG_CALLS: list[tuple[str, Any]] = [
    *WRONG,
    ("func", "load"),
    ("func", good),
    ("func", Async()),
    ("func", Async().method),
    ("func", functools.partial(good)),
    ("func", functools.partial(Async())),
    ("func", AsyncMock()),
    ("func", yields),
    ("func", streams),
    ("func", lambda: None),
    ("func", lambda one, other: None),
    *((name, value) for name in ("poll_start", "max_poll") for value in (
        -1, -0.001, "x", None, True, float("nan"), float("inf"), -float("inf"), 10**400, 1e308
    )),
    ("task_id", ""),
    ("task_id", 7),
    ("task_id", b"id"),
    ("task_id", "\ud800"),
    ("overtime", print),
    ("secret", "pin"),
    ("queue", 5),
    ("queue", ""),
    ("countdown", "soon"),
    ("countdown", True),
    ("countdown", float("nan")),
    ("countdown", 10**12),
    ("eta", "tomorrow"),
    ("eta", 5),
    ("expires", "tomorrow"),
    ("expires", float("inf")),
    ("expires", True),
    ("priority", "high"),
    ("priority", True),
    ("priority", -1),
    ("headers", "x: y"),
    ("headers", {1: 2}),
    ("time_limit", "30"),
    ("time_limit", 0),
    ("soft_time_limit", -1),
    ("serializer", 5),
    ("compression", True),
    ("shadow", 5),
    ("ignore_result", "yes"),
    ("retry", True),
    ("producer", object()),
    ("connection", object()),
    ("result_cls", object),
    ("name", "other"),
]  # fmt: skip
"""What a call doesn't take besides."""


def call(manager: TaskManager, **arguments: Any) -> Any:
    return manager.send_async(**{"task_name": "load", "friend": "etl", **arguments})


@pytest.mark.parametrize(("name", "wrong"), WRONG_CALLS)
async def test_a_wrong_argument_sends_nothing_and_is_named(
    name: str, wrong: Any, listener: Listener
) -> None:
    manager, app = manager_with()
    with pytest.raises(UsageError, match=f"^`{name}` .*; nothing was sent"):
        await call(manager, **{name: wrong})
    assert app.sent == []
    assert listener.of(Sending) == []
    engine = await manager._engines.engine()
    assert engine.watcher._watches == {}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "wrong"), [each for each in WRONG_CALLS if each[0] not in ("callback", "func")]
)
async def test_send_await_refuses_the_same(name: str, wrong: Any) -> None:
    manager, app = manager_with()
    with pytest.raises(UsageError, match=f"^`{name}` "):
        await manager.send_await(**{"task_name": "load", "friend": "etl", name: wrong})
    assert app.sent == []


@pytest.mark.parametrize(("name", "wrong"), WRONG)
def test_task_params_refuse_the_same(name: str, wrong: Any) -> None:
    values = {"friend": "etl", "task_name": "load", name: wrong}
    with pytest.raises(ValidationError) as caught:
        TaskParams(**values)
    assert [problem["loc"] for problem in caught.value.errors()] == [(name,)]


@pytest.mark.parametrize(("name", "wrong"), WRONG)
async def test_both_doors_use_the_same_words(name: str, wrong: Any) -> None:
    manager, _ = manager_with()
    with pytest.raises(UsageError) as of_the_call:
        await call(manager, **{name: wrong})
    with pytest.raises(ValidationError) as of_the_params:
        TaskParams(**{"friend": "etl", "task_name": "load", name: wrong})
    problem = of_the_params.value.errors()[0]["msg"].removeprefix("Value error, ")
    assert str(of_the_call.value) == f"`{name}` {problem}; nothing was sent."


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("args", (1, 2)),
        ("args", Deep([1])),
        ("kwargs", MappingProxyType({"a": 1})),
        ("callback", good),
        ("callback", Async()),
        ("callback", Async().method),
        ("callback", functools.partial(good)),
        ("callback", functools.partial(takes_two, other=1)),
        ("callback", functools.partial(Async())),
        ("callback", functools.partial(functools.partial(Async().method))),
        ("callback", AsyncMock()),
        ("func", [].append),
        ("func", print),
        ("func", Plain()),
        ("func", Mock()),
        ("func", functools.partial(print, "got")),
        ("func", lambda result, other=None: None),
        ("poll_start", 0),
        ("max_poll", 0),
        ("timeout", None),
        ("timeout", 10**6),
        ("timeout", 1e299),
        ("queue", Queue("elsewhere")),
        ("countdown", 0.5),
        ("eta", dt.datetime(2026, 1, 2, tzinfo=dt.UTC)),
        ("eta", "2026-01-02T03:04:05Z"),
        ("expires", 60),
        ("expires", dt.datetime(2040, 1, 2, tzinfo=dt.UTC)),
        ("priority", 0),
        ("headers", {"x": 1}),
        ("time_limit", 30),
        ("ignore_result", False),
        ("queue", None),
        ("MessageGroupId", "one of a broker's own"),
        ("link", []),
    ],
)
async def test_what_can_be_done_right_is_sent(name: str, right: Any) -> None:
    manager, app = manager_with(lambda sent: "done")
    handle = await call(manager, **{**QUICK, name: right})
    assert await asyncio.wait_for(handle, SECONDS) == "done"
    assert len(app.sent) == 1


async def test_an_async_callable_of_any_kind_is_awaited() -> None:
    got: list[Any] = []

    class Noting:
        async def __call__(self, result: Any) -> None:
            await asyncio.sleep(0)
            got.append(result)

    noting = Noting()
    for callback in (noting, noting.__call__, functools.partial(noting)):
        manager, _ = manager_with(lambda sent: "done")
        await (await call(manager, callback=callback, **QUICK))
    assert got == ["done"] * 3


async def test_a_plain_function_that_hands_on_a_coroutine_has_it_awaited(
    listener: Listener,
) -> None:
    got: list[Any] = []

    async def note(result: Any) -> None:
        await asyncio.sleep(0)
        got.append(result)
        if len(got) > 1:
            raise LookupError("note")

    manager, app = manager_with(lambda sent: "done")
    assert await (await call(manager, func=lambda result: note(result), **QUICK)) == "done"
    assert got == ["done"]
    handle = await call(manager, func=lambda result: note(result), **QUICK)
    with pytest.raises(LookupError):
        await handle
    await manager.settle()
    assert app.happened.count("forget") == 2
    assert listener.of(CallbackFailed)[0].error == "LookupError: note"


async def test_a_wrong_argument_is_reported_for_its_task(listener: Listener) -> None:
    manager, _ = manager_with()
    with pytest.raises(UsageError):
        await call(manager, task_id="id-1", timeout=0)
    refused = listener.of(Refused, "id-1")[0]
    assert refused.reason == "`timeout` must be greater than 0 and finite; nothing was sent."


# ---- options


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("countdwon", "countdown"),
        ("prioritty", "priority"),
        ("soft_timelimit", "soft_time_limit"),
        ("time_out", "timeout"),
        ("taskid", "task_id"),
        ("call_back", "callback"),
        ("pollstart", "poll_start"),
    ],
)
async def test_a_misspelt_option_is_refused(name: str, meant: str) -> None:
    manager, app = manager_with()
    arguments: dict[str, Any] = {name: 1}
    for door in (manager.send_async, manager.send_await):
        with pytest.raises(UsageError, match=f"^`{name}` is not an option; did you mean `{meant}`"):
            await door("load", "etl", **arguments)
    assert app.sent == []


@pytest.mark.parametrize("name", ["callback", "func", "overtime", "patience", "secret"])
async def test_send_await_says_what_is_for_send_async(name: str) -> None:
    manager, app = manager_with()
    arguments: dict[str, Any] = {name: good}
    with pytest.raises(UsageError, match=f"^`{name}` is for `send_async`"):
        await manager.send_await("load", "etl", **arguments)
    assert app.sent == []


async def test_an_eta_beside_a_countdown_is_not_dropped() -> None:
    manager, app = manager_with()
    with pytest.raises(UsageError, match=r"^`eta` must not be given together with `countdown`"):
        await call(manager, countdown=5, eta=dt.datetime(2040, 1, 1, tzinfo=dt.UTC))
    assert app.sent == []


async def test_stamps_have_names_of_their_own() -> None:
    manager, app = manager_with()
    await call(manager, stamped_headers=["prioritty"], prioritty="high")
    assert app.sent[0].options["prioritty"] == "high"


# ---- many at once, chains


def door(manager: TaskManager, name: str) -> Any:
    return getattr(manager, name)


MANY = ["paraSyncTasks", "paraTasks", "chainSyncTasks", "chainTasks"]


@pytest.mark.parametrize("name", MANY)
@pytest.mark.parametrize("wrong", [None, 7, TaskParams("etl", "load")])
async def test_a_task_list_that_is_none_is_refused(name: str, wrong: Any) -> None:
    manager, _ = manager_with()
    with pytest.raises(UsageError, match=r"^`taskList` must be a list of TaskParams"):
        await door(manager, name)(wrong)


@pytest.mark.parametrize("name", MANY)
@pytest.mark.parametrize("wrong", [None, "load", ("etl", "load"), {"friend": "etl"}])
async def test_what_is_no_task_params_is_named_and_nothing_is_sent(name: str, wrong: Any) -> None:
    manager, app = manager_with()
    tasks = [TaskParams("etl", "load"), TaskParams("etl", "load"), wrong]
    with pytest.raises(UsageError, match=r"^`taskList\[2\]` must be TaskParams"):
        await door(manager, name)(tasks)
    assert app.sent == []


@pytest.mark.parametrize("name", MANY)
async def test_any_iterable_of_task_params_is_a_task_list(name: str) -> None:
    manager, app = manager_with()
    returned = await door(manager, name)(TaskParams("etl", "load") for _ in range(2))
    if isinstance(returned, asyncio.Task):
        await returned
    assert len(app.sent) >= 1


@pytest.mark.parametrize("name", ["chainSyncTasks", "chainTasks"])
async def test_task_params_made_wrong_later_keep_a_whole_chain_from_being_sent(name: str) -> None:
    manager, app = manager_with()
    steps = [TaskParams("etl", "load"), TaskParams("etl", "load")]
    steps[1].timeout = -1
    with pytest.raises(UsageError, match=r"^step 2 of 2 \(etl\.load\): `timeout` "):
        await door(manager, name)(steps)
    steps[1] = TaskParams("etl", "")
    with pytest.raises(UsageError, match=r"^step 2 of 2 \(etl\.\): The task name is empty"):
        await door(manager, name)(steps)
    assert app.sent == []


async def test_task_params_made_wrong_later_are_an_exception_in_their_place() -> None:
    manager, app = manager_with(lambda sent: "done")
    tasks = [TaskParams("etl", "load"), TaskParams("etl", "load")]
    tasks[0].callback = print  # type: ignore[assignment]
    results = await manager.paraSyncTasks(tasks)
    assert isinstance(results[0], UsageError)
    assert results[1] == "done"
    assert len(app.sent) == 1


@pytest.mark.parametrize("wrong", ["collect", 7, takes_nothing, takes_two, yields, streams])
async def test_a_wrong_gather_callback_sends_nothing(wrong: Any) -> None:
    manager, app = manager_with()
    with pytest.raises(UsageError, match=r"^`gather_callback` "):
        await manager.paraTasks([TaskParams("etl", "load")], wrong)
    assert app.sent == []


async def test_a_coroutine_for_a_gather_callback_is_refused() -> None:
    manager, app = manager_with()
    coroutine = good([])
    with pytest.raises(UsageError, match=r"^`gather_callback` is a coroutine: pass the async func"):
        await manager.paraTasks([TaskParams("etl", "load")], coroutine)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"^`callback` is a coroutine"):
        await call(manager, callback=coroutine)
    assert app.sent == []
    coroutine.close()


# ---- revoke


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("task_id", None), ("task_id", ""), ("task_id", 7), ("task_id", ["a"]),
        ("terminate", "no"), ("terminate", 1),
        ("signal", "SIGNONE"), ("signal", 9), ("signal", None), ("signal", ""),
    ],
)  # fmt: skip
async def test_a_wrong_revoke_is_refused(name: str, wrong: Any) -> None:
    manager, app = manager_with()
    await call(manager, task_id="a")
    with pytest.raises(UsageError, match=f"^`{name}` must "):
        await manager.revoke(**{"task_id": "a", name: wrong})
    assert app.revokes == []


@pytest.mark.parametrize("signal", ["SIGKILL", "KILL", "SIGUSR1"])
async def test_a_signal_goes_by_either_name(signal: str) -> None:
    manager, app = manager_with()
    await call(manager, task_id="a", poll_start=5)
    await manager.revoke("a", True, signal)
    assert app.revokes == [{"terminate": True, "signal": signal}]
