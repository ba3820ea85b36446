"""What the pictures of the composer show: its trees, its windows, and what stands in them."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from kimera_tui.cluster.view import ClusterView
from kimera_tui.console.workflows import SavedWorkflow
from kimera_tui.documents.document import Document
from kimera_tui.documents.store import ChangedOnDisk, Stored
from kimera_tui.ui.app import KimeraApp
from kimera_tui.ui.compose.forms import FormWindow
from tests.ui.stage import FRIENDS, NOON, Stage, StageWorkflows, settle

FOLDER = Path("workflows")
DAY = "${{ inputs.day }}"
NESTED: dict[str, Any] = {
    "name": "daily report",
    "description": "Fetches a day's rows, renders them and says what was in them",
    "inputs": {
        "day": {"type": "date", "required": True, "description": "The day to report on"},
        "count": {"type": "int", "default": 3, "max": 50, "description": "How many rows"},
        "paper": {"type": "enum", "values": ["A4", "A5", "letter"], "default": "A4"},
        "token": {"type": "secret", "from": "prompt"},
    },
    "steps": [
        {
            "id": "fetch",
            "task": "reports.fetch",
            "kwargs": {"day": DAY, "count": "${{ inputs.count }}"},
            "retry": {"max": 2, "on": ["TIMEOUT"]},
            "on_error": [
                {
                    "id": "call_for_help",
                    "task": "echo.value",
                    "kwargs": {"payload": "${{ error.message }}"},
                }
            ],
        },
        {
            "id": "work",
            "gather": "dict",
            "max_parallel": 2,
            "para": [
                {
                    "id": "render",
                    "task": "reports.render",
                    "pass": "none",
                    "kwargs": {"day": DAY, "title": "Daily", "token": "${{ inputs.token }}"},
                    "timeout": "5m",
                },
                {
                    "id": "figures",
                    "chain": [
                        {
                            "id": "amounts",
                            "task": "calculator.total",
                            "pass": "none",
                            "kwargs": {"numbers": ["${{ inputs.count }}", 10]},
                        },
                        {"id": "doubled", "task": "calculator.multiply", "kwargs": {"a": 2}},
                    ],
                },
            ],
        },
        {
            "id": "summarise",
            "task": "reports.summarise",
            "pass": "none",
            "when": {"ref": "steps.work.result.figures", "gt": 20},
            "kwargs": {"day": DAY, "rows": "${{ steps.fetch.result.rows }}"},
        },
    ],
    "finally": [
        {"id": "tidy_up", "task": "echo.value", "kwargs": {"payload": "run ${{ run.id }}"}}
    ],
}


class _Files(StageWorkflows):
    """Files that are in no folder, so that no picture depends on one."""

    async def saved(self) -> Sequence[SavedWorkflow]:
        day = 86_400
        return [
            SavedWorkflow(
                FOLDER / "broken.kimera.yaml",
                "broken.kimera.yaml",
                0,
                "line 4: steps.0: a step needs exactly one of task, chain, para."
                " Unknown key 'tsk'. Near: `task`.",
            ),
            SavedWorkflow(
                FOLDER / "careful.kimera.yaml", "careful import", 6, "", "failed", NOON - day, 4.2
            ),
            SavedWorkflow(
                FOLDER / "daily.kimera.yaml", "daily report", 9, "", "done", NOON - 600, 95
            ),
            SavedWorkflow(FOLDER / "fan-out.kimera.yaml", "fan out", 13),
            SavedWorkflow(
                FOLDER / "nightly.kimera.yaml",
                "nightly orders of all the shops",
                120,
                "no friend `shops` is configured.",
                "timed out",
                NOON - 30 * day,
                5_400,
            ),
        ]

    async def changed(self, stored: Stored) -> bool:
        return False

    async def save(self, document: Document, path: Path, stored: Stored | None) -> Stored:
        theirs = ["steps:", "  - id: fetch", "    task: reports.fetch", "    kwargs: {count: 30}"]
        ours = [*theirs[:3], "    kwargs: {count: 5}", "  - {id: sum, task: calculator.total}"]
        diff = difflib.unified_diff(theirs, ours, f"{path} on disk", "yours", lineterm="")
        raise ChangedOnDisk(path, "\n".join(theirs), "\n".join(diff))


async def _composed(pilot: Pilot[Any], stage: Stage, *keys: str, **more: Any) -> KimeraApp:
    """The nested document as it was read from its file, and some keys."""
    app = pilot.app
    assert isinstance(app, KimeraApp)
    stage.workflows = _Files(stage, FOLDER)
    document = Document.model_validate({**NESTED, **more})
    app.state.composer.open(document, Stored(FOLDER / "daily.kimera.yaml", document, ""))
    await pilot.press("2")
    await settle(pilot)
    await pilot.press(*keys)
    await settle(pilot)
    return app


def _fill(app: KimeraApp, **values: str) -> None:
    assert isinstance(app.screen, FormWindow)
    for name, value in values.items():
        app.screen.fields[name].input.value = value


async def compose_nested(pilot: Pilot[Any], stage: Stage) -> None:
    """Chains in paras, steps for errors and for the end; the cursor on a step that looks up."""
    await _composed(pilot, stage, "G", "k", "k")


async def compose_problems(pilot: Pilot[Any], stage: Stage) -> None:
    """Steps that look up what isn't there, and call what nobody knows."""
    wrong = [
        {"id": "fetch", "task": "reports.fetch", "kwargs": {"count": "${{ inputs.cuont }}"}},
        {"id": "paper", "task": "reports.render", "kwargs": {"paper": "A3", "pages": "many"}},
        {"id": "publish", "task": "printer.publish", "kwargs": {"x": "${{ steps.later.result }}"}},
        {"id": "later", "task": "echo.nothing"},
    ]
    await _composed(pilot, stage, "n", steps=wrong)


