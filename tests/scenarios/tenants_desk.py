"""What the tests of the multi-tenant example share: its databases, a client with a token, and what it asks."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

from fraiseql import EventBus
from fraiseql.bus import outbox_sql
from fraiseql.observations import Observation
from fraiseql.runtimes.anyio import FraiseQLApp
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.testing.embedded import EmbeddedPostgres

EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))

import tenants  # noqa: E402 - of the examples

__all__ = ["CURSORS", "DOCUMENTS", "REFUSED", "Desk", "desk", "load", "serving", "tenants"]

GRAPHQL_RESPONSE = "application/graphql-response+json"


def load(postgres: EmbeddedPostgres, url: str) -> str:
    """Make the example's database of an empty one, and give where the example's server connects."""
    name = url.rpartition("=")[2]
    postgres.execute(outbox_sql(EventBus.postgresql()), name)
    postgres.execute((EXAMPLES / "tenants.sql").read_text(encoding="utf-8"), name)
    return f"{url} user=desk_server"


@asynccontextmanager
async def serving(
    url: str,
    *,
    seen: list[Observation] | None = None,
    context: Any = tenants.context,
    schema: Any = None,
    **settings: Any,
) -> AsyncIterator[FraiseQLApp]:
    observe = [].append if seen is None else seen.append
    config = FraiseQLConfig(port=0, **settings)
    async with FraiseQLApp(schema or tenants.schema, url, config, context=context, observe=observe) as app:
        with anyio.fail_after(120):
            yield app


class Desk:
    """One HTTP connection; each request has a token of its own."""

    def __init__(self, stream: SocketStream) -> None:
        self.stream = stream
        self._reader = BufferedByteReceiveStream(stream)

    async def send(
        self,
        token: str | None,
        query: str,
        variables: dict[str, Any] | None = None,
        *,
        accept: str = GRAPHQL_RESPONSE,
        key: str | None = None,
    ) -> None:
        body = json.dumps({"query": query, "variables": variables or {}}).encode()
        fields = ["host: test", "content-type: application/json", f"content-length: {len(body)}", f"accept: {accept}"]
        fields += [] if key is None else [f"idempotency-key: {key}"]
        fields += [] if token is None else [f"authorization: Bearer {token}"]
        await self.stream.send("\r\n".join(["POST /graphql HTTP/1.1", *fields, "", ""]).encode() + body)

    async def receive(self) -> tuple[int, bytes]:
        head = (await self._reader.receive_until(b"\r\n\r\n", 65_536)).decode().lower()
        length = int(head.partition("content-length:")[2].partition("\r\n")[0])
        return int(head.split()[1]), await self._reader.receive_exactly(length)

    async def ask(
        self, token: str | None, query: str, variables: dict[str, Any] | None = None, *, key: str | None = None
    ) -> bytes:
        """The body of the answer."""
        await self.send(token, query, variables, key=key)
        return (await self.receive())[1]

    async def data(self, token: str, query: str, variables: dict[str, Any] | None = None) -> Any:
        answer = json.loads(await self.ask(token, query, variables))
        assert "errors" not in answer, answer
        return answer["data"]

    async def codes(self, token: str | None, query: str, variables: dict[str, Any] | None = None) -> list[Any]:
        """The status, and the codes of the errors."""
        await self.send(token, query, variables)
        status, body = await self.receive()
        return [status, *(error["extensions"]["code"] for error in json.loads(body)["errors"])]


@asynccontextmanager
async def desk(app: FraiseQLApp) -> AsyncIterator[Desk]:
    async with await anyio.connect_tcp("127.0.0.1", app.port) as stream:
        with anyio.fail_after(60):
            yield Desk(stream)


_ALL = "title status hours author { name contact { email } } comments { body } labels { name }"

# What acme is answered must not depend on whether there is another organisation. In acme's rows the ids are 1 and 2.
DOCUMENTS: list[tuple[str, dict[str, Any]]] = [
    # by id, and several at once under aliases
    ('{ a: ticket(id: "1") { id } b: ticket(id: "3") { id } c: ticket(id: "99") { id } }', {}),
    ('{ member(id: "3") { id name contact { email } tickets { title } } }', {}),
    ("query ($id: ID!) { ticket(id: $id) { title author { name } } }", {"id": "3"}),
    # everything there is, nested
    (f"{{ tickets {{ {_ALL} }} }}", {}),
    (
        "{ organisations { id name members(limit: 9) { id tickets(limit: 9) { title labels(limit: 9) { name } } } } }",
        {},
    ),
    ("{ labels { name tickets { totalCount nodes { title author { name tickets { title } } } } } }", {}),
    ("{ comments { id body internal ticket { title comments { body ticket { title } } } } }", {}),
    # filters, on the row and across relations
    ('{ tickets(where: {title: {contains: "globex"}}) { id } }', {}),
    ('{ tickets(where: {NOT: {status: {eq: "secret"}}}) { id } }', {}),
    ('{ tickets(where: {OR: [{status: {eq: "secret"}}, {hours: {gt: 50}}]}) { id } }', {}),
    ('{ tickets(where: {author: {name: {eq: "Grace"}}}) { id } }', {}),
    ('{ tickets(where: {author: {contact: {email: {contains: "globex"}}}}) { id } }', {}),
    ('{ tickets(where: {comments: {some: {body: {contains: "globex"}}}}) { id } }', {}),
    ('{ tickets(where: {comments: {none: {body: {contains: "acme"}}}}) { id } }', {}),
    ("{ tickets(where: {comments: {every: {internal: {eq: true}}}}) { id } }", {}),
    ('{ tickets(where: {labels: {some: {name: {contains: "globex"}}}}) { id } }', {}),
    ('{ labels(where: {tickets: {some: {status: {eq: "secret"}}}}) { id } }', {}),
    ('{ organisations(where: {members: {some: {name: {eq: "Grace"}}}}) { id } }', {}),
    ("{ members(where: {tickets: {aggregate: {sum: {hours: {gt: 1}}}}}) { id } }", {}),
    ("{ tickets(where: {comments: {aggregate: {count: {gt: 0}}}}) { id } }", {}),
    ("query ($w: TicketWhereInput) { tickets(where: $w) { id } }", {"w": {"id": {"in": ["1", "3", "4"]}}}),
    ("query ($w: TicketWhereInput) { tickets(where: $w) { id } }", {"w": {"title": {"eq": "x') or true --"}}}),
    # orders, pages and cursors
    ("{ tickets(orderBy: [{author: {name: DESC}}, {hours: DESC}]) { id } }", {}),
    ("{ tickets(orderBy: [{comments: {count: DESC}}, {id: ASC}], limit: 1, offset: 1) { id } }", {}),
    ("{ ticketPages(first: 1) { totalCount edges { cursor node { id } } pageInfo { hasNextPage endCursor } } }", {}),
    ("{ ticketPages(last: 1) { nodes { id } pageInfo { hasPreviousPage hasNextPage startCursor } } }", {}),
    # figures
    ("{ ticketSummary { count countDistinct { status } sum { hours } avg { hours } max { title hours } } }", {}),
    ('{ ticketSummary(where: {status: {eq: "secret"}}) { count max { title } } }', {}),
    ("{ ticketGroups(orderBy: [{count: DESC}, {key: {status: ASC}}]) { key { status } count sum { hours } } }", {}),
    ("{ ticketGroups(having: {sum: {hours: {gt: 100}}}) { key { status } count } }", {}),
    ("{ members { name ticketSummary { count max { hours } } } }", {}),
    # search
    ('{ tickets(where: {title: {search: {plain: "printer"}}}) { title } }', {}),
    ('{ tickets(orderBy: [{searchRank: {title: {websearch: "printer or globex"}}}]) { id } }', {}),
    # PostgreSQL reads the pattern for a row that may be read and has the status; there is none
    ('{ tickets(where: {status: {eq: "secret"}, title: {matches: "("}}) { id } }', {}),
    ("{ __schema { types { name fields { name } } } ticketSummary { count } }", {}),
]

REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("query ($id: ID!) { ticket(id: $id) { title author { name } } }", {"id": "3' or '1' = '1"}),
    ('{ tickets(where: {title: {matches: "("}}) { id } }', {}),
    ('{ ticketPages(after: "nonsense") { nodes { id } } }', {}),
    ('{ tickets(where: {organisationId: {eq: "acme"}}) { id } }', {}),
]

# Asked with a cursor that another organisation was given.
CURSORS = [
    "query ($c: String) { ticketPages(first: 5, after: $c) { totalCount nodes { id } pageInfo { hasPreviousPage } } }",
    "query ($c: String) { ticketPages(last: 5, before: $c) { totalCount nodes { id } pageInfo { hasNextPage } } }",
]
