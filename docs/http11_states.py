"""Draws the state tables of `fraiseql.protocol.http11` into docs/explanations/http11.md, as Mermaid diagrams.

python docs/http11_states.py
"""

from __future__ import annotations

import re
from pathlib import Path

from fraiseql.protocol.http11.state import CLIENT_OURS, CLIENT_THEIRS, SERVER_OURS, SERVER_THEIRS, State, Table

__all__ = ["PAGE", "TABLES", "diagram", "drawn"]

PAGE = Path(__file__).parent / "explanations" / "http11.md"
TABLES = {
    "server, theirs": SERVER_THEIRS,
    "server, ours": SERVER_OURS,
    "client, ours": CLIENT_OURS,
    "client, theirs": CLIENT_THEIRS,
}


def diagram(table: Table) -> str:
    """One table as a Mermaid diagram: an arrow from state to state, with all inputs that lead along it."""
    arrows: dict[tuple[State, State], list[str]] = {}
    for (before, what), after in table.items():
        arrows.setdefault((before, after), []).append(what.value)
    order = list(State)
    lines = [f"    [*] --> {State.IDLE.name}"]
    for before, after in sorted(arrows, key=lambda arrow: (order.index(arrow[0]), order.index(arrow[1]))):
        lines.append(f"    {before.name} --> {after.name}: {' / '.join(arrows[before, after])}")
    left = {before for before, _ in table}
    lines += [f"    {state.name} --> [*]" for state in order if state in table.values() and state not in left]
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```"])


def drawn(page: str) -> str:
    """The page with each diagram between its two marks as the tables have it."""
    for name, table in TABLES.items():
        marks = re.compile(rf"(<!-- table: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        page, count = marks.subn(rf"\g<1>{diagram(table)}\n\g<2>", page)
        if count != 1:
            raise ValueError(f"{count} places for the table {name!r}")
    return page


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
