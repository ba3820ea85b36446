"""The JSON schema says the same of a file as Kimera does, as far as a schema can say it."""

from __future__ import annotations

import copy
import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from kimera_tui.config.friends import Friend, Param, TaskInfo
from kimera_tui.documents.checks import problems_of
from kimera_tui.documents.json_schema import workflow_schema
from kimera_tui.documents.schema_errors import validated
from kimera_tui.yaml.reading import parse_yaml
from tests.documents.cases import EVERYTHING, EXAMPLES, FRIENDS

TEXTS = {"everything": EVERYTHING, **{path.name: path.read_text() for path in EXAMPLES}}
WRONG: tuple[Any, ...] = (
    None,
    True,
    7,
    -1,
    1.5,
    "",
    "odd text",
    "a" * 300,
    [],
    [[]],
    {},
    {"odd": 1},
)
ONLY_KIMERA = (
    # Times: what is a duration is told by more than a pattern.
    r"must be a duration", r"must be greater than 0", r"must be at most 720h",
    # A condition is looked at as a whole.
    r"only eq and ne may be null",
    # What is said elsewhere in the file counts.
    r"there is no (input|step) ", r"has not run by the time", r"another step has the id",
    r"its own result", r"there is no upstream result", r"under `env:`",
    r"have an error to look up", r"only inputs can be looked", r"name one, such as",
    r"choose one of", r"has no `", r"is a secret, which",
    # Templates have a grammar of their own.
    r"^Template ", r"^Look-up ",
    # The keys of an input depend on its type.
    r"is required for an enum", r"is allowed for ", r"is not allowed for a secret", r"`max`",
    r"is not a regular expression", r"must be a (date|number)", r"there is no such", r"is not JSON",
    # Its default is checked by its type, its pattern and its limits.
    r"^inputs\.\w+\.default: ",
    # What friends declare of their tasks; and that there is something to run.
    r"no friend ", r"is required by", r"there are no steps: add one",
)  # fmt: skip
"""Reasons for which Kimera refuses what a schema takes."""

SCHEMA = Draft202012Validator(workflow_schema())
WITH_FRIENDS = Draft202012Validator(workflow_schema(FRIENDS))


