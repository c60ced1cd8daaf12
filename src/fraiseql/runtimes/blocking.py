"""`info.db` of plain functions, wherever they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from fraiseql.effects import Program
from fraiseql.pipeline.access import DatabaseAccess

__all__ = ["StatementsThatWait"]

_Declared = TypeVar("_Declared")
_Result = TypeVar("_Result")


class StatementsThatWait:
    """All of fraiseql.BlockingDatabase but its transactions."""

    __slots__ = ()

    def fetch_all(self, sql: str, /, *parameters: Any) -> list[dict[str, Any]]:
        return self._run(lambda access: access.fetch_all(sql, parameters))

    def fetch_one(self, sql: str, /, *parameters: Any) -> dict[str, Any] | None:
        return self._run(lambda access: access.fetch_one(sql, parameters))

    def fetch_value(self, sql: str, /, *parameters: Any) -> Any:
        return self._run(lambda access: access.fetch_value(sql, parameters))

    def execute(self, sql: str, /, *parameters: Any) -> int:
        return self._run(lambda access: access.execute(sql, parameters))

    def find(
        self,
        declared: type[_Declared],
        /,
        *,
        where: Mapping[str, Any] | None = None,
        order_by: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None = None,
        limit: int | None = None,
        offset: int | None = None,
        fields: Sequence[str] | None = None,
    ) -> list[_Declared]:
        return self._run(lambda access: access.find(declared, where, order_by, limit, offset, fields))

    def find_one(
        self,
        declared: type[_Declared],
        /,
        *,
        id: Any = None,
        where: Mapping[str, Any] | None = None,
        order_by: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None = None,
        fields: Sequence[str] | None = None,
    ) -> _Declared | None:
        found: _Declared | None = self._run(lambda access: access.find_one(declared, where, id, order_by, fields))
        return found

    def _run(self, make: Callable[[DatabaseAccess], Program[_Result]]) -> _Result:
        """Run a program over what the caller is inside of, and wait for its result."""
        raise NotImplementedError
