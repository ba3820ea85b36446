"""TaskParams: a validated container that nothing in the engine ever changes."""

from __future__ import annotations

import functools
from typing import Any
from unittest.mock import AsyncMock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import kimera_tui
from kimera_tui.process import TaskManager, TaskParams, TimeoutException


async def callback(result: Any) -> None:
    del result


class AsyncCallable:
    async def __call__(self, result: Any) -> None:
        del result

    async def method(self, result: Any) -> None:
        del result


def test_is_offered_by_both_import_paths() -> None:
    assert kimera_tui.TaskParams is TaskParams
    assert kimera_tui.TaskManager is TaskManager
    assert kimera_tui.TimeoutException is TimeoutException


def test_the_package_has_nothing_else_by_that_way() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        _ = kimera_tui.nonsense


def test_only_friend_and_task_name_are_required() -> None:
    params = TaskParams("etl", "load")
    assert (params.friend, params.task_name) == ("etl", "load")
    assert params.callback is None
    assert params.args == []
    assert params.kwargs == {}
    assert params.timeout == 30


def test_positional_order_is_that_of_the_table() -> None:
    params = TaskParams("etl", "load", callback, [1], {"a": 2}, 5)
    assert params.callback is callback
    assert params.args == [1]
    assert params.kwargs == {"a": 2}
    assert params.timeout == 5


def test_every_instance_has_its_own_args_and_kwargs() -> None:
    one, other = TaskParams("etl", "load"), TaskParams("etl", "load")
    one.args.append(1)
    one.kwargs["a"] = 1
    assert other.args == []
    assert other.kwargs == {}
    assert TaskParams("etl", "load").args == []


@pytest.mark.parametrize("missing", [{"friend": "etl"}, {"task_name": "load"}, {}])
def test_a_missing_required_field_raises(missing: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="missing"):
        TaskParams(**missing)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("friend", None),
        ("friend", 7),
        ("friend", b"etl"),
        ("task_name", None),
        ("task_name", ["load"]),
        ("callback", "load"),
        ("callback", print),
        ("callback", lambda result: None),
        ("args", "12"),
        ("args", (1, 2)),
        ("args", {"a": 1}),
        ("args", 3),
        ("kwargs", [1]),
        ("kwargs", "a=1"),
        ("kwargs", {1: 2}),
        ("timeout", 0),
        ("timeout", -1),
        ("timeout", "30"),
        ("timeout", None),
        ("timeout", True),
        ("timeout", float("nan")),
        ("timeout", float("inf")),
    ],
)
def test_a_wrong_type_raises_at_construction_and_names_the_field(field: str, wrong: Any) -> None:
    values: dict[str, Any] = {"friend": "etl", "task_name": "load", field: wrong}
    with pytest.raises(ValidationError) as caught:
        TaskParams(**values)
    assert [problem["loc"] for problem in caught.value.errors()] == [(field,)]
    assert field in str(caught.value)


@pytest.mark.parametrize(
    "good",
    [
        callback,
        AsyncCallable(),
        AsyncCallable().method,
        functools.partial(callback),
        AsyncMock(),
    ],
)
def test_every_kind_of_async_callable_is_a_callback(good: Any) -> None:
    assert TaskParams("etl", "load", good).callback is good


@pytest.mark.parametrize("timeout", [0.001, 1, 2.5, 10**6])
def test_a_timeout_is_any_number_over_0(timeout: float) -> None:
    assert TaskParams("etl", "load", timeout=timeout).timeout == timeout


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.lists(JSON), st.dictionaries(st.text(), JSON))
def test_args_and_kwargs_hold_any_json_value_unchanged(
    args: list[Any], kwargs: dict[str, Any]
) -> None:
    params = TaskParams("etl", "load", args=args, kwargs=kwargs)
    assert params.args == args
    assert params.kwargs == kwargs


def test_equal_when_all_fields_are() -> None:
    assert TaskParams("etl", "load", None, [1]) == TaskParams("etl", "load", args=[1])
    assert TaskParams("etl", "load", None, [1]) != TaskParams("etl", "load", args=[2])
    assert TaskParams("etl", "load") != "etl.load"


def test_repr_shows_what_was_given() -> None:
    text = repr(TaskParams("etl", "load", None, [1], {"a": 2}, 5))
    assert (
        text == "TaskParams(friend='etl', task_name='load', args=[1], kwargs={'a': 2}, timeout=5)"
    )
