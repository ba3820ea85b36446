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
def test_of_celerys_states_three_are_ends(state: str, ready: bool) -> None:
    assert outcome_of({"status": state}).ready is ready


def test_a_custom_state_keeps_its_meta() -> None:
    assert read(status="PROGRESS", result={"done": 3}).result == {"done": 3}


@pytest.mark.parametrize(
    "raw",
    [b"", b"not json", b"[1]", b"null", b"{}", b'{"status": null}', b'{"status": 3}',
     b"\xff\xfe", b"[" * 100_000, b'{"status": "SUCCESS"', b'{"status": "ENDED", '],
)  # fmt: skip
def test_what_cannot_be_read_has_ended_with_a_result_that_is_unknown(raw: bytes) -> None:
    outcome = read_meta(raw)
    assert outcome.state == "ENDED"
    assert outcome.ready
    assert outcome.doubtful
    assert outcome.error_message
    assert not outcome.error_type


@pytest.mark.parametrize("rest", ["", ', "result": ' + "[" * 300 + "]" * 300 + "}"])
def test_a_failure_that_cannot_be_read_stays_one(rest: str) -> None:
    outcome = read_meta('{"status": "FAILURE"' + rest)
    assert (outcome.state, outcome.error_type) == ("FAILURE", "UnreadableResult")
    assert outcome.doubtful
    assert outcome.error_message


def test_what_has_not_ended_and_cannot_be_read_goes_on() -> None:
    assert read_meta('{"status": "PROGRESS", "result": {"do') == Outcome("PROGRESS")


def test_an_unpickleable_exception_is_told_by_what_is_in_the_wrapper() -> None:
    stored = {
        "exc_type": "UnpickleableExceptionWrapper",
        "exc_message": ["jobs", "Odd", ["no", 3], "Odd('no', 3)"],
        "exc_module": "celery.utils.serialization",
    }
    outcome = read(status="FAILURE", result=stored)
    assert (outcome.error_type, outcome.error_message) == ("Odd", "no, 3")
    stored["exc_message"] = ["jobs", "Odd", [], "Odd()"]
    assert read(status="FAILURE", result=stored).error_message == "Odd()"
    stored["exc_message"] = ["short"]
    assert read(status="FAILURE", result=stored).error_type == "UnpickleableExceptionWrapper"


def test_a_retry_tells_its_exception_and_which_try_it_was() -> None:
    stored = {"exc_type": "ConnectionError", "exc_message": ["smtp 451"]}
    told = {"error_type": "ConnectionError", "error_message": "smtp 451"}
    assert read(status="RETRY", result=stored).meta == told
    assert read(status="RETRY", result=stored, retries=2).meta == {**told, "retries": 2}
    assert read(status="RETRY", result=stored, retries="2").meta == told


def test_the_tasks_that_a_task_spawned_are_told() -> None:
    group = [["group", None], [[["b", None], None], [["c", None], None]]]
    children = [[["a", ["parent", None]], None], group, "odd", [3], [[7], None], [["d"], None]]
    outcome = read(status="SUCCESS", result=1, children=children)
    assert outcome.children == ("a", "b", "c", "d")
    many = [[[str(number), None], None] for number in range(250)]
    outcome = read(status="SUCCESS", result=1, children=many)
    assert outcome.children == tuple(map(str, range(100)))
    assert outcome.children_total == 250


def test_children_that_celery_decoded_are_told() -> None:
    from celery import Celery
    from celery.result import AsyncResult, GroupResult

    app = Celery(set_as_current=False)
    one: Any = AsyncResult("one", app=app)
    two: Any = AsyncResult("two", app=app)
    meta = {"status": "SUCCESS", "result": 1, "children": [one, GroupResult("g", [two], app=app)]}
    assert outcome_of(meta).children == ("one", "two")


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_reading_never_raises(raw: bytes) -> None:
    assert isinstance(read_meta(raw), Outcome)


FIELDS = st.sampled_from(
    ["status", "result", "traceback", "date_done", "children", "retries", "exc_type", "exc_message"]
)


@given(st.dictionaries(FIELDS, JSON | st.dictionaries(FIELDS, JSON)))
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
