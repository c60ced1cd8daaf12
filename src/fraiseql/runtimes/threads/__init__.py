"""The server on threads: one for each client, with sockets that block."""

from __future__ import annotations

from fraiseql.runtimes.threads.app import ThreadedApp
from fraiseql.runtimes.threads.database import Database
from fraiseql.runtimes.threads.serving import serve_threads

__all__ = ["Database", "ThreadedApp", "serve_threads"]
