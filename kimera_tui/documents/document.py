"""The workflow document, format ``kimera: 1``: the content of a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    StringConstraints,
    Tag,
    field_validator,
    model_validator,
)

from kimera_tui.errors import UsageError
from kimera_tui.values.durations import duration_text, seconds_of
from kimera_tui.values.spec import Spec

MAX_DEPTH = 40
"""Levels of nested chains and paras."""
MAX_STEPS = 2000
MAX_PATTERNS = 20
"""Inputs with a pattern; one near the regex engine's limit takes 0.1 s to compile."""
STEP_LISTS = ("steps", "finally", "chain", "para", "on_error")
"""Keys that hold lists of steps."""


def _seconds(value: object) -> float:
    try:
        return seconds_of(value)
    except UsageError as error:
        raise ValueError(error.message.removesuffix(".")) from None


Duration = Annotated[
    float,
    BeforeValidator(_seconds, json_schema_input_type=str | float),
    PlainSerializer(duration_text, return_type=str),
]
"""Seconds, written as 30s, 5m or 1h30m."""
StepId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(max_length=10_000)]
TaskName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,255}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        populate_by_name=True,
        allow_inf_nan=False,
    )


class Input(Spec):
    """One value that a run asks for."""

    from_: Annotated[str, StringConstraints(pattern=r"^(env:\w+|file:.+|prompt)$")] | None = Field(
        None, alias="from"
    )
    """Where a secret comes from: ``env:NAME``, ``file:PATH`` or ``prompt``."""

    def _contradictions(self) -> Iterator[tuple[str, str]]:
        yield from super()._contradictions()
        if self.values and self.type != "enum":
            yield "values", "is allowed for an enum only."
        if self.from_ is not None and not self.is_secret:
            yield "from", "is allowed for a secret only."
        if self.default is not None and self.is_secret:
            yield "default", "is not allowed for a secret; say where it comes `from`."


class Condition(_Strict):
    """A comparison with a looked-up value, or several of them combined; data, not code."""

    ref: Annotated[str, StringConstraints(max_length=1000)] | None = None
    """What is looked up, such as ``steps.load.result.rows``."""
    eq: Any = None
    ne: Any = None
    gt: Any = None
    ge: Any = None
    lt: Any = None
    le: Any = None
    in_: list[Any] | None = Field(None, alias="in")
    exists: bool | None = None
    missing: Literal["error", "false", "true"] = "error"
    """The outcome of a comparison with something that does not exist."""
    all: list[Condition] | None = Field(None, min_length=1)
    any: list[Condition] | None = Field(None, min_length=1)
    not_: Condition | None = Field(None, alias="not")

    @model_validator(mode="after")
    def _is_one_thing(self) -> Condition:
        keys = self.model_fields_set
        shapes = keys & {"ref", "all", "any", "not_"}
        if len(shapes) != 1:
            raise ValueError("a condition needs exactly one of ref, all, any, not")
        operators = keys & set(OPERATORS)
        if any(getattr(self, name) is None for name in shapes | (operators - {"eq", "ne"})):
            raise ValueError("only eq and ne may be null in a condition")
        if "ref" in shapes and len(operators) != 1:
            raise ValueError("ref needs exactly one of eq, ne, gt, ge, lt, le, in, exists")
        if "ref" not in shapes and (operators or "missing" in keys):
            raise ValueError("a comparison needs ref")
        return self


OPERATORS = ("eq", "ne", "gt", "ge", "lt", "le", "in_", "exists")


class Retry(_Strict):
    """When and how often to retry a failed step; each attempt is a new task."""

    max: Annotated[int, Field(ge=0, le=100)]
    """Attempts after the first."""
    delay: Duration = 1.0
    """Delay before the first retry."""
    factor: Annotated[float, Field(ge=1, le=100)] = 2.0
    """Factor by which each further delay grows."""
    max_delay: Duration = 300.0
    on: list[Name] = Field(default_factory=list)
    """Names of exceptions, ``TIMEOUT`` and ``REVOKED``; empty means every exception."""

    @field_validator("on")
    @classmethod
    def _has_been_sent(cls, on: list[str]) -> list[str]:
        if "NotSent" in on:
            raise ValueError("a step that was not sent is never retried: remove NotSent")
        return on


class Concurrency(_Strict):
    """How many runs with the same key may be active at once."""

    key: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    limit: Annotated[int, Field(ge=1, le=1000)] = 1
    on_conflict: Literal["reject"] = "reject"


