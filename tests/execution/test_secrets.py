"""Secrets that a workflow's file holds beside its templates are neither written down nor sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kimera_tui.documents.document import Document
from kimera_tui.execution.planning import planner_of
from kimera_tui.execution.replay.step_matching import argument_references
from kimera_tui.execution.template_scope import NOTHING, payload
from kimera_tui.runs.journal.plan_codec import plain_plan, plan_from
from kimera_tui.runs.journal.value_codec import Packer
from kimera_tui.runs.plan import Node
from kimera_tui.values.placeholders import NotKept, is_whole

SCOPE = {"inputs": {"x": "X", "pw": "P"}}


def node(kwargs: dict[str, Any], **more: Any) -> Node:
    """The place of a step with these arguments."""
    step = {"id": "a", "task": "lab.a", "kwargs": kwargs}
    inputs = {"x": {}, "pw": {"type": "secret"}}
    plain = {"kimera": 1, "name": "x", "inputs": inputs, "steps": [step], **more}
    return planner_of({}, lambda: "1").plan(Document.model_validate(plain))


def kept(plan: Node) -> tuple[str, Node]:
    """What is written down of a plan, and the plan that is made of that."""
    text = json.dumps(plain_plan(plan, Packer()), ensure_ascii=False)
    return text, plan_from(json.loads(text))


@pytest.mark.parametrize(
    "kwargs",
    [
        {"url": "amqp://u:hunter22@${{ inputs.x }}/"},
        {"url": "amqp://u:hunter22${{ inputs.x }}@host/"},
        {"url": ["${{ inputs.x }} https://host/?token=hunter22"]},
        {"text": "Bearer hunter22hunter22 ${{ inputs.x }}"},
        {"password": "hunter22${{ inputs.x }}"},
        {"deep": [{"api_key": "${{ inputs.x }}hunter22"}]},
        {"password": "ab$${{hunter22 ${{ inputs.x }}"},
        {"password": "ab$${{hunter22"},
        {"password": "${{ inputs.x | default('hunter22') }}"},
        {"password": '${{ inputs.x | trim | default( "hunter22" ) }}'},
        {"url": "${{ inputs.x | default('amqp://u:hunter22@host/') }}"},
    ],
)
def test_a_secret_beside_a_template_is_not_written_down_and_its_mask_is_never_sent(
    kwargs: dict[str, Any],
) -> None:
    text, plan = kept(node(kwargs))
    assert "hunter22" not in text
    args, sent = payload(plan, SCOPE, NOTHING)
    assert not is_whole(args, sent)
    again, plan = kept(plan)
    assert "hunter22" not in again
    assert not is_whole(payload(plan, SCOPE, NOTHING)[1])


@pytest.mark.parametrize(
    ("kwargs", "sent"),
    [
        ({"token": "${{ inputs.x }}"}, {"token": "X"}),
        ({"token": "Bearer ${{ inputs.pw }}"}, {"token": "Bearer P"}),
        ({"authorization": "Token token=${{inputs.pw}}"}, {"authorization": "Token token=P"}),
        ({"dsn": "pg://u:${{inputs.pw}}@${{ inputs.x }}/"}, {"dsn": "pg://u:P@X/"}),
        ({"dsn": "pg://u:${{ inputs.pw }}@h/"}, {"dsn": "pg://u:P@h/"}),
        ({"url": "https://h/?token=${{ inputs.pw }}&a=1"}, {"url": "https://h/?token=P&a=1"}),
        ({"url": "https://h/?token=${{inputs.pw}}"}, {"url": "https://h/?token=P"}),
        ({"text": "the key is ${{ inputs.pw }}"}, {"text": "the key is P"}),
        ({"text": "$${{ ${{ inputs.x }}"}, {"text": "${{ X"}),
        ({"text": "${{ inputs.x | default('not set at all') }}"}, {"text": "X"}),
        ({"password": "${{ inputs.x | default('none') }}"}, {"password": "X"}),
        ({"auth": {"user": "svc-reports", "key": "${{ inputs.pw }}"}},
         {"auth": {"user": "svc-reports", "key": "P"}}),
    ],
)  # fmt: skip
def test_a_template_that_only_says_where_a_secret_comes_from_is_kept(
    kwargs: dict[str, Any], sent: dict[str, Any]
) -> None:
    _, plan = kept(node(kwargs))
    assert plan.task is not None
    assert plan.task.kwargs == kwargs
    assert payload(plan, SCOPE, NOTHING)[1] == sent


def test_what_was_withheld_of_a_template_still_tells_what_it_looks_up() -> None:
    _, plan = kept(node({"url": "amqp://u:hunter22@${{ inputs.x }}/${{ inputs.y }}"}))
    assert list(map(str, argument_references(plan))) == ["inputs.x", "inputs.y"]
    assert plan.task is not None
    assert isinstance(plan.task.kwargs["url"], NotKept)


@pytest.mark.parametrize("name", ["ORDERS_API_KEY", "PGPASSWORD", "ordersApiKey", "DB_PASS"])
def test_a_variable_whose_name_says_secret_is_hidden_where_it_goes(name: str) -> None:
    plan = node({"k": f"${{{{ env.{name} }}}}", "r": "${{ env.REGION }}"})
    assert plan.task is not None
    assert plan.task.secret == {"k"}


def test_an_argument_that_is_declared_secret_is_hidden_too_where_a_result_brings_it() -> None:
    tasks = {"a": {"params": {"pin": {"secret": True}}}}
    document = Document.model_validate({"name": "x", "steps": [{"id": "a", "task": "lab.a"}]})
    plan = planner_of({"lab": {"tasks": tasks}}, lambda: "1").plan(document)
    assert plan.task is not None
    assert plan.task.secret == {"pin"}
