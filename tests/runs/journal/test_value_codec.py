"""Values made plain and read back: what stands in for the rest, and that no secret shows."""

from __future__ import annotations

import copy
import enum
import json
from dataclasses import asdict
from itertools import permutations
from typing import Any

import pytest

from kimera_tui.depth import DEEPEST
from kimera_tui.process.events import Succeeded
from kimera_tui.runs.events import StepIntended
from kimera_tui.runs.journal.event_codec import decode, encode
from kimera_tui.runs.journal.plan_codec import plain_plan, plan_from
from kimera_tui.runs.journal.value_codec import Packer, unpack
from kimera_tui.runs.plan import Node, PlannedTask
from kimera_tui.values import placeholders
from kimera_tui.values.placeholders import is_whole


@pytest.mark.parametrize("order", [*permutations(["abcdef", "abcdef-tail-9999", "-tail-"])])
def test_a_secret_within_another_leaves_nothing_of_it(order: tuple[str, ...]) -> None:
    packer = Packer()
    for known in order:
        packer.learn({"password": known}, ())
    assert packer.text("it was abcdef-tail-9999, not abcdef") == "it was ••••, not ••••"


@pytest.mark.parametrize(
    "stand_in",
    [
        placeholders.TooLarge(9_000_000),
        placeholders.Withheld("kwargs.token"),
        placeholders.Withheld("result", "hello ••••"),
        placeholders.Opaque("<object>"),
    ],
)
def test_a_copy_of_a_stand_in_is_that_stand_in(stand_in: placeholders.NotKept) -> None:
    event = asdict(Succeeded(at=1, task_id="t", result={"deep": [stand_in]}))
    for copied in (event["result"]["deep"][0], copy.copy(stand_in), copy.deepcopy(stand_in)):
        assert type(copied) is type(stand_in)
        assert (str(copied), copied.why) == (str(stand_in), stand_in.why)


class Colour(str, enum.Enum):  # noqa: UP042 - a StrEnum says its value by itself
    RED = "red"


class Size(int, enum.Enum):
    LARGE = 3

    def __str__(self) -> str:
        return "large"


class Share(float, enum.Enum):
    HALF = 0.5


def test_members_of_an_enum_go_by_their_values() -> None:
    value = {"colour": Colour.RED, Colour.RED: [Size.LARGE, Share.HALF]}
    plain = json.loads(json.dumps(Packer().pack(value, "result")))
    assert unpack(plain) == {"colour": "red", "red": [3, 0.5]}


def nested(depth: int, kind: type[Any]) -> Any:
    value: Any = "nested"
    for _ in range(depth):
        value = {"in": value} if kind is dict else kind([value])
    return value


@pytest.mark.parametrize("kind", [list, tuple, dict])
@pytest.mark.parametrize("depth", [DEEPEST + 1, 260, 300, 700, 5_000])
def test_what_is_too_deep_is_never_taken_for_the_value(kind: type[Any], depth: int) -> None:
    deep = nested(depth, kind)
    intent = StepIntended(at=0, run_id="r", path="0", task_id="t", args=(deep,), kwargs={"a": deep})
    columns = {"at": 0, "run_id": "r", "path": "0", "task_id": "t"}
    read = decode("StepIntended", encode(intent, Packer()), columns)
    assert isinstance(read, StepIntended)
    planned = PlannedTask("t", "lab", "step", (deep,), {"a": deep})
    plan = plan_from(plain_plan(Node("task", "", task=planned), Packer()))
    assert plan.task is not None
    for args, kwargs in ((read.args, read.kwargs), (plan.task.args, plan.task.kwargs)):
        assert len(args) == len(kwargs) == 1
        assert not is_whole(args)
        assert not is_whole(dict(kwargs))


@pytest.mark.parametrize("kind", [list, tuple, dict])
def test_the_deepest_that_is_kept_is_kept_whole(kind: type[Any]) -> None:
    deep = nested(DEEPEST, kind)
    intent = StepIntended(at=0, run_id="r", path="0", task_id="t", args=(deep,), kwargs={"a": deep})
    columns = {"at": 0, "run_id": "r", "path": "0", "task_id": "t"}
    read = decode("StepIntended", encode(intent, Packer()), columns)
    assert isinstance(read, StepIntended)
    assert (read.args, read.kwargs) == (intent.args, intent.kwargs)


def test_the_deepest_mapping_whose_keys_are_no_texts_is_kept_whole() -> None:
    deep: Any = "nested"
    for _ in range(DEEPEST // 2):
        deep = {(1,): (deep,)}
    plain = json.loads(json.dumps(Packer().pack(deep, "result")))
    assert unpack(plain) == deep


def test_a_secret_beside_what_is_too_deep_is_learned() -> None:
    packer = Packer()
    packer.learn({"deep": nested(5_000, list), "token": "canary-5e4715e1"}, ())
    assert packer.text("it was canary-5e4715e1") == "it was ••••"


@pytest.mark.parametrize("levels", [1_500, 20_000])
def test_a_row_of_the_journal_that_is_too_deep_is_left_out(levels: int) -> None:
    data = f'{{"meta": {"[" * levels}{"]" * levels}}}'
    assert decode("StateSeen", data, {"at": 0, "task_id": "t"}) is None
