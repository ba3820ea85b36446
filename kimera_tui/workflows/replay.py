"""Replays: the plan of a new run from a past one, and what of it needs no running again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from kimera_tui.errors import UsageError
from kimera_tui.runs.book import RunState
from kimera_tui.runs.notkept import is_whole, missing_in
from kimera_tui.runs.plan import PLAIN, Node, PlannedTask, is_handler
from kimera_tui.runs.recovery import Past
from kimera_tui.runs.state import StepState
from kimera_tui.runs.status import Status
from kimera_tui.workflows.conditions import references_of
from kimera_tui.workflows.document import Condition, Document
from kimera_tui.workflows.launch import Given, inputs_again, planner_of
from kimera_tui.workflows.references import Reference, escape, references_in

Mode = Literal["again", "from_failed", "from_step", "only_step"]
"""All of it; what isn't done; a step and what it feeds; one step as it was sent."""
Overrides = Mapping[str, Mapping[str, Any]]
"""New named arguments of steps, by path or id."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How a past run is to be run again."""

    mode: str = "again"
    """One of ``Mode``."""
    path: str = ""
    """The step that ``from_step`` and ``only_step`` mean, by path or id."""
    overrides: Overrides = field(default_factory=dict)
    """Their steps run again, and so does what they feed."""
    given: Given = field(default_factory=Given)
    """New inputs; those that aren't named stay as they were."""
    document: Document | None = None
    """What is run in place of what ran then; steps are found again by their ids."""


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """A run that is about to be, to be shown before it is started."""

    parent: str
    """The run that it replays."""
    name: str
    plan: Node
    """The same tree with new task ids."""
    reused: Mapping[str, StepState] = field(default_factory=dict)
    """Steps of the past run whose results are taken over, by path."""
    will_run: Sequence[str] = ()
    """Paths of the steps that are sent."""
    needs: Sequence[str] = ()
    """What keeps it from running, in sentences."""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """What is put in, without secrets."""

    @property
    def sentence(self) -> str:
        """How much runs and how much is reused."""
        reuse = f", reuse {len(self.reused)}" if self.reused else ""
        return f"will run {len(self.will_run)}{reuse}"


def planned_replay(
    past: Sequence[object],
    wish: Wish,
    new_id: Callable[[], str],
    friends: Mapping[str, Mapping[str, Any]],
) -> ReplayPlan:
    """The plan of a replay.

    Args:
        past: The events of the past run, its beginning first.
        wish: How it is to be run.
        new_id: Makes the tasks' ids.
        friends: The configured friends, for a document in place of what ran then.

    Raises:
        UsageError: there is no such mode or step, or an input is wrong.
    """
    if not past:
        raise UsageError("No such run.")
    run, mode = Past.of(past).run, wish.mode
    if mode not in get_args(Mode):
        raise UsageError(f"`{mode}` is no way to replay; the ways: {', '.join(get_args(Mode))}.")
    path = _path_of(run, wish.path) if mode in ("from_step", "only_step") else ""
    overrides = {_path_of(run, each): values for each, values in wish.overrides.items()}
    inputs = inputs_again(past, wish.given.inputs, wish.document)
    if mode == "only_step":
        return replace(_only(run, path, overrides.get(path, {}), new_id), inputs=run.inputs)
    changed = {name for name, value in inputs.items() if run.inputs.get(name) != value}
    name, plan, before = run.name, run.plan, dict(run.steps)
    if wish.document is not None:
        name, plan = wish.document.name, planner_of(friends, new_id).plan(wish.document)
        before = _found_again(run, plan)
    planner = _Planner(before, mode, path, overrides, changed)
    planner.visit(plan, fed_as_before=True)
    plan = _renewed(plan, overrides, new_id)
    leaves = [each for each in plan.leaves() if not is_handler(each[0])]
    will_run = [each for each, _ in leaves if each not in planner.reused | planner.idle]
    needs = [
        sentence for each, task in leaves if each in will_run for sentence in _needs(each, task)
    ]
    return ReplayPlan(run.run_id, name, plan, planner.reused, will_run, needs, inputs)


def _found_again(run: RunState, plan: Node) -> dict[str, StepState]:
    """The steps of the past run by their paths in another plan: those that say the same."""
    old = {node.id: node for _, node in run.plan.walk() if node.task is not None and node.id}
    found = {}
    for _, node in plan.walk():
        if node.task is not None and (was := old.get(node.id)) is not None and _same(was, node):
            found[node.path] = run.steps[was.path]
    return found


def _same(one: Node, other: Node) -> bool:
    """Whether two tasks are the same call, with the same way of being fed."""
    return (
        one.task is not None
        and other.task is not None
        and one.rules.passing == other.rules.passing
        and (one.task.friend, one.task.task_name) == (other.task.friend, other.task.task_name)
        and (list(one.task.args), dict(one.task.kwargs))
        == (list(other.task.args), dict(other.task.kwargs))
    )


