"""What a person types, read or refused in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_tui.config.friends import Param
from kimera_tui.documents.fields import (
    check_call,
    check_task_name,
    parse_args,
    parse_kwargs,
    parse_timeout,
)
from kimera_tui.errors import UsageError


def test_json_is_taken_as_it_is() -> None:
    assert parse_args('[1, "a", {"b": null}]') == [1, "a", {"b": None}]
    assert parse_kwargs('{"day": "2026-01-31"}') == {"day": "2026-01-31"}
    assert parse_args("  ") == []
    assert parse_kwargs("") == {}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1,2", "Arguments: not JSON: line 1 column 2"),
        ("{bad", "Arguments: not JSON: line 1 column 2"),
        ("5", "Arguments must be a JSON list, like [1, 2]."),
        ('[{"a":1,"a":2}]', "Arguments: duplicate key `a`."),
        ("[NaN]", "Arguments: NaN cannot be sent."),
        ("[-Infinity]", "Arguments: -Infinity cannot be sent."),
        ("[1e400]", "Arguments: number too large."),
        ("[" + "1" * 5000 + "]", "Arguments: number too large."),
        ("[" * 60 + "]" * 60, "Arguments: nested deeper than 40 levels."),
        ("[" * 100_000, "Arguments: nested deeper than 40 levels."),
        (
            "[" + "1," * 600_000 + "1]",
            "Arguments: 1200003 characters; at most 1048576 are allowed.",
        ),
    ],
)
def test_arguments_that_cannot_be_sent_are_refused(text: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_args(text)
    assert str(caught.value).startswith(sentence)


def test_named_arguments_must_be_an_object() -> None:
    with pytest.raises(UsageError, match="Named arguments must be a JSON object"):
        parse_kwargs("[1]")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5", 5),
        ("5s", 5),
        ("2.5", 2.5),
        ("5m", 300),
        ("1h30m", 5400),
        (" 1h ", 3600),
        ("200ms", 0.2),
        ("1.5ms", 0.0015),
        ("1m5ms", 60.005),
        ("1s500ms", 1.5),
        ("1h30", 3630),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_timeout(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("-1", "Timeout: must be greater than 0."),
        ("0", "Timeout: must be greater than 0."),
        ("abc", "Timeout: must be a duration such as 200ms, 30s, 5m or 1h30m."),
        ("2 minutes", "Timeout: must be a duration"),
        ("31d", "Timeout: must be at most 720h."),
        ("721h", "Timeout: must be at most 720h."),
        ("", "Timeout: must be a duration"),
        ("5msec", "Timeout: must be a duration"),
        ("-200ms", "Timeout: must be greater than 0."),
    ],
)
def test_times_that_are_none(text: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_timeout(text)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "Task name is empty."),
        ("  ", "Task name is empty."),
        ("a b", "Task name has a space."),
        ("a;rm", "Task name has a character outside A-Z a-z 0-9 _ . : -."),
        ("a" * 300, "Task name is over 255 characters."),
    ],
)
def test_task_names(name: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_task_name(name)
    assert str(caught.value) == sentence


def refusal(parse: Callable[[], object]) -> str | None:
    """The sentence with which something was refused, or None."""
    try:
        parse()
    except UsageError as error:
        return str(error)
    return None


@given(st.text())
def test_whatever_is_typed_as_arguments_is_read_or_refused(text: str) -> None:
    for parse in (parse_args, parse_kwargs, parse_timeout, check_task_name):
        assert refusal(partial(parse, text)) != ""


PARAMS = {
    "day": Param(type="date", required=True),
    "count": Param(type="int", max=9),
    "paper": Param(type="enum", values=["A4"]),
    "wait": Param(type="duration"),
    "due": Param(type="date", min="2026-01-01"),
}


def test_a_call_that_fits_is_taken() -> None:
    check_call(
        PARAMS, [], {"day": "2026-01-31", "count": 3.0, "paper": "A4", "wait": 5, "else": object}
    )
    check_call(PARAMS, ["2026-01-31", 3], {})
    check_call(PARAMS, ["today"], {"due": "2026-01-31"})


@pytest.mark.parametrize(
    ("args", "kwargs", "sentence"),
    [
        ([], {}, "day is required."),
        ([], {"day": 5}, "day: must be a date such as 2026-01-31."),
        (["2026-01-31", "x"], {}, 'count: "x" is not an integer.'),
        ([], {"day": "d", "count": True}, "count: true is not an integer."),
        ([], {"day": "d", "paper": "A5"}, "paper: must be one of A4."),
        ([], {"day": "d", "count": 10}, "count: must be at most 9."),
        ([], {"day": "d", "wait": "5m"}, "wait: must be in seconds: 300."),
        ([], {"day": "d", "due": "today"}, "due: must be a date such as 2026-01-31."),
    ],
)
def test_a_call_that_does_not_fit_is_refused(
    args: list[Any], kwargs: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UsageError) as caught:
        check_call(PARAMS, args, kwargs)
    assert str(caught.value) == sentence
