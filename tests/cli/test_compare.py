"""``kimera-tui compare``: what differs between two runs, told to people and to programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run

pytestmark = pytest.mark.usefixtures("broker_url")


@pytest.fixture
def where(tmp_path: Path) -> dict[str, str]:
    """A journal of the test's own."""
    return {"KIMERA_HOME": str(tmp_path)}


def sent(run: Run, where: dict[str, str], *words: str, kwargs: dict[str, Any]) -> str:
    """Send a task and wait for its end; returns the run's id."""
    run("send", *words, "--kwargs", json.dumps(kwargs), **where)
    listed = run("runs", "--limit", "1", "--json", **where)
    return str(json.loads(listed.stdout)["run"])


def test_runs_that_only_took_another_time_leave_with_0(run: Run, where: dict[str, str]) -> None:
    one = sent(run, where, "calculator", "add", kwargs={"a": 1, "b": 2})
    again = run("replay", one, "--json", **where)
    other = str(json.loads(again.stdout)["run"])
    done = run("compare", one[:8], other[:8], **where)
    assert done.returncode == 0, done.stderr
    assert "= calculator.add" in done.stdout
    assert done.stdout.splitlines()[-1] == "Nothing differs except timings."


def test_what_differs_is_reported_to_people_and_to_programs(
    run: Run, where: dict[str, str]
) -> None:
    one = sent(run, where, "calculator", "add", kwargs={"a": 1, "b": 2})
    other = sent(run, where, "calculator", "add", kwargs={"a": 1, "b": 5})
    done = run("compare", one, other, **where)
    assert done.returncode == 1, done.stderr
    assert "    kwargs.b: 2 → 5 (+3)" in done.stdout.splitlines()
    assert "    result: 3 → 6 (+3)" in done.stdout.splitlines()
    output = json.loads(run("compare", one, other, "--json", **where).stdout)
    assert (output["differs"], output["first"]) == (True, "calculator.add")
    assert (output["one"]["run_id"], output["other"]["run_id"]) == (one, other)
    (step,) = output["steps"]
    assert step["one"]["status"] == "done"
    assert [(change["path"], change["delta"]) for change in step["changes"]] == [
        ("kwargs.b", 3),
        ("result", 3),
    ]


def test_secrets_are_no_difference_and_never_reported(run: Run, where: dict[str, str]) -> None:
    one, other = (
        sent(run, where, "reports", "render", kwargs={"seconds": 0.1, "token": f"canary-{n}000"})
        for n in "ab"
    )
    for words in ([], ["--json"]):
        done = run("compare", one, other, *words, **where)
        assert "canary" not in done.stdout + done.stderr
        assert "kwargs.token" not in done.stdout


@pytest.mark.parametrize("words", [["nothing", "nothing"], ["only-one"]])
def test_a_run_that_is_not_there_leaves_with_2(
    run: Run, where: dict[str, str], words: list[str]
) -> None:
    done = run("compare", *words, **where)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
