"""What one value may be: every type with its limits, and declarations that make no sense."""

from __future__ import annotations

import contextlib
import datetime
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimera_tui.config.friends import Param
from kimera_tui.documents.document import Input
from kimera_tui.errors import UsageError
from kimera_tui.redaction import MASK
from kimera_tui.values.durations import MAX_SECONDS
from kimera_tui.values.patterns import is_match
from kimera_tui.values.spec import MAX_MATCHED, TYPES, Spec


def refusal(act: Callable[[], object]) -> str:
    """The sentence with which a value `x` is refused, without the name; empty where it is not."""
    try:
        act()
    except UsageError as error:
        name, _, sentence = error.message.partition(": ")
        return sentence if name == "x" else error.message
    return ""


@pytest.mark.parametrize(
    ("fields", "good", "bad"),
    [
        (
            {},
            ["", "a", "7"],
            [(7, "7 is not text; quote it."), (None, "null is not text"), ([], "[] i")],
        ),
        ({"max_length": 3}, ["abc"], [("abcd", "4 characters; at most 3 are allowed.")]),
        (
            {"pattern": "[a-z]+"},
            ["abc"],
            [
                ("ABC", "does not match the pattern [a-z]+."),
                ("a1", "does not"),
                ("", "does not"),
                ("a\n", "does not"),
            ],
        ),
        (
            {"type": "int"},
            [0, -7, 10**300, 1.0],
            [
                (1.5, "1.5 is not an integer."),
                (True, "true is not"),
                ("7", '"7" is not an integer.'),
                (float("inf"), '"Infinity" is not'),
            ],
        ),
        (
            {"type": "int", "min": 1, "max": 3},
            [1, 3],
            [(0, "must be at least 1."), (4, "must be at most 3.")],
        ),
        (
            {"type": "float"},
            [0, 1.5, -1e300],
            [
                ("1", '"1" is not a number.'),
                (True, "true is not a number"),
                (10**400, "must be a finite number below 1.8e308."),
                (float("inf"), "must be a finite number"),
                (float("nan"), "must be a finite number"),
            ],
        ),
        ({"type": "float", "min": 0.5}, [0.5], [(0.4, "must be at least 0.5.")]),
        (
            {"type": "bool"},
            [True, False],
            [(1, "1 is not true or false."), ("true", '"true" is not')],
        ),
        (
            {"type": "date"},
            ["2026-02-28", "2024-02-29"],
            [
                ("2026-02-29", "there is no such date."),
                ("2026-2-1", "must be a date such as 2026-01-31."),
                (20260101, "must be a date"),
                ("20260101", "must be a date"),
                ("2026-01-01T00:00:00", "must be a date"),
            ],
        ),
        (
            {"type": "date", "min": "2026-01-01", "max": "2026-12-31"},
            ["2026-01-01", "2026-12-31"],
            [
                ("2025-12-31", "must be at least 2026-01-01."),
                ("2027-01-01", "must be at most 2026-12-31."),
            ],
        ),
        (
            {"type": "datetime"},
            ["2026-01-31T12:30:00", "2026-01-31T12:30:00Z", "2026-01-31T12:30+02:00"],
            [
                ("noon", "must be a date and time such as 2026-01-31T12:30:00"),
                (5, "must be a date and time"),
                ("2026-01-31T25:00:00", "must be a date and time"),
            ],
        ),
        (
            {"type": "datetime", "min": "2026-01-31T12:00:00Z"},
            ["2026-01-31T14:00:00+02:00"],
            [("2026-01-31T13:59:59+02:00", "must be at least 2026-01-31T12:00:00Z.")],
        ),
        (
            {"type": "duration"},
            [90],
            [
                ("soon", "must be a duration such as 200ms, 30s, 5m or 1h30m."),
                (0, "must be greater than 0."),
                (True, "must be a duration"),
                ("1000h", "must be at most 720h."),
            ],
        ),
        ({"type": "duration", "max": "1h"}, [3600], [("61m", "must be at most 1h.")]),
        (
            {"type": "enum", "values": ["a", 1, None]},
            ["a", 1, None],
            [("b", "must be one of a, 1, null."), (True, "must"), ("1", "must"), (1.5, "must")],
        ),
        (
            {"type": "json"},
            [None, 1, "a", [{"b": None}]],
            [
                (float("nan"), "is not JSON-serializable"),
                ({1, 2}, "is not JSON-serializable."),
                (json.loads("[" * 201 + "]" * 201), "nested too deep; at most 200 levels"),
            ],
        ),
    ],
)
def test_each_type_takes_its_values_and_no_others(
    fields: dict[str, Any], good: list[Any], bad: list[tuple[Any, str]]
) -> None:
    spec = Spec(**fields)
    for value in good:
        assert spec.check("x", value) == value
    for value, sentence in bad:
        assert refusal(partial(spec.check, "x", value)).startswith(sentence), value


