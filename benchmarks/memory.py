"""Memory of an idle server process, PostgreSQL apart: after its first answer."""

from __future__ import annotations

from benchmarks.figures import Figure, Setting
from benchmarks.server import RUNTIMES, running_server

__all__ = ["measure"]

TARGET_MB = 50


def measure(setting: Setting) -> list[Figure]:
    figures = []
    for runtime in RUNTIMES:
        resident, proportional = [], []
        for _ in range(setting.runs):
            with running_server(runtime, setting.database_url) as server:
                rss, pss = server.memory()
            resident.append(rss)
            proportional.append(pss)
        figures.append(Figure(f"idle memory (RSS), {runtime}", "MB", tuple(resident), TARGET_MB))
        figures.append(Figure(f"idle memory (PSS), {runtime}", "MB", tuple(proportional)))
    return figures
