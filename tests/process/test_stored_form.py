"""What a stored result that is not JSON seems to be, and which state it tells."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from celery.backends import base
from hypothesis import given
from hypothesis import strategies as st
from kombu.serialization import dumps

from kimera_tui.process.outcome import read_meta
from kimera_tui.process.stored_form import form_of, state_in

compress_payload: Any = vars(base)["compress_payload"]
FORMS = {"yaml": "YAML", "pickle": "a pickle", "msgpack": "msgpack", "json": ""}
STATES = ["SUCCESS", "FAILURE", "REVOKED", "STARTED", "RETRY", "PROGRESS", "my_state"]


def stored(serializer: str, state: str) -> bytes:
    """A meta as a worker with that serializer stores it; its result has a state in it, too."""
    meta: dict[str, Any] = {
        "status": state,
        "result": {"status": "STARTED", "text": "status: FAILURE\nstatus: FAILURE"},
        "traceback": None,
        "children": [],
        "date_done": "2026-11-25T09:00:00+00:00",
        "task_id": "1f",
    }
    text: Any = dumps(meta, serializer=serializer)[2]
    return text if isinstance(text, bytes) else text.encode()


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(("serializer", "form"), FORMS.items())
def test_a_serializer_is_named_and_the_state_is_found(
    serializer: str, form: str, state: str
) -> None:
    raw = stored(serializer, state)
    assert form_of(raw) == form
    assert state_in(raw) == state


@pytest.mark.parametrize("compression", ["gzip", "bzip2", "lzma"])
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("serializer", FORMS)
def test_so_is_the_state_in_a_compressed_one(serializer: str, state: str, compression: str) -> None:
    raw = compress_payload(stored(serializer, state), compression)
    named = {"gzip": "zlib", "bzip2": "bzip2", "lzma": "LZMA"}[compression]
    assert form_of(raw) == f"compressed with {named}"
    assert state_in(raw) == state
    assert "not JSON" not in read_meta(raw).error_message


def test_gzip_without_celerys_mark_is_known_as_well() -> None:
    raw = gzip.compress(stored("json", "SUCCESS"))
    assert form_of(raw) == "compressed with gzip"
    assert read_meta(raw).error_message == (
        "it succeeded, but the stored result is compressed with gzip, which Kimera does not read"
    )


def test_nothing_is_unpickled(monkeypatch: pytest.MonkeyPatch) -> None:
    import pickle

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(pickle, "loads", never)
    monkeypatch.setattr(pickle, "load", never)
    raw = stored("pickle", "SUCCESS")
    assert read_meta(raw).state == "ENDED"
    assert read_meta(compress_payload(raw, "gzip")).state == "ENDED"


def test_a_bomb_is_not_unpacked() -> None:
    bomb = compress_payload(b'{"status": "SUCCESS", "result": "' + b"0" * 50_000_000, "gzip")
    assert state_in(bomb) == "SUCCESS"


@given(st.binary() | st.binary().map(lambda raw: b"\x00celery-compressed\x00" + raw))
def test_any_bytes_are_survived(raw: bytes) -> None:
    assert isinstance(form_of(raw), str)
    assert isinstance(state_in(raw), str)
    for start in (b"\x78\x9c", b"BZh9", b"\x1f\x8b", b"\xfd7zXZ\x00", b"\x80\x04", b"\x86"):
        assert isinstance(state_in(start + raw), str)
