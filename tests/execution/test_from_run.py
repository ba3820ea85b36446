"""From a run back to its document: what is planned of that is the same run."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from kimera_tui.documents.calls import Chain, Para, Task
from kimera_tui.documents.document import Document, TaskStep, all_steps
from kimera_tui.documents.dump import header_of
from kimera_tui.documents.parse import read_formed
from kimera_tui.documents.references import TemplateError
from kimera_tui.documents.save import text_of
from kimera_tui.errors import UsageError
from kimera_tui.execution.planning import DocumentPlanner, plan_of
from kimera_tui.execution.replay.from_run import document_of
from kimera_tui.process.task_params import TaskParams
from kimera_tui.runs.events import RunStarted
from kimera_tui.runs.plan import Node
from kimera_tui.values.placeholders import TooLarge, Withheld
from tests.documents.cases import EVERYTHING, EXAMPLES
from tests.documents.strategies import documents


def numbers() -> Any:
    """Makes ids that are the same in each plan."""
    return map(str, itertools.count()).__next__


def planned(document: Document) -> Node:
    return DocumentPlanner(numbers()).plan(document)


def begun(document: Document) -> RunStarted:
    return RunStarted(
        at=1.0, run_id="r", name=document.name, plan=planned(document), header=header_of(document)
    )


def without_friend(node: Node) -> Node:
    """The plan with each call under its full name: how that is split is nobody's business."""
    task = node.task
    if task is not None:
        task = replace(task, friend="", task_name=f"{task.friend}.{task.task_name}")
    return replace(
        node,
        task=task,
        children=tuple(map(without_friend, node.children)),
        handlers=tuple(map(without_friend, node.handlers)),
        finals=tuple(map(without_friend, node.finals)),
    )


@pytest.mark.parametrize(
    "text", [EVERYTHING, *(path.read_text() for path in EXAMPLES)], ids=lambda text: text[:20]
)
def test_the_document_of_a_run_plans_the_same_run(text: str) -> None:
    document = read_formed(text, "f")
    again = document_of(begun(document))
    assert planned(again) == planned(document)
    assert [step.id for step in all_steps(again)] == [step.id for step in all_steps(document)]
    assert read_formed(text_of(again), "f") == again


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(documents)
def test_so_does_that_of_any_run(document: Document) -> None:
    try:
        plan = planned(document)
    except TemplateError:
        return  # nothing of it ever ran
    if plan.kind == "chain" and not plan.children:
        return
    again = planned(document_of(begun(document)))
    assert without_friend(again) == without_friend(plan)


def call(name: str, **kwargs: Any) -> Task:
    return Task(TaskParams("lab", name, kwargs=kwargs, timeout=5))


def launched(root: Any) -> RunStarted:
    """A run of calls that were put together in memory."""
    return RunStarted(at=1.0, run_id="r", name="r", plan=plan_of(root, numbers()))


def test_calls_that_were_sent_by_hand_become_steps_with_ids() -> None:
    root = Chain(
        (call("Add.Up", x="${{ no template }}"), Para((call("step"), call("step"))), call("1"))
    )
    document = document_of(launched(root))
    assert [step.id for step in all_steps(document)] == [
        "add_up", "para", "step", "step_2", "step_1",
    ]  # fmt: skip
    first = document.steps[0]
    assert isinstance(first, TaskStep)
    assert (first.friend, first.task, first.timeout) == ("lab", "Add.Up", 5)
    assert first.kwargs == {"x": "$${{ no template }}"}
    single = document_of(launched(call("step")))
    assert [step.id for step in single.steps] == ["step"]


def test_many_calls_of_one_long_name_get_ids_that_are_ids() -> None:
    document = document_of(launched(Para(tuple(call("x" * 60) for _ in range(1500)))))
    ids = [step.id for step in all_steps(document)]
    assert len(set(ids)) == 1501
    assert max(map(len, ids)) == 40


def test_a_secret_that_was_not_written_down_is_asked_for() -> None:
    started = launched(call("login", token="x", other=1))
    task = started.plan.task
    assert task is not None
    hidden = replace(task, kwargs={"Token-1": Withheld("kwargs.token"), "other": 1})
    document = document_of(replace(started, plan=replace(started.plan, task=hidden)))
    assert document.inputs["token_1"].type == "secret"
    step = document.steps[0]
    assert isinstance(step, TaskStep)
    assert step.kwargs == {"Token-1": "${{ inputs.token_1 }}", "other": 1}


def test_each_step_is_asked_for_a_secret_of_its_own_under_a_name_that_nobody_has() -> None:
    document = Document.model_validate(
        {
            "name": "x",
            "inputs": {"token": {"default": "shown"}, "pin": {"type": "secret", "from": "env:PIN"}},
            "steps": [
                {"id": name, "task": f"lab.{name}", "kwargs": {"token": "", "pin": ""}}
                for name in ("orders", "bills")
            ],
        }
    )
    started = begun(document)
    secrets = {"token": Withheld("kwargs.token"), "pin": Withheld("kwargs.pin")}
    nodes = [
        replace(node, task=replace(node.task, kwargs=secrets))
        for node in started.plan.children
        if node.task is not None
    ]
    again = document_of(replace(started, plan=replace(started.plan, children=tuple(nodes))))
    assert [step.kwargs for step in again.steps if isinstance(step, TaskStep)] == [
        {"token": "${{ inputs.token_2 }}", "pin": "${{ inputs.pin_2 }}"},
        {"token": "${{ inputs.token_3 }}", "pin": "${{ inputs.pin_3 }}"},
    ]
    assert again.inputs["token"].default == "shown"
    specs = {name: (spec.type, spec.from_, spec.description) for name, spec in again.inputs.items()}
    assert specs["token_3"] == ("secret", "prompt", "token of bills")
    assert len(specs) == 6


@pytest.mark.parametrize(
    ("task", "sentence"),
    [
        ({"args": (TooLarge(9 << 20),)}, "lab.step: "),
        ({"task_name": "a b"}, "This run cannot be saved as a workflow: steps.0"),
        ({"timeout": 1e9}, "This run cannot be saved as a workflow: steps.0"),
    ],
)
def test_what_a_document_cannot_say_is_a_sentence(task: dict[str, Any], sentence: str) -> None:
    started = launched(call("step"))
    assert started.plan.task is not None
    plan = replace(started.plan, task=replace(started.plan.task, **task))
    with pytest.raises(UsageError) as caught:
        document_of(replace(started, plan=plan))
    assert str(caught.value).startswith(sentence)


def test_a_header_of_another_version_is_a_sentence() -> None:
    started = replace(launched(call("step")), header={"kimera": 2, "name": "x"})
    with pytest.raises(UsageError, match="another version of Kimera"):
        document_of(started)
