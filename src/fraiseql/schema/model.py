"""What a declared schema becomes: frozen values that the pipeline plans from.

Nothing here knows Python's annotations, GraphQL's syntax or SQL; `build` makes these values and has checked them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from types import MappingProxyType
from typing import Any, TypeAlias

from fraiseql.database_context import DatabaseContext
from fraiseql.schema.error_rules import ErrorRules
from fraiseql.schema.fields import (
    UNDECLARED,
    Field,
    InputField,
    Membership,
    PageSizes,
    Relation,
    Resolver,
    Shape,
    Source,
    Through,
    TypeReference,
)
from fraiseql.schema.mutations import MutationField
from fraiseql.schema.scalar import Scalar

__all__ = [
    "AbstractType",
    "AppliedDirective",
    "Argument",
    "DirectiveType",
    "EnumType",
    "Field",
    "InputField",
    "InputType",
    "Membership",
    "MutationField",
    "NamedType",
    "ObjectType",
    "PageSizes",
    "QueryField",
    "Relation",
    "Resolver",
    "SchemaModel",
    "Shape",
    "Source",
    "SubscriptionField",
    "SubscriptionKind",
    "Through",
    "TypeReference",
]


@dataclass(frozen=True, slots=True)
class ObjectType:
    """An output type; without a `source` it lives only inside the jsonb of others.

    Attributes:
        derived_from: the type with a source whose rows it tells about, for one that was made for a shape of them.
        interfaces: the names of those that it implements.
        membership: which rows of the source are of this type; None for all of them.
        declared: the class in Python; None for one that was made.
    """

    name: str
    description: str | None
    source: Source | None
    fields: Mapping[str, Field]
    derived_from: str | None = None
    interfaces: tuple[str, ...] = ()
    membership: Membership | None = None
    declared: Callable[..., Any] | None = None

    @property
    def columns(self) -> Iterable[str]:
        """Each column of a row that any field is read from."""
        return dict.fromkeys(column for field in self.row_fields.values() for column in field.columns)

    def has_one_of(self, columns: Iterable[str]) -> bool:
        """Whether at most one row has given values in these columns: that of the `id` among them tells rows apart."""
        field = self.fields.get("id")
        return field is not None and field.column is not None and self.membership is None and field.column in columns

    @property
    def identity(self) -> Field | None:
        """The field that tells rows apart, which lists are ordered by in the end."""
        return self.row_fields.get("id")

    @property
    def row_fields(self) -> Mapping[str, Field]:
        """The fields that a row is known to have."""
        return self.fields


@dataclass(frozen=True, slots=True)
class AbstractType(ObjectType):
    """An interface or a union: each of its objects is of one of its members.

    Attributes:
        fields: those that all members share; none for a union.
        discriminator: what tells of which member an object is; None for an interface that nothing can be of.
        members: by name, as they are read from this type's source.
        values: of the discriminator, and the name of the member that each stands for.
    """

    discriminator: Field | None = None
    members: Mapping[str, ObjectType] = field(default_factory=lambda: MappingProxyType({}))
    values: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    is_union: bool = False

    def has_one_of(self, columns: Iterable[str]) -> bool:
        """Never: rows of several kinds may have one `id`."""
        return False

    @property
    def row_fields(self) -> Mapping[str, Field]:
        """The fields, or what all members of a union hold in the same place; and the discriminator by its own name."""
        found = dict(self.fields)
        if self.is_union:
            first, *others = self.members.values()
            for name, held in first.fields.items():
                alike = (each.fields.get(name) for each in others)
                if held.resolver is None and all(each is not None and each.place == held.place for each in alike):
                    found[name] = held
        if self.discriminator is not None:
            found.setdefault(self.discriminator.name, self.discriminator)
        return found

    @property
    def columns(self) -> Iterable[str]:
        """Each column of a row that any field, of a member too, is read from."""
        fields = [*self.row_fields.values(), *([] if self.discriminator is None else [self.discriminator])]
        own = (column for field in fields for column in field.columns)
        return dict.fromkeys([*own, *(column for member in self.members.values() for column in member.columns)])


@dataclass(frozen=True, slots=True)
class EnumType:
    """An enum: `values` maps its names in GraphQL to the texts that the database holds.

    `load` gives the Python member for such a text; `descriptions` and `deprecated` are by the names in GraphQL.
    """

    name: str
    description: str | None
    values: Mapping[str, str]
    load: Callable[[str], Any] = str
    descriptions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    deprecated: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class InputType:
    """An input object type; its fields are named by their GraphQL names.

    With `one_of` exactly one of them is given, and not as null.
    """

    name: str
    description: str | None
    fields: Mapping[str, InputField]
    one_of: bool = False


Argument: TypeAlias = InputField
"""An argument of a query: `target` names the output field whose value it must equal."""


@dataclass(frozen=True, slots=True)
class QueryField:
    """A field of the root Query.

    Attributes:
        target: the type, with a source, whose rows SQL serves it from; of what `resolver` gives, where there is one.
        resolver: the function in Python that serves it in place of SQL.
    """

    name: str
    type: TypeReference
    description: str | None
    arguments: Mapping[str, Argument]
    target: str
    shape: Shape
    page_sizes: PageSizes = UNDECLARED
    deprecated: str | None = None
    resolver: Resolver | None = None


class SubscriptionKind(Enum):
    """Where the results of a subscription come from."""

    RESOLVER = auto()
    """A generator in Python."""
    EVENT = auto()
    """The events of a topic."""
    LIVE = auto()
    """A statement that runs again when its sources have changed."""


@dataclass(frozen=True, slots=True)
class SubscriptionField:
    """A field of the root Subscription.

    Attributes:
        arguments: without those that every list or every event subscription is given. A resolver is called with each
            by its `target`; the other kinds compare it with a field.
        target: the type of the rows; for a resolver, of what it yields.
        function: what was declared; only a resolver is called.
        takes_info: whether a resolver has the parameter `info`.
        is_async: whether a resolver is an asynchronous generator.
        topic: of the events; None for the other kinds.
        by: the column that names the row an event is about; None where the payload holds the row.
        trust_payload: whether that is so although policies may hide the row.
    """

    name: str
    type: TypeReference
    description: str | None
    arguments: Mapping[str, Argument]
    target: str
    shape: Shape
    kind: SubscriptionKind
    function: Callable[..., Any]
    takes_info: bool = False
    is_async: bool = False
    topic: str | None = None
    by: str | None = None
    page_sizes: PageSizes = UNDECLARED
    deprecated: str | None = None
    trust_payload: bool = False


@dataclass(frozen=True, slots=True)
class DirectiveType:
    """A directive that the schema declares: where it may stand, as GraphQL §3.13 names the places."""

    name: str
    description: str | None
    locations: tuple[str, ...]
    arguments: Mapping[str, Argument]
    repeatable: bool


@dataclass(frozen=True, slots=True)
class AppliedDirective:
    """A use of a directive in the schema; `arguments` holds those that were given, by their GraphQL names."""

    name: str
    arguments: Mapping[str, Any]


NamedType: TypeAlias = ObjectType | EnumType | InputType | Scalar


@dataclass(frozen=True, slots=True)
class SchemaModel:
    """A whole schema; `types` holds every named type in use, the scalars too.

    `page_sizes` are those of every list that declares none of its own. `applied` holds directives by the coordinate of
    what they are applied to, as `Query.users(limit:)`; by the empty text those of the schema itself.
    `database_context` is what PostgreSQL is told of the caller, `errors` what clients are told of its errors.
    """

    queries: Mapping[str, QueryField]
    types: Mapping[str, NamedType]
    subscriptions: Mapping[str, SubscriptionField] = field(default_factory=lambda: MappingProxyType({}))
    page_sizes: PageSizes = UNDECLARED
    directives: Mapping[str, DirectiveType] = field(default_factory=lambda: MappingProxyType({}))
    applied: Mapping[str, tuple[AppliedDirective, ...]] = field(default_factory=lambda: MappingProxyType({}))
    mutations: Mapping[str, MutationField] = field(default_factory=lambda: MappingProxyType({}))
    database_context: DatabaseContext | None = None
    errors: ErrorRules = field(default_factory=ErrorRules)

    def object_type(self, name: str) -> ObjectType:
        """The output type of that name; KeyError or TypeError where there is none."""
        found = self.types[name]
        if not isinstance(found, ObjectType):
            raise TypeError(f"{name} is no object type")
        return found

    @property
    def event_topics(self) -> frozenset[str]:
        """The topics of all event subscriptions."""
        return frozenset(each.topic for each in self.subscriptions.values() if each.topic is not None)

    @property
    def watched_sources(self) -> frozenset[str]:
        """What live queries can read, as `sql_source` names it: their own sources, and those that relations lead to."""
        found: set[str] = set()
        for each in self.subscriptions.values():
            if each.kind is SubscriptionKind.LIVE:
                found.update(self._reachable(self.object_type(each.target), set()))
        return frozenset(found)

    def _reachable(self, target: ObjectType, seen: set[str]) -> Iterator[str]:
        if target.name in seen or target.source is None:
            return
        seen.add(target.name)
        yield str(target.source)
        members = target.members.values() if isinstance(target, AbstractType) else (target,)
        for below in (each for member in members for each in member.fields.values()):
            if below.relation is not None:
                if below.relation.through is not None:
                    yield str(below.relation.through.source)
                yield from self._reachable(self.object_type(below.relation.target), seen)
