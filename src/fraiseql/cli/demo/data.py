"""The rows of the sample blog, the same on every machine and every run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from fraiseql.cli.demo import words

__all__ = ["Blog", "CommentRow", "PostRow", "UserRow", "generate"]

_Item = TypeVar("_Item")

_EPOCH = dt.datetime(2022, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class UserRow:
    """One row of `users`, in the order of its columns."""

    id: int
    key: UUID
    name: str
    email: str | None
    role: str
    active: bool
    karma: int
    rating: float | None
    balance: Decimal
    birthday: dt.date | None
    digest_at: dt.time | None
    created_at: dt.datetime
    profile: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PostRow:
    """One row of `posts`, in the order of its columns."""

    id: int
    key: UUID
    author_id: int
    title: str
    body: str
    status: str
    featured: bool
    views: int
    score: float | None
    price: Decimal | None
    published_on: dt.date | None
    created_at: dt.datetime
    metadata: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class CommentRow:
    """One row of `comments`, in the order of its columns."""

    id: int
    post_id: int
    author_id: int | None
    body: str
    likes: int
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Blog:
    """All rows of the sample, each list in the order of its ids, which count from 1."""

    users: tuple[UserRow, ...]
    posts: tuple[PostRow, ...]
    comments: tuple[CommentRow, ...]


def generate(*, users: int = 1_000, posts: int = 10_000, comments: int = 20_000) -> Blog:
    """Make the rows; the same counts always give the same rows.

    Args:
        users: how many, at least 1 where there are posts.
        posts: how many, at least 1 where there are comments.
        comments: how many.
    """
    numbers = _Numbers()
    return Blog(
        users=tuple(_user(number, numbers) for number in range(1, users + 1)),
        posts=tuple(_post(number, users, numbers) for number in range(1, posts + 1)),
        comments=tuple(_comment(number, users, posts, numbers) for number in range(1, comments + 1)),
    )


class _Numbers:
    """A linear congruential generator (Knuth's MMIX constants): Python's own may change between versions."""

    def __init__(self) -> None:
        self._state = 20_240_229

    def bits(self) -> int:
        """31 bits; the low ones of such a generator are weak and left out."""
        self._state = (self._state * 6_364_136_223_846_793_005 + 1_442_695_040_888_963_407) & 0xFFFF_FFFF_FFFF_FFFF
        return self._state >> 33

    def below(self, bound: int) -> int:
        return self.bits() * bound >> 31

    def one_in(self, count: int) -> bool:
        return self.below(count) == 0

    def choice(self, items: Sequence[_Item]) -> _Item:
        return items[self.below(len(items))]

    def uuid(self) -> UUID:
        return UUID(int=self.bits() << 97 | self.bits() << 66 | self.bits() << 35 | self.bits(), version=4)


def _user(number: int, numbers: _Numbers) -> UserRow:
    first, last = numbers.choice(words.FIRST_NAMES), numbers.choice(words.LAST_NAMES)
    name = words.AWKWARD_NAMES[number - 2] if 2 <= number < len(words.AWKWARD_NAMES) + 2 else f"{first} {last}"
    return UserRow(
        id=number,
        key=numbers.uuid(),
        name=name,
        email=None if numbers.one_in(8) else f"user{number}@example.com",
        role="admin" if number == 1 else numbers.choice(("editor", "author", "author", "reader", "reader")),
        active=not numbers.one_in(10),
        karma=numbers.below(5_000) - 500,
        rating=None if numbers.one_in(5) else numbers.below(41) / 8,
        balance=Decimal(numbers.below(2_000_000) - 100_000) / 100,
        birthday=None if numbers.one_in(4) else dt.date(1950, 1, 1) + dt.timedelta(days=numbers.below(20_000)),
        digest_at=None if numbers.one_in(3) else dt.time(numbers.below(24), 15 * numbers.below(4)),
        created_at=_EPOCH + dt.timedelta(hours=numbers.below(8_760), microseconds=numbers.below(1_000_000)),
        profile=_profile(number, numbers),
    )


def _profile(number: int, numbers: _Numbers) -> dict[str, Any]:
    profile: dict[str, Any] = {
        "bio": words.AWKWARD_TEXTS[number % len(words.AWKWARD_TEXTS)] if numbers.one_in(3) else None,
        "links": [
            {"label": label, "url": f"https://{label}.example.com/u/{number}"}
            for label in ("blog", "code", "photos")[: numbers.below(4)]
        ],
        "tags": [numbers.choice(words.TAGS) for _ in range(numbers.below(4))],
    }
    if not numbers.one_in(6):  # a missing key is a null too
        city, country = numbers.choice(words.CITIES)
        profile["address"] = {
            "street": f"{numbers.choice(words.STREETS)} {1 + numbers.below(200)}",
            "city": city,
            "postcode": None if numbers.one_in(4) else f"{10_000 + numbers.below(90_000)}",
            "country": {"code": country, "name": words.COUNTRIES[country]},
        }
    return profile


def _post(number: int, users: int, numbers: _Numbers) -> PostRow:
    created_at = _EPOCH + dt.timedelta(days=365, minutes=120 * number + numbers.below(120))
    status = numbers.choice(("published", "published", "published", "draft", "archived"))
    title = f"{numbers.choice(words.OPENINGS)} {numbers.choice(words.SUBJECTS)}"
    return PostRow(
        id=number,
        key=numbers.uuid(),
        author_id=_writer(users, numbers),
        title=f"{title} {numbers.choice(words.ENDINGS)}" if numbers.one_in(2) else title,
        body=_text(number, numbers),
        status=status,
        featured=numbers.one_in(12),
        views=numbers.below(100_000),
        score=None if numbers.one_in(3) else numbers.below(10_000) / 1_000,
        price=None if numbers.one_in(2) else Decimal(numbers.below(5_000)) / 100,
        published_on=None if status == "draft" else created_at.date(),
        created_at=created_at,
        metadata={"words": numbers.below(2_000), "sources": [None, 1.5, {"a": True}]} if numbers.one_in(4) else None,
    )


def _comment(number: int, users: int, posts: int, numbers: _Numbers) -> CommentRow:
    return CommentRow(
        id=number,
        post_id=1 + numbers.below(posts),
        author_id=None if numbers.one_in(10) else _writer(users, numbers),
        body=_text(number, numbers),
        likes=numbers.below(50),
        created_at=_EPOCH + dt.timedelta(days=1_300, minutes=10 * number),
    )


def _writer(users: int, numbers: _Numbers) -> int:
    """A user's id; the low ids write more, and the last tenth only reads."""
    writers = max(1, users - users // 10)
    return 1 + min(numbers.below(writers), numbers.below(writers))


def _text(number: int, numbers: _Numbers) -> str:
    if number % 25 == 3:
        return words.AWKWARD_TEXTS[number // 25 % len(words.AWKWARD_TEXTS)]
    return " ".join(numbers.choice(words.SENTENCES) for _ in range(1 + numbers.below(3)))
