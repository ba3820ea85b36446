"""Whatever is printed, saved or copied as JSON can be read by other programs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import pytest

from kimera_tui.cli.compare import _public
from kimera_tui.cli.output import data
from kimera_tui.console.export import write_run
from kimera_tui.process import events as e
from kimera_tui.runs.compare.comparison import compare
from kimera_tui.runs.index import RunIndex, RunState
from kimera_tui.ui.runs.payload_view import text_for_file, yankable
from tests.cli.conftest import Run
from tests.conftest import REPO
from tests.runs.lab import started

ODD = {"mean": math.nan, "most": [math.inf, -math.inf]}
TOLD = {"mean": "NaN", "most": ["Infinity", "-Infinity"]}


def strict(text: str) -> Any:
    """Parse JSON as other programs do: Python alone reads NaN and Infinity."""

    def refuse(constant: str) -> NoReturn:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def run_with(result: object, run_id: str = "r") -> RunState:
    """A run whose first step returned something."""
    index = RunIndex()
    index.apply_all([started(run_id), e.Succeeded(at=2, task_id=f"{run_id}-0", result=result)])
    return index.runs[run_id]


@pytest.mark.parametrize("as_json", [True, False])
def test_a_result_with_nan_is_printed_as_valid_json(
    capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    data(ODD, as_json=as_json)
    assert strict(capsys.readouterr().out) == TOLD


def test_a_result_with_nan_is_exported_saved_and_copied_as_valid_json(tmp_path: Path) -> None:
    events = [started("r"), e.Succeeded(at=2, task_id="r-0", result=ODD)]
    exported = strict(write_run(tmp_path, "r", events).read_text())
    assert exported["events"][1]["result"] == TOLD
    run = run_with(ODD)
    assert strict(text_for_file(run.steps["0"], run)) == TOLD
    assert strict(yankable(run.steps["0"], run)) == TOLD


def test_results_with_nan_are_compared_in_valid_json(capsys: pytest.CaptureFixture[str]) -> None:
    comparison = compare(run_with(ODD), run_with({**ODD, "mean": 1.5}, "s"))
    data(_public(comparison), as_json=True)
    output = strict(capsys.readouterr().out)
    [change] = [each for each in output["steps"][0]["changes"] if each["path"] == "result.mean"]
    assert (change["old"], change["new"]) == ("NaN", 1.5)


@pytest.mark.usefixtures("broker_url")
def test_infinity_from_a_real_task_is_valid_json_in_every_command(run: Run, tmp_path: Path) -> None:
    where: Mapping[str, str] = {"KIMERA_HOME": str(tmp_path)}
    call = ["calculator", "multiply", "--args", "[1e308, 10]"]
    assert strict(run("send", *call, "--json", **where).stdout)["result"] == "Infinity"
    assert strict(run("send", *call, **where).stdout) == "Infinity"
    path = tmp_path / "odd.kimera.yaml"
    path.write_text(
        "kimera: 1\nname: odd\nsteps:\n  - {id: a, task: calculator.multiply, args: [1e308, 10]}\n"
    )
    *_, end = map(strict, run("run", str(path), "--json", **where).stdout.splitlines())
    assert end["result"] == "Infinity"
    watched = strict(run("watch", end["run"], "--json", **where).stdout)
    assert watched["steps"][0]["result"] == "Infinity"


def test_commands_write_json_in_one_way_only() -> None:
    sources = (REPO / "kimera_tui" / "cli").rglob("*.py")
    assert [path.name for path in sources if "json.dump" in path.read_text()] == []