def test_a_duration_is_kept_in_seconds_and_an_integer_as_one() -> None:
    assert Spec(type="duration").check("x", "1h30m") == 5400
    assert str(Spec(type="int").check("x", 3.0)) == "3"


@pytest.mark.parametrize(
    ("fields", "text", "value"),
    [
        ({"type": "int"}, " -7 ", -7),
        ({"type": "float"}, "1e3", 1000.0),
        ({"type": "float"}, ".5", 0.5),
        ({"type": "float"}, "3", 3),
        ({"type": "bool"}, "Yes", True),
        ({"type": "bool"}, "false", False),
        ({"type": "json"}, '{"a": [1]}', {"a": [1]}),
        ({"type": "date"}, " 2026-01-31 ", "2026-01-31"),
        ({"type": "duration"}, "5m", 300.0),
        ({"type": "enum", "values": ["eu", 7, True, None]}, "7", 7),
        ({"type": "enum", "values": ["eu", 7, True, None]}, "true", True),
        ({"type": "enum", "values": ["eu", 7, True, None]}, "null", None),
        ({"type": "enum", "values": ["1", 1]}, "1", 1),
        ({"type": "enum", "values": ["1", 1]}, '"1"', "1"),
        ({"type": "enum", "values": ["x" * 100]}, "x" * 100, "x" * 100),
        ({"type": "enum", "values": [" a", "a"]}, " a", " a"),
        ({}, " as it is ", " as it is "),
    ],
)
def test_a_text_is_read_by_its_type(fields: dict[str, Any], text: str, value: Any) -> None:
    found = Spec(**fields).read("x", text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("fields", "text", "sentence"),
    [
        ({"type": "int"}, "7.5", '"7.5" is not an integer.'),
        ({"type": "int"}, "1_000", '"1_000" is not an integer.'),
        ({"type": "int", "max": 5}, "7", "must be at most 5."),
        ({"type": "float"}, "x", '"x" is not a number.'),
        ({"type": "float"}, "1e999", "must be a finite number"),
        ({"type": "float"}, "nan", '"nan" is not a number.'),
        ({"type": "bool"}, "1", '"1" is not true or false.'),
        ({"type": "date"}, "1.2.2026", "must be a date such as 2026-01-31."),
        ({"type": "json"}, "{", "not JSON: line 1 column 2"),
        ({"type": "json"}, "[" * 100_000, "nested deeper than 40 levels."),
        ({"type": "enum", "values": ["eu", 7]}, "us", "must be one of eu, 7."),
        ({"type": "duration"}, "", "must be a duration"),
    ],
)
def test_a_text_of_another_type_is_refused(
    fields: dict[str, Any], text: str, sentence: str
) -> None:
    assert refusal(lambda: Spec(**fields).read("x", text)).startswith(sentence)


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("pin", Param(type="int", secret=True)),
        ("password", Param(type="float")),
        ("password", Input(type="bool")),
        ("password", Spec(type="duration")),
        ("pin", Param(type="date", secret=True)),
        ("pin", Param(pattern="[0-9]+", secret=True)),
    ],
)
def test_a_secret_is_not_repeated_where_it_is_refused(name: str, spec: Spec) -> None:
    for act in (spec.read, spec.check):
        with pytest.raises(UsageError, match=f"^{name}: ") as caught:
            act(name, "hunter2")
        assert "hunter2" not in str(caught.value)


def test_a_secret_number_is_masked() -> None:
    with pytest.raises(UsageError, match=f"^pin: {MASK} is not an integer"):
        Param(type="int", secret=True).read("pin", "hunter2")


# Whatever is typed

EPOCH = datetime.datetime(1971, 1, 1)  # noqa: DTZ001 - hypothesis wants it without a zone
numbers = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | numbers | st.text()
plain = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=9
)
enums = st.lists(st.integers() | st.booleans() | st.text(alphabet="aé 1-"), min_size=1)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "string": st.text(),
    "secret": st.text(),
    "int": st.integers(-(10**299), 10**299),
    "float": numbers | st.integers(-(10**20), 10**20),
    "bool": st.booleans(),
    "date": st.dates().map(datetime.date.isoformat),
    "datetime": st.datetimes(EPOCH).map(datetime.datetime.isoformat),
    "duration": st.floats(0, MAX_SECONDS, exclude_min=True),
    "json": plain.filter(lambda value: value is not None),
}


@settings(deadline=None)
@given(st.data())
def test_what_is_shown_is_read_as_the_same_value(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(TYPES))
    values = data.draw(enums) if kind == "enum" else []
    value = data.draw(st.sampled_from(values) if values else VALUES[kind])
    spec = Spec(type=kind, values=values)
    found = spec.read("x", spec.text(value))
    assert found == value
    assert type(found) is type(value)


specs = st.builds(
    lambda kind, least, most, pattern: Input(
        type=kind, min=least, max=most, pattern=pattern, values=["a", 1, True], max_length=5
    ),
    st.sampled_from(TYPES),
    st.none() | st.integers() | st.sampled_from(["1m", "2026-01-31", "0001-01-01T00:00:00+14:00"]),
    st.none() | numbers | st.text(),
    st.none() | st.sampled_from(["[a-z]*", "(", "(?=a)"]),
)
odd_texts = st.sampled_from(["0001-01-01T00:00:00", "9999-12-31T23:59:59-14:00", "1e9", "٣", "²"])


