"""Who knows another tool is told what is written here instead."""

from __future__ import annotations

import pytest

from kimera_tui.documents import foreign_syntax
from kimera_tui.documents.document import Document, Input, Retry, TaskStep
from kimera_tui.documents.foreign_syntax import instead_of
from kimera_tui.documents.parse import read_document

ORDER = "steps run in the order of their list; put parallel steps into `para`."


def problem_texts(text: str) -> list[str]:
    return [each.text for each in read_document(text, "f", None).problems]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ("needs: [b]", f"needs: unknown key 'needs': {ORDER}"),
        ("depends_on: [b]", f"depends_on: unknown key 'depends_on': {ORDER}"),
        ("dependsOn: b", f"dependsOn: unknown key 'dependsOn': {ORDER}"),
        ("with: {a: 1}", "with: unknown key 'with': arguments go into `kwargs`."),
        ("if: x", "if: unknown key 'if': write a condition as `when: {ref: "),
        ("max_retries: 3", "max_retries: unknown key 'max_retries': write it as `retry: {max: 3,"),
        ("continue-on-error: true", "continue-on-error: unknown key 'continue-on-error': write it"),
        ("timeout-minutes: 5", "timeout-minutes: unknown key 'timeout-minutes': write it as `time"),
        ("queue: q", "queue: unknown key 'queue': friends.yaml sets the queue"),
        ("retry: 3", "retry: must be a mapping of keys to values: write `retry: {max: 3}`."),
        ("retry: {attempts: 3, max: 1}", "retry.attempts: unknown key 'attempts': `max` is the n"),
        ("when: x", "when: must be a mapping of keys to values: write `when: {ref: inputs.NAME,"),
        ("on_error: [{id: b, task: c, needs: a}]", "on_error.0.needs: unknown key 'needs': st"),
    ],
)
def test_a_step_in_other_words_is_told_the_right_form(more: str, sentence: str) -> None:
    text = f"kimera: 1\nname: x\nsteps:\n  - {{id: a, task: echo.value, {more}}}\n"
    (found,) = problem_texts(text)
    assert found.startswith(f"steps.0.{sentence}")


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ("version: 2", "version: unknown key 'version': the version of the format is `kimera: 1`."),
        ("params: {}", "params: unknown key 'params': the parameters of a run go into `inputs`."),
        ("schedule: daily", "schedule: unknown key 'schedule': a workflow has no schedule; let cr"),
        ("inputs: {day: date}", "inputs.day: must be a mapping of keys to values: write `day: {ty"),
        (
            "inputs: {n: 5}",
            "inputs.n: must be a mapping of keys to values: write `n: {type: int, d",
        ),
        ("inputs: {n: {options: [1]}}", "inputs.n.options: unknown key 'options': list the choi"),
    ],
)
def test_a_file_in_other_words_is_told_the_right_form(more: str, sentence: str) -> None:
    text = f"kimera: 1\nname: x\n{more}\nsteps:\n  - {{id: a, task: echo.value}}\n"
    (found,) = problem_texts(text)
    assert found.startswith(sentence)


def test_steps_by_name_must_be_a_list() -> None:
    assert problem_texts("kimera: 1\nname: x\nsteps:\n  a: {task: echo.value}\n") == [
        "steps: must be a list: start each step with `- id: NAME`."
    ]


def test_a_step_without_a_kind_is_told_which_word_of_it_is_another_tools() -> None:
    found = problem_texts("kimera: 1\nname: x\nsteps:\n  - {id: a, name: x, run: echo.value}\n")
    assert (
        "steps.0: a step needs exactly one of task, chain, para. Unknown key 'run': a step"
        in (found[0])
    )


def test_no_key_of_ours_is_taken_for_another_tools() -> None:
    ours = {"file": Document, "step": TaskStep, "retry": Retry, "input": Input}
    taken = {
        (where, name)
        for where, model in ours.items()
        for key, each in model.model_fields.items()  # type: ignore[attr-defined]
        if instead_of(name := each.alias or key, where)
    }
    assert taken == set()
    assert set(foreign_syntax._WORDS) == {*ours, "kind"}
