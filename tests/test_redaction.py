"""Secrets are hidden by the name of their key, by declaration, and by their shape."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kimera_tui.depth import DEEPEST
from kimera_tui.redaction import MASK, is_secret_name, passwords_in, redact, redact_text

CANARY = "canary-5e4715e1"


@pytest.mark.parametrize(
    "name",
    ["password", "PASSWORD", "db_password", "api_key", "apikey", "x-api-key", "auth_token",
     "secret", "client_secret", "session_id", "csrf_token", "Authorization", "private_key",
     "clientSecret", "accessToken", "dbPassword", "PGPASSWORD", "accesstoken", "userPassword2",
     "APIKey", "MyAPIKEY", "OPENAI_API_KEY", "awsSecretAccessKey", "X-Auth-Token", "sessionID",
     "SENTRY_DSN", "signingKey", "DB_PASS", "new.password", "dbpwd", "refresh_tokens"],
)  # fmt: skip
def test_names_that_say_secret(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    ["author", "tokenizer", "passage", "secretary", "day", "keys", "monkey", "keyboard",
     "tokenize", "authority", "authorName", "compass", "passenger", "key", "primary_key",
     "session_count", "sessionCount", "max_tokens", "total_tokens", "token_limit",
     "password_length", "pass", "first_pass", "obsession", "", "__", "42"],
)  # fmt: skip
def test_names_that_only_look_alike(name: str) -> None:
    assert not is_secret_name(name)


def test_of_a_name_of_megabytes_only_the_end_is_looked_at() -> None:
    assert is_secret_name("x" * 2_000_000 + "_password")
    assert not is_secret_name("xY" * 1_000_000)


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
        f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n{CANARY}\n-----END PGP PRIVATE KEY BLOCK-----",
        f"https://host/?token={CANARY}",
        f"https://host/?access_token={CANARY}&day=1",
        f"https://host/#a=1&id_token={CANARY}",
        f"https://{CANARY}@host/x.git",
        f"https://{CANARY}:x-oauth-basic@host/x.git",
        f"https://{CANARY}:@host/v1",
        f"host=db user=me password={CANARY} dbname=x",
        f"host=db password = '{CANARY} with blanks' dbname=x",
        f"Server=db;Password={CANARY};Database=x",
        f"PGPASSWORD={CANARY} psql",
        f"call(day=1, accessToken='{CANARY}')",
        f"KeyError: {{'dbPassword': '{CANARY}', 'day': 1}}",
        f'{{"clientSecret": "with \\" a quote {CANARY}", "day": 1}}',
        f'{{"body": "{{\\"token\\": \\"{CANARY}\\"}}"}}',
        f'{{"password":\n  "{CANARY}',
        "{'pin_token': 60418827}".replace("60418827", CANARY),
        f"Authorization: Basic {CANARY}",
        f"Cookie: a=1; session={CANARY}; b={CANARY}",
        f"X-Api-Key: {CANARY}",
        f"ghp_{CANARY.replace('-', '')}AbC",
        f"glpat-{CANARY}{CANARY}",
        f"sk_live_{CANARY.replace('-', '')}AbC",
    ],
)
def test_secrets_inside_texts_are_hidden(text: str) -> None:
    for shown in (redact_text(text), str(redact(["x", {"text": text}]))):
        assert MASK in shown
        assert CANARY not in shown
        assert CANARY.replace("-", "") not in shown
    assert redact_text(redact_text(text)) == redact_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "invalid token: it has expired",
        "if token == other: pass",
        "Wrong password: try again at 12:30",
        "page=2&size=50 rows=3 max_tokens=500",
        "ssh://git@host/x https://host/@me?day=1",
        "basic authentication failed",
        "password= and token=",
        '{"author": "Ann", "monkey": 1, "auth": {"user": "Ann"}}',
        "risk-averse-and-otherwise-quite-long-name",
        "2026-11-28T12:30:00 worker@host: started",
    ],
)
def test_texts_without_secrets_stay_as_they_are(text: str) -> None:
    assert redact_text(text) == text


def test_what_stands_around_a_secret_is_left_to_read() -> None:
    text = "connect(host='db', password='hunter22', port=1) failed: db?token=abc&day=1 (x)"
    assert redact_text(text) == (
        f"connect(host='db', password='{MASK}', port=1) failed: db?token={MASK}&day=1 (x)"
    )


def test_keys_are_looked_at_too() -> None:
    assert redact({f"redis://u:{CANARY}@h": 1, "day": 1}) == {f"redis://u:{MASK}@h": 1, "day": 1}


# What counts as a URL with a password and as a token, said plainly and slow to look for.
URL = re.compile(
    r"(\b[A-Za-z][\w+.-]{0,30}://[^\s:/@]{0,256}:)(?P<password>[^\s;]{0,1024})@"
)  # fmt: skip
TOKEN = re.compile(r"\beyJ[\w-]{8,512}\.[\w-]{8,4096}\.[\w-]{0,1024}")
PIECES = [
    "a", "é", "://", ":", "@", ";", " ", "\n", "/", "-", "_", "1.b+c-d", "a://", "redis://u:p@h",
    "s" * 31, "u" * 256, "p" * 1020,
]  # fmt: skip
TOKEN_PIECES = ["eyJ", "eyJhbGciOiJI", "a" * 7, "b" * 8, ".", " ", "=", "x" * 500, "y" * 4090]


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
@example("a://" + "b" * 9 + "://c:" + "p" * 1015 + "@")  # only the inner one reaches it
def test_a_password_goes_to_the_last_at_sign_within_reach(text: str) -> None:
    assert passwords_in(text) == [found["password"] for found in URL.finditer(text)]
    assert redact_text(text) == URL.sub(rf"\g<1>{MASK}@", text)


@given(st.lists(st.sampled_from(TOKEN_PIECES), max_size=12).map("".join))
def test_a_token_has_three_parts(text: str) -> None:
    assert redact_text(text) == TOKEN.sub(MASK, text)


def test_of_tokens_that_hang_together_the_one_with_the_secret_is_hidden() -> None:
    token = f"eyJhbGciOiJI.eyJzdWIiOiIx.{CANARY}"
    assert redact_text(f"jwt-{token}") == f"jwt-{MASK}"
    assert redact_text(f"eyJhbGciOiJI-{token}") == f"eyJhbGciOiJI-{MASK}"


@pytest.mark.parametrize(
    "unit",
    ["x", "a://", "://", "a://:", "a://: ", "a://:;", "a://:@;", "é://:", "a.a.a.a.a.a://:",
     "eyJ-", "eyJaaaaaaaa.", "eyJ-" * 128 + "." + "eyJ-" * 1024 + "/", "Bearer ", "-----BEGIN ",
     "?token=", "a@", ":@;", "-----BEGIN PRIVATE KEY-----", "=", ":", "a=", "token=", "token='",
     '"token":', '"token": "', '\\"token\\":\\"', "Cookie: ", "sk-", "ghp_", "https://", "https://x",
     "accessToken", "a-b_c.d=", " : ", "': "],
)  # fmt: skip
def test_megabytes_made_to_be_slow_are_not(unit: str) -> None:
    text = "redis://h " + unit * (2_000_000 // len(unit)) + "@ "
    began = time.process_time()
    redact_text(text)
    passwords_in(text)
    assert time.process_time() - began < 5  # looking again from every place took from ten to 60


def test_what_is_nested_too_deep_is_left_out() -> None:
    value: Any = {"pin": CANARY}
    for _ in range(5_000):
        value = {"deep": [value]}
    kept = redact(value)
    for _ in range(DEEPEST // 2):
        kept = kept["deep"][0]
    assert kept == "…"


def test_what_is_nested_deep_enough_to_be_kept_is_kept_whole() -> None:
    value: Any = f"redis://u:{CANARY}@h"
    for _ in range(DEEPEST):
        value = [value]
    assert str(redact(value)).count("[") == DEEPEST
    assert CANARY not in str(redact(value))
