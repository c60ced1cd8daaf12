"""Connection strings: one attempt per host, our settings, the user's above them."""

from __future__ import annotations

import pytest
from psycopg.conninfo import conninfo_to_dict

from fraiseql.errors import ConfigurationError
from fraiseql.postgres.conninfo import ConnectionString


def attempts(text: str) -> list[dict[str, str]]:
    string = ConnectionString(text)
    return [{key: str(value) for key, value in conninfo_to_dict(a).items()} for a in string.attempts(string.hosts())]


@pytest.fixture(autouse=True)
def _no_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGHOSTADDR", "PGPORT", "PGOPTIONS", "PGSERVICE", "PGTARGETSESSIONATTRS"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("host=a", [("a", "5432")]),
        ("postgresql://me:pw@a:1,b:2/db", [("a", "1"), ("b", "2")]),
        ("host=a,b port=7", [("a", "7"), ("b", "7")]),
        ("host=a,b port=7,8", [("a", "7"), ("b", "8")]),
        ("host=/run/postgresql", [("/run/postgresql", "5432")]),
        ("dbname=db", [(None, "5432")]),
        ("service=mine", [(None, None)]),
    ],
)
def test_each_host_is_an_attempt_of_its_own(text: str, places: list[tuple[str | None, str | None]]) -> None:
    assert [(attempt.get("host"), attempt.get("port")) for attempt in attempts(text)] == places


def test_everything_else_is_kept() -> None:
    (attempt,) = attempts("postgresql://me:p%20w@a/db?sslmode=require&application_name=mine")
    assert {key: attempt[key] for key in ("user", "password", "dbname", "sslmode", "application_name")} == {
        "user": "me",
        "password": "p w",
        "dbname": "db",
        "sslmode": "require",
        "application_name": "mine",
    }


def test_the_users_options_come_after_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    assert attempts("options='-c jit=on'")[0]["options"].endswith(" -c jit=on")
    monkeypatch.setenv("PGOPTIONS", "-c work_mem=8MB")
    assert attempts("")[0]["options"].endswith(" -c work_mem=8MB")
    assert "jit=off" in attempts("")[0]["options"]


def test_a_standby_is_looked_for_on_all_hosts_first() -> None:
    found = [(a["host"], a["target_session_attrs"]) for a in attempts("host=a,b target_session_attrs=prefer-standby")]
    assert found == [("a", "standby"), ("b", "standby"), ("a", "any"), ("b", "any")]


@pytest.mark.parametrize(("text", "seconds"), [("", None), ("connect_timeout=3", 3.0), ("connect_timeout=0", None)])
def test_connect_timeout(text: str, seconds: float | None) -> None:
    assert ConnectionString(text).connect_timeout == seconds


def test_the_description_names_the_place_and_nothing_secret() -> None:
    assert ConnectionString("postgresql://me:pw@a:1,b:2/db").description == "a port 1, b port 2"
    assert ConnectionString("password=pw").description == "the local socket port 5432"


@pytest.mark.parametrize(
    "text", ["nonsense", "no_such_option=1", "postgresql://me:pw@[::1/db", "password='pw", "\ud800"]
)
def test_what_libpq_cannot_read_is_a_configuration_error(text: str) -> None:
    with pytest.raises(ConfigurationError, match="database_url") as caught:
        ConnectionString(text)
    assert "pw" not in str(caught.value)


def test_hosts_and_ports_must_agree() -> None:
    with pytest.raises(ConfigurationError, match="port"):
        ConnectionString("host=a,b,c port=1,2").hosts()
    with pytest.raises(ConfigurationError, match="connect_timeout"):
        assert ConnectionString("connect_timeout=soon").connect_timeout
