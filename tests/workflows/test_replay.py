"""Plans of replays: what runs again, what is reused, what is missing."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from kimera_tui.errors import UsageError
from kimera_tui.process import events as e
from kimera_tui.runs.events import RunEnded
from kimera_tui.runs.notkept import TooLarge, Withheld
from kimera_tui.runs.plan import Node, PlannedTask
from kimera_tui.workflows.replay import ReplayPlan, Wish, planned_replay
from tests.runs.lab import sending, started, task

PLAN = Node(
    "chain",
    "",
    (
        task("0", "a"),
        Node("para", "1", (
            task("1/0", "b"),
            Node("chain", "1/1", (task("1/1/0", "c"), task("1/1/1", "d"))),
        )),
        task("2", "e"),
    ),
)  # fmt: skip


def past(**results: Any) -> list[Any]:
    """A run in which the tasks named have these results, and no other has one."""
    ends = [e.Succeeded(at=2, task_id=each, result=value) for each, value in results.items()]
    return [started("r", plan=PLAN), *ends, RunEnded(at=3, run_id="r")]


def plan(events: list[Any], mode: str, path: str = "", **overrides: Any) -> ReplayPlan:
    ids = (f"new-{n}" for n in itertools.count())
    wish = Wish(mode, path, overrides.get("set", {}))
    return planned_replay(events, wish, lambda: next(ids), {})


ALL = dict.fromkeys("abcde", 1)


@pytest.mark.parametrize(
    ("results", "mode", "path", "will_run"),
    [
        (ALL, "again", "", ["0", "1/0", "1/1/0", "1/1/1", "2"]),
        (ALL, "from_failed", "", []),
        ({"a": 1, "b": 1, "c": 1}, "from_failed", "", ["1/1/1", "2"]),
        ({"a": 1, "b": 1}, "from_failed", "", ["1/1/0", "1/1/1", "2"]),
        (ALL, "from_step", "1/1/0", ["1/1/0", "1/1/1", "2"]),
        (ALL, "from_step", "2", ["2"]),
        (ALL, "from_step", "0", ["0", "1/0", "1/1/0", "1/1/1", "2"]),
        ({**ALL, "c": TooLarge(9 << 20)}, "from_failed", "", ["1/1/0", "1/1/1", "2"]),
        ({**ALL, "b": {"x": Withheld("result.x")}}, "from_failed", "", ["1/0", "2"]),
    ],
)
def test_what_runs(results: dict[str, Any], mode: str, path: str, will_run: list[str]) -> None:
    planned = plan(past(**results), mode, path)
    assert planned.will_run == will_run
    assert set(planned.reused) == {"0", "1/0", "1/1/0", "1/1/1", "2"} - set(will_run)
    assert planned.parent == "r"
    ids = [leaf.task_id for _, leaf in planned.plan.leaves()]
    assert len(set(ids)) == 5
    assert all(each.startswith("new-") for each in ids)


def test_new_arguments_run_their_step_and_what_it_feeds() -> None:
    planned = plan(past(**ALL), "from_failed", set={"1/1/0": {"day": "mon"}})
    assert planned.will_run == ["1/1/0", "1/1/1", "2"]
    assert planned.sentence == "will run 3, reuse 2"
    leaves = dict(planned.plan.leaves())
    assert leaves["1/1/0"].kwargs == {"day": "mon"}


def test_only_one_step_goes_as_it_was_sent() -> None:
    events = past(**ALL)
    events.insert(1, sending("e", 7, payload=8))
    planned = plan(events, "only_step", "2", set={"2": {"extra": 1}})
    [(path, only)] = planned.plan.leaves()
    assert (path, only.args, only.kwargs) == ("0", (7,), {"payload": 8, "extra": 1})
    assert planned.sentence == "will run 1"


def test_a_secret_is_needed_again_only_where_it_is_sent() -> None:
    secret = PlannedTask("a", "lab", "login", (), {"token": Withheld("kwargs.token")})
    tree = Node("chain", "", (Node("task", "0", task=secret), task("1", "b")))
    events = [
        started("r", plan=tree),
        e.Succeeded(at=2, task_id="a", result=1),
        RunEnded(at=3, run_id="r"),
    ]
    assert plan(events, "again").needs == ["Step 0 (login) needs token again."]
    assert plan(events, "from_failed").needs == []
    assert plan(events, "again", set={"0": {"token": "new"}}).needs == []


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(UsageError, match="No such run"):
        plan([], "again")
    with pytest.raises(UsageError, match="no way to replay"):
        plan(past(), "backwards")
    with pytest.raises(UsageError, match="no step `9`"):
        plan(past(), "from_step", "9")
    with pytest.raises(UsageError, match="no step `9`"):
        plan(past(), "again", set={"9": {}})
