"""The inputs to start from, as text: `corpus/<target>.txt` has one bytes literal to a line, and remarks after `#`.

`python -m fuzz.corpus` puts the cases of the tests among them. An input that broke an invariant is kept there for ever.
"""

from __future__ import annotations

import sys
from ast import literal_eval
from collections.abc import Iterable
from importlib import import_module
from itertools import pairwise
from pathlib import Path

__all__ = ["TARGETS", "cases", "keep", "load"]

ROOT = Path(__file__).parents[1]
TARGETS = ("http11_server", "http11_client", "graphql_transport_ws", "websocket_server", "websocket_client")
MAX_CASE = 1_000  # bytes: longer ones are about limits, which the small limits reach sooner


def load(target: str) -> list[bytes]:
    """The kept inputs of a target."""
    return [literal_eval(line) for line in _lines(target) if not line.startswith("#")]


def keep(target: str, inputs: Iterable[bytes]) -> int:
    """Add inputs to those of a target; how many were new."""
    lines = _lines(target)
    new = sorted(set(map(repr, inputs)) - set(lines), key=lambda line: (len(line), line))
    _path(target).write_text("\n".join([*lines, *new, ""]), encoding="ascii")
    return len(new)


def cases(target: str) -> list[bytes]:
    """The cases of the tests of a parser, as inputs: with the usual and with small limits, cut in two ways."""
    sys.path.insert(0, str(ROOT / "tests"))
    try:
        if target == "http11_server":
            tests = import_module("protocol.http11.test_verdicts")
            raws = [row.raw for row in tests.ROWS] + list(tests.FIRST_IMPOSSIBLE)
        elif target == "graphql_transport_ws":
            tests = [import_module(f"protocol.graphql_transport_ws.test_{role}") for role in ("server", "client")]
            cells = [row[1] for test in tests for row in test.CELLS]
            texts = [*cells, *[text for test in tests for text in test.MALFORMED]]
            raws = [text.encode("utf-8", "surrogatepass") for text in dict.fromkeys(texts)]
            steps = (b"!next", b"!complete", b"!error", b"!accept", b"!refuse", b"!deadline", b"!close", b"\xff{}")
            raws += [raw + b"\xfe" + step + b"\xfe" + raw for raw in raws[: len(set(cells))] for step in steps]
        elif target.startswith("websocket"):
            tests = import_module("protocol.websocket.test_verdicts")
            raws = list(tests.fuzz_inputs(target.removeprefix("websocket_")))
        else:
            tests = import_module("protocol.http11.test_client")
            raws = [row[2] for row in tests.READ] + [row[1] for row in tests.REFUSED]
            raws += [first + b"\xfe\xfe" + second for first, second in pairwise(raws)]
    finally:
        sys.path.remove(str(ROOT / "tests"))
    short = [raw for raw in dict.fromkeys(raws) if len(raw) <= MAX_CASE]
    return [bytes([number % 32, number * 37 % 256]) + raw for number, raw in enumerate(short)]


def _path(target: str) -> Path:
    return ROOT / "fuzz" / "corpus" / f"{target}.txt"


def _lines(target: str) -> list[str]:
    path = _path(target)
    return path.read_text(encoding="ascii").split("\n")[:-1] if path.exists() else []


if __name__ == "__main__":
    for name in TARGETS:
        print(f"{name}: {keep(name, cases(name))} new inputs")
