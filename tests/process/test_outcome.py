"""How a stored result is read, whatever shape it has."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kombu.utils.json import dumps

from kimera_tui.process.outcome import Outcome, outcome_of, read_meta

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def read(**meta: Any) -> Outcome:
    return read_meta(dumps(meta))


@given(JSON)
def test_a_success_gives_back_its_result(value: Any) -> None:
    meta = json.dumps({"status": "SUCCESS", "result": value, "traceback": None})
    assert read_meta(meta) == Outcome("SUCCESS", value)
    assert read_meta(meta).ready


@pytest.mark.parametrize(
    "value",
    [dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC), dt.date(2026, 1, 2), Decimal("1.50"), b"\x00\xff"],
)
def test_typed_values_come_back_as_what_they_were(value: Any) -> None:
    assert read(status="SUCCESS", result=[value]).result == [value]


@pytest.mark.parametrize(
    ("stored", "error_type", "message"),
    [
        ({"exc_type": "ValueError", "exc_message": ["no", 3]}, "ValueError", "no, 3"),
        ({"exc_type": "ValueError", "exc_message": "no"}, "ValueError", "no"),
        ({"exc_type": "ValueError", "exc_message": None}, "ValueError", ""),
        ({"exc_type": "SystemExit", "exc_message": [1]}, "SystemExit", "1"),
        ("just text", "Exception", "just text"),
        (None, "Exception", ""),
        (["odd"], "Exception", "['odd']"),
    ],
)
def test_a_failure_gives_type_and_message_as_text(
    stored: Any, error_type: str, message: str
) -> None:
    outcome = read(status="FAILURE", result=stored, traceback="Traceback ...")
    assert outcome == Outcome("FAILURE", None, error_type, message, "Traceback ...")
    assert outcome.ready


@pytest.mark.parametrize(
    ("state", "ready"),
    [("SUCCESS", True), ("FAILURE", True), ("REVOKED", True), ("STARTED", False),
     ("RETRY", False), ("PROGRESS", False), ("PENDING", False)],
)  # fmt: skip
def test_only_three_states_are_ends(state: str, ready: bool) -> None:
    assert outcome_of({"status": state}).ready is ready


def test_a_custom_state_keeps_its_meta() -> None:
    assert read(status="PROGRESS", result={"done": 3}).result == {"done": 3}


@pytest.mark.parametrize(
    "raw",
    [b"", b"not json", b"[1]", b"null", b"{}", b'{"status": null}', b'{"status": 3}',
     b"\xff\xfe", b"[" * 100_000, b'{"status": "SUCCESS"'],
)  # fmt: skip
def test_what_cannot_be_read_is_a_failure_that_says_so(raw: bytes) -> None:
    outcome = read_meta(raw)
    assert outcome.state == "FAILURE"
    assert outcome.error_type == "UnreadableResult"
    assert outcome.error_message


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_reading_never_raises(raw: bytes) -> None:
    assert isinstance(read_meta(raw), Outcome)


@given(st.dictionaries(st.sampled_from(["status", "result", "traceback", "date_done"]), JSON))
def test_no_meta_raises(meta: dict[str, Any]) -> None:
    assert outcome_of(meta).done_at is None or "date_done" in meta


@pytest.mark.parametrize(
    "done",
    ["2026-11-25T09:00:00+00:00", "2026-11-25T09:00:00", "2026-11-25T10:00:00+01:00",
     dt.datetime(2026, 11, 25, 9),  # noqa: DTZ001 - as the database backend gives it
     dt.datetime(2026, 11, 25, 9, tzinfo=dt.UTC)],
)  # fmt: skip
@pytest.mark.parametrize("status", ["SUCCESS", "FAILURE"])
def test_when_it_was_done_is_reported_in_seconds(done: Any, status: str) -> None:
    assert outcome_of({"status": status, "date_done": done}).done_at == 1795597200.0


@pytest.mark.parametrize("done", [None, "", "soon", 7])
def test_a_date_that_is_none_is_not_reported(done: Any) -> None:
    assert outcome_of({"status": "SUCCESS", "date_done": done}).done_at is None