def _path_of(run: RunState, step: str) -> str:
    """The path of a step named by its path or its id."""
    if step in run.steps:
        return step
    found = [path for path, state in run.steps.items() if state.id and state.id == step]
    if found:
        return found[0]
    known = [state.id or path for path, state in run.steps.items()]
    raise UsageError(f"The run has no step `{step}`; steps: {', '.join(known)}.")


@dataclass(slots=True)
class _Planner:
    """Decides for each step whether its result can be taken over."""

    before: Mapping[str, StepState]
    """How the steps ended then, by path; those that are new or say something else are missing."""
    mode: str
    path: str
    overrides: Overrides
    changed_inputs: set[str]
    reused: dict[str, StepState] = field(default_factory=dict)
    idle: dict[str, StepState] = field(default_factory=dict)
    """Steps that were not needed, and won't be."""
    _changed_steps: set[str] = field(default_factory=set)

    def visit(self, node: Node, fed_as_before: bool) -> bool:
        """Note what of a part is reused; returns whether its result is the same as before."""
        same = self._visit(node, fed_as_before and self._looks_up_the_same(_condition(node)))
        if not same and node.id:
            self._changed_steps.add(node.id)
        return same

    def _visit(self, node: Node, fed_as_before: bool) -> bool:
        if node.task is not None:
            return self._visit_task(node, node.task, fed_as_before)
        if node.kind == "para":
            same = [self.visit(child, fed_as_before) for child in node.children]
            return all(same)
        for child in node.children:
            fed_as_before = self.visit(child, fed_as_before)
        return fed_as_before

    def _visit_task(self, node: Node, task: PlannedTask, fed_as_before: bool) -> bool:
        if (step := self.before.get(node.path)) is None:
            return False
        looked_up: list[Reference] = []
        if node.rules.templated:
            looked_up = list(references_in([list(task.args), dict(task.kwargs)]))
        takes_fed = node.rules.passing != "none" or any(each.root == "prev" for each in looked_up)
        if (takes_fed and not fed_as_before) or not self._looks_up_the_same(looked_up):
            return False
        if step.status is Status.NOT_NEEDED and self.mode != "again":
            self.idle[node.path] = step
            return True
        if not self._may_reuse(step):
            return False
        self.reused[node.path] = step
        return True

    def _looks_up_the_same(self, references: Iterable[Reference]) -> bool:
        changed = {"inputs": self.changed_inputs, "steps": self._changed_steps}
        return not any(
            each.path and each.path[0] in changed.get(each.root, ()) for each in references
        )

    def _may_reuse(self, step: StepState) -> bool:
        return (
            self.mode != "again"
            and not (self.mode == "from_step" and step.path == self.path)
            and step.status is Status.DONE
            and step.path not in self.overrides
            and is_whole(step.result)
        )


def _condition(node: Node) -> Iterable[Reference]:
    if node.rules.when is None:
        return ()
    return references_of(Condition.model_validate(node.rules.when))


def _only(
    run: RunState, path: str, override: Mapping[str, Any], new_id: Callable[[], str]
) -> ReplayPlan:
    step = run.steps[path]
    node = next(each for _, each in run.plan.walk() if each.path == path)
    templates = node.task.kwargs if node.task is not None and node.rules.templated else {}
    # A secret was never written down, but where it comes from was.
    fetched = {
        name: templates[name]
        for name, value in step.kwargs.items()
        if name in templates and not is_whole(value) and any(references_in(templates[name]))
    }
    literal = escape({**step.kwargs, **override}) if fetched else {**step.kwargs, **override}
    task = PlannedTask(
        new_id(),
        step.friend,
        step.task_name,
        tuple(escape(list(step.args)) if fetched else step.args),
        {**literal, **{name: text for name, text in fetched.items() if name not in override}},
        step.timeout,
        step.secret,
    )
    rules = replace(PLAIN, templated=bool(fetched), passing="none" if fetched else "auto")
    plan = Node("task", "0", task=task, id=node.id, rules=rules)
    name = f"{step.name} (only this of {run.name})"
    return ReplayPlan(run.run_id, name, plan, {}, ["0"], list(_needs("0", task)))


def _renewed(node: Node, overrides: Overrides, new_id: Callable[[], str]) -> Node:
    def renewed(nodes: Sequence[Node]) -> tuple[Node, ...]:
        return tuple(_renewed(each, overrides, new_id) for each in nodes)

    task = node.task
    if task is not None:
        override = overrides.get(node.path, {})
        if node.rules.templated:
            override = escape(dict(override))
        task = replace(task, task_id=new_id(), kwargs={**task.kwargs, **override})
    return replace(
        node,
        task=task,
        children=renewed(node.children),
        handlers=renewed(node.handlers),
        finals=renewed(node.finals),
    )


def _needs(path: str, task: PlannedTask) -> list[str]:
    return [
        f"Step {path or '0'} ({task.task_name}) {missing.why}."
        for missing in missing_in(task.args, task.kwargs)
    ]
