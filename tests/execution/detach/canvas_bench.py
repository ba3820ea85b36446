"""Runs messages by Celery's own canvas classes, with no worker: what they would publish next."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from typing import Any

from celery import Celery
from celery.canvas import maybe_signature, signature
from kombu.utils.json import dumps, loads

from kimera_tui.execution.detach.canvas import Root

Execution = tuple[str, list[Any], dict[str, Any]]
"""Task id, args and kwargs."""


class Bench(Celery):
    """An app whose messages are run one after the other, as a worker does with its own."""

    def __init__(self) -> None:
        super().__init__("bench", broker="memory://", backend="cache+memory://")
        self.waiting: deque[tuple[str, Any, Any, dict[str, Any]]] = deque()
        self.sizes: dict[str, int] = {}
        self._parts: defaultdict[str, list[tuple[int, Any]]] = defaultdict(list)
        self.backend.apply_chord = lambda *args, **options: None  # type: ignore[method-assign]
        self.backend.set_chord_size = self.sizes.__setitem__  # type: ignore[assignment,method-assign]

    def send_task(self, name: str, args: Any = None, kwargs: Any = None, **options: Any) -> Any:  # type: ignore[override]
        wire = {name: options[name] for name in WIRE if options.get(name) is not None}
        task_id = options["task_id"]
        self.waiting.append((task_id, *loads(dumps([args or (), kwargs or {}, wire]))))
        return self.AsyncResult(task_id)

    def publish(self, root: Root) -> None:
        self.sizes.update(root.joins)
        self.send_task(
            root.task.task_name, root.args, root.kwargs, task_id=root.task.task_id, **root.options
        )

    def run_all(self, run: Callable[[str, list[Any], Mapping[str, Any]], Any]) -> list[Execution]:
        """Run everything to its end; ``run`` gives a task's result."""
        executed: list[Execution] = []
        while self.waiting:
            task_id, args, kwargs, options = self.waiting.popleft()
            executed.append((task_id, args, kwargs))
            result = run(task_id, args, kwargs)
            if chain := options.get("chain"):
                signature(chain[-1], app=self).apply_async((result,), chain=chain[:-1])
            if "chord" in options:
                self._part(options, result)
        return executed

    def _part(self, options: Mapping[str, Any], result: Any) -> None:
        parts = self._parts[options["group_id"]]
        parts.append((options["group_index"], result))
        if len(parts) == self.sizes[options["group_id"]]:
            results = [part for _, part in sorted(parts, key=lambda part: part[0])]
            maybe_signature(options["chord"], app=self).delay(results)  # type: ignore[union-attr]


WIRE = ("chain", "chord", "group_id", "group_index")
"""Options that go into a message and say what follows."""
