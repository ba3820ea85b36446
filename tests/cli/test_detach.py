"""``run --detach``: the workers get all of it, and the command leaves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run

WORKFLOW = """
kimera: 1
name: three steps
inputs:
  n: {type: int, default: 2}
steps:
  - {id: add, task: calculator.add, kwargs: {a: "${{ inputs.n }}", b: 3}}
  - id: both
    para:
      - {id: one, task: echo.value, pass: first}
      - {id: two, task: echo.value, pass: first}
  - {id: all, task: calculator.total, pass: first}
"""
STOPPED = """
kimera: 1
name: not to be detached
defaults: {retry: {max: 2}}
steps:
  - {id: add, task: calculator.add}
  - {id: all, task: echo.value}
"""


@pytest.fixture
def where(tmp_path: Path, broker_url: str) -> dict[str, str]:
    """A journal of the test's own, and a broker that outlives the commands."""
    return {
        "KIMERA_HOME": str(tmp_path),
        "BROKER_URL": broker_url,
        "RESULT_BACKEND": broker_url,
        "CELERY": "1",
    }


@pytest.fixture
def workflow(tmp_path: Path) -> str:
    path = tmp_path / "three.kimera.yaml"
    path.write_text(WORKFLOW)
    return str(path)


def test_a_detached_run_is_there_for_who_resumes_it(
    run: Run, where: dict[str, str], workflow: str
) -> None:
    done = run("run", workflow, "-i", "n=4", "--detach", **where)
    assert done.returncode == 0, done.stderr
    run_id = done.stdout.strip()
    assert f"kimera-tui resume {run_id[:8]}" in done.stderr
    resumed = run("resume", run_id[:8], **where)
    assert resumed.returncode == 0, resumed.stderr
    assert "three steps  done" in resumed.stdout
    output = json.loads(run("watch", run_id, "--json", **where).stdout)
    assert [step["result"] for step in output["steps"]] == [7, 7, 7, 14]


def test_with_json_it_tells_one_object(run: Run, where: dict[str, str], workflow: str) -> None:
    done = run("run", workflow, "--detach", "--json", **where)
    output = json.loads(done.stdout)
    assert (output["event"], output["name"]) == ("detached", "three steps")
    listed = run("runs", "--json", "state:handed", **where)
    rows = [json.loads(line) for line in listed.stdout.splitlines()]
    assert [(row["run"], row["status"]) for row in rows] == [(output["run"], "handed over")]
    assert run("runs", "state:interrupted", **where).stdout == ""


def test_all_that_stands_against_it_is_listed_and_nothing_is_sent(
    run: Run, where: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "stopped.kimera.yaml"
    path.write_text(STOPPED)
    done = run("run", str(path), "--detach", **where)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "for 3 reasons" in done.stderr
    for sentence in ("add: has `retry`", "all: has `retry`", "all: has `pass: auto`"):
        assert sentence in done.stderr
    assert run("runs", **where).stdout == ""


def test_workers_that_end_with_the_command_are_handed_nothing(
    run: Run, where: dict[str, str], workflow: str
) -> None:
    done = run("run", workflow, "--detach", **{**where, "BROKER_URL": "", "RESULT_BACKEND": ""})
    assert done.returncode == 2
    assert "stop with Kimera" in done.stderr
    assert run("run", workflow, "--detach", "--dry-run", **where).returncode == 2
