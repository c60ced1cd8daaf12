"""Values in the database that do not fit their declared types: each an error at its path, beside what does fit.

The statement that serves an operation fails as a whole where a value does not fit, and says neither which nor where.
Then the operation is served once more, by the checking statement: it shows such a value as a list of it, or as an
object of it where a list should be, so that the walk that lets nulls rise finds it here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from fraiseql.errors import DatabaseError, FraiseQLError, RequestError
from fraiseql.pipeline.nulls import Rising
from fraiseql.pipeline.plan import Selection
from fraiseql.pipeline.sql.bind import Binding, misfits
from fraiseql.pipeline.sql.forms import form_of
from fraiseql.schema.model import SchemaModel, TypeReference
from fraiseql.schema.scalar import Scalar

__all__ = ["Checks", "MisfitsFound", "may_be_misfit"]

# What casts raise beside data exceptions (class 22): conditions of domains (23502, 23514), syntax errors in values of
# types that have a syntax (42601), and names in them that are too long (42622).
_OF_CASTS: Final = frozenset({"23502", "23514", "42601", "42622"})
_MOST_TOLD: Final = 10
_LONGEST: Final = 100  # characters of a value in the log
_UNDECIDED: Final = "cannot be read beside one that does not fit its type"


class MisfitsFound(FraiseQLError):
    """For the log: which values did not fit."""


def may_be_misfit(error: DatabaseError, bindings: Sequence[Binding]) -> bool:
    """Whether a statement may have failed for a value in the database: no parameter is to blame."""
    is_of_data = error.sqlstate.startswith("22") or error.sqlstate in _OF_CASTS
    return is_of_data and not misfits(bindings, error)


class Checks:
    """Finds the values that the checking statement shows as misfits; `check` is for `complete`.

    Args:
        hint: entries for the `extensions` of errors, the request's id.
    """

    def __init__(self, model: SchemaModel, hint: Mapping[str, Any]) -> None:
        self._model = model
        self._hint = hint
        self._told: list[str] = []
        self._count = 0

    def check(
        self,
        value: Any,
        reference: TypeReference,
        selection: Selection | None,
        field: str,
        path: tuple[str | int, ...],
    ) -> Any:
        """What a value is shown as; raises Rising."""
        undecided = False
        if reference.item is not None:
            fits = isinstance(value, list)
        elif selection is not None:
            fits = isinstance(value, dict)
        else:
            named = self._model.types[reference.name]
            fits = not isinstance(value, (list, dict)) or (isinstance(named, Scalar) and named.is_json)
            undecided = not fits and isinstance(named, Scalar) and _is_undecided(named, value)
        if fits:
            return value
        self._note(value, field, path)
        message = f"The value of {field} {_UNDECIDED if undecided else 'does not fit its type'}."
        raise Rising(RequestError(message, code="INTERNAL_SERVER_ERROR", path=path, extensions=self._hint))

    @property
    def causes(self) -> list[Exception]:
        """What the log is told, where values did not fit: one error of all of them."""
        if not self._count:
            return []
        more = [f"and {self._count - len(self._told)} more"] if self._count > len(self._told) else []
        return [MisfitsFound("; ".join([*self._told, *more]))]

    def _note(self, value: Any, field: str, path: tuple[str | int, ...]) -> None:
        self._count += 1
        if len(self._told) < _MOST_TOLD:
            raw = value
            if isinstance(value, (list, dict)) and len(value) == 1:
                (raw,) = value.values() if isinstance(value, dict) else value
            self._told.append(f"{field} at {'.'.join(map(str, path))} holds {_excerpt(raw)}")


def _is_undecided(named: Scalar, value: Any) -> bool:
    """Whether a value may fit, and only PostgreSQL knows: it is of a scalar whose texts the statement does not know."""
    is_known = named.sql_type == "text" or named.is_json or form_of(named.sql_type) is not None
    return not is_known and isinstance(value, list) and len(value) == 1 and not isinstance(value[0], (list, dict))


def _excerpt(raw: Any) -> str:
    try:
        text = orjson.dumps(raw).decode()
    except (orjson.JSONEncodeError, RecursionError):
        return "what cannot be written"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
