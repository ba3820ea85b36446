"""What is said before a run is started: workers, queues, secrets; and what would be sent."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from kimera_tui.cluster.view import ClusterView
from kimera_tui.config.friends import Friend, Param, TaskInfo
from kimera_tui.config.trust import Access
from kimera_tui.documents.data_access import reads_of
from kimera_tui.documents.document import Document
from kimera_tui.documents.references import TemplateError
from kimera_tui.errors import UsageError
from kimera_tui.execution.dry_run import dry_run
from kimera_tui.execution.preflight import Facts, Reads, against, preflight, queues_of, tasks_of
from kimera_tui.execution.run_inputs import RunInputs
from kimera_tui.redaction import MASK

STEP = TaskInfo(params={"day": Param(required=True), "token": Param(secret=True)})
FRIENDS = {
    "lab": Friend(route="lab", queue="lab_q", tasks={"step": STEP}),
    "far": Friend(route="far", queue="far_q", broker="redis://elsewhere/0"),
    "prod": Friend(route="prod", queue="prod_q", danger=True, timeout=90),
    "glass": Friend(route="glass", queue="glass_q", read_only=True),
}
VIEW = ClusterView(
    1.0,
    {"w1": frozenset({"lab_q", "prod_q"}), "w2": frozenset({"lab_q"})},
    {"w1": frozenset({"lab.step", "prod.act"}), "w2": frozenset()},
)


def document(*steps: dict[str, Any], **header: Any) -> Document:
    return Document.model_validate({"name": "x", "steps": list(steps), **header})


def findings_for(
    found: Document, facts: Facts, run_inputs: RunInputs | None = None, **environ: str
) -> list[str]:
    """What speaks against a run with a `!` before it, and the rest."""
    findings = preflight(found, run_inputs or RunInputs(), FRIENDS, facts, environ)
    assert against(findings) == [each for each in findings if each.against]
    return [f"{'! ' if each.against else ''}{each.text}" for each in findings]


READY = {"id": "a", "task": "lab.step", "kwargs": {"day": "mon"}}
ANSWERS = "Broker and result backend are reachable."


def test_what_is_ready_is_reported_with_its_workers() -> None:
    facts = Facts(VIEW, {"lab_q": 1200}, {("lab", "step"): 2.0})
    *found, waiting = findings_for(document(READY), facts)
    assert found == [
        ANSWERS,
        "a: lab.step is registered on w1; queue lab_q is consumed by 2 workers.",
    ]
    assert waiting.startswith("a: 1,200 messages ahead of it in queue lab_q: if each takes as lo")
    assert waiting.endswith("it starts within 20m.")
    *_, backlog = findings_for(document(READY), Facts(VIEW, {"lab_q": 3}))
    assert backlog == "a: 3 messages ahead of it in queue lab_q."


def test_the_workers_of_a_friends_own_broker_are_checked() -> None:
    far = ClusterView(at=1, queues={"w9": frozenset({"other"})}, tasks={"w9": frozenset()})
    found = findings_for(document({"id": "a", "task": "far.act"}), Facts(VIEW, views={"far": far}))
    assert "! a: No worker consumes queue far_q (0 of 1 workers)." in found


@pytest.mark.parametrize(
    ("step", "finding"),
    [
        ({"task": "nobody.step"}, "! a: No friend `nobody` is configured."),
        ({"task": "lab.step"}, "! a: day is required by step."),
        ({"task": "lab.other"}, "! a: No worker has lab.other registered."),
        ({"task": "glass.act"}, "! a: Friend `glass` is read-only in friends.yaml."),
        ({"task": "glass.act"}, "! a: No worker consumes queue glass_q (0 of 2 workers)."),
        ({"task": "prod.act"}, "! Marked as dangerous: prod."),
        ({"task": "far.act"}, "! a: No worker has answered yet."),
    ],
)
def test_what_speaks_against_a_run_is_reported(step: dict[str, Any], finding: str) -> None:
    assert finding in findings_for(document({"id": "a", **step}), Facts(VIEW))


def test_what_is_not_known_is_reported_as_that() -> None:
    assert findings_for(document(READY), Facts())[-1] == "! a: No worker has answered yet."
    silent = Facts(ClusterView(1.0))
    assert findings_for(document(READY), silent)[-1] == (
        "! a: No worker answered: nobody may take this task."
    )
    gone = findings_for(document(READY), Facts(broker_problem="The broker is not there."))
    assert gone[0] == "! The broker is not there."


def test_a_secret_is_there_or_not_and_is_never_reported() -> None:
    inputs = {"k": {"type": "secret", "from": "env:THE_KEY"}, "p": {"type": "secret"}}
    found = document(READY, inputs=inputs)
    assert findings_for(found, Facts(VIEW))[1:3] == [
        "! k: the environment variable THE_KEY is not set.",
        "! p: a run asks for it at its start, and it was not given.",
    ]
    there = findings_for(found, Facts(VIEW), RunInputs(prompted={"p": "canary"}), THE_KEY="canary")
    assert there[1:3] == ["k: the secret is available.", "p: the secret is available."]
    assert "canary" not in "".join(there)


def test_every_task_is_looked_at_wherever_it_stands() -> None:
    found = document(
        {"id": "p", "para": [READY, {"id": "c", "chain": [{"id": "b", "task": "prod.act"}]}]},
        {"id": "d", "task": "far.x", "on_error": [{"id": "h", "task": "glass.help"}]},
        **{"finally": [{"id": "z", "task": "step"}], "defaults": {"friend": "lab"}},
    )
    assert queues_of(found, FRIENDS) == {"lab_q", "prod_q", "glass_q"}
    assert tasks_of(found) == {("lab", "step"), ("prod", "act"), ("far", "x"), ("glass", "help")}
    assert {line.split(":")[0].strip("! ") for line in findings_for(found, Facts(VIEW))[2:]} == set(
        "abdhz"
    )


# What would be sent


def test_a_dry_run_tells_each_call_as_far_as_it_is_known() -> None:
    found = document(
        {
            "id": "a",
            "task": "lab.step",
            "args": ["${{ inputs.day }}", "${{ prev }}"],
            "kwargs": {
                "day": "on ${{ inputs.day }}",
                "token": "written here",
                "key": "${{ inputs.key }}",
                "mixed": ["Bearer ${{ inputs.key }}"],
                "later": "${{ inputs.day }} ${{ steps.b.result }} ${{ run.id }}",
            },
        },
        {"id": "b", "task": "prod.act", "timeout": 5},
        inputs={"day": {"type": "date", "required": True}, "key": {"type": "secret"}},
        defaults={"timeout": "2m"},
    )
    first, second = dry_run(found, RunInputs({"day": "2026-01-31"}), FRIENDS, os.environ)
    assert first == {
        "step": "a",
        "friend": "lab",
        "task": "step",
        "queue": "lab_q",
        "args": ["2026-01-31", MASK],
        "kwargs": {
            "day": "on 2026-01-31",
            "token": MASK,
            "key": MASK,
            "mixed": MASK,
            "later": "${{ inputs.day }} ${{ steps.b.result }} ${{ run.id }}",
        },
        "timeout": "2m",
    }
    assert (second["queue"], second["timeout"]) == ("prod_q", "5s")


def test_a_dry_run_shows_no_secret_of_the_environment_and_none_that_is_given_by_position(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ORDERS_API_KEY", "canary")
    monkeypatch.setenv("ORDERS_REGION", "eu")
    look_ups = ["${{ env.ORDERS_REGION }}", "x ${{ env.ORDERS_API_KEY }}", {"a": "canary"}]
    found = document(
        {"id": "a", "task": "lab.step", "args": ["mon", "canary", *look_ups[:2]]},
        {
            "id": "b",
            "task": "prod.act",
            "args": look_ups[:2],
            "kwargs": {"a": look_ups[0], "b": look_ups[1], "c": look_ups[2]},
        },
        env=["ORDERS_API_KEY", "ORDERS_REGION"],
    )
    first, second = dry_run(found, RunInputs(), FRIENDS, os.environ)
    assert first["args"] == ["mon", MASK, "eu", MASK]
    assert second["args"] == ["eu", MASK]
    assert second["kwargs"] == {"a": "eu", "b": MASK, "c": {"a": "canary"}}


def test_a_dry_run_refuses_what_a_run_would_refuse() -> None:
    found = document(READY, inputs={"day": {"type": "date", "required": True}})
    with pytest.raises(UsageError, match="day is required"):
        dry_run(found, RunInputs(), FRIENDS, os.environ)
    lost = document({**READY, "args": ["${{ env.KIMERA_NO_SUCH }}"]}, env=["KIMERA_NO_SUCH"])
    with pytest.raises(TemplateError, match="KIMERA_NO_SUCH"):
        dry_run(lost, RunInputs(), FRIENDS, os.environ)


def test_a_dry_run_that_may_read_no_variable_shows_its_template() -> None:
    step = {"id": "a", "task": "prod.act", "args": ["${{ env.HOME }}", "${{ inputs.n }}"]}
    found = document(step, env=["HOME"], inputs={"n": {"type": "int", "default": 3}})
    (call,) = dry_run(found, RunInputs(), FRIENDS, {})
    assert call["args"] == ["${{ env.HOME }}", 3]


# What it reads


def test_what_a_workflow_reads_is_reported_with_where_it_goes() -> None:
    found = document(
        {"id": "a", "task": "lab.step", "kwargs": {"day": "${{ inputs.netrc }}"}},
        {"id": "b", "task": "far.act", "args": [["x ${{ env.TOKEN | upper }}"]]},
        {"id": "c", "task": "lab.step", "args": ["${{ env }}"]},
        {"id": "d", "task": "prod.act", "args": ["$${{ env.IDLE }}", "${{ inputs.asked }}"]},
        env=["TOKEN", "IDLE"],
        inputs={
            "netrc": {"type": "secret", "from": "file:~/.netrc"},
            "key": {"type": "secret", "from": "env:THE_KEY"},
            "asked": {"type": "secret"},
        },
    )
    home = Path.home()
    assert reads_of(found, FRIENDS) == [
        Access("file", f"{home}/.netrc", "lab.step"),
        Access("variable", "IDLE", "lab.step"),
        Access("variable", "THE_KEY", ""),
        Access("variable", "TOKEN", "far.act on redis://elsewhere/0"),
        Access("variable", "TOKEN", "lab.step"),
    ]
    assert reads_of(found, FRIENDS, "redis://:pw@h/0")[0].to == "lab.step on redis://:••••@h/0"


def test_what_nobody_has_allowed_is_not_read_before_a_run(tmp_path: Path) -> None:
    file = tmp_path / "key"  # reading it would be told as a finding of its own
    found = document(READY, inputs={"k": {"type": "secret", "from": f"file:{file}"}})
    wanted = reads_of(found, FRIENDS)
    sentence = f"Reads {file} and sends it nowhere."

    def read(reads: Reads) -> list[str]:
        findings = preflight(found, RunInputs(), FRIENDS, Facts(VIEW), {}, reads)
        return [each.text for each in findings if "key" in each.text]

    assert read(Reads(wanted, wanted)) == [f"{sentence} Not allowed yet."]
    assert read(Reads(wanted)) == [
        sentence,
        f"k: {file} cannot be read (No such file or directory).",
    ]
