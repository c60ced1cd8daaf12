"""What `info.db` does, as programs: a user's own SQL, typed selections, transactions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fraiseql.effects import Execute, Isolation, Program, ResultSet, Settings, begin, commit, execute, fetch, rollback
from fraiseql.errors import DatabaseError
from fraiseql.pipeline.finding import Finder

__all__ = ["DatabaseAccess", "Level"]


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """A transaction under way, or a savepoint in one.

    Attributes:
        savepoint: its name; empty for the transaction itself.
        outer: the handle that was there before it.
    """

    savepoint: str
    outer: Any


class DatabaseAccess:
    """The database as one operation may use it; `for_call` gives each call one of its own.

    Args:
        finder: makes typed selections.
        settings: gives what PostgreSQL is told before each statement; asked once, before the first.
        transaction: that everything goes through; None outside of one.

    Attributes:
        shared: what the runtime keeps for all calls of the operation.
    """

    __slots__ = ("_ask", "_depth", "_finder", "_told", "shared", "transaction")

    def __init__(self, finder: Finder, settings: Callable[[], Settings], transaction: Any = None) -> None:
        self._finder = finder
        self._ask = settings
        self._told: Settings | None = None
        self._depth = 0
        self.transaction = transaction
        self.shared: Any = None

    def for_call(self) -> DatabaseAccess:
        """The same, with transactions of its own."""
        return DatabaseAccess(self._finder, lambda: self.settings, self.transaction)

    @property
    def settings(self) -> Settings:
        """What PostgreSQL is told before each statement; raises RequestError where the caller does not say it."""
        if self._told is None:
            self._told = self._ask()
        return self._told

    def run(self, sql: str, parameters: tuple[Any, ...]) -> Program[ResultSet]:
        """Run a statement with `$1`, `$2`, ... for its parameters; raises DatabaseError."""
        return execute(Execute(sql, parameters, settings=self.settings, transaction=self.transaction))

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
        row = yield from fetch(
            search.statement, search.parameters, settings=self.settings, transaction=self.transaction
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

    def begin(self, isolation: Isolation) -> Program[Level]:
        """Begin a transaction, or inside of one a savepoint; raises DatabaseError."""
        outer = self.transaction
        if outer is None:
            self.transaction = yield from begin(isolation)
            return Level("", None)
        if isolation is not Isolation.READ_COMMITTED:
            raise ValueError(f"transaction: {isolation.value} inside of a transaction, which has begun otherwise")
        self._depth += 1
        level = Level(f"fraiseql_{self._depth}", outer)
        try:
            yield from self.run(f"savepoint {level.savepoint}", ())
        except BaseException:
            self._depth -= 1
            raise
        return level

    def commit(self, level: Level) -> Program[None]:
        """End it with success; raises DatabaseError, and has undone it then."""
        transaction = self._leave(level)
        if level.savepoint:
            try:
                yield from self.run(f"release savepoint {level.savepoint}", ())
            except DatabaseError:  # a statement in it has failed
                yield from self.run(f"rollback to savepoint {level.savepoint}", ())
                raise
        else:
            yield from commit(transaction, self._told or ())

    def rollback(self, level: Level) -> Program[None]:
        """Undo what was done since; raises DatabaseError where a savepoint is lost with its connection."""
        transaction = self._leave(level)
        if level.savepoint:
            yield from self.run(f"rollback to savepoint {level.savepoint}", ())
        else:
            yield from rollback(transaction)

    def _leave(self, level: Level) -> Any:
        transaction, self.transaction = self.transaction, level.outer
        if level.savepoint:
            self._depth -= 1
        return transaction
