"""A broker's or backend's exception, in one sentence for people."""

from __future__ import annotations

import socket

import kombu.exceptions
import pytest
import redis.exceptions

from kimera_tui.errors import BrokerUnavailable, KimeraError, TaskFailed, TaskRevoked
from kimera_tui.process.failures import broker_failure


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "is not there (connection refused)"),
        (FileNotFoundError(2, "No such file or directory"), "is not there (no such socket)"),
        (redis.exceptions.ConnectionError("Error 111 connecting to h:1. Connection refused."),
         "is not there (connection refused)"),
        (redis.exceptions.ConnectionError("Connection closed by server."), "closed the connection"),
        (ConnectionResetError(104, "Connection reset by peer"), "closed the connection"),
        (redis.exceptions.AuthenticationError("NOAUTH Authentication required."),
         "wants a password"),
        (redis.exceptions.AuthenticationError("WRONGPASS invalid username-password pair"),
         "refused the password"),
        (redis.exceptions.ResponseError("READONLY You can't write"),
         "is a read-only replica: nothing was sent"),
        (redis.exceptions.ResponseError("OOM command not allowed"),
         "is out of memory: nothing was sent"),
        (redis.exceptions.BusyLoadingError("LOADING Redis is loading"),
         "is loading its data: try again in a moment"),
        (redis.exceptions.ConnectionError("max number of clients reached"),
         "has no free connection"),
        (redis.exceptions.NoPermissionError("NOPERM no permissions"),
         "does not permit this user to do that"),
        (socket.gaierror(-2, "Name or service not known"), "has a host name that nobody knows"),
        (TimeoutError("timed out"), "did not answer in time"),
        (redis.exceptions.TimeoutError("Timeout reading from socket"), "did not answer in time"),
        (kombu.exceptions.OperationalError("something else"), "cannot be used: something else"),
    ],
)  # fmt: skip
def test_sentence(error: Exception, sentence: str) -> None:
    failure = broker_failure(error)
    assert isinstance(failure, BrokerUnavailable)
    assert str(failure) == f"The broker {sentence}."


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("y"), RuntimeError("z")])
def test_other_errors_are_not_the_brokers(error: Exception) -> None:
    assert broker_failure(error) is None


def test_the_error_that_it_was_raised_from_counts_too() -> None:
    error = RuntimeError("wrapped")
    error.__cause__ = ConnectionRefusedError(111, "Connection refused")
    assert "connection refused" in str(broker_failure(error))


def test_the_server_is_named_without_its_password() -> None:
    failure = broker_failure(ConnectionRefusedError("Connection refused"), "redis://u:s3cret@h:1/0")
    assert "h:1" in str(failure)
    assert "s3cret" not in str(failure)


def test_a_password_in_the_error_is_hidden() -> None:
    failure = broker_failure(OSError("cannot use redis://u:s3cret@h:1/0"))
    assert failure is not None
    assert "s3cret" not in str(failure)


def test_every_error_is_a_kimera_error_with_an_exit_code() -> None:
    assert BrokerUnavailable("x").exit_code == 69
    assert TaskRevoked("t", "id").exit_code == 4
    assert TaskFailed("t", "id", "E", "m").exit_code == 1
    assert issubclass(TaskFailed, KimeraError)


def test_task_failed_carries_everything_that_is_known() -> None:
    error = TaskFailed("jobs.load", "id-1", "ValueError", "no", "Traceback ...")
    assert (error.task, error.task_id) == ("jobs.load", "id-1")
    assert (error.error_type, error.error_message) == ("ValueError", "no")
    assert error.traceback == "Traceback ..."
    assert str(error) == "jobs.load failed: ValueError: no"


def test_a_place_is_said_first() -> None:
    error = KimeraError("it went wrong")
    error.place = "step 2 of 3 (etl.load)"
    assert str(error) == "step 2 of 3 (etl.load): it went wrong"
