"""Arguments that can't be sent: the sentence names the place."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import uuid
from typing import Any

import pytest

from kimera_tui.depth import DEEPEST
from kimera_tui.errors import NotSerialisable
from kimera_tui.process.payload import check_depth, not_serialisable


class Colour(enum.Enum):
    RED = 1


def problem(args: list[Any], kwargs: dict[str, Any] | None = None) -> str:
    return str(not_serialisable(args, kwargs or {}, "the serializer's words"))


def test_a_positional_argument_is_named_by_its_number() -> None:
    assert problem([1, object()]) == "argument 2: a object cannot be sent; nothing was sent."


def test_a_named_argument_is_named() -> None:
    assert problem([], {"a": 1, "when": object()}).startswith("argument `when`: a object")


def test_the_place_inside_is_named() -> None:
    text = problem([], {"rows": [{"ok": 1}, {"bad": [0, object()]}]})
    assert text.startswith("argument `rows`[1].bad[1]: a object cannot be sent")


def test_a_set_gets_a_hint() -> None:
    assert problem([{1, 2}]) == "argument 1: a set cannot be sent; use a list; nothing was sent."


def test_what_contains_itself_is_named() -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert problem([loop]) == "argument 1[0]: contains itself; nothing was sent."


def test_what_stands_twice_does_not_contain_itself() -> None:
    twice = [1]
    assert "contains itself" not in problem([[twice, twice]])


def test_what_is_nested_too_deep_is_named() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert problem([1, deep]) == "argument 2: nested too deep; nothing was sent."


def lists(levels: int) -> list[Any]:
    deep: list[Any] = []
    for _ in range(levels - 1):
        deep = [deep]
    return deep


def test_how_deep_arguments_may_be_is_counted() -> None:
    check_depth([lists(DEEPEST)], {"a": lists(DEEPEST)})
    with pytest.raises(NotSerialisable, match="argument `a`: nested too deep; nothing was sent"):
        check_depth([1], {"a": lists(DEEPEST + 1)})
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(NotSerialisable, match="argument 1\\[0\\]: contains itself"):
        check_depth([loop], {})


@pytest.mark.parametrize("key", [(1, 2), b"x"])
def test_a_key_that_json_does_not_know_is_named(key: Any) -> None:
    text = problem([], {"by": [{key: 1}]})
    assert text.startswith(f"argument `by`[0]: a {type(key).__name__} cannot be the key")


@pytest.mark.parametrize(
    "value",
    [
        None, True, 1, 1.5, "x", b"x", [1], (1,), {"a": 1}, {1: 2}, Colour.RED,
        decimal.Decimal("1.5"), uuid.UUID(int=1), dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
        dt.date(2026, 1, 2), dt.time(1, 2),
    ],
)  # fmt: skip
def test_what_can_be_sent_is_not_blamed(value: Any) -> None:
    text = problem([value], {"a": value})
    assert text == "The arguments cannot be sent: the serializer's words; nothing was sent."
