"""How deep values may be nested, counted alike on every Python."""

from __future__ import annotations

from typing import Any

import pytest

from kimera_tui.depth import DEEPEST, every, is_too_deep


def nested(levels: int, kind: type[Any] = list) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = {"in": value} if kind is dict else kind([value])
    return value


@pytest.mark.parametrize("kind", [list, tuple, dict, frozenset])
def test_the_deepest_level_is_let_through_and_the_next_one_is_not(kind: type[Any]) -> None:
    assert not is_too_deep(nested(DEEPEST, kind))
    assert is_too_deep(nested(DEEPEST + 1, kind))


def test_depth_far_beyond_what_an_interpreter_can_walk_is_counted() -> None:
    assert is_too_deep(nested(100_000))


def test_the_deepest_branch_counts() -> None:
    assert is_too_deep({"flat": [1, 2], "deep": [0, nested(DEEPEST)]})


def test_what_stands_in_two_places_at_each_level_is_counted_quickly() -> None:
    value: list[Any] = []
    for _ in range(DEEPEST):
        value = [value, value]
    assert is_too_deep(value)


def test_what_contains_itself_is_too_deep() -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert is_too_deep(loop)


def test_everything_within_a_value_comes_in_its_order() -> None:
    assert [each for each in every([1, {"a": (2, 3)}, 4]) if isinstance(each, int)] == [1, 2, 3, 4]


def test_everything_within_a_value_is_found_however_deep() -> None:
    assert "x" in list(every(nested(100_000)))


def test_everything_within_what_contains_itself_has_an_end() -> None:
    loop: list[Any] = [1]
    loop += [{"again": loop}, 2]
    assert [each for each in every(loop) if isinstance(each, int)] == [1, 2]
