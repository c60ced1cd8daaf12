"""From declarations to one frozen schema, with every mistake found here and none left for a request."""

from __future__ import annotations

import dis
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType, ModuleType
from typing import Any, Final

from fraiseql.errors import SchemaError
from fraiseql.schema.annotations import Annotation, attribute_annotations, parameter_annotations, read_annotation
from fraiseql.schema.declarations import (
    Declaration,
    EnumDeclaration,
    FieldOptions,
    InputDeclaration,
    QueryDeclaration,
    RelationOptions,
    TypeDeclaration,
    declaration_of,
)
from fraiseql.schema.model import (
    EnumType,
    Field,
    InputField,
    InputType,
    NamedType,
    ObjectType,
    QueryField,
    Relation,
    SchemaModel,
    Source,
    TypeReference,
)
from fraiseql.schema.scalars import SCALARS
from fraiseql.schema.validate import check_model

__all__ = ["Schema"]

_NAME: Final = re.compile(r"(?!__)[_A-Za-z][_0-9A-Za-z]*")  # GraphQL §2.1.9; names with `__` belong to introspection


class Schema:
    """A whole GraphQL schema, built and checked.

    Args:
        types: classes under `@fraiseql.type`, `.input` or `.enum`; those that others name need not be listed, but
            for forward references to classes that are no globals of their module.
        queries: functions under `@fraiseql.query`.

    Raises:
        SchemaError: a declaration is wrong; it names the class, the field, what was found and what was expected.
    """

    __slots__ = ("model",)

    def __init__(self, *, types: Iterable[Callable[..., Any]] = (), queries: Iterable[Callable[..., Any]] = ()) -> None:
        self.model: SchemaModel = _Builder(types, queries).model()

    @classmethod
    def from_module(cls, module: ModuleType) -> Schema:
        """Collect everything declared in a module, what it imports from others included."""
        if not isinstance(module, ModuleType):
            raise SchemaError("Schema.from_module", found=repr(module), expected="a module")
        found = [(value, declaration_of(value)) for value in vars(module).values()]
        return cls(
            types=[value for value, left in found if left is not None and not isinstance(left, QueryDeclaration)],
            queries=[value for value, left in found if isinstance(left, QueryDeclaration)],
        )


