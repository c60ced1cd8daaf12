"""Observations become log records, and the client's secrets do not."""

from __future__ import annotations

import logging

import pytest

from fraiseql.errors import DatabaseError, ValueRefused
from fraiseql.observations import (
    AcceptFailed,
    ConnectionLost,
    ConnectionOpened,
    InternalErrorMasked,
    Observation,
    ReconnectFailed,
    RequestCompleted,
    RequestRefused,
    TlsFailed,
)
from fraiseql.pipeline.failures import cause_of
from fraiseql.runtimes.logs import configure_logging, log_observation, logger


@pytest.mark.parametrize(
    ("observation", "level", "text"),
    [
        (RequestCompleted("c-1", "POST", "/graphql", 200, 0.0125), "INFO", "c-1 POST /graphql 200 in 12.5 ms"),
        (RequestRefused("c", 400, "no host"), "INFO", "connection c refused with 400: no host"),
        (AcceptFailed("Too many"), "WARNING", "clients cannot be accepted for now: Too many"),
        (TlsFailed("c", "http request"), "INFO", "connection c has no TLS: http request"),
        (InternalErrorMasked("c-1", ValueError("oh")), "ERROR", "request c-1 failed: oh"),
        (
            InternalErrorMasked("c-1", ValueRefused("a value was refused: oh")),
            "INFO",
            "request c-1: a value was refused: oh",
        ),
        (
            InternalErrorMasked("c-1", DatabaseError("none became free", sqlstate="53300")),
            "WARNING",
            "request c-1 failed: none became free",
        ),
        (
            InternalErrorMasked("c-1", DatabaseError("no such column", sqlstate="42703")),
            "ERROR",
            "request c-1 failed: no such column",
        ),
        (ConnectionOpened(42), "DEBUG", "connected to PostgreSQL process 42"),
        (ConnectionLost(42, "gone"), "WARNING", "the connection to PostgreSQL process 42 was closed: gone"),
        (ReconnectFailed("refused", 0.2), "WARNING", "PostgreSQL cannot be reached, next attempt in 0.2 s: refused"),
    ],
)
def test_each_observation_is_a_record(
    caplog: pytest.LogCaptureFixture, observation: Observation, level: str, text: str
) -> None:
    with caplog.at_level(logging.DEBUG, logger="fraiseql"):
        log_observation(observation)
    (record,) = caplog.records
    assert (record.name, record.levelname, record.getMessage()) == ("fraiseql", level, text)
    if isinstance(observation, InternalErrorMasked):
        assert bool(record.exc_info) is (level == "ERROR")
    if isinstance(observation, RequestCompleted):
        assert record.__dict__["status"] == 200


def test_each_error_of_an_answer_is_a_record_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    causes = [KeyError("one"), ValueError("two"), *[OSError(str(number)) for number in range(100)]]
    with caplog.at_level(logging.DEBUG, logger="fraiseql"):
        log_observation(InternalErrorMasked("c-1", cause_of(causes, [])))  # type: ignore[arg-type]
    messages = [record.getMessage() for record in caplog.records]
    assert messages[:3] == ["request c-1 failed: 'one'", "request c-1 failed: two", "request c-1 failed: 0"]
    assert messages[-2:] == ["request c-1 failed: 97", "request c-1 failed: 2 more errors"]
    assert [record.exc_info[1] for record in caplog.records[:-1] if record.exc_info] == causes[:100]


def test_who_has_configured_logging_keeps_it() -> None:
    before = list(logger.handlers), logger.level
    assert logging.getLogger().handlers, "pytest's own"
    configure_logging("debug")
    assert (list(logger.handlers), logger.level) == before


def test_without_any_configuration_records_go_to_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    monkeypatch.setattr(logger, "handlers", [])
    before = logger.level
    configure_logging("warning")
    try:
        log_observation(ConnectionOpened(1))
        log_observation(ConnectionLost(2, "gone"))
    finally:
        logger.setLevel(before)
    assert capsys.readouterr().err.endswith("WARNING the connection to PostgreSQL process 2 was closed: gone\n")
