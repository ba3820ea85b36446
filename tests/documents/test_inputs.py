"""What a run is given: every type with its limits, secrets, and inputs that make no sense."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_tui.documents.document import Input
from kimera_tui.documents.inputs import (
    MAX_MATCHED,
    check,
    parse_input,
    resolve,
    secret_value,
    spec_problems,
)
from kimera_tui.errors import UsageError
from kimera_tui.values.patterns import is_match

TYPES = get_args(Input.model_fields["type"].annotation)


def spec(**fields: Any) -> Input:
    return Input.model_validate(fields)


def refusal(fields: dict[str, Any], value: Any) -> str:
    """Why a value is refused, or an empty string."""
    try:
        check("x", spec(**fields), value)
    except UsageError as error:
        return error.message.removeprefix("x: ")
    return ""


@pytest.mark.parametrize(
    ("fields", "good", "bad"),
    [
        (
            {},
            ["", "a", "7"],
            [(7, "7 is not text; quote it."), (None, "null is not text"), ([], "[] i")],
        ),
        ({"max_length": 3}, ["abc"], [("abcd", "4 characters; the most is 3.")]),
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
            [0, -7, 10**300],
            [
                (1.0, "1.0 is not an integer."),
                (True, "true is no"),
                ("7", '"7" is not an integer.'),
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
                (10**400, "1000"),
                (float("inf"), "Infinity cannot"),
            ],
        ),
        ({"type": "float", "min": 0.5}, [0.5], [(0.4, "must be at least 0.5.")]),
        (
            {"type": "bool"},
            [True, False],
            [(1, "1 is neither true nor false."), ("true", '"true" is')],
        ),
        (
            {"type": "date"},
            ["2026-02-28", "2024-02-29"],
            [
                ("2026-02-29", "no such date."),
                ("2026-2-1", "write a date as 2026-01-31."),
                (20260101, "w"),
                ("20260101", "write a date"),
                ("2026-01-01T00:00:00", "write a date"),
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
                ("noon", "write a time as 2026-01-31T12:30:00"),
                (5, "write a time"),
                ("2026-01-31T25:00:00", "write a time"),
                ("0001-01-01T00:00:00", ""),
            ],
        ),
        (
            {"type": "datetime", "min": "2026-01-31T12:00:00Z"},
            ["2026-01-31T14:00:00+02:00"],
            [("2026-01-31T13:59:59+02:00", "must be at least 2026-01-31T12:00:00Z.")],
        ),
        (
            {"type": "duration"},
            [],
            [
                ("soon", "`soon` is not a duration"),
                (0, "must be greater than 0."),
                (True, "write a duration"),
                ("1000h", "must be at most 720h."),
            ],
        ),
        ({"type": "duration", "max": "1h"}, [], [("61m", "must be at most 1h.")]),
        (
            {"type": "enum", "values": ["a", 1, None]},
            ["a", 1, None],
            [("b", "one of a, 1, null."), (True, "one of"), ("1", "one of"), (1.5, "one of")],
        ),
        (
            {"type": "json"},
            [None, 1, "a", [{"b": None}]],
            [
                (float("nan"), "is not JSON-serializable"),
                ({1, 2}, "is not JSON-serializable."),
            ],
        ),
    ],
)
def test_each_type_takes_its_values_and_no_others(
    fields: dict[str, Any], good: list[Any], bad: list[tuple[Any, str]]
) -> None:
    for value in good:
        assert check("x", spec(**fields), value) == value
    for value, sentence in bad:
        found = refusal(fields, value)
        assert found.startswith(sentence), (value, found)
        assert found or sentence == ""


def test_a_duration_is_kept_in_seconds() -> None:
    assert check("x", spec(type="duration"), "1h30m") == 5400
    assert check("x", spec(type="duration"), 90) == 90.0


@pytest.mark.parametrize(
    ("fields", "text", "value"),
    [
        ({"type": "int"}, " -7 ", -7),
        ({"type": "float"}, "1e3", 1000.0),
        ({"type": "bool"}, "Yes", True),
        ({"type": "bool"}, "false", False),
        ({"type": "json"}, '{"a": [1]}', {"a": [1]}),
        ({"type": "date"}, " 2026-01-31 ", "2026-01-31"),
        ({"type": "duration"}, "5m", 300.0),
        ({"type": "enum", "values": ["eu", 7, True, None]}, "7", 7),
        ({"type": "enum", "values": ["eu", 7, True, None]}, "true", True),
        ({"type": "enum", "values": ["eu", 7, True, None]}, "null", None),
        ({"type": "enum", "values": ["x" * 100]}, "x" * 100, "x" * 100),
        ({"type": "enum", "values": [" a"]}, " a", " a"),
        ({}, " as it is ", " as it is "),
    ],
)
def test_what_is_typed_is_read_by_its_type(fields: dict[str, Any], text: str, value: Any) -> None:
    found = parse_input("x", spec(**fields), text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("fields", "text", "sentence"),
    [
        ({"type": "int"}, "7.5", "x: `7.5` is not an integer."),
        ({"type": "int", "max": 5}, "7", "x: must be at most 5."),
        ({"type": "float"}, "x", "x: `x` is not a number."),
        ({"type": "float"}, "1e999", "x: Infinity cannot be sent."),
        ({"type": "float"}, "nan", "x: NaN cannot be sent."),
        ({"type": "bool"}, "1", "x: true or false."),
        ({"type": "json"}, "{", "x: not JSON: line 1 column 2"),
        ({"type": "json"}, "[" * 100_000, "x: nested deeper than 40."),
        ({"type": "enum", "values": ["eu", 7]}, "us", "x: one of eu, 7."),
        ({"type": "duration"}, "", "x: `` is not a duration"),
    ],
)
def test_what_cannot_be_read_is_refused(fields: dict[str, Any], text: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_input("x", spec(**fields), text)
    assert caught.value.message.startswith(sentence)


specs = st.builds(
    lambda kind, least, pattern: Input(
        type=kind, min=least, pattern=pattern, values=["a", 1, True], max_length=5
    ),
    st.sampled_from(TYPES),
    st.none() | st.integers() | st.sampled_from(["1m", "2026-01-31", "0001-01-01T00:00:00+14:00"]),
    st.none() | st.sampled_from(["[a-z]*", "(", "(?=a)"]),
)


@given(
    specs, st.text() | st.sampled_from(["0001-01-01T00:00:00", "9999-12-31T23:59:59-14:00", "1e9"])
)
def test_whatever_is_typed_is_read_or_refused_in_a_sentence(wanted: Input, text: str) -> None:
    for act in (parse_input, check):
        with contextlib.suppress(UsageError):
            act("x", wanted, text)
    assert all(sentence.startswith("x: ") for sentence in spec_problems("x", wanted))


# Inputs that make no sense


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"type": "enum"}, "an enum needs `values`."),
        ({"values": [1]}, "`values` belongs to an enum."),
        ({"type": "secret", "default": "x"}, "a secret has no default; write where it comes from."),
        ({"from": "prompt"}, "`from` belongs to a secret."),
        ({"type": "int", "pattern": "a"}, "`pattern` and `max_length` belong to a string."),
        ({"type": "int", "max_length": 3}, "`pattern` and `max_length` belong to a string."),
        ({"min": 1}, "`min` and `max` belong to numbers, dates and durations."),
        ({"type": "int", "min": "a"}, "`min` and `max` must be numbers."),
        ({"type": "int", "min": 2, "max": 1}, "`min` is over `max`."),
        ({"type": "date", "min": "x"}, "write a date as 2026-01-31."),
        ({"type": "date", "min": "2026-02-01", "max": "2026-01-01"}, "`min` is over `max`."),
        ({"type": "duration", "min": "1h", "max": "59m"}, "`min` is over `max`."),
        ({"type": "duration", "max": "x"}, "`x` is not a duration"),
        ({"default": 5}, "5 is not text; quote it: that is its default."),
        ({"type": "int", "max": 3, "default": 4}, "must be at most 3: that is its default."),
        ({"type": "enum", "values": ["a"], "default": "b"}, "one of a: that is its default."),
        ({"pattern": "("}, "`pattern` is not a regular expression: unclosed group."),
        ({"pattern": "a)|(b"}, "`pattern` is not a regular expression: unopened group."),
        ({"pattern": "(?=a)a"}, "`pattern` is not a regular expression: look-around"),
        ({"pattern": r"(a)\1"}, "`pattern` is not a regular expression: backreferences"),
        (
            {"pattern": r"(\w{1000}){1000}"},
            "`pattern` is not a regular expression: Compiled regex ex",
        ),
    ],
)
def test_an_input_that_makes_no_sense_is_told(fields: dict[str, Any], sentence: str) -> None:
    [found] = spec_problems("x", spec(**fields))
    assert found.startswith(f"x: {sentence}")


@pytest.mark.parametrize("kind", TYPES)
def test_an_input_of_each_type_makes_sense(kind: str) -> None:
    assert spec_problems("x", spec(type=kind, **({"values": [1]} if kind == "enum" else {}))) == []


# Patterns that take for ever elsewhere


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+", "(a|a)*", "(a|aa)+", "((a+)b?)+", "(.*)(.*)(.*)(.*)(.*)(.*)x", "(a?){50}a{50}b",
     "([a-z]+)*", "(a*)*(a*)*(a*)*"],
)  # fmt: skip
def test_no_pattern_takes_for_ever(pattern: str) -> None:
    assert not is_match(pattern, "a" * (MAX_MATCHED - 1) + "!")
    assert refusal({"pattern": pattern}, "a" * (MAX_MATCHED - 1) + "!").startswith("does not match")


def test_a_text_that_is_too_long_is_not_compared() -> None:
    assert refusal({"pattern": "a*"}, "a" * MAX_MATCHED) == ""
    assert refusal({"pattern": "a*"}, "a" * (MAX_MATCHED + 1)) == (
        f"{MAX_MATCHED + 1} characters; with a pattern the most is {MAX_MATCHED}."
    )


def test_a_pattern_matches_the_whole_text() -> None:
    assert is_match("a|b", "b")
    assert not is_match("a|b", "ab")
    assert not is_match("a", "a\n")
    assert is_match(r"\d{4}-\d\d", "2026-01")
    assert is_match("", "")


# All of them


SPECS = {
    "day": spec(type="date", required=True),
    "count": spec(type="int", default=3, max=5),
    "note": spec(),
    "key": spec(type="secret"),
}


def test_defaults_fill_in_and_secrets_stay_out() -> None:
    assert resolve(SPECS, {"day": "2026-01-31"}) == {"day": "2026-01-31", "count": 3, "note": None}
    assert resolve(SPECS, {"day": "2026-01-31", "count": 4, "note": ""})["count"] == 4


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        resolve(SPECS, {"dya": "x", "count": 9, "key": "canary", "note": 5})
    assert [caught.value.message, *caught.value.hint.splitlines()] == [
        "dya: the workflow has no such input. Near: `day`.",
        "day is required.",
        "count: must be at most 5.",
        "note: 5 is not text; quote it.",
        "key: a secret is not given with the other inputs.",
    ]
    assert "canary" not in f"{caught.value} {caught.value.hint}"


# Secrets


def test_a_secret_comes_from_where_its_input_says(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("from a file\r\n")
    cases: list[tuple[dict[str, str], str]] = [
        ({"from": "env:THE_KEY"}, "from the environment"),
        ({"from": f"file:{file}"}, "from a file"),
        ({"from": "prompt"}, "typed"),
        ({}, "typed"),
    ]
    for fields, value in cases:
        prompted = {"k": "typed"} if value == "typed" else {}
        environ = {"THE_KEY": "from the environment"}
        assert secret_value("k", spec(type="secret", **fields), environ, prompted) == value


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("env:THE_KEY", "k: the environment variable THE_KEY is not set."),
        ("env:EMPTY", "k: the environment variable EMPTY is not set."),
        ("file:/nowhere/key", "k: /nowhere/key cannot be read (No such file or directory)."),
        ("file:/", "k: / cannot be read (Is a directory)."),
        ("file:~nobody-of-that-name/key", "k: ~nobody-of-that-name/key cannot be read"),
        ("file:a\0b", "k: the file name contains a NUL byte."),
        ("prompt", "k: it is asked for at the start of a run, and was not given."),
    ],
)
def test_a_secret_that_is_not_there_is_named_by_its_place(place: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        secret_value("k", spec(type="secret", **{"from": place}), {"EMPTY": ""}, {})
    assert caught.value.message.startswith(sentence)


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [(b"x" * 70_000, "is larger than 65536 bytes"), (b"\xff\xfe", "is not UTF-8")],
)
def test_a_file_that_holds_no_secret_is_refused(tmp_path: Path, raw: bytes, sentence: str) -> None:
    file = tmp_path / "key"
    file.write_bytes(raw)
    with pytest.raises(UsageError, match=sentence):
        secret_value("k", spec(type="secret", **{"from": f"file:{file}"}), os.environ, {})


def test_what_is_no_name_is_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        resolve({}, {"machine h login me password canary": None, "dya": 1})
    assert str(caught.value) == "…: the workflow has no such input."
    assert caught.value.hint == "dya: the workflow has no such input."
