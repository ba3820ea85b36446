"""A run knows its secrets from its start, tells which it can't hide, and never sends a mask."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kimera_tui.config.friends import secret_params
from kimera_tui.documents.references import TemplateError
from kimera_tui.documents.short_secrets import ShortSecrets
from kimera_tui.errors import TaskFailed
from kimera_tui.execution.completion import outcome_of
from kimera_tui.execution.run_inputs import RunInputs
from kimera_tui.execution.template_scope import NOTHING, Scope, payload
from kimera_tui.process.events import Noticed
from kimera_tui.process.outcome import Outcome
from kimera_tui.runs.events import RunStarted, StepIntended
from kimera_tui.runs.journal.event_codec import decode, encode
from kimera_tui.runs.journal.value_codec import Packer, unpack
from kimera_tui.runs.plan import Node, PlannedTask, Rules
from kimera_tui.runs.recovery import Past
from kimera_tui.runs.state import begin
from kimera_tui.runs.status import Status
from kimera_tui.runs.step import StepState
from kimera_tui.values.placeholders import is_whole

from .conftest import document
from .in_memory import Broker, Console, console, step

KEY = "canary-key-4711"
ENTRY = {"tasks": {"pay": {"params": {"day": {}, "pin": {"secret": True}, "no": {"secret": True}}}}}


async def test_a_secret_that_only_a_part_of_an_argument_holds_is_known_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THE_API_KEY", "canary-env-0815")
    plain = {
        "env": ["THE_API_KEY"],
        "inputs": {"key": {"type": "secret"}},
        "steps": [step("a", kwargs={
            "url": "https://h/${{ inputs.key }}/x", "header": "id ${{ env.THE_API_KEY }}"
        })],
    }  # fmt: skip
    path = tmp_path / "runs.db"
    async with console(path, Broker()) as it:
        run_id = it.runner.run(document(plain), RunInputs(prompted={"key": KEY}))
        await it.sent("a")
        message = f"no {KEY}, no canary-env-0815"
        it._end("a", Outcome("FAILURE", None, "ValueError", message, message))
        run = await kept(it, run_id)
        assert run.steps[""].error_message == "no ••••, no ••••"
        await it.journal.flush()
    written = b"".join(each.read_bytes() for each in tmp_path.iterdir())
    assert b"no \\u2022" in written or "no ••••".encode() in written
    assert b"canary" not in written


async def kept(it: Console, run_id: str) -> Any:
    """The run as the journal has it once it has ended."""
    await it.error(run_id)
    return Past.of(await it.journal.events_of(run_id)).run


async def test_a_secret_is_fetched_once(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY)
    inputs = {"key": {"type": "secret", "from": f"file:{file}"}}
    steps = [step(name, kwargs={"key": "${{ inputs.key }}"}) for name in ("a", "b")]
    async with console(tmp_path / "runs.db", Broker()) as it:
        run_id = it.start(*steps, inputs=inputs)
        file.write_text("another one")
        for name in ("a", "b"):
            await it.sent(name)
            it.end(name)
        await it.ended(run_id)
    assert [message.kwargs["key"] for message in it.broker.published] == [KEY, KEY]


async def test_what_is_too_short_to_be_hidden_everywhere_is_reported_once(tmp_path: Path) -> None:
    inputs = {"pin": {"type": "secret"}}
    steps = [step(name, kwargs={"pin": "${{ inputs.pin }}"}) for name in ("a", "b")]
    plain = {"inputs": inputs, "steps": steps}
    async with console(tmp_path / "runs.db", Broker()) as it:
        run_id = it.runner.run(document(plain), RunInputs(prompted={"pin": "k9"}))
        for name in ("a", "b"):
            await it.sent(name)
            it.end(name, {"pin": "k9", "day": "k9"})
        run = await kept(it, run_id)
        notices = [each for each in await it.journal.events_of(run_id) if isinstance(each, Noticed)]
    assert [each.text for each in notices] == [
        "pin is too short or common to mask everywhere: it is masked only under its own name"
    ]
    assert run.steps["0"].result == {"pin": "••••", "day": "k9"}


@pytest.mark.parametrize("value", [True, 7, "", "abc", {"deep": ["long enough", 3]}])
def test_each_short_secret_is_reported(value: Any) -> None:
    short = ShortSecrets()
    (notices,) = short.news([], {"pin": value, "day": 1}, {"pin"})
    assert notices.startswith("pin is too short")
    assert [*short.news([], {"pin": value}, {"pin"})] == []


def test_a_secret_that_is_nested_deeper_than_anything_can_be_walked_stops_nothing() -> None:
    value: Any = "x"
    for _ in range(5_000):
        value = [value]
    assert len([*ShortSecrets().news([], {"pin": value}, {"pin"})]) == 1


@pytest.mark.parametrize("value", [None, 60418827, "k9Qx2", ["k9Qx2", 1234]])
def test_what_is_hidden_everywhere_is_not_reported(value: Any) -> None:
    assert [*ShortSecrets().news([value], {"pin": value}, {"pin", "0"})] == []


def test_positions_count_as_far_as_arguments_are_given() -> None:
    assert secret_params(ENTRY, "pay") == {"pin", "no"}
    assert secret_params(ENTRY, "pay", 2) == {"pin", "no", "1"}
    assert secret_params(ENTRY, "pay", 9) == {"pin", "no", "1", "2"}
    assert secret_params(ENTRY, "other", 2) == set()


def test_a_secret_that_is_given_by_position_is_not_written_down() -> None:
    packer = Packer()
    intent = StepIntended(
        at=0, run_id="r", path="0", task_id="t", args=("2026-01-31", 7, 60418827), kwargs={},
        secret=frozenset({"pin", "1", "2"}),
    )  # fmt: skip
    columns = {"at": 0, "run_id": "r", "path": "0", "task_id": "t"}
    read = decode("StepIntended", encode(intent, packer), columns)
    assert isinstance(read, StepIntended)
    assert read.args == ("2026-01-31", "••••", "••••")
    assert not is_whole(read.args)
    assert packer.text("no 60418827") == "no ••••"


def test_the_secrets_of_a_beginning_are_known_and_not_written_down() -> None:
    packer = Packer()
    plan = Node("task", "", task=PlannedTask("t", "lab", "a"))
    data = encode(RunStarted(at=0, run_id="r", name="n", plan=plan, secrets={"key": KEY}), packer)
    assert KEY not in str(data)
    assert "secrets" not in str(data)
    assert packer.text(KEY) == "••••"


def test_an_error_that_was_cut_for_a_secret_is_fed_to_no_step() -> None:
    with pytest.raises(TaskFailed) as cut:
        outcome_of(_failed("no ••••"))
    with pytest.raises(TaskFailed) as whole:
        outcome_of(_failed("no such day"))
    assert str(cut.value).endswith("ValueError: no ••••")
    assert not is_whole(_fed(cut.value, "${{ error.message }}")[1])
    with pytest.raises(TemplateError, match=r"was not saved: needs error\.message again"):
        _fed(cut.value, "it said: ${{ error.message }}")
    assert _fed(whole.value, "${{ error.message }}")[1] == {"what": "no such day"}


def _failed(message: str) -> StepState:
    begun = begin("0", PlannedTask("t", "lab", "a"), 0)
    return replace(begun, status=Status.FAILED, error_type="ValueError", error_message=message)


def _fed(error: Exception, template: str) -> Any:
    """What a step that is run for an error is sent with."""
    task = PlannedTask("h", "lab", "b", kwargs={"what": template})
    node = Node("task", "e/0", task=task, rules=Rules(templated=True))
    return payload(node, Scope().at(NOTHING, error), NOTHING)


def test_a_result_whose_key_was_cut_is_not_whole() -> None:
    packer = Packer()
    packer.learn({"pin": "k9Qx2"}, {"pin"})
    result = unpack(packer.pack({"of k9Qx2": 1}, "result"))
    assert [*result] == ["of ••••"]
    assert not is_whole(result)
