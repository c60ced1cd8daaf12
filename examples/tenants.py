"""A help desk for many organisations in one database, kept apart by PostgreSQL's row-level security.

Load what `fraiseql outbox` prints and tenants.sql as the owner, then serve as a role that policies bind:

    FRAISEQL_DATABASE_URL=postgresql://desk_server@/desk python examples/tenants.py
    curl -s http://127.0.0.1:8000/graphql -H 'Authorization: Bearer ada' -H 'Content-Type: application/json' \\
        -d '{"query": "{ tickets { title } }"}'
"""

from __future__ import annotations

from decimal import Decimal

import anyio

import fraiseql
from fraiseql import ID, Caller, ClientRequest, DatabaseContext, RequestError, Setting

# Whoever shows which token. A real server looks it up, or checks a signature.
TOKENS = {
    "Bearer ada": Caller("1", "acme", {"locale": "en"}, frozenset({"agent", "support"})),
    "Bearer alan": Caller("2", "acme", {"locale": "fr"}, frozenset({"reader"})),
    "Bearer grace": Caller("3", "globex", {"locale": "en"}, frozenset({"agent", "support"})),
    "Bearer robot": Caller("4", None, None, frozenset({"reader"})),  # of no organisation
}


async def context(request: ClientRequest) -> Caller:
    """Who asks: a header says it, or what a browser's WebSocket sends first, as it can set no headers."""
    token = request.header("authorization") or (request.payload or {}).get("authorization")
    caller = TOKENS.get(token) if isinstance(token, str) else None
    if caller is None:
        raise RequestError("Show a token.", code="UNAUTHENTICATED")
    return caller


database_context = DatabaseContext(
    settings={
        "desk.organisation": "tenant_id",
        "desk.member": "user_id",
        "desk.roles": "roles",
        "desk.locale": Setting("context.locale", required=False),
    },
    role="roles",
    roles={"agent": "desk_agent", "reader": "desk_reader"},
)


@fraiseql.type(sql_source="organisations", jsonb_column=None)
class Organisation:
    """Whose tickets they are."""

    id: ID
    name: str
    members: list[Member] = fraiseql.relation(on={"organisation_id": "id"})


@fraiseql.type
class Contact:
    """How to reach somebody; it lives inside the member's document."""

    email: str


@fraiseql.type(sql_source="v_member")
class Member:
    """Somebody of an organisation."""

    id: ID = fraiseql.field(column="id")
    name: str
    contact: Contact
    tickets: list[Ticket] = fraiseql.relation(on={"author_id": "id"})
    ticket_summary: fraiseql.Aggregate[Ticket] = fraiseql.relation(on={"author_id": "id"})


@fraiseql.type(sql_source="tickets", jsonb_column=None)
class Ticket:
    """What somebody asks for."""

    id: ID
    title: str
    status: str
    hours: Decimal
    author: Member = fraiseql.relation(on={"id": "author_id"})
    comments: list[Comment] = fraiseql.relation(on={"ticket_id": "id"})
    labels: list[Label] = fraiseql.relation(through="ticket_labels", own={"ticket_id": "id"}, on={"id": "label_id"})


@fraiseql.type(sql_source="comments", jsonb_column=None)
class Comment:
    """What somebody says about a ticket."""

    id: ID
    ticket_id: ID
    body: str
    internal: bool
    ticket: Ticket = fraiseql.relation(on={"id": "ticket_id"})


@fraiseql.type(sql_source="labels", jsonb_column=None)
class Label:
    """What tickets have in common."""

    id: ID
    name: str
    tickets: fraiseql.Connection[Ticket] = fraiseql.relation(
        through="ticket_labels", own={"label_id": "id"}, on={"id": "ticket_id"}
    )


# Nobody chooses an id: that one is taken already would tell of another organisation's row.
fraiseql.crud(Ticket, create=True, update=True, delete=True, generated=["id"], optional=["status", "hours"])
fraiseql.crud(Comment, create=True, generated=["id"], optional=["internal"])


@fraiseql.query
def organisations() -> list[Organisation]: ...


@fraiseql.query
def members() -> list[Member]: ...


@fraiseql.query
def member(id: ID) -> Member | None: ...


@fraiseql.query
def tickets() -> list[Ticket]: ...


@fraiseql.query
def ticket(id: ID) -> Ticket | None: ...


@fraiseql.query
def ticket_pages() -> fraiseql.Connection[Ticket]: ...


@fraiseql.query
def ticket_summary() -> fraiseql.Aggregate[Ticket]: ...


@fraiseql.query
def ticket_groups() -> list[fraiseql.Group[Ticket]]: ...


@fraiseql.query
def comments() -> list[Comment]: ...


@fraiseql.query
def labels() -> list[Label]: ...


@fraiseql.subscription
def live_tickets() -> list[Ticket]:
    """The tickets, again whenever they have changed."""


@fraiseql.subscription(topic="ticket.changed")
def ticket_changed(status: str | None) -> Ticket:
    """Each ticket that was changed, as whoever asks may read it."""


@fraiseql.subscription(topic="ticket.changed", by="id")
def ticket_watched(id: ID) -> Ticket | None:
    """One ticket, each time it was changed; null once it is gone."""


schema = fraiseql.Schema(
    types=[Organisation, Member, Ticket, Comment, Label],
    queries=[
        *(
            organisations,
            members,
            member,
            tickets,
            ticket,
            ticket_pages,
            ticket_summary,
            ticket_groups,
            comments,
            labels,
        ),
    ],
    subscriptions=[live_tickets, ticket_changed, ticket_watched],
    database_context=database_context,
)

if __name__ == "__main__":
    anyio.run(lambda: fraiseql.serve(schema, context=context))
