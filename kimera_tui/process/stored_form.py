"""Stored results that are not JSON: the form they seem to have, and their state, never decoded."""

from __future__ import annotations

import bz2
import lzma
import re
import zlib
from typing import Final

_CELERY_MARK: Final = b"\x00celery-compressed\x00"
"""What Celery puts before a compressed result, followed by the content type and a NUL."""
_STARTS: Final = (
    (re.compile(rb"\x1f\x8b"), "compressed with gzip"),
    (re.compile(rb"\x78[\x01\x5e\x9c\xda]"), "compressed with zlib"),
    (re.compile(rb"BZh[1-9]"), "compressed with bzip2"),
    (re.compile(rb"\xfd7zXZ\x00|\x5d\x00\x00"), "compressed with LZMA"),
    (re.compile(rb"\x28\xb5\x2f\xfd"), "compressed with Zstandard"),
    (re.compile(rb"\x80[\x02-\x05]"), "a pickle"),
    (re.compile(rb"[\x81-\x8f]|\xde..|\xdf....", re.DOTALL), "msgpack"),
    (re.compile(rb"(?:---|[a-z_]+:)[ \n]"), "YAML"),
)
_BY_CONTENT_TYPE: Final = {
    "application/x-gzip": "compressed with zlib",  # which is what Kombu means by gzip
    "application/x-bz2": "compressed with bzip2",
    "application/x-lzma": "compressed with LZMA",
    "application/x-brotli": "compressed with Brotli",
    "application/zstd": "compressed with Zstandard",
}
_HEAD: Final = 4096
"""How many bytes are looked at: all but YAML, which sorts, begin with the state."""
_PACKED: Final = 1024 * 1024
"""The most compressed bytes that are looked into; a block of bzip2 is never longer."""
_JSON_STATE: Final = re.compile(rb'\s*\{\s*"status"\s*:\s*"([^"\\]{1,64})"')
_YAML_STATE: Final = re.compile(rb"^status: ([A-Za-z_]{1,64})\r?$", re.MULTILINE)
_MSGPACK_STATE: Final = re.compile(rb"\xa6status([\xa1-\xbf])", re.DOTALL)
_PICKLE_STATE: Final = re.compile(
    rb"\x06(?:\0\0\0)?status(?:q.|\x94)(?:\x8c|X)(.)(?:\0\0\0)?", re.DOTALL
)


def form_of(raw: bytes) -> str:
    """What a stored result seems to be by its first bytes; empty if they tell nothing."""
    if raw.startswith(_CELERY_MARK):
        kind, _, _ = raw[len(_CELERY_MARK) : len(_CELERY_MARK) + 64].partition(b"\0")
        return _BY_CONTENT_TYPE.get(kind.decode("ascii", "replace"), "compressed")
    return next((form for start, form in _STARTS if start.match(raw)), "")


def state_in(raw: bytes) -> str:
    """The state that a stored result tells, empty if none is found.

    The bytes are searched, not decoded: nothing in them is executed or built. Of a compressed one
    only the first bytes are unpacked. Without this, a STARTED would be taken for an end.
    """
    if (match := _JSON_STATE.match(raw[:_HEAD])) is not None:
        return match[1].decode("ascii", "replace")
    form = form_of(raw)
    if form.startswith("compressed"):
        head = _unpacked(raw)
        return state_in(head) if head and not form_of(head).startswith("compressed") else ""
    if form == "YAML":
        found = _YAML_STATE.findall(raw)
        return found[0].decode() if len(found) == 1 else ""
    pattern = {"a pickle": _PICKLE_STATE, "msgpack": _MSGPACK_STATE}.get(form)
    match = pattern.search(raw[:256]) if pattern is not None else None
    if match is None:
        return ""
    length = match[1][0] & 0x1F if form == "msgpack" else match[1][0]
    state = raw[match.end() : match.end() + length]
    return state.decode() if re.fullmatch(rb"[A-Za-z_]{1,64}", state) else ""


def _unpacked(raw: bytes) -> bytes:
    """The first bytes of a compressed result; empty if they can't be unpacked."""
    if raw.startswith(_CELERY_MARK):
        raw = raw[len(_CELERY_MARK) :].partition(b"\0")[2]
    raw = raw[:_PACKED]
    form = form_of(raw)
    try:
        if form in ("compressed with gzip", "compressed with zlib"):
            return zlib.decompressobj(wbits=47).decompress(raw, _HEAD)  # 47: either header
        if form == "compressed with bzip2":
            return bz2.BZ2Decompressor().decompress(raw, _HEAD)
        if form == "compressed with LZMA":
            return lzma.LZMADecompressor(memlimit=64 * _PACKED).decompress(raw, _HEAD)
    except (zlib.error, lzma.LZMAError, OSError, ValueError, EOFError):
        return b""
    return b""
