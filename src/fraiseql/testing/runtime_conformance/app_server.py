"""What the suite sees of an app of ours, whichever runtime it is on."""

from __future__ import annotations

from fraiseql.runtimes.anyio import FraiseQLApp
from fraiseql.runtimes.threads import ThreadedApp

__all__ = ["AppServer"]


class AppServer:
    """The part of Served that is read from a running app."""

    _app: FraiseQLApp | ThreadedApp

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return self._app.addresses[0]

    @property
    def active_connections(self) -> int:
        """How many clients are connected."""
        return self._app.active_connections

    @property
    def lent_connections(self) -> int:
        """How many connections to the database are in the hands of operations."""
        return self._app.database.pool.granted

    @property
    def listening_streams(self) -> int:
        """How many streams of subscriptions wait for events or values."""
        return self._app.streams.listening
