"""A console fed with hostile text in every place that takes text from outside; run by a test."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from kimera_tui.cluster.events import BrokerChanged, ClusterSeen
from kimera_tui.cluster.view import ClusterView
from kimera_tui.config.friends import Friend, Param, TaskInfo
from kimera_tui.documents.calls import Workflow
from kimera_tui.documents.document import Document
from kimera_tui.process import events as e
from kimera_tui.runs.events import StepSkipped
from kimera_tui.ui.app import KimeraApp
from tests.ui.stage import NOON, Stage, StageRunner

HOSTILE: Sequence[str] = (
    "[/x] y [/bold] [a='x] [b]x[/i] <Foo [bar=1]>",
    "[@click=app.quit]x[/] [@click=app.quit()]PRESS[/]",
    "\x1b]52;c;AAAA\x07 \x1b]0;PWNED\x07 \x1b[666;666H \x1b[2J \x1bP666\x1b\\ \x1b_666\x1b\\",
    "\x9b666m \x9d0;PWNED\x9c \x90666\x9c",
    "a lone \ud800 surrogate, \u202egpj.exe\u202c \u2066x\u2069 \u200f",
    "nul \x00 bell \x07 back \x08 tab \t line\r\nline \x0b \x0c \x7f",
    "[link=file:///etc/passwd]here[/link] \\[ $x ${y} %s {z}",
    "x" * 1_000_000,
)
ALL = " ".join(HOSTILE[:-1])


class HostileRunner(StageRunner):
    """Runs whose workers say hostile things."""

    def start(self, workflow: Workflow) -> str:
        stage, run_id = self.stage, super().start(workflow)
        for _, task in stage.plans[-1]:
            task_id = task.task_id
            stage.sent(task, **{ALL: HOSTILE[-1]})
            stage.started(task, ALL)
            for text in HOSTILE:
                stage.publish(
                    e.StateSeen(at=NOON, task_id=task_id, state=text, meta={text: text}),
                    e.Polled(at=NOON, task_id=task_id, attempt=1, state=text, next_delay=1),
                    e.Noticed(at=NOON, task_id=task_id, text=text),
                    e.CallbackStarted(at=NOON, task_id=task_id, callback=text),
                    e.ConnectionLost(at=NOON, which="broker", reason=text),
                )
        (_, first), *others = stage.plans[-1]
        stage.failed(first, ALL, ALL, "\n".join(HOSTILE))
        for _, task in others:
            stage.succeeded(task, {ALL: list(HOSTILE)})
        stage.publish(StepSkipped(at=NOON, run_id=run_id, path="", because=ALL))
        stage.ended(run_id, ALL)
        return run_id


PARAM = Param().model_copy(update={"description": ALL, "default": ALL})
"""No file of friends can hold half a surrogate pair, but a library can."""


class HostileStage(Stage):
    """Friends and a broker that say hostile things."""

    def __init__(self) -> None:
        friend = Friend.model_construct(
            route="r", queue=ALL, description=ALL, danger=True, read_only=False, timeout=30.0,
            broker=None, backend=None,
            tasks={ALL: TaskInfo(doc=ALL, params={ALL: PARAM})},
        )  # fmt: skip
        super().__init__({ALL: friend}, "")
        self.runner = HostileRunner(self)

    async def start(self) -> None:
        self.publish(BrokerChanged(at=NOON, phase="failed", label=ALL, message=ALL))
        view = ClusterView(at=NOON, queues={ALL: frozenset({ALL})}, tasks={ALL: frozenset({ALL})})
        self.publish(BrokerChanged(at=NOON, phase="ready", label=ALL))
        self.publish(ClusterSeen(at=NOON, view=view))


def hostile_document() -> Document:
    """As much as the format lets in: no name of a step or task, and no lone surrogate."""
    text = ALL.replace("\ud800", "")
    calls = {"args": [text], "kwargs": {text: {text: text}}, "notes": text}
    return Document.model_validate(
        {
            "name": text[:200],
            "description": text,
            "inputs": {"x": {"type": "enum", "values": [text], "description": text}},
            "steps": [
                {"id": "one", "task": "x", "friend": text[:200], **calls},
                {"id": "two", "task": "x.y", "when": {"ref": text, "eq": text}, **calls},
            ],
        }
    )


if __name__ == "__main__":
    app = KimeraApp(HostileStage())
    app.state.composer.open(hostile_document())
    app.run()
    sys.exit(app.return_code or 0)
