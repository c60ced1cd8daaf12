"""Rows as the oracle takes them: by source as `sql_source` names it, each a mapping from column to native value.

jsonb columns hold what Python's `json` would read of them, with Decimal for numbers whose digits count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from fraiseql.cli.demo.data import Blog, UserRow

__all__ = ["Rows", "blog_rows"]

Rows = Mapping[str, Sequence[Mapping[str, Any]]]

_CENT = Decimal("0.01")


def blog_rows(blog: Blog) -> Rows:
    """Those of the sample blog: two tables, and the view of users."""
    return {
        "v_user": [{"id": user.id, "data": _document(user)} for user in blog.users],
        "posts": [{**row, "price": _exact(row["price"])} for row in _columns(blog.posts)],
        "comments": _columns(blog.comments),
    }


def _exact(amount: Decimal | None) -> Decimal | None:
    """With two decimals, as the columns of amounts have."""
    return None if amount is None else amount.quantize(_CENT)


def _columns(rows: Iterable[Any]) -> list[dict[str, Any]]:
    return [{name: getattr(row, name) for name in row.__slots__} for row in rows]


def _document(user: UserRow) -> dict[str, Any]:
    """As the view makes it."""
    return {
        "id": user.id,
        "key": str(user.key),
        "name": user.name,
        "email": user.email,
        "role": user.role,
        "is_active": user.active,
        "karma": user.karma,
        "rating": user.rating,
        "balance": _exact(user.balance),
        "birthday": user.birthday and user.birthday.isoformat(),
        "digest_at": user.digest_at and user.digest_at.isoformat(),
        "created_at": user.created_at.isoformat(),
        **user.profile,
    }
