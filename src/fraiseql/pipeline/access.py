"""What `info.db` does, as programs: a user's own SQL, typed selections, transactions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fraiseql.effects import Execute, Isolation, Program, ResultSet, Settings, begin, commit, execute, fetch, rollback
from fraiseql.errors import DatabaseError
from fraiseql.pipeline.finding import Finder

__all__ = ["DatabaseAccess"]


class DatabaseAccess:
    """The database as one operation may use it, or what is inside of a transaction's block.

    Args:
        finder: makes typed selections.
        settings: gives what PostgreSQL is told before each statement; asked once, before the first.
        transaction: that everything goes through; None outside of one.
        depth: how many blocks this is inside of.
        savepoint: that the innermost of them began with; empty where that began the transaction itself.

    Attributes:
        shared: what the runtime keeps for all calls of the operation.
    """

    __slots__ = ("_ask", "_depth", "_finder", "_savepoint", "_told", "shared", "transaction")

    def __init__(
        self,
        finder: Finder,
        settings: Callable[[], Settings],
        transaction: Any = None,
        depth: int = 0,
        savepoint: str = "",
    ) -> None:
        self._finder = finder
        self._ask = settings
        self._told: Settings | None = None
        self._depth = depth
        self._savepoint = savepoint
        self.transaction = transaction
        self.shared: Any = None

    @property
    def settings(self) -> Settings:
        """What PostgreSQL is told before each statement; raises RequestError where the caller does not say it."""
        if self._told is None:
            self._told = self._ask()
        return self._told

    @property
    def _is_guarded(self) -> bool:
        """Whether the transaction goes on after an error: that of a mutation does, a block is undone as a whole."""
        return self.transaction is not None and not self._depth

    def run(self, sql: str, parameters: tuple[Any, ...]) -> Program[ResultSet]:
        """Run a statement with `$1`, `$2`, ... for its parameters; raises DatabaseError."""
        told, transaction, guarded = self.settings, self.transaction, self._is_guarded
        return execute(Execute(sql, parameters, settings=told, transaction=transaction, guarded=guarded))

    def fetch_all(self, sql: str, parameters: tuple[Any, ...]) -> Program[list[dict[str, Any]]]:
        """Its rows, as dicts by their columns' names."""
        result = yield from self.run(sql, parameters)
        return [dict(zip(result.columns, row, strict=True)) for row in result.rows]

    def fetch_one(self, sql: str, parameters: tuple[Any, ...]) -> Program[dict[str, Any] | None]:
        """Its first row; None where there is none."""
        result = yield from self.run(sql, parameters)
        return dict(zip(result.columns, result.rows[0], strict=True)) if result.rows else None

    def fetch_value(self, sql: str, parameters: tuple[Any, ...]) -> Program[Any]:
        """The first column of its first row; None where there is none."""
        result = yield from self.run(sql, parameters)
        return result.rows[0][0] if result.rows and result.rows[0] else None

    def execute(self, sql: str, parameters: tuple[Any, ...]) -> Program[int]:
        """How many rows it inserted, updated, deleted or selected."""
        return (yield from self.run(sql, parameters)).affected

    def find(
        self,
        declared: Any,
        where: Mapping[str, Any] | None,
        order_by: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None,
        limit: int | None,
        offset: int | None,
        fields: Sequence[str] | None,
    ) -> Program[list[Any]]:
        """Instances of a class; raises ValueError for what does not fit, DatabaseError."""
        search = self._finder.search(declared, where, order_by, limit, offset, fields)
        told, transaction, guarded = self.settings, self.transaction, self._is_guarded
        row = yield from fetch(
            search.statement, search.parameters, settings=told, transaction=transaction, guarded=guarded
        )
        return search.load(row)

    def find_one(
        self,
        declared: Any,
        where: Mapping[str, Any] | None,
        id: Any,
        order_by: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None,
        fields: Sequence[str] | None,
    ) -> Program[Any]:
        """The first of them; None where there is none."""
        conditions = [] if where is None else [where]
        if id is not None:
            conditions.append({"id": {"eq": id}})
        if not conditions:
            raise ValueError("find_one: found neither id nor where; expected one of them")
        both = conditions[0] if len(conditions) == 1 else {"AND": conditions}
        found = yield from self.find(declared, both, order_by, 1, None, fields)
        return found[0] if found else None

    def begin(self, isolation: Isolation) -> Program[DatabaseAccess]:
        """Begin a transaction, or inside of one a savepoint, and give what is inside; raises DatabaseError."""
        if self.transaction is None:
            return self._inside((yield from begin(isolation)), "")
        if isolation is not Isolation.READ_COMMITTED:
            raise ValueError(f"transaction: {isolation.value} inside of a transaction, which has begun otherwise")
        inside = self._inside(self.transaction, f"fraiseql_{self._depth + 1}")
        yield from inside.run(f"savepoint {inside._savepoint}", ())
        return inside

    def commit(self) -> Program[None]:
        """End the block that this is inside of with success; raises DatabaseError, and has undone it then."""
        if not self._savepoint:
            return (yield from commit(self.transaction, self._told or ()))
        try:
            yield from self.run(f"release savepoint {self._savepoint}", ())
        except DatabaseError:  # a statement in it has failed
            yield from self.rollback()
            raise

    def rollback(self) -> Program[None]:
        """Undo what was done in the block; raises DatabaseError where a savepoint is lost with its connection."""
        if self._savepoint:
            yield from self.run(f"rollback to savepoint {self._savepoint}", ())
        else:
            yield from rollback(self.transaction)

    def _inside(self, transaction: Any, savepoint: str) -> DatabaseAccess:
        return DatabaseAccess(self._finder, lambda: self.settings, transaction, self._depth + 1, savepoint)