class _Builder:
    """Reads declarations until no new ones are named."""

    def __init__(self, types: Iterable[Callable[..., Any]], queries: Iterable[Callable[..., Any]]) -> None:
        kinds = (TypeDeclaration, InputDeclaration, EnumDeclaration)
        self._given = [_declared(cls, "types", kinds) for cls in _listed(types, "types")]
        self._queries = [
            _declared(function, "queries", (QueryDeclaration,)) for function in _listed(queries, "queries")
        ]
        self._names: Mapping[str, Any] = {left.cls.__name__: left.cls for left in self._given}  # type: ignore[union-attr]
        self._classes: dict[str, Callable[..., Any]] = {}
        self._types: dict[str, NamedType] = {
            name: SCALARS[name] for name in ("String", "Int", "Float", "Boolean", "ID")
        }

    def model(self) -> SchemaModel:
        for declaration in self._given:
            self._add(declaration)
        queries: dict[str, QueryField] = {}
        for declaration in self._queries:
            assert isinstance(declaration, QueryDeclaration)
            query = self._query(declaration)
            if query.name in queries:
                raise SchemaError(f"Query.{query.name}", found="two queries of that name", expected="one")
            queries[query.name] = query
        model = SchemaModel(MappingProxyType(queries), MappingProxyType(self._types))
        check_model(model)
        return model

    def _add(self, declaration: Declaration | None) -> None:
        assert declaration is not None
        assert not isinstance(declaration, QueryDeclaration)
        name, cls = _name(declaration.name, declaration.cls.__name__), declaration.cls
        if name in SCALARS:
            raise SchemaError(name, found="a type of that name", expected="another: the name is a scalar's")
        if name in self._types:
            if self._classes.get(name) is not cls:
                raise SchemaError(
                    name, found="two types of that name", expected="one; give one of them another `name=`"
                )
            return
        self._classes[name] = cls
        if isinstance(declaration, EnumDeclaration):
            self._types[name] = _enum(declaration)
            return
        # Reserves the name, since the fields may lead back here.
        self._types[name] = ObjectType(name, None, None, {})
        if isinstance(declaration, TypeDeclaration):
            self._types[name] = self._object(declaration)
        else:
            self._types[name] = self._input(declaration)

    def _note(self, annotation: Annotation) -> TypeReference:
        for cls in annotation.declared:
            self._add(declaration_of(cls))
        named = annotation.type.named
        if named in SCALARS:
            self._types.setdefault(named, SCALARS[named])
        return annotation.type

    def _object(self, declaration: TypeDeclaration) -> ObjectType:
        source = _source(declaration)
        fields: dict[str, Field] = {}
        for attribute, resolved, default in attribute_annotations(declaration.cls, self._names):
            where = f"{declaration.name}.{attribute}"
            annotation = read_annotation(resolved, where)
            options = default if isinstance(default, (FieldOptions, RelationOptions)) else annotation.options
            if default is not inspect.Parameter.empty and default is not options:
                raise SchemaError(
                    where, found=f"the default {default!r}", expected="field(...), relation(...) or no default"
                )
            field = self._field(attribute, where, annotation, options, source)
            if field.name in fields:
                raise SchemaError(where, found=f"a second field named {field.name}", expected="one field of each name")
            fields[field.name] = field
        if not fields:
            raise SchemaError(declaration.name, found="no annotated attribute", expected="at least one field")
        return ObjectType(declaration.name, declaration.description, source, MappingProxyType(fields))

    def _field(
        self,
        attribute: str,
        where: str,
        annotation: Annotation,
        options: FieldOptions | RelationOptions | None,
        source: Source | None,
    ) -> Field:
        name = _name(camel_case(attribute) if options is None or options.name is None else options.name, where)
        description = annotation.description if options is None or options.description is None else options.description
        reference = self._note(annotation)
        if isinstance(options, RelationOptions):
            relation = Relation(_pairs(options.on, where))
            return Field(name, reference, description, column=None, key=attribute, relation=relation)
        column = None if options is None else options.column
        key = attribute if options is None or options.key is None else _text(options.key, where, "a key of jsonb")
        if source is not None and source.jsonb_column is None:
            if options is not None and options.key is not None:
                raise SchemaError(where, found=f"key={key!r} in a type whose fields are columns", expected="column=...")
            column = attribute if column is None else column
        if column is not None:
            _identifier(column, where)
        return Field(name, reference, description, column, key)

    def _input(self, declaration: InputDeclaration) -> InputType:
        fields: dict[str, InputField] = {}
        for attribute, resolved, default in attribute_annotations(declaration.cls, self._names):
            field = self._input_field(attribute, resolved, default, f"{declaration.name}.{attribute}")
            if field.name in fields:
                raise SchemaError(
                    f"{declaration.name}.{attribute}", found=f"a second {field.name}", expected="one of each name"
                )
            fields[field.name] = field
        if not fields:
            raise SchemaError(declaration.name, found="no annotated attribute", expected="at least one field")
        return InputType(declaration.name, declaration.description, MappingProxyType(fields))

    def _input_field(self, attribute: str, resolved: Any, default: Any, where: str) -> InputField:
        annotation = read_annotation(resolved, where)
        options = default if isinstance(default, (FieldOptions, RelationOptions)) else annotation.options
        if isinstance(options, RelationOptions):
            raise SchemaError(where, found="relation(...)", expected="an input value")
        options = options or FieldOptions()
        reference = self._note(annotation)
        if default is None and not reference.nullable:
            raise SchemaError(where, found=f"the default None of the type {reference}", expected="`| None`")
        has_default = default is not inspect.Parameter.empty and default is not options and default is not None
        return InputField(
            _name(options.name or camel_case(attribute), where),
            reference,
            options.description or annotation.description,
            target=options.column or attribute,
            has_default=has_default,
            default=_default(default, reference, self._types, where) if has_default else None,
        )

    def _query(self, declaration: QueryDeclaration) -> QueryField:
        function = declaration.function
        where = function.__name__
        if not _has_no_body(function):
            raise SchemaError(
                where, found="a function body", expected="none: SQL serves a query; write only a docstring"
            )
        parameters, returned = parameter_annotations(function, self._names)
        arguments: dict[str, InputField] = {}
        for parameter, resolved, default in parameters:
            place = f"{where}({parameter})"
            argument = self._input_field(parameter, resolved, default, place)
            if argument.name in arguments:
                raise SchemaError(place, found=f"a second argument named {argument.name}", expected="one of each name")
            arguments[argument.name] = argument
        name = _name(declaration.name or camel_case(where), where)
        reference = self._note(read_annotation(returned, f"{where} -> ..."))
        return QueryField(name, reference, declaration.description, MappingProxyType(arguments))


def camel_case(name: str) -> str:
    """`created_at` -> `createdAt`; leading underscores stay."""
    bare = name.lstrip("_")
    first, *rest = bare.split("_")
    return name[: len(name) - len(bare)] + first + "".join(part[:1].upper() + part[1:] for part in rest)


