"""The directives that a schema declares, and those that it applies, read as they are met and checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from fraiseql.errors import SchemaError
from fraiseql.schema.directives import Directive, Use
from fraiseql.schema.functions import has_no_body
from fraiseql.schema.model import AppliedDirective, Argument, DirectiveType, InputType, NamedType, SchemaModel
from fraiseql.schema.parts import default_of

__all__ = ["Directives", "check_directives"]


class Directives:
    """Collects them.

    Args:
        given: those that the schema lists.
        types: every type by its name, complete when `finish` is called.
    """

    def __init__(self, given: Any, types: Mapping[str, NamedType]) -> None:
        self._types = types
        self._declared: dict[str, Directive[...]] = {}
        self._queue: list[Directive[...]] = []
        self._uses: dict[str, tuple[Use, ...]] = {}
        for directive in _listed(given, "Schema(directives=...)", Directive, "what fraiseql.directive made"):
            self._declare(directive)

    def note(self, given: Any, location: str, coordinate: str) -> None:
        """Take note of what is applied to something: its kind, and its schema coordinate."""
        if coordinate in self._uses:
            return
        where = coordinate or "Schema"
        uses = _listed(given, where, Use, "[...] of directives with their arguments, as [tag()]")
        seen: set[str] = set()
        for use in uses:
            directive = use.directive
            self._declare(directive)
            if location not in directive.locations:
                allowed = " or ".join(directive.locations)
                raise SchemaError(where, found=f"@{directive.name} on {location}", expected=f"it on {allowed}")
            if directive.name in seen and not directive.repeatable:
                raise SchemaError(where, found=f"@{directive.name} twice", expected="once, or repeatable=True")
            seen.add(directive.name)
        self._uses[coordinate] = uses

    def types(self, read: Callable[[Directive[...]], Mapping[str, Argument]]) -> Mapping[str, DirectiveType]:
        """Those that were met; to read their arguments may need more types, and those more directives.

        Args:
            read: reads the parameters of a directive's function.
        """
        found: dict[str, DirectiveType] = {}
        for directive in self._queue:  # which may grow
            if not has_no_body(directive.function):
                raise SchemaError(
                    f"@{directive.name}", found="a function body", expected="none: write only a docstring"
                )
            arguments = read(directive)
            found[directive.name] = DirectiveType(
                directive.name, directive.description, directive.locations, arguments, directive.repeatable
            )
        return MappingProxyType(found)

    def applied(self, declared: Mapping[str, DirectiveType]) -> Mapping[str, tuple[AppliedDirective, ...]]:
        """What is applied to what, by schema coordinate; every type must be known."""
        return MappingProxyType(
            {
                coordinate: tuple(self._applied(use, declared[use.directive.name], coordinate) for use in uses)
                for coordinate, uses in self._uses.items()
                if uses
            }
        )

    def _declare(self, directive: Directive[...]) -> None:
        known = self._declared.setdefault(directive.name, directive)
        if known is not directive:
            expected = "one; give one of them another `name=`"
            raise SchemaError(f"@{directive.name}", found="two directives of that name", expected=expected)
        if directive not in self._queue:
            self._queue.append(directive)

    def _applied(self, use: Use, declared: DirectiveType, coordinate: str) -> AppliedDirective:
        given: dict[str, Any] = {}
        for name, argument in declared.arguments.items():
            if argument.target in use.arguments:
                where = f"@{declared.name}({name}:) on {coordinate or 'Schema'}"
                value = use.arguments[argument.target]
                given[name] = default_of(value, argument.type, self._types, where, "the value")
        return AppliedDirective(declared.name, MappingProxyType(given))


def _listed(given: Any, where: str, kind: type[Any], expected: str) -> tuple[Any, ...]:
    if not isinstance(given, (list, tuple)):
        raise SchemaError(where, found=f"directives={given!r}", expected=expected)
    for each in given:
        if not isinstance(each, kind):
            what = f"@{each.name} without arguments" if isinstance(each, Directive) else repr(each)
            raise SchemaError(where, found=what, expected=expected)
    return tuple(given)


def check_directives(model: SchemaModel) -> None:
    """GraphQL §3.13: a directive must not lead back to itself through what is applied to its arguments."""
    for directive in model.directives.values():
        if directive.name in _applied_below(model, directive.name, set()):
            found, expected = "arguments that it is applied to itself", "a directive that does not lead back to itself"
            raise SchemaError(f"@{directive.name}", found=found, expected=expected)


def _applied_below(model: SchemaModel, name: str, seen: set[str]) -> Iterator[str]:
    """The directives that are applied to a directive's arguments, their types and the fields of these."""
    directive = model.directives[name]
    for argument in directive.arguments.values():
        yield from _applied_at(model, f"@{name}({argument.name}:)", seen)
        yield from _applied_to_type(model, argument.type.named, seen)


def _applied_to_type(model: SchemaModel, name: str, seen: set[str]) -> Iterator[str]:
    if name in seen:
        return
    seen.add(name)
    yield from _applied_at(model, name, seen)
    named = model.types[name]
    if isinstance(named, InputType):
        for field in named.fields.values():
            yield from _applied_at(model, f"{name}.{field.name}", seen)
            yield from _applied_to_type(model, field.type.named, seen)
    for value in getattr(named, "values", ()):
        yield from _applied_at(model, f"{name}.{value}", seen)


def _applied_at(model: SchemaModel, coordinate: str, seen: set[str]) -> Iterator[str]:
    for each in model.applied.get(coordinate, ()):
        yield each.name
        if f"@{each.name}" not in seen:
            seen.add(f"@{each.name}")
            yield from _applied_below(model, each.name, seen)
