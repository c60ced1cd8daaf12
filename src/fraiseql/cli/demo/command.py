"""`fraiseql demo`: a PostgreSQL of its own, the sample blog in it, and a server before it."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import textwrap
from types import FrameType, TracebackType
from typing import Any

import psycopg

from fraiseql.cli.demo.database import load
from fraiseql.cli.demo.schema import schema
from fraiseql.cli.output import write
from fraiseql.cli.serving import THREADS, run_async
from fraiseql.cli.settings import read_config
from fraiseql.errors import StartupError
from fraiseql.runtimes.anyio import FraiseQLApp, serve
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.runtimes.listening import open_listeners
from fraiseql.runtimes.threads import ThreadedApp, serve_threads
from fraiseql.testing.embedded import EmbeddedPostgres, drop_libpq_variables

__all__ = ["demo"]

_QUERY = "{ users(limit: 3, orderBy: [{karma: DESC}]) { name posts(limit: 2) { title comments(limit: 1) { body } } } }"
_SUBSCRIPTION = "subscription { commentAdded { id body post { title } } }"
_INSERT = "insert into comments (post_id, body) values (1, 'Hello')"


def demo(options: argparse.Namespace) -> int:
    """Run the demo until a signal ends it; nothing of it is left then."""
    log_level = os.environ.get("FRAISEQL_LOG_LEVEL", "warning")
    config = read_config(options, log_level=log_level, workers=1)
    open_listeners(config).close()  # where that fails, nothing slow was done
    drop_libpq_variables()
    # The event loop leaves a moment, between its own handlers and ours, in which Ctrl-C raises.
    with _StopSignals() as stop, contextlib.suppress(KeyboardInterrupt):
        postgres = EmbeddedPostgres(options.temp_dir)
        with contextlib.ExitStack() as stack:
            stack.callback(postgres.stop)
            postgres.prepare()
            write("Starting PostgreSQL with 1,000 users, 10,000 posts and 20,000 comments ...")
            postgres.start()
            if not stop.requested:
                _fill(postgres.conninfo)
            if not stop.requested:
                _serve(
                    read_config(options, log_level=log_level, workers=1, database_url=postgres.conninfo), options, stop
                )
    return 0


def _fill(conninfo: str) -> None:
    try:
        load(conninfo)
    except psycopg.Error as error:
        reason = str(error).strip().partition("\n")[0]
        raise StartupError(f"the sample blog could not be loaded: {reason}") from error


def _serve(config: FraiseQLConfig, options: argparse.Namespace, stop: _StopSignals) -> None:
    announcement = _Announcement(stop, config.database_url or "")

    async def run() -> None:
        try:
            await serve(schema, config=config, task_status=announcement)
        finally:
            stop.watch()  # the server has put other handlers in place, and reset them

    if options.runtime == THREADS:
        serve_threads(schema, config=config, started=announcement.started)
    else:
        run_async(options.runtime, run, uvloop=config.uvloop)


class _StopSignals:
    """Remembers a signal that ends the demo, so that no step is cut in the middle and every folder is removed.

    While the server runs it takes SIGINT and SIGTERM itself.
    """

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> _StopSignals:
        self._before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        self.watch()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            # All is done where there is no error: a further signal must not make a bad end of a good one.
            signal.signal(number, signal.SIG_IGN if error is None else handler)

    def watch(self) -> None:
        for number in self._before:
            signal.signal(number, self._received)

    def _received(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        if number == signal.SIGHUP:  # the terminal was closed: the server, where it runs, knows SIGTERM only
            signal.raise_signal(signal.SIGTERM)


class _Announcement:
    """Told by the server that it serves; tells the user."""

    def __init__(self, stop: _StopSignals, conninfo: str) -> None:
        self._stop = stop
        self._conninfo = conninfo

    def started(self, value: FraiseQLApp | ThreadedApp | None = None) -> None:
        if self._stop.requested or value is None:
            signal.raise_signal(signal.SIGTERM)  # came too early for the server to see
            return
        body = json.dumps({"query": _QUERY}, separators=(",", ":"))
        stream = json.dumps({"query": _SUBSCRIPTION}, separators=(",", ":"))
        text = f"""
            Serving {value.url}

            Ask it something, in another terminal:

              curl -s {value.url} -H 'Content-Type: application/json' -d '{body}'

            Subscribe to new comments, and add one from a third terminal:

              curl -sN {value.url} -H 'Accept: text/event-stream' -H 'Content-Type: application/json' -d '{stream}'
              psql "{self._conninfo}" -c "{_INSERT}"

            Ctrl-C stops the server and removes its database."""
        write(textwrap.dedent(text).lstrip("\n"))
