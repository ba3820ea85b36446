"""Check a document beyond its format: look-ups, ids, limits and calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kimera_tui.config.friends import Friend
from kimera_tui.depth import every
from kimera_tui.documents.addresses import Address, lists_of, walk
from kimera_tui.documents.conditions import references_of
from kimera_tui.documents.data_flow import fed_by, takes_result
from kimera_tui.documents.document import (
    MAX_DEPTH,
    MAX_PATTERNS,
    MAX_STEPS,
    Document,
    ParaStep,
    Step,
    TaskStep,
    all_steps,
    called,
)
from kimera_tui.documents.fields import check_call, kwargs_only
from kimera_tui.documents.references import (
    Reference,
    TemplateError,
    is_secret_variable,
    references_in,
)
from kimera_tui.errors import UsageError, near
from kimera_tui.yaml.reading import Key


def call_problems(
    document: Document, address: Address, step: TaskStep, friend: Friend, task: str
) -> Iterator[tuple[Key, str]]:
    """The arguments that do not fit, each with its path below the step.

    Templates, and arguments that the upstream result may provide, are not checked.

    Args:
        document: The whole document, to find the upstream step.
        address: The step's address.
        step: The step.
        friend: The friend it calls.
        task: The task's name.
    """
    info = friend.tasks.get(task)
    if info is None:
        return
    positional = dict(zip(info.params, step.args, strict=False))
    for position, name in enumerate(positional):
        if info.params[name].secret:
            yield ("args", position), kwargs_only(name)
    may_be_fed = takes_result(step) and fed_by(document, address) is not None
    for name, param in info.params.items():
        if name not in step.kwargs and name not in positional:
            if param.required and not may_be_fed:
                yield ("kwargs",), f"{name} is required by {task}."
            continue
        value = step.kwargs.get(name, positional.get(name))
        if _holds_template(value):
            continue
        try:
            check_call({name: param}, (), {name: value})
        except UsageError as error:
            path: Key = ("kwargs", name) if name in step.kwargs else ("args",)
            yield path, error.message


def _holds_template(value: Any) -> bool:
    return any(isinstance(each, str) and "${{" in each for each in every(value))


RUN_FIELDS = ("id", "name", "started")
STEP_FIELDS = ("result", "status")
ERROR_FIELDS = ("type", "message", "task")


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a document."""

    sentence: str
    step: str = ""
    """Id of the step; empty for a problem outside the steps."""
    path: Key = ()
    """Its place in the file."""
    line: int = 0
    """Line of the file, from 1; 0 if there is no file."""

    @property
    def where(self) -> str:
        """The path as text, such as ``steps.0.kwargs.day``."""
        return ".".join(map(str, self.path))

    @property
    def text(self) -> str:
        """The place and the sentence."""
        return f"{self.where}: {self.sentence}" if self.path else self.sentence


def problems_of(document: Document, friends: Mapping[str, Friend] | None) -> list[Problem]:
    """All problems of a document, in the order of the file.

    Args:
        document: The document.
        friends: The configured friends; None to skip the checks against them.
    """
    problems, hints = list(_inputs(document)), _Hints()
    problems += _concurrency(document, hints)
    too_large = _size(document)
    if too_large:
        return [*problems, *too_large]
    problems += _same_ids(document)
    checker = _Checker(document, hints)
    checker.document()
    problems += checker.problems
    if friends is not None:
        problems += _against_friends(document, friends, hints)
    return problems


@dataclass(slots=True)
class _Hints:
    """Suggests the name that was probably meant, as long as comparing names stays cheap."""

    left: int = 6_000
    """How many more names may be compared; each takes up to 30 microseconds."""

    def near(self, word: str, known: Collection[str]) -> str:
        if len(known) > self.left:
            return ""
        self.left -= len(known)
        return near(word[:80], known)


def _inputs(document: Document) -> Iterator[Problem]:
    with_pattern = [name for name, spec in document.inputs.items() if spec.pattern is not None]
    if len(with_pattern) > MAX_PATTERNS:
        yield Problem(f"more than {MAX_PATTERNS} inputs have a pattern.", path=("inputs",))
        return
    for name, spec in document.inputs.items():
        for key, sentence in spec.problems(name):
            yield Problem(sentence, path=("inputs", name, key))