class Defaults(_Strict):
    """Options for every task of the document that does not set its own."""

    friend: Name | None = None
    timeout: Duration | None = None
    start_timeout: Duration | None = None
    on_timeout: Literal["revoke", "leave", "terminate"] | None = None
    retry: Retry | None = None


class _Step(_Strict):
    id: StepId
    notes: Text = ""
    when: Condition | None = None
    on_error: Literal["fail", "continue"] | list[Step] = "fail"
    """After a failure the run fails, continues, or runs these steps and then fails."""

    @property
    def handlers(self) -> list[Step]:
        """The steps of ``on_error``."""
        return self.on_error if isinstance(self.on_error, list) else []


class TaskStep(_Step):
    """One call."""

    task: TaskName
    """``friend.task``, or just the task if ``friend`` is set."""
    friend: Name | None = None
    args: list[Any] = Field(default_factory=list)
    kwargs: dict[str, Any] = Field(default_factory=dict)
    pass_: Literal["auto", "first", "payload", "none"] = Field("auto", alias="pass")
    """How the upstream result is passed: by the feeding rule, as the first argument, as
    ``payload``, or not at all."""
    timeout: Duration | None = None
    """From the start to the result."""
    start_timeout: Duration | None = None
    """Maximum time in the queue."""
    on_timeout: Literal["revoke", "leave", "terminate"] | None = None
    retry: Retry | None = None
    idempotent: bool = False
    """Whether it may run twice when it is uncertain whether it ran."""


class ChainStep(_Step):
    """Steps in sequence, each fed with the result of the previous one."""

    chain: Annotated[list[Step], Field(min_length=1)]


class ParaStep(_Step):
    """Steps in parallel; their results are gathered."""

    para: Annotated[list[Step], Field(min_length=1)]
    gather: Literal["list", "dict"] = "list"
    """A list in order, or a dict by id."""
    max_parallel: Annotated[int, Field(ge=1)] | None = None
    fail: Literal["all", "fast"] = "all"
    """When a branch fails, wait for all others (``all``) or revoke them (``fast``)."""


KINDS = ("task", "chain", "para")


def _kind(value: object) -> str | None:
    if isinstance(value, dict):
        present = [kind for kind in KINDS if kind in value]
        return present[0] if len(present) == 1 else None
    kinds: dict[type, str] = {TaskStep: "task", ChainStep: "chain", ParaStep: "para"}
    return kinds.get(type(value))


Step = Annotated[
    Annotated[TaskStep, Tag("task")]
    | Annotated[ChainStep, Tag("chain")]
    | Annotated[ParaStep, Tag("para")],
    Discriminator(
        _kind,
        custom_error_type="step_kind",
        custom_error_message="a step needs exactly one of task, chain, para",
    ),
]


class Document(_Strict):
    """A workflow: its inputs and options, and its steps as a tree."""

    kimera: Literal[1] = 1
    """Version of the format."""
    name: Name
    description: Text = ""
    inputs: dict[StepId, Input] = Field(default_factory=dict)
    env: list[Annotated[str, StringConstraints(pattern=r"^\w+$")]] = Field(default_factory=list)
    """Names of the environment variables that templates may look up."""
    defaults: Defaults = Defaults()
    concurrency: Concurrency | None = None
    timeout: Duration | None = None
    """Timeout of the whole run without ``finally``."""
    steps: list[Step] = Field(default_factory=list)
    finally_: list[Step] = Field(default_factory=list, alias="finally")
    """Steps that run at the end, whatever the outcome."""


def children_of(step: Step) -> list[Step]:
    """The steps of a chain or para; empty for a task."""
    match step:
        case ChainStep():
            return step.chain
        case ParaStep():
            return step.para
    return []


def all_steps(document: Document) -> Iterator[Step]:
    """Every step: parents before children, handlers after their step, ``finally`` last."""
    waiting = [*reversed(document.finally_), *reversed(document.steps)]
    while waiting:
        step = waiting.pop()
        yield step
        waiting += reversed(step.handlers)
        waiting += reversed(children_of(step))


def called(step: TaskStep, document: Document) -> tuple[str, str]:
    """The friend and the task that a step calls; the friend is empty if none is named."""
    if step.friend is not None:
        return step.friend, step.task
    friend, dot, task = step.task.partition(".")
    if dot:
        return friend, task
    return document.defaults.friend or "", step.task


for _model in (Condition, TaskStep, ChainStep, ParaStep, Document):
    _model.model_rebuild()
