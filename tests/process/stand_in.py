"""A stand-in for the Celery app: no broker, no worker, everything noted down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kimera_tui.process import TaskManager

FRIENDS = {
    "etl": {"route": "jobs.etl", "queue": "etl-queue"},
    "mail": {"route": "jobs.mail", "queue": "mail-queue"},
}


@dataclass
class Sent:
    """What ``send_task`` was called with."""

    name: str
    args: list[Any]
    kwargs: dict[str, Any]
    options: dict[str, Any]


@dataclass(frozen=True)
class Soon:
    """Succeeds at a later poll."""

    value: Any
    polls: int


@dataclass(frozen=True)
class State:
    """Shows a state, as an ``AsyncResult`` does; stays in it."""

    state: str
    result: Any = None
    traceback: str | None = None


NEVER = Soon(None, 10**9)
"""A task that doesn't end."""

Answer = Callable[[Sent], Any]


@dataclass
class FakeResult:
    """The least that ``send_task`` may return."""

    app: FakeApp
    value: Any
    polls_left: int = 0

    def successful(self) -> bool:
        self.app.polls += 1
        self.polls_left -= 1
        return self.polls_left < 0

    @property
    def result(self) -> Any:
        return self.value

    def forget(self) -> None:
        self.app.happened.append("forget")

    def revoke(self, **how: Any) -> None:
        self.app.happened.append("revoke")
        self.app.revokes.append(how)


@dataclass
class FakeStateResult(FakeResult):
    """One that tells its state too."""

    state: str = "PENDING"
    traceback: str | None = None

    def successful(self) -> bool:
        self.app.polls += 1
        return self.state == "SUCCESS"

    @property
    def info(self) -> Any:
        return self.value


@dataclass
class FakeApp:
    """Answers each ``send_task`` as ``answer`` says.

    With a value, Soon, a State, an error, or what makes a result of its own from the app.
    """

    answer: Answer = lambda sent: None
    sent: list[Sent] = field(default_factory=list)
    happened: list[str] = field(default_factory=list)
    revokes: list[dict[str, Any]] = field(default_factory=list)
    results: list[FakeResult] = field(default_factory=list)
    polls: int = 0

    def send_task(
        self,
        name: str,
        args: list[Any] | None = None,
        kwargs: dict[str, Any] | None = None,
        **options: Any,
    ) -> FakeResult:
        sent = Sent(name, args or [], kwargs or {}, options)
        answer = self.answer(sent)
        if isinstance(answer, BaseException):
            raise answer
        self.sent.append(sent)
        self.happened.append("send")
        result = self._result(answer)
        self.results.append(result)
        return result

    def _result(self, answer: Any) -> FakeResult:
        if callable(answer):
            result: FakeResult = answer(self)
            return result
        if isinstance(answer, Soon):
            return FakeResult(self, answer.value, answer.polls)
        if isinstance(answer, State):
            return FakeStateResult(
                self, answer.result, state=answer.state, traceback=answer.traceback
            )
        return FakeResult(self, answer)


def manager_with(answer: Answer = lambda sent: None) -> tuple[TaskManager, FakeApp]:
    """The TaskManager on a stand-in, with two friends."""
    manager, app = TaskManager(), FakeApp(answer)
    manager.celery_app = app
    manager.friends = {name: dict(entry) for name, entry in FRIENDS.items()}
    return manager, app
