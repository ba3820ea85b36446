"""The search line: read, and answered by the journal."""

from __future__ import annotations

from pathlib import Path

import pytest

from kimera_tui.errors import UsageError
from kimera_tui.process import events as e
from kimera_tui.runs.journal.journal import Journal
from kimera_tui.runs.plan import Node, PlannedTask
from kimera_tui.runs.search.query import ENDED_BADLY, parse, resolve, seconds_of
from kimera_tui.runs.search.tree import EVERYTHING, All, Any, Not, Search, Term, written
from tests.runs.lab import Clock, opened, task, whole_run


def word(text: str) -> Term:
    return Term("word", text)


A, B, C, D = map(word, "abcd")


@pytest.mark.parametrize(
    ("line", "search"),
    [
        ("", EVERYTHING),
        ("  ", EVERYTHING),
        ("report", word("report")),
        ("-draft", Not(word("draft"))),
        ("-", word("-")),
        ("a - b", All((A, word("-"), B))),
        ("--a", Not(Not(A))),
        ("state:failed", Term("state", "failed")),
        ("-state:done", Not(Term("state", "done"))),
        ('exc:"no such table"', Term("exc", "no such table")),
        ('exc:"say ""hi"""', Term("exc", 'say "hi"')),
        ('state:"timed out"', Term("state", "timed out")),
        ("since:1h30m", Term("since", "1h30m")),
        ("friend:etl task:a.b", All((Term("friend", "etl"), Term("task", "a.b")))),
        ("run:0af parent:1b", All((Term("run", "0af"), Term("parent", "1b")))),
        ("workflow:nightly", Term("workflow", "nightly")),
        ("@mine", Term("saved", "mine")),
        ("-@mine", Not(Term("saved", "mine"))),
        ("me@home", word("me@home")),
        ("@", word("@")),
        ("http://x", word("http://x")),
        ("state:", word("state:")),
        ("state:unknown", Term("state", "unknown")),
        ('state:"ended, result unknown"', Term("state", "ended, result unknown")),
        ("don't", word("don't")),
        ('""', word("")),
    ],
)  # fmt: skip
def test_a_term_is_read(line: str, search: Search) -> None:
    assert parse(line) == search


@pytest.mark.parametrize(
    ("line", "search"),
    [
        ("a b", All((A, B))),
        ("a and b", All((A, B))),
        ("a or b", Any((A, B))),
        ("a | b", Any((A, B))),
        ("a|b", Any((A, B))),
        ("a OR b", Any((A, B))),
        ("a b or c d", Any((All((A, B)), All((C, D))))),
        ("a or b c", Any((A, All((B, C))))),
        ("(a or b) c", All((Any((A, B)), C))),
        ("a (b)", All((A, B))),
        ("((a))", A),
        ("not a b", All((Not(A), B))),
        ("not a or b", Any((Not(A), B))),
        ("not (a or b)", Not(Any((A, B)))),
        ("not(a b)", Not(All((A, B)))),
        ("-(a or b) c", All((Not(Any((A, B))), C))),
        ("(a)b", All((A, B))),
        ("a or -b", Any((A, Not(B)))),
        ("a or since:2h", Any((A, Term("since", "2h")))),
    ],
)  # fmt: skip
def test_not_binds_closer_than_and_which_binds_closer_than_or(line: str, search: Search) -> None:
    assert parse(line) == search