def too_many(steps: int) -> str:
    """The error for a document with too many steps."""
    return f"{steps:,} steps; at most {MAX_STEPS:,} are allowed."


def _size(document: Document) -> list[Problem]:
    if not document.steps:
        return [Problem("there are no steps: add one.", path=("steps",))]
    count = sum(1 for _ in all_steps(document))
    if count > MAX_STEPS:
        return [Problem(too_many(count), path=("steps",))]
    for address, step in walk(document):
        if len(address) // 2 > MAX_DEPTH:
            return [Problem(f"nested deeper than {MAX_DEPTH} levels.", step.id, address)]
    return []


def _same_ids(document: Document) -> Iterator[Problem]:
    counted = Counter(step.id for step in all_steps(document))
    seen: set[str] = set()
    for address, step in walk(document):
        if counted[step.id] > 1 and step.id in seen:
            yield Problem(f"another step has the id `{step.id}`.", step.id, (*address, "id"))
        seen.add(step.id)


def _concurrency(document: Document, hints: _Hints) -> Iterator[Problem]:
    if document.concurrency is None:
        return
    path: Key = ("concurrency", "key")
    try:
        references = list(references_in(document.concurrency.key))
    except TemplateError as error:
        yield Problem(str(error), path=path)
        return
    for reference in references:
        if reference.root != "inputs":
            yield Problem(f"`{reference}`: only inputs can be looked up here.", path=path)
        elif sentence := _input_problem(document, reference, hints, secrets=False):
            yield Problem(sentence, path=path)


def _input_problem(
    document: Document, reference: Reference, hints: _Hints, *, secrets: bool
) -> str:
    """The mistake in a look-up of an input, or an empty string."""
    name = str(reference.path[0]) if reference.path else ""
    if not name:
        return _which_one(reference)
    if name not in document.inputs:
        return f"`{reference}`: there is no input `{name}`.{hints.near(name, document.inputs)}"
    if not secrets and document.inputs[name].type == "secret":
        return kwargs_only(f"`{reference}`")
    return ""


@dataclass(slots=True)
class _Place:
    """The context of a step."""

    fed: bool
    """Whether it has an upstream result."""
    error: bool = False
    """Whether it is inside an error handler."""


