"""Secrets are hidden by the name of their key, by declaration, and by their shape."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_tui.redaction import MASK, is_secret_name, redact, redact_text

CANARY = "canary-5e4715e1"


@pytest.mark.parametrize(
    "name",
    ["password", "PASSWORD", "db_password", "api_key", "apikey", "x-api-key", "auth_token",
     "secret", "client_secret", "session_id", "csrf_token", "Authorization", "private_key"],
)  # fmt: skip
def test_names_that_say_secret(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["author", "tokenizer", "passage", "secretary", "day", "keys"])
def test_names_that_only_look_alike(name: str) -> None:
    assert not is_secret_name(name)


VALUES = st.recursive(
    st.just(CANARY) | st.integers(),
    lambda children: st.lists(children) | st.dictionaries(st.text(max_size=5), children),
)


@given(VALUES)
def test_nothing_below_a_secret_key_is_left(value: object) -> None:
    assert redact({"deep": [{"password": value}]}) == {"deep": [{"password": MASK}]}


@given(VALUES)
def test_the_value_given_is_not_changed(value: object) -> None:
    given_value = {"token": value, "other": [value]}
    redact(given_value)
    assert given_value == {"token": value, "other": [value]}


def test_declared_names_are_secret_too() -> None:
    assert redact({"pin": CANARY, "day": 1}, {"pin"}) == {"pin": MASK, "day": 1}


@pytest.mark.parametrize(
    "text",
    [
        f"redis://user:{CANARY}@host/0",
        f"Authorization: Bearer {CANARY}",
        f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----",
        f"https://host/?token={CANARY}",
    ],
)
def test_secrets_inside_texts_are_hidden(text: str) -> None:
    assert CANARY not in redact_text(text)
    assert CANARY not in str(redact(["x", {"text": text}]))


@pytest.mark.parametrize(
    "unit",
    ["x", "a://", "://", "eyJ-", "eyJaaaaaaaa.", "Bearer ", "-----BEGIN ", "?token=", "a@", ":@;",
     "-----BEGIN PRIVATE KEY-----"],
)  # fmt: skip
def test_a_megabyte_made_to_be_slow_is_not(unit: str) -> None:
    text = "redis://h " + unit * (1_000_000 // len(unit))
    began = time.process_time()
    redact_text(text)
    assert time.process_time() - began < 5  # the unbounded forms took minutes