def reasons(data: Any) -> list[str]:
    """Why Kimera refuses a document."""
    document, errors = validated(data)
    if document is None:
        return [each.sentence for each in errors]
    if type(data.get("kimera")) is not int:  # true equals 1
        return ["kimera: must be there"]
    found = problems_of(document, FRIENDS)
    return [each.text if each.path[:1] == ("inputs",) else each.sentence for each in found]


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in plain values but the inside of what may be anything."""
    yield path
    if path and path[-1] in ("kwargs", "args", "default", "values", "eq", "in"):
        return
    pairs = (
        data.items()
        if isinstance(data, dict)
        else enumerate(data)
        if isinstance(data, list)
        else ()
    )
    for key, child in pairs:
        yield from places(child, (*path, key))


def mutants() -> Iterator[Any]:
    """Documents that are made of right ones by one change each."""
    for text in TEXTS.values():
        data = parse_yaml(text, "f").data
        for path in places(data):
            for change in ("wrong", "remove", "rename", "add", "twice"):
                yield from _changed(data, path, change)


def _changed(data: Any, path: tuple[Any, ...], change: str) -> Iterator[Any]:
    for wrong in WRONG if change == "wrong" else (None,):
        mutant = copy.deepcopy(data)
        owner, here = None, mutant
        for key in path:
            owner, here = here, here[key]
        if owner is None:
            return
        last = path[-1]
        if change == "wrong":
            owner[last] = wrong
        elif change == "remove":
            del owner[last]
        elif change == "rename" and isinstance(owner, dict):
            owner[f"{last}_"] = owner.pop(last)
        elif change == "add" and isinstance(here, dict) and last != "inputs":
            here["odd"] = 1
        elif change == "twice" and isinstance(owner, list):
            owner.append(here)
        else:
            return
        yield mutant


@pytest.mark.parametrize("name", TEXTS)
def test_what_is_right_is_right_for_both(name: str) -> None:
    data = parse_yaml(TEXTS[name], name).data
    assert reasons(data) == []
    for schema in (SCHEMA, WITH_FRIENDS):
        assert [each.message for each in schema.iter_errors(data)] == []


def test_what_is_wrong_is_wrong_for_both_or_for_a_reason_that_a_schema_cannot_tell() -> None:
    verdicts = Counter[str]()
    every = list(mutants())
    for mutant in random.Random(1).sample(every, 1500):
        why, schema_takes_it = reasons(mutant), SCHEMA.is_valid(mutant)
        if not why:
            assert schema_takes_it, [each.message for each in SCHEMA.iter_errors(mutant)]
            verdicts["right for both"] += 1
        elif not schema_takes_it:
            verdicts["wrong for both"] += 1
        else:
            for sentence in why:
                assert any(re.search(each, sentence) for each in ONLY_KIMERA), (sentence, mutant)
            verdicts["wrong for Kimera only"] += 1
    assert verdicts["wrong for both"] >= 500
    assert verdicts["wrong for Kimera only"] >= 50
    assert verdicts["right for both"] >= 20


@pytest.mark.parametrize(
    "condition",
    [{}, {"ref": "a"}, {"ref": "a", "eq": 1, "ne": 1}, {"eq": 1}, {"all": []}, {"all": [{}]},
     {"ref": "a", "eq": 1, "any": [{"ref": "a", "eq": 1}]}, {"not": {"ref": "a"}},
     {"not": {"ref": "a", "eq": 1}, "missing": "true"}, {"ref": "a", "in": "b"}],
)  # fmt: skip
def test_a_condition_of_the_wrong_shape_is_wrong_for_both(condition: Any) -> None:
    step = {"id": "a", "task": "echo.value", "when": condition}
    data = {"kimera": 1, "name": "x", "steps": [step]}
    assert validated(data)[0] is None
    assert not SCHEMA.is_valid(data)


def test_the_schema_is_one_and_says_which() -> None:
    schema = workflow_schema(FRIENDS)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert len(json.dumps(workflow_schema())) < 30_000


def step(**fields: Any) -> dict[str, Any]:
    return {"kimera": 1, "name": "x", "steps": [{"id": "a", **fields}]}


def test_the_limits_of_a_parameter_are_those_of_the_schema() -> None:
    params = {
        "n": Param(type="int", min=1, max=9),
        "code": Param(pattern="[A-Z]{3}|x", max_length=3),
        "wait": Param(type="duration", max="1h"),
        "at": Param(type="datetime"),
    }
    tasks = {"ask": TaskInfo(params=params)}
    schema = workflow_schema({"shop": Friend(route="r", queue="q", tasks=tasks)})
    Draft202012Validator.check_schema(schema)
    is_valid = Draft202012Validator(schema).is_valid
    for name, good, bad in (
        ("n", [1, 9, "${{ prev }}"], [0, 10, 1.5, "1"]),
        ("code", ["EUR", "x", "${{ inputs.code }}"], ["EURO", "eur", "xx", 1]),
        ("wait", [5, 0.5], ["5m", 0, -1]),
        ("at", ["2026-01-31T12:30:00"], [5]),
    ):
        for value, right in [(each, True) for each in good] + [(each, False) for each in bad]:
            assert is_valid(step(task="shop.ask", kwargs={name: value})) is right, (name, value)


def test_with_friends_tasks_and_arguments_are_known() -> None:
    tasks = workflow_schema(FRIENDS)["$defs"]["TaskStep"]["properties"]["task"]["anyOf"][0]["enum"]
    assert "calculator.add" in tasks
    good = [
        step(task="calculator.add", kwargs={"a": 1, "b": "${{ prev }}", "other": []}),
        step(task="reports.render", kwargs={"paper": "A4"}),
        step(task="unknown.task", kwargs={"a": "x"}),
        step(task="add", friend="calculator"),
    ]
    bad = [
        step(task="calculator.add", kwargs={"a": "x"}),
        step(task="calculator.add", kwargs={"a": 1.5}),
        step(task="reports.render", kwargs={"paper": "A3"}),
        step(task="a b"),
    ]
    assert [WITH_FRIENDS.is_valid(each) for each in (*good, *bad)] == [True] * 4 + [False] * 4