@settings(deadline=None)
@given(specs, st.text() | odd_texts, scalars)
def test_whatever_is_typed_or_given_is_taken_or_refused_in_a_sentence(
    spec: Input, text: str, value: Any
) -> None:
    sentences = [refusal(lambda: spec.read("x", text)), refusal(lambda: spec.check("x", value))]
    for sentence in (*sentences, *(sentence for _, sentence in spec.problems("x"))):
        assert "\n" not in sentence
        assert not sentence or sentence.endswith(".")


@settings(deadline=None)
@given(specs, scalars)
def test_whatever_is_taken_is_taken_again(spec: Input, value: Any) -> None:
    with contextlib.suppress(UsageError):
        taken = spec.check("x", value)
        assert spec.check("x", taken) == taken


# Declarations that make no sense


@pytest.mark.parametrize(
    ("fields", "key", "sentence"),
    [
        ({"type": "enum"}, "values", "is required for an enum."),
        ({"values": [1]}, "values", "is allowed for an enum only."),
        ({"type": "secret", "default": "x"}, "default", "is not allowed for a secret; say where"),
        ({"from": "prompt"}, "from", "is allowed for a secret only."),
        ({"type": "int", "pattern": "a"}, "pattern", "is allowed for a string only."),
        ({"type": "int", "max_length": 3}, "max_length", "is allowed for a string only."),
        ({"min": 1}, "min", "is allowed for numbers, dates and durations only."),
        ({"type": "int", "min": "a"}, "min", "must be a number."),
        ({"type": "int", "min": 2, "max": 1}, "min", "is greater than `max`."),
        ({"type": "date", "min": "x"}, "min", "must be a date such as 2026-01-31."),
        ({"type": "date", "min": "2026-02-01", "max": "2026-01-01"}, "min", "is greater than"),
        ({"type": "duration", "min": "1h", "max": "59m"}, "min", "is greater than `max`."),
        ({"type": "duration", "max": "x"}, "max", "must be a duration"),
        ({"default": 5}, "default", "5 is not text; quote it."),
        ({"type": "int", "max": 3, "default": 4}, "default", "must be at most 3."),
        ({"type": "enum", "values": ["a"], "default": "b"}, "default", "must be one of a."),
        ({"pattern": "("}, "pattern", "is not a regular expression: unclosed group."),
        ({"pattern": "a)|(b"}, "pattern", "is not a regular expression: unopened group."),
        ({"pattern": "(?=a)a"}, "pattern", "is not a regular expression: look-around"),
        ({"pattern": r"(a)\1"}, "pattern", "is not a regular expression: backreferences"),
        ({"pattern": r"(\w{1000}){1000}"}, "pattern", "is not a regular expression: Compiled reg"),
    ],
)
def test_a_declaration_that_makes_no_sense_is_reported_with_its_key(
    fields: dict[str, Any], key: str, sentence: str
) -> None:
    [(where, found)] = Input.model_validate(fields).problems("x")
    assert where == key
    assert found.startswith(sentence)


@pytest.mark.parametrize("kind", TYPES)
def test_a_declaration_of_each_type_makes_sense(kind: Any) -> None:
    assert not list(Input(type=kind, values=[1] if kind == "enum" else []).problems("x"))


def test_a_secret_default_is_not_repeated() -> None:
    assert list(Param(type="int", default="hunter2").problems("password")) == [
        ("default", f"{MASK} is not an integer.")
    ]


# Patterns that take for ever elsewhere


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+", "(a|a)*", "(a|aa)+", "((a+)b?)+", "(.*)(.*)(.*)(.*)(.*)(.*)x", "(a?){50}a{50}b",
     "([a-z]+)*", "(a*)*(a*)*(a*)*"],
)  # fmt: skip
def test_no_pattern_takes_for_ever(pattern: str) -> None:
    text = "a" * (MAX_MATCHED - 1) + "!"
    assert not is_match(pattern, text)
    assert refusal(lambda: Spec(pattern=pattern).check("x", text)).startswith("does not match")


def test_a_text_that_is_too_long_is_not_compared() -> None:
    spec = Spec(pattern="a*")
    assert spec.check("x", "a" * MAX_MATCHED)
    assert refusal(lambda: spec.check("x", "a" * (MAX_MATCHED + 1))) == (
        f"{MAX_MATCHED + 1} characters; with a pattern at most {MAX_MATCHED} are allowed."
    )


def test_a_pattern_matches_the_whole_text() -> None:
    assert is_match("a|b", "b")
    assert not is_match("a|b", "ab")
    assert not is_match("a", "a\n")
    assert is_match(r"\d{4}-\d\d", "2026-01")
    assert is_match("", "")
