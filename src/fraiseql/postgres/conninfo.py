"""Connection strings: which attempts one stands for, and the settings each session begins with."""

from __future__ import annotations

import re
from collections.abc import Mapping

import psycopg
from psycopg import pq
from psycopg.conninfo import make_conninfo

from fraiseql.errors import ConfigurationError

__all__ = ["DATE_STYLE", "INTERVAL_STYLE", "ConnectionString", "wanted_time_zone"]

# Sent in the startup packet, so that they cost no round trip. `jit` costs milliseconds on small statements, generic
# plans are what prepared statements are for, and answers must not depend on the server's time zone or its way to write
# dates, intervals and floats.
_TIME_ZONE = "UTC"
DATE_STYLE = "ISO"
INTERVAL_STYLE = "iso_8601"
_SETTINGS = (
    f"-c jit=off -c timezone={_TIME_ZONE} -c datestyle={DATE_STYLE} -c intervalstyle={INTERVAL_STYLE}"
    " -c extra_float_digits=1 -c plan_cache_mode=force_generic_plan"
)

# `-c name=value`, `-cname=value` or `--name=value`, where a backslash keeps the character after it.
_TIME_ZONE_OPTION = re.compile(r"(?:^|(?<=\s))(?:-c\s*|--)timezone=((?:\\.|[^\s\\])+)", re.IGNORECASE | re.DOTALL)


class ConnectionString:
    """A libpq connection string or URI, with libpq's own defaults (PGHOST and so on) where it says nothing.

    Args:
        text: as libpq reads it; may be empty.

    Raises:
        ConfigurationError: libpq cannot read it.
    """

    def __init__(self, text: str) -> None:
        try:
            given = pq.Conninfo.parse(text.encode())
        except (psycopg.Error, UnicodeEncodeError) as error:
            raise ConfigurationError(f"database_url: {_harmless(str(error))}") from None
        self._given = {option.keyword.decode(): option.val.decode() for option in given if option.val}
        self._defaults = {
            option.keyword.decode(): option.val.decode() for option in pq.Conninfo.get_defaults() if option.val
        }
        if "service" in self._given:  # its file comes before the defaults, and only libpq reads it
            for keyword in ("host", "hostaddr", "port"):
                self._defaults.pop(keyword, None)

    def get(self, keyword: str) -> str:
        """The value of a keyword, or libpq's default, or an empty string."""
        return self._given.get(keyword) or self._defaults.get(keyword, "")

    @property
    def connect_timeout(self) -> float | None:
        """The timeout of one attempt, in seconds, where one is given."""
        text = self.get("connect_timeout")
        if not text:
            return None
        try:
            seconds = int(text)
        except ValueError:
            raise ConfigurationError(f"database_url: connect_timeout is {text!r}, not a number of seconds") from None
        return seconds if seconds > 0 else None

    @property
    def shuffled(self) -> bool:
        """Whether attempts are to be made in random order."""
        return self.get("load_balance_hosts") == "random"

    @property
    def description(self) -> str:
        """Where it leads, without the password: for messages."""
        return ", ".join(_place(attempt) for attempt in self.hosts())

    def hosts(self) -> list[dict[str, str]]:
        """One `{host, hostaddr, port}` per host named; an empty host is a Unix socket in libpq's default folder.

        Raises:
            ConfigurationError: as many ports, or addresses, as hosts are needed, or one port, or none.
        """
        names, addresses = self.get("host").split(","), self.get("hostaddr").split(",")
        ports = self.get("port").split(",")
        count = max(len(names), len(addresses))
        for keyword, values in (("host", names), ("hostaddr", addresses), ("port", ports)):
            if len(values) not in {1, count} or (len(values) == 1 < count and keyword != "port" and values[0]):
                raise ConfigurationError(f"database_url: {len(values)} values of {keyword} for {count} hosts")
        return [{"host": _nth(names, n), "hostaddr": _nth(addresses, n), "port": _nth(ports, n)} for n in range(count)]

    def attempts(self, hosts: list[dict[str, str]]) -> list[str]:
        """One connection string for each of these hosts, in this order, with the session's settings."""
        if self.get("target_session_attrs") == "prefer-standby":  # two passes over all hosts, not two on each
            modes = ["standby", "any"]
        else:
            modes = [self.get("target_session_attrs")]
        return [self._attempt(host, mode) for mode in modes for host in hosts]

    def _attempt(self, host: Mapping[str, str], mode: str) -> str:
        values = dict(self._given)
        values.update(host)
        values["target_session_attrs"] = mode
        values["options"] = f"{_SETTINGS} {self.get('options')}".rstrip()  # the last value of a setting wins
        values["client_encoding"] = "utf8"  # what our SQL is written in
        values["fallback_application_name"] = self.get("fallback_application_name") or "fraiseql"
        values.pop("load_balance_hosts", None)
        return make_conninfo("", **{keyword: value for keyword, value in values.items() if value})


def wanted_time_zone(attempt: str) -> str:
    """The time zone that the options of one attempt ask for; libpq lets PGTZ of the environment win over them."""
    for option in pq.Conninfo.parse(attempt.encode()):
        if option.keyword == b"options" and (found := _TIME_ZONE_OPTION.findall((option.val or b"").decode())):
            return re.sub(r"\\(.)", r"\1", found[-1], flags=re.DOTALL)
    return _TIME_ZONE


def _harmless(reason: str) -> str:
    """libpq's reason where that quotes a keyword only; others may quote the text nearby, and so a password."""
    if reason.startswith(("invalid connection option", "invalid URI query parameter")):
        return reason.strip()
    return "libpq cannot read this connection string"


def _nth(values: list[str], n: int) -> str:
    return values[n] if n < len(values) else values[0]


def _place(host: Mapping[str, str]) -> str:
    name = host["host"] or host["hostaddr"] or "the local socket"
    return f"{name} port {host['port'] or '5432'}"
