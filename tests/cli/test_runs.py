"""``runs``, ``watch``, ``replay``, ``cancel`` and ``resume``: what was sent is there afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run

pytestmark = pytest.mark.usefixtures("broker_url")


@pytest.fixture
def where(tmp_path: Path) -> dict[str, str]:
    """A journal of the test's own."""
    return {"KIMERA_HOME": str(tmp_path)}


def listed(run: Run, where: dict[str, str], *search: str) -> list[dict[str, object]]:
    done = run("runs", *search, "--json", **where)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_what_was_sent_is_listed_searched_and_watched(run: Run, where: dict[str, str]) -> None:
    run("send", "calculator", "add", "--args", "[1, 2]", **where)
    run("send", "flaky", "fail", "--kwargs", '{"message": "on purpose"}', **where)
    assert [row["status"] for row in listed(run, where)] == ["failed", "done"]
    assert [row["name"] for row in listed(run, where, "state:failed")] == ["flaky.fail"]
    assert [row["name"] for row in listed(run, where, "exc:purpose")] == ["flaky.fail"]
    assert listed(run, where, "friend:echo") == []
    failed = str(listed(run, where, "state:failed")[0]["run"])
    watched = run("watch", failed[:8], "--json", **where)
    assert watched.returncode == 1
    assert json.loads(watched.stdout)["steps"][0]["error"] == "ValueError: on purpose"


def test_a_replay_is_a_new_run_that_names_its_parent(run: Run, where: dict[str, str]) -> None:
    run("send", "calculator", "add", "--args", "[20, 22]", **where)
    first = str(listed(run, where)[0]["run"])
    done = run("replay", first[:8], "--json", **where)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["steps"][0]["result"] == 42
    assert told["run"] != first
    assert listed(run, where)[0]["parent"] == first


def test_a_secret_is_never_written_and_keeps_a_run_from_being_replayed(
    run: Run, where: dict[str, str], tmp_path: Path
) -> None:
    kwargs = '{"seconds": 0.1, "token": "canary-5e4715e1"}'
    run("send", "reports", "render", "--kwargs", kwargs, **where)
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"canary" not in written
    first = str(listed(run, where)[0]["run"])
    again = run("replay", first, **where)
    assert again.returncode == 2
    assert "token" in again.stderr
    assert "Nothing was sent" in again.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["watch", "nothing"], "No run's id begins with `nothing`"),
        (["cancel", "nothing"], "No run's id begins with `nothing`"),
        (["replay", "nothing"], "No run's id begins with `nothing`"),
        (["resume", "nothing"], "No open run's id begins with `nothing`"),
        (["runs", "state:odd"], "odd"),
        (["runs", "since:soon"], "soon"),
    ],
)
def test_what_cannot_be_found_or_understood_leaves_with_2(
    run: Run, where: dict[str, str], words: list[str], sentence: str
) -> None:
    done = run(*words, **where)
    assert done.returncode == 2, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_that_has_ended_cannot_be_cancelled(run: Run, where: dict[str, str]) -> None:
    run("send", "calculator", "add", "--args", "[1, 2]", **where)
    done = run("cancel", str(listed(run, where)[0]["run"]), **where)
    assert done.returncode == 2
    assert "has ended" in done.stderr
