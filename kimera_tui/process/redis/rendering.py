"""How a message becomes Redis commands: the genuine way, or by a template that equals it."""

from __future__ import annotations

import json
import time
from collections.abc import Hashable
from typing import Any

from celery import Celery, signals
from celery.app.routes import MapRoute

from kimera_tui.process.engine import Message
from kimera_tui.process.redis.capture import Capture, Commands
from kimera_tui.process.redis.message_templates import NotTemplatable, Template

TRUST_SECONDS = 10.0
"""How long a template is used before it is compared with the genuine path again."""
_MOST_TEMPLATES = 500
_FIXED_OPTIONS = frozenset(
    {"queue", "priority", "time_limit", "soft_time_limit", "serializer", "ignore_result", "shadow"}
)
"""Options that put the same text into every message."""


class _Shape:
    """What is known about one task name with one set of options."""

    __slots__ = ("seen", "template", "until")

    def __init__(self) -> None:
        self.seen = False
        self.template: Template | None = None
        self.until = 0.0


class Rendering:
    """Renders messages; a shape's second message makes a template, checked against it.

    Used from one thread.
    """

    def __init__(self, app: Celery, capture: Capture) -> None:
        self._app = app
        self._capture = capture
        self._shapes: dict[Hashable, _Shape] = {}
        self._original = _is_celerys_own(app)
        self._may_use_templates = False

    def look_around(self) -> None:
        """Find out whether anything but the arguments decides what a message looks like.

        To be called before every slice: somebody may have connected a signal meanwhile.
        """
        try:
            self._may_use_templates = self._original and self._is_plain()
        except Exception:  # noqa: BLE001 - the genuine path tells the caller what is wrong
            self._may_use_templates = False

    def _is_plain(self) -> bool:
        return (
            not signals.before_task_publish.receivers
            and not signals.after_task_publish.receivers
            and not signals.task_sent.receivers
            and not self._app.conf.task_send_sent_event
            and self._app.current_worker_task is None
            and all(isinstance(route, MapRoute) for route in self._app.amqp.routes or ())
        )

    def render(self, message: Message) -> Commands:
        """The commands that publish the message; raises what ``send_task`` raises."""
        key = _shape_of(message)
        if key is None or not self._may_use_templates:
            return self._capture.render(message)
        shape = self._shapes.get(key)
        if shape is None:
            if len(self._shapes) >= _MOST_TEMPLATES:
                self._shapes.clear()
            shape = self._shapes[key] = _Shape()
        if shape.template is not None and time.monotonic() < shape.until:
            try:
                return shape.template.fill(message)
            except (TypeError, ValueError):
                return self._capture.render(message)
        return self._genuine(message, shape)

    def _genuine(self, message: Message, shape: _Shape) -> Commands:
        commands = self._capture.render(message)
        if not shape.seen:
            shape.seen = True
        elif time.monotonic() >= shape.until:
            shape.until = time.monotonic() + TRUST_SECONDS
            shape.template = self._checked_template(message, commands)
        return commands

    def _checked_template(self, message: Message, genuine: Commands) -> Template | None:
        try:
            template = Template(self._app, self._capture.render, message.name, message.options)
            filled = template.fill(message)
        except (NotTemplatable, TypeError, ValueError, KeyError):
            return None
        return template if _same(filled, genuine) else None


def _is_celerys_own(app: Celery) -> bool:
    """False when somebody has put a ``send_task`` of their own in front of Celery's."""
    send_task: Any = app.send_task
    function = getattr(send_task, "__func__", None)
    return getattr(function, "__module__", "") == "celery.app.base" and not hasattr(
        function, "__wrapped__"
    )


def _shape_of(message: Message) -> Hashable | None:
    """What messages have in common that differ only in id and arguments; None for one-offs."""
    options = message.options
    if not options:
        return message.name
    shape: list[Hashable] = [message.name]
    for name, value in options.items():
        if name not in _FIXED_OPTIONS or not isinstance(value, str | int | float | None):
            return None
        shape += [name, type(value).__name__, value]
    return tuple(shape)


def _same(one: Commands, other: Commands) -> bool:
    """Whether two renderings of one message differ in their delivery tag at most."""
    if len(one) != 1 or len(other) != 1 or one[0][:2] != other[0][:2]:
        return False
    parsed = [json.loads(commands[0][2]) for commands in (one, other)]
    for envelope in parsed:
        del envelope["properties"]["delivery_tag"]
    return list(parsed[0].items()) == list(parsed[1].items())
