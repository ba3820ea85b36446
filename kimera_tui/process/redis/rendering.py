"""Renders messages to Redis commands: through Celery, or by a template proven equal."""

from __future__ import annotations

import json
import time
from collections.abc import Hashable
from typing import Any

from celery import Celery, signals
from celery.app.routes import MapRoute

from kimera_tui.process.engine import Message
from kimera_tui.process.redis.capture import Capture, Commands
from kimera_tui.process.redis.message_templates import MessageTemplate, NotTemplatable

TRUST_SECONDS = 10.0
"""How long a template is used before it is compared with Celery's message again."""
_MOST_TEMPLATES = 500
_FIXED_OPTIONS = frozenset(
    {"queue", "priority", "time_limit", "soft_time_limit", "serializer", "ignore_result", "shadow"}
)
"""Options that add the same text to every message."""


class _Shape:
    """What is known of one task name with one set of options."""

    __slots__ = ("seen", "template", "until")

    def __init__(self) -> None:
        self.seen = False
        self.template: MessageTemplate | None = None
        self.until = 0.0


class Renderer:
    """Renders messages; the second message of a shape builds a template, checked against it.

    For use by one thread.
    """

    def __init__(self, app: Celery, capture: Capture) -> None:
        self._app = app
        self._capture = capture
        self._shapes: dict[Hashable, _Shape] = {}
        self._original = _is_celerys_own(app)
        self._may_use_templates = False

    def refresh(self) -> None:
        """Check whether a message depends on anything but its arguments.

        Call this before every slice: a signal may have been connected meanwhile.
        """
        try:
            self._may_use_templates = self._original and self._is_plain()
        except Exception:  # noqa: BLE001 - Celery's own path raises the error
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
        return self._render_by_celery(message, shape)

    def _render_by_celery(self, message: Message, shape: _Shape) -> Commands:
        commands = self._capture.render(message)
        if not shape.seen:
            shape.seen = True
        elif time.monotonic() >= shape.until:
            shape.until = time.monotonic() + TRUST_SECONDS
            shape.template = self._checked_template(message, commands)
        return commands

    def _checked_template(self, message: Message, genuine: Commands) -> MessageTemplate | None:
        try:
            template = MessageTemplate(
                self._app, self._capture.render, message.name, message.options
            )
            filled = template.fill(message)
        except (NotTemplatable, TypeError, ValueError, KeyError):
            return None
        return template if _same(filled, genuine) else None


def _is_celerys_own(app: Celery) -> bool:
    """False if the app's ``send_task`` is not Celery's own."""
    send_task: Any = app.send_task
    function = getattr(send_task, "__func__", None)
    return getattr(function, "__module__", "") == "celery.app.base" and not hasattr(
        function, "__wrapped__"
    )


def _shape_of(message: Message) -> Hashable | None:
    """A key shared by messages that differ only in id and arguments; None for one-offs."""
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
    """Whether two renderings of a message differ at most in their delivery tag."""
    if len(one) != 1 or len(other) != 1 or one[0][:2] != other[0][:2]:
        return False
    parsed = [json.loads(commands[0][2]) for commands in (one, other)]
    for envelope in parsed:
        del envelope["properties"]["delivery_tag"]
    return list(parsed[0].items()) == list(parsed[1].items())
