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
    parse_param,
    parse_timeout,
    text_of,
)
from kimera_tui.errors import UsageError
from kimera_tui.redaction import MASK


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
        ('[{"a":1,"a":2}]', "Arguments: `a` is given twice."),
        ("[NaN]", "Arguments: NaN cannot be sent."),
        ("[-Infinity]", "Arguments: -Infinity cannot be sent."),
        ("[1e400]", "Arguments: number too large."),
        ("[" + "1" * 5000 + "]", "Arguments: number too large."),
        ("[" * 60 + "]" * 60, "Arguments: nested deeper than 40."),
        ("[" * 100_000, "Arguments: nested deeper than 40."),
        ("[" + "1," * 600_000 + "1]", "Arguments: 1200003 characters; the most is 1048576."),
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
        ("abc", "Timeout: `abc` is not a duration; write 200ms, 30s, 5m or 1h30m."),
        ("2 minutes", "Timeout: `2 minutes` is not a duration"),
        ("31d", "Timeout: must be at most 720h."),
        ("721h", "Timeout: must be at most 720h."),
        ("", "Timeout: `` is not a duration"),
        ("5msec", "Timeout: `5msec` is not a duration"),
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


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("int", " 7 ", 7),
        ("float", "2.5", 2.5),
        ("bool", "Yes", True),
        ("bool", "false", False),
        ("date", "2026-02-28", "2026-02-28"),
        ("json", "[1]", [1]),
        ("string", " as it is ", " as it is "),
    ],
)
def test_parameters_are_read_by_their_type(kind: Any, text: str, value: object) -> None:
    assert parse_param("p", Param(type=kind), text) == value


@pytest.mark.parametrize(
    ("kind", "text", "sentence"),
    [
        ("int", "7.5", "p: `7.5` is not an integer."),
        ("float", "x", "p: `x` is not a number."),
        ("float", "nan", "p: nan cannot be sent."),
        ("bool", "maybe", "p: true or false."),
        ("date", "2026-13-01", "p: no such date."),
        ("date", "1.2.2026", "p: write a date as 2026-01-31."),
        ("json", "{", "p: not JSON"),
    ],
)
def test_parameters_of_another_type_are_refused(kind: Any, text: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_param("p", Param(type=kind), text)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize("kind", ["int", "float"])
@pytest.mark.parametrize(
    ("name", "secret"), [("pin", True), ("password", False)], ids=["declared", "by name"]
)
def test_a_secret_is_not_repeated_where_it_is_refused(kind: Any, name: str, secret: bool) -> None:
    param = Param(type=kind, secret=secret)
    with pytest.raises(UsageError, match=f"^{name}: `?{MASK}") as typed:
        parse_param(name, param, "hunter2")
    with pytest.raises(UsageError, match=f"^{name}: {MASK} is no") as given:
        check_call({name: param}, [], {name: "hunter2"})
    assert "hunter2" not in f"{typed.value}{given.value}"


def test_an_enum_takes_its_values_in_their_own_type() -> None:
    param = Param(type="enum", values=["eu", 7])
    assert parse_param("region", param, "7") == 7
    with pytest.raises(UsageError, match="region: one of eu, 7"):
        parse_param("region", param, "us")


def refusal(parse: Callable[[], object]) -> str | None:
    """The sentence with which something was refused, or None."""
    try:
        parse()
    except UsageError as error:
        return str(error)
    return None


@given(st.text(), st.sampled_from(["int", "float", "bool", "date", "json", "enum", "string"]))
def test_whatever_is_typed_is_read_or_refused(text: str, kind: Any) -> None:
    assert refusal(lambda: parse_param("p", Param(type=kind, values=["a"]), text)) != ""


@given(st.text())
def test_whatever_is_typed_as_arguments_is_read_or_refused(text: str) -> None:
    for parse in (parse_args, parse_kwargs, parse_timeout, check_task_name):
        assert refusal(partial(parse, text)) != ""


def test_a_default_is_typed_as_it_is_read() -> None:
    assert text_of(Param(type="json", default=[1, "a"])) == '[1, "a"]'
    assert text_of(Param(type="bool", default=True)) == "true"
    assert text_of(Param(type="int")) == ""


PARAMS = {
    "day": Param(type="date", required=True),
    "count": Param(type="int"),
    "paper": Param(type="enum", values=["A4"]),
}


def test_a_call_that_fits_is_taken() -> None:
    check_call(PARAMS, [], {"day": "2026-01-31", "count": 3, "paper": "A4", "else": object})
    check_call(PARAMS, ["2026-01-31", 3], {})


@pytest.mark.parametrize(
    ("args", "kwargs", "sentence"),
    [
        ([], {}, "day is required."),
        ([], {"day": 5}, "day: 5 is not text."),
        (["2026-01-31", "x"], {}, 'count: "x" is not an integer.'),
        ([], {"day": "d", "count": True}, "count: true is not an integer."),
        ([], {"day": "d", "paper": "A5"}, "paper: one of A4."),
    ],
)
def test_a_call_that_does_not_fit_is_refused(
    args: list[Any], kwargs: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UsageError) as caught:
        check_call(PARAMS, args, kwargs)
    assert str(caught.value) == sentence