def _listed(given: Any, argument: str) -> Iterable[Any]:
    if not isinstance(given, Iterable):
        raise SchemaError(f"Schema({argument}=...)", found=repr(given), expected="a list")
    return given


def _declared(given: Any, argument: str, kinds: tuple[Any, ...]) -> Declaration:
    declaration = declaration_of(given)
    if declaration is None or not isinstance(declaration, kinds):
        wanted = (
            "functions under @fraiseql.query"
            if argument == "queries"
            else "classes under @fraiseql.type, .input or .enum"
        )
        raise SchemaError(f"Schema({argument}=...)", found=repr(given), expected=wanted)
    return declaration


def _name(name: Any, where: str) -> str:
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise SchemaError(
            where, found=f"the name {name!r}", expected="a GraphQL name: letters, digits, _, no leading __"
        )
    return name


def _text(value: Any, where: str, expected: str) -> str:
    """A text that PostgreSQL can hold, and not an empty one."""
    try:
        if isinstance(value, str) and value.encode() and "\0" not in value:
            return value
    except UnicodeEncodeError:
        pass
    raise SchemaError(where, found=repr(value), expected=expected)


def _identifier(name: Any, where: str) -> str:
    expected = "a PostgreSQL identifier of 1 to 63 bytes"
    # PostgreSQL cuts an identifier after 63 bytes and goes on with another name.
    if len(_text(name, where, expected).encode()) > 63:
        raise SchemaError(where, found=repr(name), expected=expected)
    return str(name)


def _source(declaration: TypeDeclaration) -> Source | None:
    if declaration.sql_source is None:
        return None
    where = f"{declaration.name} (sql_source)"
    *schemas, name = _text(declaration.sql_source, where, "'name' or 'schema.name'").split(".")
    if len(schemas) > 1:
        raise SchemaError(where, found=repr(declaration.sql_source), expected="'name' or 'schema.name'")
    if declaration.jsonb_column is not None:
        _identifier(declaration.jsonb_column, f"{declaration.name} (jsonb_column)")
    schema = _identifier(schemas[0], where) if schemas else None
    return Source(_identifier(name, where), schema, declaration.jsonb_column)


def _pairs(on: Any, where: str) -> tuple[tuple[str, str], ...]:
    if not isinstance(on, Mapping) or not on:
        raise SchemaError(where, found=f"on={on!r}", expected='on={"their_column": "our_column"}')
    return tuple((_identifier(theirs, where), _identifier(ours, where)) for theirs, ours in on.items())


def _enum(declaration: EnumDeclaration) -> EnumType:
    values: dict[str, str] = {}
    members: Mapping[str, Any] = getattr(declaration.cls, "__members__", {})
    for name, member in members.items():
        where = f"{declaration.name}.{name}"
        _text(member.value, where, "the text that the database holds")
        if member.value in values.values():
            raise SchemaError(where, found=f"{member.value!r} again", expected="a value of its own")
        if name in ("true", "false", "null"):
            raise SchemaError(where, found=f"the name {name}", expected="another: GraphQL §2.9.6 reserves it")
        values[_name(name, where)] = member.value
    if not values:
        raise SchemaError(declaration.name, found="no member", expected="at least one")
    return EnumType(declaration.name, declaration.description, MappingProxyType(values))


def _default(default: Any, reference: TypeReference, types: Mapping[str, NamedType], where: str) -> Any:
    """A Python default as the value that the pipeline binds."""
    if reference.item is not None and isinstance(default, (list, tuple)):
        return [_default(element, reference.item, types, where) for element in default]
    named = types.get(reference.name)
    if isinstance(named, EnumType) and getattr(default, "value", None) in named.values.values():
        return default.value
    scalar = SCALARS.get(reference.name)
    if scalar is not None:
        try:
            return scalar.parse(default if isinstance(default, (bool, int, float, str)) else str(default))
        except ValueError:
            pass
    raise SchemaError(where, found=f"the default {default!r}", expected=f"a value of {reference}")


def _nothing() -> None: ...


async def _nothing_asynchronous() -> None: ...


def _steps(function: Callable[..., Any]) -> list[tuple[str, Any]]:
    return [(step.opname, step.argval) for step in dis.get_instructions(function)]


_BODYLESS: Final = (_steps(_nothing), _steps(_nothing_asynchronous))


def _has_no_body(function: Callable[..., Any]) -> bool:
    """Whether a function has nothing but a docstring, `...` or `pass`: it then compiles to what an empty one does."""
    return _steps(function) in _BODYLESS