@dataclass(slots=True)
class _Checker:
    """Visits the steps in the order they run, tracking which ones have run by then."""

    whole: Document
    hints: _Hints
    problems: list[Problem] = field(default_factory=list)
    _ran: set[str] = field(default_factory=set)
    """Ids of the steps whose results may be available."""
    _all: frozenset[str] = frozenset()

    def document(self) -> None:
        self._all = frozenset(step.id for step in all_steps(self.whole))
        self._in_turn(self.whole.steps, ("steps",), _Place(fed=False))
        # By then any step may have run, including those of error handlers.
        main = self.whole.model_copy(update={"finally_": []})
        self._ran |= {step.id for step in all_steps(main)}
        self._in_turn(self.whole.finally_, ("finally",), _Place(fed=False))

    def _in_turn(self, steps: Sequence[Step], where: Key, place: _Place) -> None:
        for index, step in enumerate(steps):
            self._step(step, (*where, index), place)
            place = _Place(fed=True, error=place.error)

    def _step(self, step: Step, address: Key, place: _Place) -> None:
        if step.when is not None:
            self._condition(step, address, place)
        if isinstance(step, TaskStep):
            self._values(step, address, place)
        for name, children in lists_of(step):
            if name == "on_error":
                continue
            if isinstance(step, ParaStep):
                self._branches(children, (*address, name), place)
            else:
                self._in_turn(children, (*address, name), place)
        self._ran.add(step.id)
        if step.handlers:
            after = set(self._ran)
            self._in_turn(step.handlers, (*address, "on_error"), _Place(fed=False, error=True))
            self._ran = after

    def _branches(self, steps: Sequence[Step], where: Key, place: _Place) -> None:
        """Check the branches of a para, which cannot look up each other's steps."""
        new: set[str] = set()
        for index, step in enumerate(steps):
            ran_earlier = set(self._ran) if _has_steps(step) else None
            self._step(step, (*where, index), place)
            if ran_earlier is None:
                self._ran.discard(step.id)
                new.add(step.id)
            else:
                new |= self._ran - ran_earlier
                self._ran = ran_earlier
        self._ran |= new

    def _values(self, step: TaskStep, address: Key, place: _Place) -> None:
        for position, value in enumerate(step.args):
            self._references(step, (*address, "args", position), place, value, secrets=False)
        for name, value in step.kwargs.items():
            self._references(step, (*address, "kwargs", name), place, value, secrets=True)

    def _references(
        self, step: Step, path: Key, place: _Place, value: Any, *, secrets: bool
    ) -> None:
        try:
            references = list(references_in(value))
        except TemplateError as error:
            self.problems.append(Problem(str(error), step.id, path))
            return
        self._look_ups(references, step, path, place, secrets=secrets)
        for each in references if not secrets else ():
            if is_secret_variable(each):
                self.problems.append(Problem(kwargs_only(f"`{each}`"), step.id, path))

    def _condition(self, step: Step, address: Key, place: _Place) -> None:
        path = (*address, "when")
        if step.when is None:
            return
        try:
            references = list(references_of(step.when))
        except TemplateError as error:
            self.problems.append(Problem(str(error), step.id, path))
            return
        self._look_ups(references, step, path, place, secrets=False)

    def _look_ups(
        self,
        references: Sequence[Reference],
        step: Step,
        path: Key,
        place: _Place,
        *,
        secrets: bool,
    ) -> None:
        for reference in dict.fromkeys(references):
            if sentence := self._wrong(reference, step, place, secrets=secrets):
                self.problems.append(Problem(sentence, step.id, path))

    def _wrong(self, reference: Reference, step: Step, place: _Place, *, secrets: bool) -> str:
        """The mistake in a look-up, or an empty string."""
        name = str(reference.path[0]) if reference.path else ""
        match reference.root:
            case "inputs":
                return _input_problem(self.whole, reference, self.hints, secrets=secrets)
            case "steps":
                return self._wrong_step(reference, step, name)
            case "prev" if not place.fed:
                return f"`{reference}`: there is no upstream result here."
            case "env" if not name:
                return _which_one(reference)
            case "env" if name not in self.whole.env:
                return f"`{reference}`: list `{name}` under `env:` to look it up."
            case "run":
                return _wrong_field(reference, 0, RUN_FIELDS)
            case "error" if not place.error:
                return f"`{reference}`: only the steps of on_error have an error to look up."
            case "error":
                return _wrong_field(reference, 0, ERROR_FIELDS)
        return ""

    def _wrong_step(self, reference: Reference, step: Step, name: str) -> str:
        if not name:
            return _which_one(reference)
        if name not in self._all:
            return f"`{reference}`: there is no step `{name}`.{self.hints.near(name, self._all)}"
        if name == step.id:
            return f"`{reference}`: a step can't look up its own result."
        if name not in self._ran:
            return f"`{reference}`: step `{name}` has not run by the time this one starts."
        return _wrong_field(reference, 1, STEP_FIELDS)


def _which_one(reference: Reference) -> str:
    return f"`{reference}`: name one, such as {reference}.name."


def _has_steps(step: Step) -> bool:
    return next(lists_of(step), None) is not None


def _wrong_field(reference: Reference, position: int, known: Sequence[str]) -> str:
    name = str(reference.path[position]) if len(reference.path) > position else ""
    if name in known:
        return ""
    choices = ", ".join(known)
    if not name:
        return f"`{reference}`: choose one of {choices}."
    return f"`{reference}`: has no `{name}`; choose one of {choices}."


def _against_friends(
    document: Document, friends: Mapping[str, Friend], hints: _Hints
) -> Iterator[Problem]:
    for address, step in walk(document):
        if not isinstance(step, TaskStep):
            continue
        friend, task = called(step, document)
        if not friend:
            yield Problem(
                f"no friend is named: write friend.{task}, or set a default friend.",
                step.id,
                (*address, "task"),
            )
        elif friend not in friends:
            yield Problem(
                f"no friend `{friend}` is configured.{hints.near(friend, friends)}",
                step.id,
                (*address, "friend" if step.friend is not None else "task"),
            )
        else:
            for path, sentence in call_problems(document, address, step, friends[friend], task):
                yield Problem(sentence, step.id, (*address, *path))
