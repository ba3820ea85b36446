"""What is declared secret is known by its declaration, whatever its type and wherever it shows."""

from __future__ import annotations

import json
import time
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from kimera_tui.known_secrets import KnownSecrets
from kimera_tui.redaction import MASK
from kimera_tui.runs.journal.value_codec import Packer, unpack
from kimera_tui.values.placeholders import is_whole

KEY = "first line of the key\nsecond line of it\n"


def knowing(value: Any) -> Packer:
    """The packer of a run with one declared secret, ``pin``."""
    packer = Packer()
    packer.learn({"pin": value, "day": "2026-11-28"}, {"pin"})
    return packer


@pytest.mark.parametrize(
    ("secret", "text", "shown"),
    [
        ("k9Qx2", "ValueError: k9Qx2!", f"ValueError: {MASK}!"),
        ("k9Qx2", "token_k9Qx2x", f"token_{MASK}x"),
        (60418827, "no pin 60418827, and 604188271", f"no pin {MASK}, and 604188271"),
        (60418827, "00060418827 is 60,418,827.0", f"000{MASK} is {MASK}.0"),
        (-60418827, "(60418827)", f"({MASK})"),
        (1234, "id=91234 pin=1234", f"id=91234 pin={MASK}"),
        ("1234", "id=91234 x1234", f"id=91234 x{MASK}"),
        (3.14159, "at 3.14159", f"at {MASK}"),
        ("1984-03-12", "born 1984-03-12", f"born {MASK}"),
        (date(1984, 3, 12), "born 1984-03-12", f"born {MASK}"),
        (b"k9Qx2", "got b'k9Qx2'", f"got b'{MASK}'"),
        ({"user": "alice", "deep": [60418827]}, "alice: 60418827", f"{MASK}: {MASK}"),
        (KEY, repr(KEY), f"'{MASK}\\n'"),
        (KEY, "on line 2: second line of it", f"on line 2: {MASK}"),
        ("a b/c&d", "https://h/?q=a%20b%2Fc%26d", f"https://h/?q={MASK}"),
        ('quo"ted', '{"x": "quo\\"ted"}', f'{{"x": "{MASK}"}}'),
        ("ümlaut", json.dumps("ümlaut"), f'"{MASK}"'),
        (True, "pin=True day=True", f"pin={MASK} day=True"),
        (7, "{'pin': 7, 'day': 7, 'pins': 7}", f"{{'pin': {MASK}, 'day': 7, 'pins': 7}}"),
        ("ab", '{"pin": "ab"} abc', f'{{"pin": "{MASK}"}} abc'),
        (7, "pin 7, pin: 77", "pin 7, pin: 77"),
    ],
)  # fmt: skip
def test_a_text_repeats_no_declared_secret(secret: Any, text: str, shown: str) -> None:
    assert knowing(secret).text(text) == shown


@pytest.mark.parametrize(
    ("secret", "result"),
    [
        (60418827, 60418827),
        (60418827, 60418827.0),
        (60418827, {"deep": [1, (60418827, 2)]}),
        (60418827, {60418827: "as a key"}),
        (60418827, Decimal(60418827)),
        (60418827, b"pin 60418827"),
        (60418827, {"pin 60418827": 1}),
        ({"cvc": 737, "no": "4111222233334444"}, {"paid with": "4111222233334444"}),
        ({"cvc": 737}, [{"cvc": 737}]),
        ({"cvc": [737]}, {"cvc": [737]}),
        ("1984-03-12", date(1984, 3, 12)),
        (True, {"pin": True}),
        ("", {"pin": ""}),
        (7, {"pin": "7"}),
        ("k9Q", {"pin": ["k9Q"]}),
    ],
)
def test_a_result_that_repeats_one_is_never_taken_for_the_value(secret: Any, result: Any) -> None:
    plain = json.loads(json.dumps(knowing(secret).pack(result, "result")))
    for leaf in ("60418827", "4111222233334444", "737", "1984", "true", "k9Q", "NjA0MTg4Mjc"):
        assert leaf not in json.dumps(plain)
    assert not is_whole(unpack(plain))


@pytest.mark.parametrize(
    ("secret", "result"),
    [
        (True, {"ok": True, "pin": False}),
        (7, {"day": 7, "pin": 8}),
        ("", {"text": "", "other": "x"}),
        ("no", "nothing known"),
        (None, {"pin": None}),
        (60418827, [6041882, 604188270, 1.5]),
        ({"cvc": 737}, {"total": 737}),
    ],
)
def test_what_is_short_or_common_blanks_out_nothing_else(secret: Any, result: Any) -> None:
    packer = knowing(secret)
    assert unpack(json.loads(json.dumps(packer.pack(result, "result")))) == result
    assert packer.text(json.dumps(result)) == json.dumps(result)


def test_names_of_arguments_and_what_a_document_says_keep_their_meaning() -> None:
    packer = knowing("demo")
    packer.learn({"pin": 1234}, {"pin"})
    for place in ("kwargs", "inputs", "header"):
        assert unpack(packer.pack({"demo_mode": 1}, place)) == {"demo_mode": 1}
    assert packer.pack({"timeout": 1234}, "header") == {"timeout": 1234}
    assert "demo" not in json.dumps(packer.pack({"deep": {"demo_mode": "x"}}, "kwargs"))


def test_numbers_that_only_stand_under_such_a_name_are_not_looked_for() -> None:
    packer = Packer()
    packer.learn({"token": 5000, "password": "hunter22"}, ())
    assert packer.text("5000 rows, hunter22") == f"5000 rows, {MASK}"


@pytest.mark.parametrize("count", [10, 5_000])
def test_each_of_many_is_found(count: int) -> None:
    packer = Packer()
    packer.learn({"pin": [f"{number}-secret-{number}" for number in range(count)]}, {"pin"})
    for number in (0, count // 2, count - 1):
        text = f"it was {number}-secret-{number}."
        assert packer.text(text) == f"it was {MASK}."
        assert packer.text("x" * 5000 + text) == "x" * 5000 + f"it was {MASK}."


def test_thousands_of_short_ones_are_hidden_in_results_and_looked_for_by_nobody_at_length() -> None:
    packer = knowing({"rows": [*range(1000)]})
    packer.learn({"pin": {f"n{number}": number % 10 for number in range(5_000)}}, {"pin"})
    assert unpack(packer.pack({"rows": 999, "n4999": 9}, "result")) == dict.fromkeys(
        ("rows", "n4999"), MASK
    )
    began = time.process_time()
    packer.text(" rows n4999 " * 10_000)
    assert time.process_time() - began < 5  # looking for each would take many times that


def test_secrets_that_overlap_leave_nothing_of_each_other() -> None:
    packer = knowing(["abcdef", "defghi"])
    assert packer.text("abcdefghi") == MASK


def test_the_oldest_secrets_make_room_where_they_may() -> None:
    latest = KnownSecrets(most=2, forgets=True)
    full = KnownSecrets(latest, most=2)
    assert [full.add(each) for each in ("first", "second", "third")] == [True, True, False]
    assert [*full.spans("first third")] == [(0, 5)]
    assert [*latest.spans("first second")] == [(0, 5), (6, 12)]
    latest.add("third")
    assert [*latest.spans("first second third")] == [(6, 12), (13, 18)]


def test_many_long_secrets_are_held_only_up_to_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kimera_tui.known_secrets.MOST_CHARACTERS", 100)
    latest = KnownSecrets(forgets=True)
    for letter in "abc":
        latest.add(letter * 60)
    assert [*latest.spans("a" * 60 + "b" * 60 + "c" * 60)] == [(60, 120), (120, 180)]
