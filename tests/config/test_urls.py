"""Broker URLs: checked with a plain sentence, never shown with their password."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_tui.config.urls import check_backend_url, check_broker_url
from kimera_tui.errors import ConfigError
from kimera_tui.redaction import redact_text


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost:6379/0",
        "rediss://user:pa%23ss@host:6380/1?ssl_cert_reqs=required",
        "redis+socket:///run/k@mera/broker.sock",
        "amqp://guest:guest@localhost:5672//",
        "sentinel://:pw@a:26379;sentinel://:pw@b:26379",
        "redis://[::1]:6379/0",
        "memory://",
    ],
)
def test_a_good_url_stays_as_it_is(url: str) -> None:
    assert check_broker_url(url) == url


def test_valkey_is_spoken_as_redis() -> None:
    assert check_broker_url("valkey://h:1/0") == "redis://h:1/0"
    assert check_broker_url("valkeys://h:1/0") == "rediss://h:1/0"


@pytest.mark.parametrize("url", ["db+sqlite:///results.db", "rpc://", "file:///tmp/results"])
def test_result_backends_have_schemes_of_their_own(url: str) -> None:
    assert check_backend_url(url) == url


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("redis://:s3cr#et@h/0", "Broker URL: a password with # must be written %23."),
        ("redis://:s3cr/et@h/0", "Broker URL: a password with / must be written %2F."),
        ("redis//h", "Broker URL: no scheme before `//`"),
        ("localhost:6379", "Broker URL: no scheme before `//`"),
        ("redis://h:99999/0", "Broker URL: port 99999 is greater than 65535."),
        ("redis://h:six/0", "Broker URL: the port must be a number."),
        ("foo://h", "Broker URL: scheme `foo` is not one of redis, rediss,"),
    ],
)
def test_a_bad_url_is_refused_in_a_sentence_without_the_password(url: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_broker_url(url)
    assert str(caught.value).startswith(sentence)
    assert "s3cr" not in str(caught.value)


SECRET = st.text("abcdefghijklmnop#/?:@%!$&'()*+,=", min_size=6).filter(lambda s: s[-1] != "@")


@given(SECRET.map(lambda s: f"CANARY{s}CANARY"))
def test_no_part_of_a_password_survives_the_mask(secret: str) -> None:
    text = f"cannot connect to redis://user:{secret}@host:6379/0 (refused)"
    masked = redact_text(text)
    assert "CANARY" not in masked
    assert "host:6379/0" in masked


def test_every_part_of_a_failover_list_is_masked() -> None:
    masked = redact_text("sentinel://:one@a:1;sentinel://:two@b:2?password=three")
    assert not any(word in masked for word in ("one", "two", "three"))
