"""SQL conditions and orders from the argument trees of `where`, `orderBy` and a query's own arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fraiseql.errors import RequestError
from fraiseql.pipeline.arguments import Fields, Items, Leaf, Tree
from fraiseql.pipeline.bind import Bindings
from fraiseql.pipeline.values import Base, Values
from fraiseql.schema.model import Field, InputField, InputType, ObjectType, SchemaModel
from fraiseql.schema.validate import filtered_field

__all__ = ["Filters"]

_OPERATORS: Final[Mapping[str, str]] = {"eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


class Filters:
    """Renders conditions of one statement; values go to its bindings."""

    def __init__(self, model: SchemaModel, values: Values, bindings: Bindings) -> None:
        self._model = model
        self._values = values
        self._bindings = bindings

    def equal(
        self,
        target: ObjectType,
        base: Base,
        declared: Mapping[str, InputField],
        given: Mapping[str, Tree],
        path: tuple[str, ...],
        prefix: str = "",
    ) -> list[str]:
        """The conditions of a query's own arguments: each given one must equal its field; null means IS NULL."""
        conditions: list[str] = []
        for name, argument in declared.items():
            tree = given.get(name)
            if tree is None:
                continue
            named = self._model.types[argument.type.named]
            if isinstance(named, InputType):
                assert isinstance(tree, Fields)
                conditions += self.equal(target, base, named.fields, tree.fields, path, f"{prefix}{name}.")
                continue
            field = filtered_field(target, argument)
            assert field is not None
            assert isinstance(tree, Leaf)
            conditions.append(self._comparison("eq", tree, self._values.compared(field, base), path, f"{prefix}{name}"))
        return conditions

    def where(self, target: ObjectType, base: Base, tree: Tree | None, path: tuple[str, ...]) -> list[str]:
        """The conditions of `where`, all of which must hold."""
        return [] if tree is None else self._all(target, base, tree, path, "where")

    def order_by(self, target: ObjectType, base: Base, tree: Tree | None) -> str:
        """The ORDER BY of a list: as asked for, then by `id` where there is one, so that pages are stable."""
        terms: list[str] = []
        ordered: set[str] = set()
        for item in tree.items if isinstance(tree, Items) else ():
            assert isinstance(item, Fields)
            ((name, direction),) = item.fields.items()
            if name not in ordered:
                ordered.add(name)
                suffix = " desc" if direction.value == "desc" else ""
                terms.append(self._values.compared(target.fields[name], base) + suffix)
        if "id" in target.fields and "id" not in ordered and _is_value(self._model, target.fields["id"]):
            terms.append(self._values.compared(target.fields["id"], base))
        return ", ".join(terms)

    def _all(self, target: ObjectType, base: Base, tree: Tree, path: tuple[str, ...], place: str) -> list[str]:
        assert isinstance(tree, Fields)
        conditions: list[str] = []
        for name, below in tree.fields.items():
            here = f"{place}.{name}"
            if name in ("AND", "OR"):
                if below.value is not None:
                    conditions.append(self._several(name, target, base, below, path, here))
            elif name == "NOT":
                if below.value is not None:
                    conditions.append(f"not {self._joined('and', self._all(target, base, below, path, here), path)}")
            else:
                conditions += self._operators(self._values.compared(target.fields[name], base), below, path, here)
        return conditions

    def _several(self, word: str, target: ObjectType, base: Base, tree: Tree, path: tuple[str, ...], place: str) -> str:
        assert isinstance(tree, Items)
        parts = [
            self._joined("and", self._all(target, base, item, path, f"{place}[{index}]"), path)
            for index, item in enumerate(tree.items)
        ]
        return self._joined(word.lower(), parts, path)

    def _joined(self, word: str, conditions: list[str], path: tuple[str, ...]) -> str:
        """All of no conditions hold, one of none does not."""
        if not conditions:
            self._bindings.count_condition(path)
            return "true" if word == "and" else "false"
        return f"({f' {word} '.join(conditions)})"

    def _operators(self, value: str, tree: Tree, path: tuple[str, ...], place: str) -> list[str]:
        assert isinstance(tree, Fields)
        conditions = []
        for name, leaf in tree.fields.items():
            assert isinstance(leaf, Leaf)
            conditions.append(self._comparison(name, leaf, value, path, f"{place}.{name}"))
        return conditions

    def _comparison(self, operator: str, leaf: Leaf, value: str, path: tuple[str, ...], place: str) -> str:
        self._bindings.count_condition(path)
        if leaf.value is None:
            if operator == "eq":
                return f"{value} is null"
            if operator == "neq":
                return f"{value} is not null"
            message = f'The argument "{place}" must not be null; eq, neq and isnull ask for nulls.'
            raise RequestError(message, code="BAD_USER_INPUT", path=path)
        parameter = self._bindings.add(leaf, path, place)
        if operator == "in":
            return f"{value} = any({parameter})"
        if operator == "isnull":
            return f"({value} is null) = {parameter}"
        return f"{value} {_OPERATORS[operator]} {parameter}"


def _is_value(model: SchemaModel, field: Field) -> bool:
    return (
        field.type.item is None and field.relation is None and not isinstance(model.types[field.type.name], ObjectType)
    )
