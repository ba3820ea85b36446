"""What the environment says to the engine."""

from __future__ import annotations

import pytest

from kimera_tui.config.bootstrap import Bootstrap
from kimera_tui.errors import ConfigError
from tests.conftest import REPO

FRIENDS = str(REPO / "friends.yaml")


def test_celery_is_off_by_default_and_nothing_is_read() -> None:
    bootstrap = Bootstrap({"KIMERA_FRIENDS": FRIENDS})
    assert not bootstrap.celery_on
    assert bootstrap.friends == {}


@pytest.mark.parametrize("value", ["", "0", "true", "yes", "2"])
def test_anything_but_1_is_off(value: str) -> None:
    assert not Bootstrap({"CELERY": value}).celery_on


def test_on_reads_the_friends() -> None:
    bootstrap = Bootstrap({"CELERY": "1", "KIMERA_FRIENDS": FRIENDS})
    assert bootstrap.celery_on
    assert "calculator" in bootstrap.friends


def test_urls_have_the_documented_defaults() -> None:
    assert Bootstrap({}).celery_broker == "redis://localhost:6379/0"
    assert Bootstrap({}).celery_backend == "redis://localhost:6379/0"
    assert Bootstrap({"BROKER_URL": "redis://h/3"}).celery_backend == "redis://h/3"
    amqp = Bootstrap({"BROKER_URL": "amqp://h//"})
    assert amqp.celery_backend == "redis://localhost:6379/0"
    both = Bootstrap({"BROKER_URL": "amqp://h//", "RESULT_BACKEND": "rpc://"})
    assert both.celery_backend == "rpc://"


def test_a_malformed_url_is_told_by_the_name_of_its_setting() -> None:
    with pytest.raises(ConfigError, match="Result backend URL: no scheme"):
        Bootstrap({"RESULT_BACKEND": "redis//h"})
