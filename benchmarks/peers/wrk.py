"""The load: wrk posts one body over keep-alive connections, and what it prints becomes figures."""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Load", "LoadError", "Wrk", "parse"]

_SCRIPT = Path(__file__).with_name("post.lua")
_ERRORS = {
    "connect": "connections refused",
    "read": "connections broken while reading",
    "write": "connections broken while writing",
    "status": "answers with a status above 399",
    "timeout": "answers that came too late",
}


class LoadError(RuntimeError):
    """What wrk saw were not all good answers, or it did not run."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of wrk saw: answers, their bytes with heads, and latencies in milliseconds."""

    requests: int
    bytes: int
    seconds: float
    p50: float
    p99: float

    def check_size(self, size: int, connections: int) -> None:
        """Hold the bytes read against the size of one good answer, as errors may have the status 200.

        Raises:
            LoadError: they differ by more than what may be under way, and 1 %; or there was no answer.
        """
        if not self.requests:
            raise LoadError(f"there was no answer in {self.seconds:.0f} s")
        expected = self.requests * size
        if abs(self.bytes - expected) > connections * size + expected / 100:
            raise LoadError(
                f"{self.requests} answers of {size} bytes are {expected} bytes, not {self.bytes}: not all were good"
            )


@dataclass(frozen=True, slots=True)
class Wrk:
    """The program.

    Args:
        command: what runs it.
        environment: its variables.
        connections: held at once by its one thread, which is enough for 100,000 requests per second.
    """

    command: str
    environment: dict[str, str]
    connections: int

    def arguments(self, url: str, body_file: str, seconds: float) -> list[str]:
        """Its command line."""
        options = ["--threads", "1", "--connections", str(self.connections), "--duration", f"{max(1, round(seconds))}s"]
        return [self.command, *options, "--timeout", "10s", "--script", str(_SCRIPT), url, "--", body_file]

    def run(self, url: str, body: str, seconds: float) -> Load:
        """Post the body again and again.

        Args:
            seconds: for how long, rounded to whole ones.

        Raises:
            LoadError: there was a status above 399 or a socket error.
        """
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
            file.write(body)
            file.flush()
            done = subprocess.run(
                self.arguments(url, file.name, seconds),
                env=self.environment,
                capture_output=True,
                text=True,
                timeout=seconds + 60,
            )
        if done.returncode:
            raise LoadError(f"wrk ended with {done.returncode}: {(done.stderr or done.stdout).strip()}")
        return parse(done.stdout)


def parse(output: str) -> Load:
    """Read what wrk printed with `post.lua`.

    Raises:
        LoadError: there is no line of figures, or it tells of errors.
    """
    lines = [line.removeprefix("figures ") for line in output.splitlines() if line.startswith("figures ")]
    if len(lines) != 1:
        raise LoadError(f"wrk printed no figures: {output.strip()!r}")
    figures = json.loads(lines[0])
    errors = [f"{figures[name]} {words}" for name, words in _ERRORS.items() if figures[name]]
    if errors:
        raise LoadError(f"wrk saw {', '.join(errors)}")
    return Load(**{name: figures[name] for name in ("requests", "bytes", "seconds", "p50", "p99")})
