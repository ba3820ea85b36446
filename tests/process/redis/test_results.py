from __future__ import annotations

import datetime as dt
import json
import uuid
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kombu.utils.json import dumps

from kimera_tui.depth import DEEPEST
from kimera_tui.process.outcome import Outcome
from kimera_tui.process.redis.results import LARGEST, read_result

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    ["status", "result", "traceback", "children", "task_id", "date_done", "exc_type",
     "exc_message", "exc_module", "__type__", "__value__"]
)  # fmt: skip
HOSTILE = st.dictionaries(FIELDS, JSON | st.dictionaries(FIELDS, JSON))

ELEVEN = [
    b"",
    b"not json",
    b"\xff\xfe\x00",
    b"null",
    b"[]",
    b'"SUCCESS"',
    b"{}",
    b'{"status": null}',
    b'{"status": 5, "result": 1}',
    b'{"status": "FAILURE", "result": {"exc_type": ["x"], "exc_message": {"a": 1}}}',
    b'{"status": "FAILURE", "result": "text", "traceback": 7}',
]


@pytest.mark.parametrize("raw", ELEVEN, ids=range(11))
def test_the_eleven_malformed_metas_end_readably(raw: bytes) -> None:
    outcome = read_result(b"key", raw)
    assert outcome.ready
    assert outcome.state == ("FAILURE" if b"FAILURE" in raw else "ENDED")
    assert bool(outcome.error_type) is (outcome.state == "FAILURE")
    assert isinstance(outcome.error_message, str)
    assert isinstance(outcome.traceback, str)


@given(HOSTILE.map(lambda meta: json.dumps(meta).encode()) | st.binary() | JSON.map(json.dumps))
def test_no_meta_raises(raw: bytes | str) -> None:
    outcome = read_result(b"key", raw.encode() if isinstance(raw, str) else raw)
    assert isinstance(outcome, Outcome)
    assert isinstance(outcome.state, str)
    assert isinstance(outcome.error_message, str)


@pytest.mark.parametrize(
    "raw",
    [b"[" * 100_000, b'{"status":' * 5_000, b'{"status": "SUCCESS", "result": 1' + b"0" * 9999],
    ids=["lists", "objects", "number"],
)
def test_depth_and_huge_numbers_are_no_crash(raw: bytes) -> None:
    assert read_result(b"key", raw).state == "ENDED"


@pytest.mark.parametrize(
    ("levels", "state"),
    [(DEEPEST, "SUCCESS"), (DEEPEST + 1, "ENDED"), (600, "ENDED"), (100_000, "ENDED")],
)
def test_how_deep_a_result_may_be_is_counted(levels: int, state: str) -> None:
    outcome = read_result(b"key", _meta_with_lists(levels))
    assert outcome.state == state
    if state == "ENDED":
        assert outcome.error_message == (
            "it succeeded, but the stored result is nested deeper than 200 levels"
        )


def test_brackets_within_texts_are_no_depth() -> None:
    raw = json.dumps({"status": "SUCCESS", "result": ["[{" * 10_000]}).encode()
    assert read_result(b"key", raw).state == "SUCCESS"


def _meta_with_lists(levels: int) -> bytes:
    return f'{{"status": "SUCCESS", "result": {"[" * levels}{"]" * levels}}}'.encode()


@pytest.mark.parametrize(
    "value",
    [
        dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC),
        dt.date(2026, 1, 2),
        dt.time(1, 2),
        Decimal("1.50"),
        uuid.UUID(int=7),
        b"bytes",
        {"__type__": "unheard of", "__value__": 1},
        {"__type__": "uuid", "__value__": "not one"},
    ],
    ids=str,
)
def test_typed_results_are_what_celerys_get_returns(value: Any) -> None:
    raw = dumps({"status": "SUCCESS", "result": [{"at": value}]})
    assert read_result(b"key", raw.encode()).result == [{"at": value}]


def test_a_stored_exception_stays_text() -> None:
    raw = json.dumps(
        {
            "status": "FAILURE",
            "result": {"exc_type": "SystemExit", "exc_message": ["1"], "exc_module": "builtins"},
        }
    )
    outcome = read_result(b"key", raw.encode())
    assert (outcome.error_type, outcome.error_message) == ("SystemExit", "1")


def test_a_huge_result_says_how_large_it_is() -> None:
    raw = b'{"status": "SUCCESS", "result": "' + b"x" * LARGEST + b'"}'
    outcome = read_result(b"celery-task-meta-1", raw)
    assert outcome.state == "ENDED"
    assert "8.0 MiB" in outcome.error_message
    assert "celery-task-meta-1" in outcome.error_message
