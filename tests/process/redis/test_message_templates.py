from __future__ import annotations

import json
from typing import Any

import pytest
from celery import signals
from celery.utils.saferepr import saferepr
from hypothesis import given
from hypothesis import strategies as st

from kimera_tui.process.engine import Message
from kimera_tui.process.loop.clock import draw_id
from kimera_tui.process.redis.capture import Capture
from kimera_tui.process.redis.message_templates import (
    MessageTemplate,
    represent_args,
    represent_kwargs,
)
from kimera_tui.process.redis.rendering import Renderer

from .console import make_app

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def rendering(**conf: Any) -> tuple[Renderer, Capture]:
    app = make_app("redis://127.0.0.1:1/0", **conf)
    capture = Capture(app)
    return Renderer(app, capture), capture


def render(found: Renderer, message: Message) -> Any:
    found.refresh()
    return found.render(message)


def is_template(found: Renderer) -> bool:
    return any(shape.template is not None for shape in found._shapes.values())


@given(st.lists(VALUES) | st.lists(VALUES).map(tuple), st.dictionaries(st.text(), VALUES))
def test_representations_equal_celerys(args: Any, kwargs: dict[str, Any]) -> None:
    assert represent_args(args, 1024, 3) == saferepr(args, 1024, 3)
    assert represent_kwargs(kwargs, 1024, 3) == saferepr(kwargs, 1024, 3)


def test_the_second_message_of_a_shape_makes_a_template_the_third_uses_it() -> None:
    found, capture = rendering()
    rendered = []
    capture_render = capture.render
    capture.render = lambda message: (rendered.append(message.task_id), capture_render(message))[1]  # type: ignore[func-returns-value,method-assign]
    for number in range(5):
        render(found, Message(f"id-{number}", "a.b", [number]))
    assert is_template(found)
    assert "id-1" in rendered
    assert "id-2" not in rendered


@pytest.mark.parametrize(
    "options",
    [{"countdown": 5}, {"eta": "2030-01-01T00:00:00"}, {"expires": 9}, {"headers": {"a": 1}},
     {"link": None}, {"exchange": ""}],
)  # fmt: skip
def test_shapes_whose_text_changes_get_no_template(options: dict[str, Any]) -> None:
    found, _ = rendering()
    for number in range(3):
        render(found, Message(f"id-{number}", "a.b", [number], {}, options))
    assert not is_template(found)


@pytest.mark.parametrize(
    "conf",
    [
        {"task_send_sent_event": True},
        {"task_serializer": "yaml", "accept_content": ["yaml"]},
        {"task_compression": "gzip"},
        {"task_protocol": 1},
        {"task_routes": [lambda name, args, kwargs, options, **rest: {"queue": "q"}]},
    ],
    ids=["sent events", "yaml", "gzip", "protocol 1", "callable router"],
)
def test_settings_that_templates_do_not_know_go_the_genuine_way(conf: dict[str, Any]) -> None:
    found, _ = rendering(**conf)
    for number in range(4):
        assert render(found, Message(f"id-{number}", "a.b", [number]))
    assert not is_template(found)


def test_publish_signals_are_sent_for_every_message() -> None:
    found, _ = rendering()
    for number in range(3):
        render(found, Message(f"id-{number}", "a.b", [number]))
    seen = []

    def listen(sender: str, headers: dict[str, Any], **rest: Any) -> None:
        headers["traced"] = True
        seen.append(headers["id"])

    signals.before_task_publish.connect(listen)
    try:
        commands = render(found, Message("id-9", "a.b", [9]))
    finally:
        signals.before_task_publish.disconnect(listen)
    assert seen == ["id-9"]
    assert json.loads(commands[0][2])["headers"]["traced"] is True


def test_a_template_that_differs_from_the_genuine_message_is_not_used() -> None:
    found, capture = rendering()
    genuine = capture.render
    genuine(Message("first", "a.b"))  # brings the queue's declaration along

    def changing(message: Message) -> Any:
        ((verb, key, text),) = genuine(message)
        envelope = json.loads(text)
        envelope["headers"]["shadow"] = f"of {message.args}"
        return ((verb, key, json.dumps(envelope).encode()),)

    capture.render = changing  # type: ignore[method-assign]
    for number in range(4):
        render(found, Message(f"id-{number}", "a.b", [number]))
    assert not is_template(found)


def test_a_replaced_send_task_is_asked_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app("redis://127.0.0.1:1/0")
    calls = []

    class Traced(type(app)):  # type: ignore[misc]
        def send_task(self, *args: Any, **kwargs: Any) -> Any:
            calls.append(args)
            return super().send_task(*args, **kwargs)

    app.__class__ = Traced
    found = Renderer(app, Capture(app))
    for number in range(4):
        render(found, Message(f"id-{number}", "a.b", [number]))
    assert len(calls) == 4


def test_text_that_looks_like_a_format_stays_itself() -> None:
    app = make_app("redis://127.0.0.1:1/0")
    capture = Capture(app)
    capture.render(Message("first", "a.b", options={"queue": "%s"}))
    template = MessageTemplate(app, capture.render, "100%.s%d", {"queue": "%s"})
    ((_, key, text),) = template.fill(Message("%d", "100%.s%d", ["%s"], {"%": "%"}))
    envelope = json.loads(text)
    assert key == b"%s"
    assert envelope["headers"]["task"] == "100%.s%d"
    assert envelope["headers"]["id"] == "%d"


def test_tags_are_distinct_version_4_uuids() -> None:
    import uuid

    tags = {draw_id() for _ in range(2000)}
    assert len(tags) == 2000
    assert all(uuid.UUID(tag).version == 4 for tag in tags)
