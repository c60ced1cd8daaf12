"""The pages about `fraiseql.protocol.http11` say what the code says."""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import fields
from pathlib import Path

import pytest
from docs.http11_states import PAGE, TABLES, diagram, drawn

from fraiseql.protocol import http11
from fraiseql.protocol.http11.state import Input
from protocol.http11.test_verdicts import ROWS

ROOT = Path(__file__).parents[1]
REFERENCE = (ROOT / "docs" / "reference" / "http11.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / "examples" / "http11_echo.py").read_text(encoding="utf-8")
HOW_TO = (ROOT / "docs" / "how-to" / "use-the-http11-machine.md").read_text(encoding="utf-8")
SOURCE = Path(http11.__file__).parent
HEADS = (http11.Request, http11.InformationalResponse, http11.Response)


def rows(section: str, table: int = 0) -> list[list[str]]:
    """The cells of a table of a section, its header apart."""
    text = re.search(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", REFERENCE, re.MULTILINE | re.DOTALL)
    assert text is not None, section
    found = re.findall(r"(?:^\|.*\n)+", text[1], re.MULTILINE)[table].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found[2:]]


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_names():
    assert sorted(name for row in rows("Names") for name in code(row[0])) == sorted(http11.__all__)


@pytest.mark.parametrize("kind", [http11.ServerConnection, http11.ClientConnection], ids=lambda kind: kind.__name__)
def test_members_of_a_connection(kind):
    documented = [code(row[0])[0] for row in rows(f"`{kind.__name__}`")]
    assert documented[0] == signature(kind, kind.__name__)
    members = {name for name in dir(kind) if not name.startswith("_")}
    assert sorted(documented[1:]) == sorted(signature(getattr(kind, name), name) for name in members)


def signature(member: object, name: str) -> str:
    if not callable(member):
        return name
    parameters = [parameter for parameter in inspect.signature(member).parameters if parameter != "self"]
    return f"{name}({', '.join(parameters)})"


def test_events():
    documented = {code(row[0])[0]: code(row[1]) for row in rows("Events")}
    events = [*HEADS, http11.Data, http11.EndOfMessage, http11.ConnectionClosed]
    assert documented == {event.__name__: list(event.__match_args__) for event in events}


def test_what_heads_answer():
    documented = {code(row[0])[0]: row[1] for row in rows("Events", 1)}
    public = {kind: {name for name in dir(kind) if not name.startswith("_")} for kind in HEADS}
    expected = {}
    for name in set.union(*public.values()) - {"headers", "method", "target", "http_version", "status", "reason"}:
        owners = [kind.__name__ for kind in HEADS if name in public[kind]]
        of = "all heads" if len(owners) == len(HEADS) else f"`{owners[0]}`"
        expected[signature(getattr(http11.Request, name), name)] = of
    assert documented == expected


def test_signals_and_states():
    assert [code(row[0])[0] for row in rows("Signals")] == [signal.name for signal in http11.Signal]
    assert [code(row[0])[0] for row in rows("States")] == [state.name for state in http11.State]


def test_inputs():
    assert [row[0] for row in rows("Inputs")] == [what.value for what in Input]


def test_deadlines():
    documented = {code(row[0])[0]: code(row[1])[0] for row in rows("Deadlines")}
    assert documented == {kind.name: f"{kind.value}_timeout" for kind in http11.DeadlineKind}


def test_limits():
    documented = {code(row[0])[0]: row[1] for row in rows("Limits")}
    assert documented == {limit.name: str(limit.default) for limit in fields(http11.HttpLimits)}


# Errors


def raised(path: Path) -> set[tuple[int, str]]:
    """Status and text of each refusal that a module can make; `…` stands for what is put in."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    status_by_default = 502 if path.name == "client.py" else 400
    found, names = set(), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Tuple | ast.Constant):
            names[ast.unparse(node.target)] = node.value
    for name, value in names.items():
        if name.startswith("_LONG") and isinstance(value, ast.Tuple):
            found.add(ast.literal_eval(value)[::-1])
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("RemoteProtocolError", "LimitExceeded"):
            text = words(node.args[0], names)
            status = [ast.literal_eval(keyword.value) for keyword in node.keywords if text]
            found |= {(status[0] if status else status_by_default, text)} if text else set()
    return found


def words(node: ast.expr, names: dict[str, ast.expr]) -> str | None:
    node = names.get(ast.unparse(node), node)
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
    return None  # the cursor's, which is made of its table


def documented_errors() -> set[tuple[int, str]]:
    return {(int(row[0]), code(row[1])[0]) for row in rows("Errors")}


def test_errors():
    found = set().union(*[raised(path) for path in SOURCE.glob("*.py")])
    assert len(found) > 30, "the refusals were not found"
    assert documented_errors() == found | {(400, "expected …, not byte 0x…")}


@pytest.mark.parametrize("row", [row for row in ROWS if isinstance(row.verdict, int)], ids=lambda row: row.name)
def test_the_text_of_every_refusal_is_documented(row):
    conn = http11.ServerConnection()
    conn.receive_data(row.raw)
    with pytest.raises(http11.RemoteProtocolError) as caught:
        list(iter(conn.next_event, http11.NEED_DATA))
    text = re.sub(r" \(.*\)$", "", str(caught.value))
    known = [words for status, words in documented_errors() if status == caught.value.status]
    assert any(re.fullmatch(re.escape(words).replace("…", ".+"), text) for words in known), text


# The diagrams and the example


def test_the_diagrams_are_those_of_the_tables():
    page = PAGE.read_text(encoding="utf-8")
    assert drawn(page) == page, "`python docs/http11_states.py` draws them"
    for table in TABLES.values():
        arrows = re.findall(r"^ +(\w+) --> (\w+): (.*)$", diagram(table), re.MULTILINE)
        inputs = {(before, what): after for before, after, label in arrows for what in label.split(" / ")}
        assert inputs == {(before.name, what.value): after.name for (before, what), after in table.items()}
        assert diagram(table) in page


def test_a_changed_table_changes_the_diagram():
    table = dict(TABLES["server, ours"])
    table.popitem()
    assert diagram(table) != diagram(TABLES["server, ours"])
    with pytest.raises(ValueError, match="0 places"):
        drawn("no marks")


def test_the_code_of_the_how_to_is_that_of_the_example():
    blocks = re.findall(r"^```python\n(.*?)^```$", HOW_TO, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 5
    for block in blocks:
        assert block in EXAMPLE, block
