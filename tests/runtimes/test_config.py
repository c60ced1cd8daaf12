"""Settings: one name for argument, variable and option; everything unknown or out of range is named."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from fraiseql.errors import ConfigurationError
from fraiseql.limits import HttpLimits, PoolLimits, QueryLimits
from fraiseql.runtimes.config import FraiseQLConfig


def test_the_defaults_are_those_of_the_limits() -> None:
    config = FraiseQLConfig()
    assert config.http_limits == HttpLimits()
    assert config.query_limits == QueryLimits()
    assert config.pool_limits == PoolLimits()
    assert (config.host, config.port, config.database_url) == ("127.0.0.1", 8000, None)


@pytest.mark.parametrize(("prefix", "limits"), [("http", HttpLimits), ("query", QueryLimits), ("pool", PoolLimits)])
def test_every_limit_is_a_setting(prefix: str, limits: type[Any]) -> None:
    names = {setting.name for setting in FraiseQLConfig.settings()}
    assert {f"{prefix}_{item.name}" for item in dataclasses.fields(limits)} <= names


def test_a_setting_has_one_name() -> None:
    settings = {setting.name: setting for setting in FraiseQLConfig.settings()}
    setting = settings["pool_max_size"]
    assert (setting.variable, setting.option, setting.kind) == ("FRAISEQL_POOL_MAX_SIZE", "--pool-max-size", int)
    assert all(setting.help for setting in settings.values())


def test_the_environment_and_what_goes_before_it() -> None:
    environ = {
        "FRAISEQL_DATABASE_URL": "postgresql:///db",
        "FRAISEQL_PORT": "0",
        "FRAISEQL_POOL_MAX_SIZE": "3",
        "FRAISEQL_WAIT_FOR_DATABASE": "yes",
        "FRAISEQL_HTTP_IDLE_TIMEOUT": "7.5",
        "FRAISE": "somebody else's",
    }
    config = FraiseQLConfig.from_environment(environ, port=9000, host=None)
    assert config == FraiseQLConfig(
        database_url="postgresql:///db", port=9000, pool_max_size=3, wait_for_database=True, http_idle_timeout=7.5
    )
    assert config.pool_limits.max_size == 3
    assert config.http_limits.idle_timeout == 7.5


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("FRAISEQL_PROT", "1", "FRAISEQL_PROT is not a setting; did you mean FRAISEQL_PORT?"),
        ("FRAISEQL_port", "1", "FRAISEQL_port is not a setting; did you mean FRAISEQL_PORT?"),
        ("FRAISEQL_XYZZY", "1", "FRAISEQL_XYZZY is not a setting"),
        ("FRAISEQL_PORT", "http", "FRAISEQL_PORT is 'http'; expected a whole number of at least 0 and at most 65535"),
        ("FRAISEQL_PORT", "65536", "FRAISEQL_PORT is '65536'; expected"),
        ("FRAISEQL_POOL_MAX_SIZE", "0", "FRAISEQL_POOL_MAX_SIZE is '0'; expected a whole number of at least 1"),
        ("FRAISEQL_WAIT_FOR_DATABASE", "maybe", "FRAISEQL_WAIT_FOR_DATABASE is 'maybe'; expected true or false"),
        ("FRAISEQL_LOG_LEVEL", "loud", "FRAISEQL_LOG_LEVEL is 'loud'; expected one of debug, info"),
        ("FRAISEQL_HTTP_HEAD_TIMEOUT", "nan", "FRAISEQL_HTTP_HEAD_TIMEOUT is 'nan'; expected a number"),
        ("FRAISEQL_DATABASE_URL", "", "FRAISEQL_DATABASE_URL is not valid; expected a text"),
        (
            "FRAISEQL_UNIX_SOCKET_MODE",
            "888",
            "FRAISEQL_UNIX_SOCKET_MODE is '888'; expected an octal mode of at most 777, as in 660",
        ),
        (
            "FRAISEQL_ALLOWED_ORIGINS",
            "example.org",
            "FRAISEQL_ALLOWED_ORIGINS is 'example.org'; expected origins",
        ),
    ],
)
def test_a_wrong_variable_is_named(variable: str, value: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        FraiseQLConfig.from_environment({variable: value})
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("prot", 1, "prot is not a setting; did you mean port?"),
        ("port", "8000", "port is '8000'; expected a whole number"),
        ("port", True, "port is True; expected a whole number"),
        ("query_request_timeout", 0, "query_request_timeout is 0; expected a number of at least 0.001"),
        ("wait_for_database", 1, "wait_for_database is 1; expected true or false"),
        ("database_url", 5, "database_url is not valid; expected a text"),
        ("tls_key_password", b"sesame", "tls_key_password is not valid; expected a text"),
    ],
)
def test_a_wrong_argument_is_named(name: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        FraiseQLConfig.from_environment({}, **{name: value})
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("name", "wrong", "right"),
    [
        (
            "allowed_origins",
            (
                *(
                    "example.org",
                    "https://",
                    "https://example.org/",
                    "https://example.org/app",
                    "https://ada@example.org",
                ),
                *(
                    "https://example.org:port",
                    "same https://example.org",
                    "same,",
                    "SAME",
                    "https://*.example.org",
                    " ",
                ),
            ),
            (
                *("same", "*", "null", "https://example.org", "same,http://localhost:3000", "http://[::1]:3000"),
                *("HTTPS://Example.Org , same", "moz-extension://0d3f", "https://xn--bcher-kva.example"),
            ),
        ),
        ("unix_socket_mode", ("rw", "888", "1777", "-7", "6_6", "", " 660"), ("0", "600", "0666", "777", "0o660")),
        ("unix_socket", ("@app", "\0app", "/run/\0", ""), ("/run/app.sock", "./@app", "a\nb")),
    ],
)
def test_texts_are_checked_when_the_settings_are_made(
    name: str, wrong: tuple[str, ...], right: tuple[str, ...]
) -> None:
    for value in right:
        given: dict[str, Any] = {name: value}
        assert getattr(FraiseQLConfig(**given), name) == value
    for value in wrong:
        given = {name: value}
        with pytest.raises(ConfigurationError) as caught:
            FraiseQLConfig(**given)
        assert str(caught.value).startswith(f"{name} is {value!r}; expected "), value


def test_secrets_are_not_shown() -> None:
    shown = repr(FraiseQLConfig(database_url="postgresql://ada:sesame@db/blog", tls_key_password="sesame"))
    assert "sesame" not in shown
    assert "port=8000" in shown


def test_what_is_not_given_leaves_the_configuration_as_it_is() -> None:
    config = FraiseQLConfig(port=9_000, retry_after=7)
    assert FraiseQLConfig.of(config, port=None, retry_after=8) == FraiseQLConfig(port=9_000, retry_after=8)
    with pytest.raises(ConfigurationError, match="prot is not a setting; did you mean port"):
        FraiseQLConfig.of(config, prot=None)
