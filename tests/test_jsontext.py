"""What is printed as JSON is JSON, whatever it is."""

from __future__ import annotations

import json
import math
from datetime import date
from decimal import Decimal
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_tui.depth import TOO_DEEP
from kimera_tui.jsontext import to_json


def strict(text: str) -> Any:
    """Parse JSON as other programs do: Python alone reads NaN and Infinity."""

    def refuse(constant: str) -> NoReturn:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates()
KEYS = st.text() | st.integers() | st.floats() | st.booleans() | st.none() | st.tuples(st.text())
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner) | st.dictionaries(KEYS, inner) | st.tuples(inner) | st.sets(SCALARS)
    ),
)


@given(VALUES)
def test_every_value_is_valid_json(value: object) -> None:
    strict(to_json(value))
    strict(to_json(value, indent=2, ascii_only=False, other=repr))


def test_numbers_that_json_has_not_are_texts() -> None:
    value = {"a": [math.nan, math.inf, {"b": -math.inf}], math.nan: (1.5, Decimal("NaN"))}
    assert strict(to_json(value)) == {
        "a": ["NaN", "Infinity", {"b": "-Infinity"}],
        "NaN": [1.5, "NaN"],
    }
    assert to_json(math.inf) == '"Infinity"'


def test_what_json_can_say_stays_as_it_is() -> None:
    value = {"a": [1, 2.5, None, True, "ü"], "b": {}, "on": date(2026, 1, 31)}
    assert to_json(value) == json.dumps(value, default=str)
    assert to_json({"a": "ü"}, indent=2, ascii_only=False) == '{\n  "a": "ü"\n}'


class Hostile:
    """An object that can't even be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({("a", 1): 2}, {"('a', 1)": 2}),
        ([Hostile(), 1], ["<Hostile: RuntimeError>", 1]),
        ([10**5000], [hex(10**5000)]),
    ],
)
def test_what_json_does_not_know_is_a_text(value: object, expected: object) -> None:
    assert strict(to_json(value)) == expected


def test_what_is_too_deep_is_cut() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    found, depth = strict(to_json({"deep": value, "beside": 1})), 0
    assert found["beside"] == 1
    inner = found["deep"]
    while isinstance(inner, list):
        inner, depth = inner[0], depth + 1
    assert (inner, depth) == (TOO_DEEP, 199)
    value = [[]]
    value[0].append(value)  # within itself
    strict(to_json(value))
