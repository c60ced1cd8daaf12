"""Strawberry on FastAPI with asyncpg: dataloaders, and its caches of parsed and validated documents.

Run by `uvicorn strawberry_app:app --loop uvloop --http httptools`; DATABASE_URL says where PostgreSQL is.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import orjson
import strawberry
from fastapi import FastAPI
from strawberry.dataloader import DataLoader
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.fastapi import BaseContext, GraphQLRouter

CONNECTIONS = 10  # as all contenders

USERS = "select id, name, email from users order by id limit $1"
USERS_BY_ID = "select id, name, email from users where id = any($1)"
POSTS_BY_AUTHOR = """
select p.* from unnest($1::integer[]) a(id), lateral (
  select id, author_id, title, created_at from posts where author_id = a.id order by created_at desc, id limit $2
) p
"""
COMMENTS_BY_POST = """
select c.* from unnest($1::integer[]) p(id), lateral (
  select id, post_id, author_id, body from comments where post_id = p.id order by id limit $2
) c
"""


class Context(BaseContext):
    """What one request shares: its loaders, one for each relation and limit."""

    def __init__(self) -> None:
        super().__init__()
        self.users: DataLoader[int, User | None] = DataLoader(load_users)
        self._children: dict[tuple[str, int], DataLoader[int, list[Any]]] = {}

    def posts(self, limit: int) -> DataLoader[int, list[Post]]:
        return self._loader("posts", load_posts, limit)

    def comments(self, limit: int) -> DataLoader[int, list[Comment]]:
        return self._loader("comments", load_comments, limit)

    def _loader(self, name: str, load: Any, limit: int) -> DataLoader[int, list[Any]]:
        key = (name, limit)
        if key not in self._children:
            self._children[key] = DataLoader(lambda keys: load(keys, limit))
        return self._children[key]


Info = strawberry.Info[Context, None]


@strawberry.type
class User:
    number: strawberry.Private[int]
    id: strawberry.ID
    name: str
    email: str

    @strawberry.field
    async def posts(self, info: Info, limit: int) -> list[Post]:
        return await info.context.posts(limit).load(self.number)


@strawberry.type
class Post:
    number: strawberry.Private[int]
    id: strawberry.ID
    title: str
    created_at: dt.datetime

    @strawberry.field
    async def comments(self, info: Info, limit: int) -> list[Comment]:
        return await info.context.comments(limit).load(self.number)


@strawberry.type
class Comment:
    author_number: strawberry.Private[int]
    id: strawberry.ID
    body: str

    @strawberry.field
    async def author(self, info: Info) -> User:
        author = await info.context.users.load(self.author_number)
        assert author is not None, "a foreign key holds it"
        return author


@strawberry.type
class Query:
    @strawberry.field
    async def users(self, limit: int) -> list[User]:
        return [_user(row) for row in await pool.fetch(USERS, limit)]

    @strawberry.field
    async def user(self, info: Info, id: strawberry.ID) -> User | None:
        return await info.context.users.load(int(id))


def _user(row: asyncpg.Record) -> User:
    return User(number=row["id"], id=strawberry.ID(str(row["id"])), name=row["name"], email=row["email"])


async def load_users(keys: Sequence[int]) -> list[User | None]:
    found = {row["id"]: _user(row) for row in await pool.fetch(USERS_BY_ID, keys)}
    return [found.get(key) for key in keys]


async def load_posts(keys: Sequence[int], limit: int) -> list[list[Post]]:
    found: dict[int, list[Post]] = {key: [] for key in keys}
    for row in await pool.fetch(POSTS_BY_AUTHOR, keys, limit):
        number = row["id"]
        post = Post(number=number, id=strawberry.ID(str(number)), title=row["title"], created_at=row["created_at"])
        found[row["author_id"]].append(post)
    return list(found.values())


async def load_comments(keys: Sequence[int], limit: int) -> list[list[Comment]]:
    found: dict[int, list[Comment]] = {key: [] for key in keys}
    for row in await pool.fetch(COMMENTS_BY_POST, keys, limit):
        comment = Comment(author_number=row["author_id"], id=strawberry.ID(str(row["id"])), body=row["body"])
        found[row["post_id"]].append(comment)
    return list(found.values())


class Router(GraphQLRouter[Context, None]):
    def decode_json(self, data: str | bytes) -> object:
        return orjson.loads(data)

    def encode_json(self, data: object) -> bytes:
        return orjson.dumps(data)


async def keep(connection: asyncpg.Connection) -> None:
    """In place of asyncpg's reset of a connection, a round trip: nothing here leaves anything in a session."""


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    global pool
    async with asyncpg.create_pool(
        os.environ["DATABASE_URL"], min_size=CONNECTIONS, max_size=CONNECTIONS, reset=keep
    ) as pool:
        yield


pool: asyncpg.Pool
schema = strawberry.Schema(Query, extensions=[ParserCache(), ValidationCache()])
app = FastAPI(lifespan=lifespan)
app.include_router(Router(schema, context_getter=Context), prefix="/graphql")
