"""What a run is given: every input checked at once, and secrets from where they are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from kimera_tui.documents.document import Input
from kimera_tui.documents.inputs import choices_text, parse_choices, resolve, secret_value
from kimera_tui.errors import UsageError


def spec(**fields: Any) -> Input:
    return Input.model_validate(fields)


SPECS = {
    "day": spec(type="date", required=True),
    "count": spec(type="int", default=3, max=5),
    "note": spec(),
    "key": spec(type="secret"),
}


def test_defaults_fill_in_and_secrets_stay_out() -> None:
    assert resolve(SPECS, {"day": "2026-01-31"}) == {"day": "2026-01-31", "count": 3, "note": None}
    assert resolve(SPECS, {"day": "2026-01-31", "count": 4, "note": ""})["count"] == 4


def test_all_that_is_wrong_is_reported_at_once() -> None:
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


# The choices of an enum


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (["eu", "us"], "eu, us"),
        ([1, 2], "1, 2"),
        (["1", 2], '["1", 2]'),
        (["a, b"], '["a, b"]'),
        ([True, None], "[true, null]"),
        (["[a"], '["[a"]'),
        ([], ""),
    ],
)
def test_choices_are_shown_as_they_are_typed(values: list[Any], text: str) -> None:
    assert choices_text(values) == text
    assert parse_choices(text) == values
    assert list(map(type, parse_choices(text))) == list(map(type, values))


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
        ("prompt", "k: a run asks for it at its start, and it was not given."),
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
