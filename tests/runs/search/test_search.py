"""Any search, written and read again, and asked of a table and of plain Python."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_tui.errors import UsageError
from kimera_tui.runs.journal import queries
from kimera_tui.runs.journal.migrations import MIGRATIONS
from kimera_tui.runs.search.query import RunRow, parse
from kimera_tui.runs.search.tree import KEYS, All, Any, Not, Search, Term, written
from kimera_tui.runs.status import Status

from .plain_search import meets

NOW = 1_000_000.0
TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=8)
LETTERS = st.text("aAbé%_\\\"' ()|-@:", max_size=4)
"""Few of them, so that a search finds something, and all that SQL or the line could trip over."""
STATES = st.sampled_from([status.value for status in Status])


def terms(text: st.SearchStrategy[str]) -> st.SearchStrategy[Search]:
    """Terms that a line can have."""
    some = text.filter(bool)
    plain = st.builds(Term, st.sampled_from(sorted(KEYS.keys() - {"state", "since"})), some)
    state = st.builds(lambda word, n: Term("state", word[:n]), STATES, st.integers(1, 14))
    since = st.builds(lambda n: Term("since", f"{n}s"), st.integers(0, 100))
    return st.one_of(st.builds(Term, st.just("word"), text), plain, state, since)


def trees(leaves: st.SearchStrategy[Search]) -> st.SearchStrategy[Search]:
    """Searches that a line can ask for."""

    def grown(parts: st.SearchStrategy[Search]) -> st.SearchStrategy[Search]:
        several = st.lists(parts, min_size=2, max_size=4).map(tuple)
        return st.one_of(st.builds(Not, parts), st.builds(All, several), st.builds(Any, several))

    return st.recursive(leaves, grown, max_leaves=12)


SAVED = st.builds(Term, st.just("saved"), TEXT.filter(bool))


@given(trees(st.one_of(terms(TEXT), SAVED)))
def test_what_is_written_is_read_as_the_same(search: Search) -> None:
    assert parse(written(search)) == search


PIECES = st.sampled_from(["a", " ", '"', '""', "(", ")", "|", "-", " or ", "not ", "@", "since:"])


@given(st.lists(PIECES, max_size=20).map("".join))
def test_any_line_is_read_or_refused(line: str) -> None:
    with contextlib.suppress(UsageError):
        search = parse(line)
        assert parse(written(search)) == search


RUNS = st.lists(
    st.builds(
        RunRow,
        run_id=LETTERS,
        name=LETTERS,
        status=STATES,
        started=st.integers(0, 100).map(lambda ago: NOW - ago),
        ended=st.none() | st.just(NOW),
        done=st.just(1),
        total=st.just(2),
        friends=st.lists(LETTERS, max_size=2).map(tuple),
        tasks=st.lists(LETTERS, max_size=2).map(tuple),
        error=LETTERS,
        parent=LETTERS,
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda row: row.run_id,
)


@pytest.fixture(scope="module")
def db() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    for script in MIGRATIONS:
        connection.executescript(script)
    yield connection
    connection.close()


def filled(db: sqlite3.Connection, rows: list[RunRow], errors: list[str], owned: bool) -> None:
    """Put runs into the table, each with a step that has an error or none."""
    db.execute("DELETE FROM step")
    db.execute("DELETE FROM run")
    for key, (row, error) in enumerate(zip(rows, errors, strict=False)):
        db.execute(
            "INSERT INTO run (key, run_id, name, parent, profile, started, ended, status, done,"
            " total, friends, tasks, error, owner, lease_until)"
            " VALUES (?, ?, ?, ?, '', ?, ?, ?, 1, 2, ?, ?, ?, ?, ?)",
            (
                key, row.run_id, row.name, row.parent, row.started, row.ended, row.status,
                json.dumps(row.friends), json.dumps(row.tasks), row.error,
                "me" if owned else "", NOW + 1,
            ),
        )  # fmt: skip
        db.execute(
            "INSERT INTO step (run, path, task_id, friend, task, status, error)"
            " VALUES (?, '', ?, '', '', '', ?)",
            (key, str(key), error),
        )


@given(
    trees(terms(LETTERS)), RUNS, st.lists(LETTERS, min_size=6, max_size=6), st.booleans()
)  # fmt: skip
def test_the_table_finds_what_plain_python_finds(
    db: sqlite3.Connection, search: Search, rows: list[RunRow], errors: list[str], owned: bool
) -> None:
    filled(db, rows, errors, owned)
    found = queries.runs(db, search, 100, NOW)
    everything = queries.runs(db, parse(""), 100, NOW)
    error_of = {row.run_id: error for row, error in zip(rows, errors, strict=False)}
    assert len(everything) == len(rows)
    assert found == [row for row in everything if meets(search, row, NOW, (error_of[row.run_id],))]