async def compose_inputs(pilot: Pilot[Any], stage: Stage) -> None:
    """The inputs that a run asks for."""
    await _composed(pilot, stage, "i", "down")


async def compose_form(pilot: Pilot[Any], stage: Stage) -> None:
    """The form of a step, with fields that are wrong."""
    app = await _composed(pilot, stage, "g", *["down"] * 6, "e")
    _fill(app, **{"param pages": "many", "when": "is it late", "param seconds": "2"})


async def compose_run_form(pilot: Pilot[Any], stage: Stage) -> None:
    """The form of a run, with a number that is too large."""
    app = await _composed(pilot, stage, "r")
    _fill(app, day="2027-01-15", count="99", token="hunter2-canary")


async def _run_form_taken(pilot: Pilot[Any], app: KimeraApp) -> None:
    _fill(app, day="2027-01-15", token="hunter2-canary")
    await pilot.pause()
    await pilot.press("ctrl+r")


async def compose_preflight(pilot: Pilot[Any], stage: Stage) -> None:
    """A run that no worker would take, and the way to run it all the same."""
    demo = "demo@kimera"
    queues = {demo: frozenset({"reports", "echo"})}
    tasks = {
        demo: frozenset(
            f"{name}.{task}"
            for name in ("reports", "echo")
            for task in FRIENDS[name].tasks
            if task != "summarise"
        )
    }
    view = ClusterView(at=NOON, queues=queues, tasks=tasks)
    usual = {("reports", "fetch"): 3.0}
    stage.facts_now = replace(stage.facts_now, view=view, depths={"reports": 40}, usual=usual)
    await _run_form_taken(pilot, await _composed(pilot, stage, "r"))


async def compose_dry_run(pilot: Pilot[Any], stage: Stage) -> None:
    """Every call with its payload; nothing is sent."""
    await _run_form_taken(pilot, await _composed(pilot, stage, "p"))


async def compose_picker(pilot: Pilot[Any], stage: Stage) -> None:
    """The saved workflows."""
    await _composed(pilot, stage, "o")


async def compose_conflict(pilot: Pilot[Any], stage: Stage) -> None:
    """Somebody else wrote the file."""
    await _composed(pilot, stage, "d", "ctrl+s")


async def compose_flow_with_last_run(pilot: Pilot[Any], stage: Stage) -> None:
    """What came in and went out of a step in the last run."""
    app = await _composed(pilot, stage, "r")
    await _run_form_taken(pilot, app)
    await settle(pilot)
    by_name = {task.task_name: task for _, task in stage.plans[-1]}
    rows = [{"city": "Lisbon", "amount": 100}, {"city": "Nairobi", "amount": 137}]
    results: dict[str, Any] = {
        "fetch": {"day": "2027-01-15", "rows": rows},
        "total": 13,
        "multiply": 26,
    }
    for name, result in results.items():
        stage.sent(by_name[name])
        stage.clock.at += 0.5
        stage.succeeded(by_name[name], result)
    stage.failed(by_name["render"], "OSError", "no paper left")
    stage.ended(next(reversed(app.state.run_index.runs)), "render failed")
    await settle(pilot)
    await pilot.press("2")
    await settle(pilot)
    await pilot.press("g", *["down"] * 9)


COMPOSE_SCENES = (
    compose_nested,
    compose_problems,
    compose_inputs,
    compose_form,
    compose_run_form,
    compose_preflight,
    compose_dry_run,
    compose_picker,
    compose_conflict,
    compose_flow_with_last_run,
)
