"""The feeding rule, which builds new arguments and leaves the given ones alone."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kimera_tui.process.feeding import describe_feed, feed

SCALARS = st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    st.none() | SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
ARGS = st.lists(VALUES, max_size=4)
KWARGS = st.dictionaries(st.text(max_size=3), VALUES, max_size=4)


@given(ARGS, KWARGS, VALUES)
def test_the_inputs_are_never_changed(args: list[Any], kwargs: dict[str, Any], result: Any) -> None:
    original = copy.deepcopy((args, kwargs, result))
    fed_args, fed_kwargs = feed(args, kwargs, result)
    fed_args.append("more")
    fed_kwargs["more"] = "more"
    assert (args, kwargs, result) == original


@given(ARGS, KWARGS, VALUES)
def test_the_same_inputs_give_the_same_again(
    args: list[Any], kwargs: dict[str, Any], result: Any
) -> None:
    assert feed(args, kwargs, result) == feed(args, kwargs, result)


@given(ARGS, KWARGS, KWARGS)
def test_a_dict_merges_into_kwargs_and_wins(
    args: list[Any], kwargs: dict[str, Any], result: dict[str, Any]
) -> None:
    assert feed(args, kwargs, result) == (args, {**kwargs, **result})


@given(ARGS, KWARGS, ARGS)
def test_a_list_is_appended_to_args(
    args: list[Any], kwargs: dict[str, Any], result: list[Any]
) -> None:
    assert feed(args, kwargs, result) == ([*args, *result], kwargs)


@given(ARGS, KWARGS, SCALARS)
def test_any_other_value_becomes_the_payload(
    args: list[Any], kwargs: dict[str, Any], result: Any
) -> None:
    assert feed(args, kwargs, result) == (args, {**kwargs, "payload": result})


@given(ARGS, KWARGS)
def test_none_feeds_nothing(args: list[Any], kwargs: dict[str, Any]) -> None:
    assert feed(args, kwargs, None) == (args, kwargs)


def test_falsy_values_are_values() -> None:
    for value in (0, False, "", 0.0):
        assert feed([], {}, value) == ([], {"payload": value})
    assert feed([1], {"a": 1}, {}) == ([1], {"a": 1})
    assert feed([1], {"a": 1}, []) == ([1], {"a": 1})


def test_the_rule_is_described_in_words() -> None:
    assert describe_feed({"a": 1, "b": 2}) == "merged into kwargs: a, b"
    assert describe_feed({}) == "merged into kwargs: nothing"
    assert describe_feed([1]) == "appended to args: 1 value"
    assert describe_feed([1, 2]) == "appended to args: 2 values"
    assert describe_feed(None) == "fed nothing"
    assert describe_feed("x") == "fed as kwargs.payload"