@pytest.mark.parametrize(
    ("line", "search"),
    [
        ('a "or" b', All((A, word("or"), B))),
        ('"not" a', All((word("not"), A))),
        ("-or", Not(word("or"))),
        ('"(a)"', word("(a)")),
        ('"a|b"', word("a|b")),
        ('"-a"', word("-a")),
        ('"@a"', word("@a")),
        ('"state:failed"', word("state:failed")),
        ('sta"te:fai"led', word("state:failed")),
        ("order", word("order")),
    ],
)  # fmt: skip
def test_what_is_quoted_is_a_word(line: str, search: Search) -> None:
    assert parse(line) == search


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("since:yesterday", "since: `yesterday` is not a duration; write 30m, 2h or 3d."),
        ("since:5", "is not a duration"),
        ("a or since:-2h", "is not a duration"),
        ("state:odd", "state: no state begins with `odd`"),
        ('a "b', 'The search has a " without its closing ".'),
        ('a "b""', 'The search has a " without its closing ".'),
        ("(a", "The search has a ( without its )."),
        ("a or (", "The search has a ( without its )."),
        ("a)", "The search has a ) without its (."),
        (")", "The search has a ) without its (."),
        ("a ()", "The search has an empty ( )."),
        ("a or", "Nothing follows `or`; put it in quotes to search for it."),
        ("a | | b", "Nothing follows `|`"),
        ("(a or) b", "Nothing follows `or`"),
        ("a AND", "Nothing follows `AND`"),
        ("not", "Nothing follows `not`"),
        ("or a", "Nothing precedes `or`; put it in quotes to search for it."),
        ("(and a)", "Nothing precedes `and`"),
        ("exc:f(x)", "A ( directly follows `exc:f`: put a space between them"),
        ("(" * 21 + "a" + ")" * 21, "The search is nested more than 20 deep."),
        ("not " * 4000, "16000 characters; the maximum is 4000."),
        ("not " * 900 + "a", "The search is nested more than 20 deep."),
        ("a " * 101, "The search has more than 100 terms."),
        ("a\x00b", "control character"),
        ("a\udcffb", "invalid UTF-8"),
    ],
)
def test_a_line_that_makes_no_sense_is_refused_with_a_sentence(line: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(line)
    assert sentence in str(caught.value)


def test_durations() -> None:
    assert [seconds_of(text) for text in ("45s", "2h", "3d", "1w")] == [45, 7200, 259200, 604800]


def test_a_saved_filter_stands_for_its_search() -> None:
    saved = {"bad": "state:failed or state:revoked", "mine": "@bad -draft"}
    bad = Any((Term("state", "failed"), Term("state", "revoked")))
    assert resolve(parse("@bad a"), saved) == All((bad, A))
    assert resolve(parse("-@mine"), saved) == Not(All((bad, Not(word("draft")))))


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("a @bat", "No saved filter `bat`. Near: `bad`."),
        ("@loop", "Saved filter `loop`: Saved filter `pool`: The saved filter `loop` refers to"),
        ("@wrong", "Saved filter `wrong`: The search has a ( without its )."),
        ("@empty", "Saved filter `empty`: It is empty."),
        ("@many @many", "The search has more than 100 terms."),
        ("@step0", "more than 20 deep."),
    ],
)  # fmt: skip
def test_a_saved_filter_that_cannot_be_used_is_named(line: str, sentence: str) -> None:
    saved = {"bad": "a", "loop": "@pool", "pool": "-@loop", "wrong": "(", "empty": " "}
    saved["many"] = "a " * 60
    saved |= {f"step{n}": f"@step{n + 1}" for n in range(1500)}
    with pytest.raises(UsageError) as caught:
        resolve(parse(line), saved)
    assert sentence in str(caught.value)


async def found(journal: Journal, line: str, saved: dict[str, str] | None = None) -> str:
    return " ".join(row.run_id for row in await journal.runs(line, saved=saved))


async def test_runs_are_found(tmp_path: Path) -> None:
    clock = Clock(1_010_000.0)
    async with opened(tmp_path / "s" / "runs.db", clock) as (journal, bus):
        await whole_run(journal, bus, "a", 1_000_000.0, 1, 2, 3, name="Daily 100% report_x")
        boom = e.Failed(at=1_001_001, task_id="b-0", error_type="OSError", error_message="no disk")
        await whole_run(journal, bus, "b", 1_001_000.0, boom, name="daily draft")
        other = Node("task", "0", task=PlannedTask("c-0", "etl", "load.rows"))
        await whole_run(journal, bus, "c", 1_009_000.0, 1, plan=other, name="load", parent="a")
        plan = Node("para", "", (task("0", "d-0", "draw"), task("1", "d-1", "draw")))
        await whole_run(journal, bus, "d", 1_009_500.0, 1, 2, plan=plan, name="draw | draw")

        assert await found(journal, "") == "d c b a"
        assert await found(journal, "daily") == "b a"
        assert await found(journal, "daily -draft") == "a"
        assert await found(journal, "0% _x") == "a"
        assert await found(journal, '"draw | draw"') == "d"
        assert await found(journal, '"["') == ""
        assert await found(journal, "rows") == "c"
        assert await found(journal, "state:failed") == "b"
        assert await found(journal, "-state:failed") == "d c a"
        assert await found(journal, "exc:oserror") == "b"
        assert await found(journal, 'exc:"no disk"') == "b"
        assert await found(journal, "friend:etl") == "c"
        assert await found(journal, "task:rows") == "c"
        assert await found(journal, "task:draw state:done") == "d"
        assert await found(journal, "since:20m") == "d c"
        assert await found(journal, "since:20m or state:failed") == "d c b"
        assert await found(journal, "daily -(since:20m or state:failed)") == "a"
        assert await found(journal, "run:c or parent:a or run:d") == "d c"
        assert await found(journal, "workflow:load") == "c"
        assert await found(journal, written(ENDED_BADLY)) == "b"
        assert await found(journal, "@bad or load", {"bad": "state:failed"}) == "c b"
        assert await found(journal, "'; DROP TABLE run; --") == ""
        assert await found(journal, "daily " * 100) == "b a"
        [row] = await journal.runs("friend:etl")
        assert (row.parent, row.friends, row.tasks) == ("a", ("etl",), ("etl.load.rows",))
        assert (row.done, row.total, row.status, row.ended) == (1, 1, "done", 1_009_001.0)
        assert [row.run_id for row in await journal.runs(limit=2)] == ["d", "c"]

        lost = e.EndedUnknown(at=1_009_800, task_id="e-0", reason="it keeps no result")
        await whole_run(
            journal, bus, "e", 1_009_700.0, lost, plan=task("0", "e-0", "x"), name="lost"
        )
        assert await found(journal, "state:unknown") == "e"
        assert await found(journal, "state:ended") == "e"
        assert await found(journal, "-state:unknown daily") == "b a"
        assert await found(journal, written(ENDED_BADLY)) == "e b"
