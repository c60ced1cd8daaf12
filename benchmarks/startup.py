"""Time from the start of the server's process to its first GraphQL answer, PostgreSQL already running."""

from __future__ import annotations

from benchmarks.figures import Figure, Setting, per_runtime
from benchmarks.server import running_server

__all__ = ["measure"]

TARGET_SECONDS = 0.5


def measure(setting: Setting) -> list[Figure]:
    def startup(runtime: str) -> float:
        with running_server(runtime, setting.database_url) as server:
            return server.startup

    return per_runtime(setting, "start-up to first answer", "s", startup, below=TARGET_SECONDS)
