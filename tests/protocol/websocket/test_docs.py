"""The reference of `fraiseql.protocol.websocket` says what the code says."""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import fields
from pathlib import Path

import pytest

from fraiseql.protocol import websocket
from fraiseql.protocol.websocket.state import OURS, THEIRS
from protocol.websocket.driving import connect, wire
from protocol.websocket.test_verdicts import ROWS

ROOT = Path(__file__).parents[3]
REFERENCE = (ROOT / "docs" / "reference" / "websocket.md").read_text(encoding="utf-8")
SOURCE = Path(websocket.__file__).parent


def rows(section: str, table: int = 0) -> list[list[str]]:
    """The cells of a table of a section, its header apart."""
    text = re.search(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", REFERENCE, re.MULTILINE | re.DOTALL)
    assert text is not None, section
    found = re.findall(r"(?:^\|.*\n)+", text[1], re.MULTILINE)[table].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found[2:]]


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def signature(member: object, name: str) -> str:
    if not callable(member):
        return name
    parameters = [parameter for parameter in inspect.signature(member).parameters if parameter != "self"]
    return f"{name}({', '.join(parameters)})"


def test_names():
    assert sorted(name for row in rows("Names") for name in code(row[0])) == sorted(websocket.__all__)


@pytest.mark.parametrize("kind", [websocket.ServerConnection, websocket.Heartbeat], ids=lambda kind: kind.__name__)
def test_members(kind):
    documented = [code(row[0])[0] for row in rows(f"`{kind.__name__}`")]
    assert documented[0] == signature(kind, kind.__name__)
    members = {name for name in dir(kind) if not name.startswith("_")}
    assert sorted(documented[1:]) == sorted(signature(getattr(kind, name), name) for name in members)


def test_the_clients_members_are_the_servers():
    client, server = websocket.ClientConnection, websocket.ServerConnection
    assert code(rows("`ClientConnection`")[0][0]) == [signature(client, "ClientConnection")]
    assert [name for name in dir(client) if name[0] != "_"] == [name for name in dir(server) if name[0] != "_"]


def test_calls_of_the_handshake():
    text = re.search(r"^## Handshake\n(.*?)^## ", REFERENCE, re.MULTILINE | re.DOTALL)
    assert text is not None
    for member in (websocket.accept, websocket.Origins, websocket.ClientHandshake):
        assert f"`{signature(member, member.__name__)}`" in text[1]
    assert [code(row[0])[0] for row in rows("Handshake")] == [field.name for field in fields(websocket.Handshake)]


def test_deflate():
    documented = {code(row[0])[0]: row[1] for row in rows("`Deflate`")}
    assert documented == {field.name: str(field.default) for field in fields(websocket.Deflate)}


def test_events():
    documented = {code(row[0])[0]: code(row[1]) for row in rows("Events")}
    kinds = (*websocket.Sendable.__args__, websocket.ConnectionClosed)
    assert documented == {kind.__name__: list(kind.__match_args__) for kind in kinds}


def test_states():
    assert [code(row[0])[0] for row in rows("States")] == [state.name for state in websocket.State]


@pytest.mark.parametrize(("section", "table"), [("The peer's side", THEIRS), ("Our side", OURS)])
def test_tables(section, table):
    documented = [(code(row[0])[0], row[1], code(row[2])[0]) for row in rows(section)]
    assert documented == [(before.name, what.value, after.name) for (before, what), after in table.items()]


def test_limits():
    documented = {code(row[0])[0]: row[1] for row in rows("Limits")}
    assert documented == {limit.name: str(limit.default) for limit in fields(websocket.WebSocketLimits)}


def documented_errors() -> set[tuple[int, str]]:
    return {(int(row[0]), code(row[1])[0]) for row in rows("Errors")}


def raised() -> set[str]:
    """The text of each refusal that the codec can make, the handshake apart; `…` stands for what is put in."""
    found = set()
    for path in SOURCE.glob("*.py"):
        if path.name in ("handshake.py", "extensions.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("RemoteProtocolError", "LimitExceeded"):
                found |= set(words(node.args[0]))
    return found


def words(node: ast.expr) -> list[str]:
    if isinstance(node, ast.IfExp):
        return [*words(node.body), *words(node.orelse)]
    if isinstance(node, ast.JoinedStr):
        return ["".join([part.value if isinstance(part, ast.Constant) else "…" for part in node.values])]
    return [ast.literal_eval(node)]


def test_errors():
    assert {text for _, text in documented_errors()} == raised()


REFUSED = [(row, role) for row in ROWS for role in row.roles if row.found and isinstance(row.found[-1], int)]


@pytest.mark.parametrize(("row", "role"), REFUSED, ids=[f"{row.name}, {role}" for row, role in REFUSED])
def test_the_text_of_every_refusal_is_documented(row, role):
    conn = connect(role, row.limits, row.deflate)
    conn.receive_data(wire((*row.state, *row.frames), role))
    with pytest.raises(websocket.RemoteProtocolError) as caught:
        list(iter(conn.next_event, websocket.NEED_DATA))
    known = [text for status, text in documented_errors() if status == caught.value.status]
    assert any(re.fullmatch(re.escape(text).replace("…", ".+"), str(caught.value)) for text in known), caught.value


def test_every_documented_text_is_shown_by_a_row():
    shown = set()
    for row, role in REFUSED:
        conn = connect(role, row.limits, row.deflate)
        conn.receive_data(wire((*row.state, *row.frames), role))
        try:
            list(iter(conn.next_event, websocket.NEED_DATA))
        except websocket.RemoteProtocolError as error:
            texts = [text for _, text in documented_errors()]
            shown |= {text for text in texts if re.fullmatch(re.escape(text).replace("…", ".+"), str(error))}
    assert shown == {text for _, text in documented_errors()}
