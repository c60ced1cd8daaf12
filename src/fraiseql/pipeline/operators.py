"""The conditions of `where` as data: what each is called, the SQL it becomes, and what it is given.

| family         | types                                            | conditions                                     |
|----------------|--------------------------------------------------|------------------------------------------------|
| EQUALITY       | ID, UUID, Boolean, Bytes, enums                  | eq neq distinctFrom in nin isnull              |
| ORDERED        | numbers, dates, times, Interval, MAC             | these, and gt gte lt lte                       |
| TEXT           | String                                           | the ordered ones, patterns, search             |
| JSON           | JSON                                             | eq neq distinctFrom isnull, keys, paths ...    |
| TEXT_SEARCH    | TSVector                                         | isnull search                                  |
| NETWORK        | IP, CIDR                                         | the ordered ones, what lies in what            |
| RANGE          | Int4Range ... TstzRange                          | those of equality, how one lies to another     |
| TREE           | LTree                                            | the ordered ones, what lies below what         |
| LIST_OPERATORS | lists of any of them but JSON and TSVector       | eq neq distinctFrom isnull, length, any ...    |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from fraiseql.pipeline.operands import Operand, Operator, anywhere, at_end, at_start, path, pattern
from fraiseql.schema.model import EnumType, Field, NamedType
from fraiseql.schema.numbers import json_text
from fraiseql.schema.scalar import FilterFamily, Scalar
from fraiseql.schema.scalars import SCALARS

__all__ = [
    "AGGREGATE",
    "EMBEDDED_LIST_OPERATORS",
    "INVALID_SEARCH",
    "LIST_OPERATORS",
    "OPERATORS",
    "RANK",
    "RELATION_OPERATORS",
    "SEARCHES",
    "SEARCH_CONFIGS",
    "Operand",
    "Operator",
    "bound_operators",
    "has_list_conditions",
    "is_searched",
    "operators_of",
]


_INVALID_REGEX: Final = frozenset({("2201B", "regexp.c")})
_INVALID_PATH_STEP: Final = _INVALID_REGEX | {
    ("0A000", "jsonpath_exec.c"),  # a comparison of times with and without a zone
    ("42704", "jsonpath_exec.c"),  # a variable
    ("0A000", "formatting.c"),  # the form of a time; a cast to one is read by datetime.c
    ("22007", "formatting.c"),
    ("22023", "formatting.c"),
    ("22023", "numeric.c"),  # the digits of a number
}
INVALID_SEARCH: Final = frozenset({("XX000", "tsquery.c"), ("54001", "stack_depth.c"), ("54001", "postgres.c")})
"""Too many signs in a row, or words: PostgreSQL's stack is what bounds them."""
_PRIVATE: Final = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")  # RFC 1918 §3, RFC 4193 §3.1
_LOOPBACK: Final = ("127.0.0.0/8", "::1")  # RFC 1122 §3.2.1.3, RFC 4291 §2.5.3
_LINK_LOCAL: Final = ("169.254.0.0/16", "fe80::/10")  # RFC 3927 §2.1, RFC 4291 §2.5.6
_MULTICAST: Final = ("224.0.0.0/4", "ff00::/8")  # RFC 1112 §4, RFC 4291 §2.7
_CARRIER_GRADE: Final = ("100.64.0.0/10",)  # RFC 6598 §7
# RFC 5737 §3, RFC 3849 §2
_DOCUMENTATION: Final = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")


_EQ: Final = Operator("{0} = {1}", null="{0} is null", description="Is this; null asks for nulls.")
_NEQ: Final = Operator("{0} <> {1}", null="{0} is not null", description="Is another; null asks for all but nulls.")
_DISTINCT: Final = Operator(
    "{0} is distinct from {1}", null="{0} is not null", description="Is another, or null; null asks for all but nulls."
)
_ISNULL: Final = Operator("({0} is null) = {1}", Operand.BOOLEAN)
_SEARCH: Final = Operator("", Operand.SEARCH, "Full text search.")

_EQUALITY: Final = {
    "eq": _EQ,
    "neq": _NEQ,
    "distinctFrom": _DISTINCT,
    "in": Operator("{0} = any({1})", Operand.VALUES, "Is one of these.", empty=False),
    "nin": Operator("{0} <> all({1})", Operand.VALUES, "Is none of these.", empty=True),
    "isnull": _ISNULL,
}
_ORDERED: Final = {
    "eq": _EQ,
    "neq": _NEQ,
    "distinctFrom": _DISTINCT,
    "gt": Operator("{0} > {1}"),
    "gte": Operator("{0} >= {1}"),
    "lt": Operator("{0} < {1}"),
    "lte": Operator("{0} <= {1}"),
    **{name: _EQUALITY[name] for name in ("in", "nin", "isnull")},
}


def _like(operator: str, prepare: Callable[[str], str], description: str) -> Operator:
    # An empty text is in every other, but as a pattern of its own it matches no other.
    empty = None if prepare is pattern else True
    return Operator(f"{{0}} {operator} {{1}}", Operand.TEXT, description, prepare=prepare, empty=empty)


def _regex(operator: str, description: str) -> Operator:
    return Operator(f"{{0}} {operator} {{1}}", Operand.TEXT, description, blames=_INVALID_REGEX, empty=True)


_TEXT: Final = {
    **_ORDERED,
    "ieq": Operator("lower({0}) = lower({1}::text)", Operand.TEXT, "Is this, in capitals or not."),
    "like": _like("like", pattern, "Matches the pattern: % is any text, _ any character, \\ escapes."),
    "ilike": _like("ilike", pattern, "`like`, in capitals or not."),
    "contains": _like("like", anywhere, "Has this in it."),
    "icontains": _like("ilike", anywhere, "`contains`, in capitals or not."),
    "startsWith": _like("like", at_start, "Begins with this."),
    "istartsWith": _like("ilike", at_start, "`startsWith`, in capitals or not."),
    "endsWith": _like("like", at_end, "Ends with this."),
    "iendsWith": _like("ilike", at_end, "`endsWith`, in capitals or not."),
    "matches": _regex("~", "Has a match of the POSIX regular expression in it."),
    "imatches": _regex("~*", "`matches`, in capitals or not."),
    "search": _SEARCH,
}

# A column of PostgreSQL's null and one of JSON's null are both null in GraphQL.
_JSON_NULL: Final = "coalesce({0} = 'null', true)"
_JSON: Final = {
    "eq": replace(_EQ, sql="{0} = {1}::jsonb", null=_JSON_NULL, prepare=json_text),
    "neq": replace(_NEQ, sql="nullif({0}, 'null') <> {1}::jsonb", null=f"not {_JSON_NULL}", prepare=json_text),
    "distinctFrom": replace(
        _DISTINCT, sql="nullif({0}, 'null') is distinct from {1}::jsonb", null=f"not {_JSON_NULL}", prepare=json_text
    ),
    "isnull": replace(_ISNULL, sql=f"({_JSON_NULL}) = {{1}}"),
    "contains": Operator("{0} @> {1}::jsonb", description="Has this in it, at its top.", prepare=json_text, empty=True),
    "containedBy": Operator(
        "nullif({0}, 'null') <@ {1}::jsonb", description="Is in this, at its top.", prepare=json_text
    ),
    "hasKey": Operator("{0} ? {1}", Operand.TEXT, "Has this key, or this string in its list."),
    "hasAnyKeys": Operator("{0} ?| {1}", Operand.TEXTS, "Has one of these keys.", empty=False),
    "hasAllKeys": Operator("{0} ?& {1}", Operand.TEXTS, "Has all of these keys.", empty=True),
    "pathExists": Operator(
        "{0} @? {1}::jsonpath",
        Operand.TEXT,
        "The SQL/JSON path finds something.",
        prepare=path,
        blames=_INVALID_PATH_STEP,
    ),
    "pathMatch": Operator(
        "{0} @@ {1}::jsonpath",
        Operand.TEXT,
        "The SQL/JSON path's predicate is true.",
        prepare=path,
        blames=_INVALID_PATH_STEP,
    ),
}


def _one_of(networks: tuple[str, ...], description: str) -> Operator:
    return Operator(f"({{0}} <<= any('{{{{{','.join(networks)}}}}}'::inet[])) = {{1}}", Operand.BOOLEAN, description)


_NETWORK: Final = {
    **_ORDERED,
    "inSubnet": Operator("{0} <<= {1}::inet", Operand.NETWORK, "Is this network, or inside it."),
    "contains": Operator("{0} >>= {1}::inet", Operand.ADDRESS, "Is the network of this address, or the address."),
    "overlaps": Operator("{0} && {1}::inet", Operand.NETWORK, "Has an address in common with this network."),
    "isPrivate": _one_of(_PRIVATE, "RFC 1918 and RFC 4193."),
    "isLoopback": _one_of(_LOOPBACK, "RFC 1122 and RFC 4291."),
    "isLinkLocal": _one_of(_LINK_LOCAL, "RFC 3927 and RFC 4291."),
    "isMulticast": _one_of(_MULTICAST, "RFC 1112 and RFC 4291."),
    "isCarrierGrade": _one_of(_CARRIER_GRADE, "Shared by the customers of a carrier: RFC 6598."),
    "isDocumentation": _one_of(_DOCUMENTATION, "For examples: RFC 5737 and RFC 3849."),
    "isIPv4": Operator("(family({0}) = 4) = {1}", Operand.BOOLEAN),
    "isIPv6": Operator("(family({0}) = 6) = {1}", Operand.BOOLEAN),
}
_RANGE: Final = {
    **_EQUALITY,
    "contains": Operator("{0} @> {1}::{2}", description="Has this whole range in it."),
    "containsElement": Operator("{0} @> {1}", Operand.ELEMENT, "Has this in it."),
    "containedBy": Operator("{0} <@ {1}::{2}", description="Is as a whole in this range."),
    "overlaps": Operator("{0} && {1}::{2}", description="Has a part in common with this."),
    "adjacent": Operator("{0} -|- {1}::{2}", description="Touches this without a gap or a common part."),
    "strictlyLeft": Operator("{0} << {1}::{2}", description="Ends before this begins."),
    "strictlyRight": Operator("{0} >> {1}::{2}", description="Begins after this has ended."),
    "notExtendsLeft": Operator("{0} &> {1}::{2}", description="Does not begin before this."),
    "notExtendsRight": Operator("{0} &< {1}::{2}", description="Does not end after this."),
    "isEmpty": Operator("isempty({0}) = {1}", Operand.BOOLEAN, "Has no value in it."),
    "lower": Operator("lower({0})", Operand.BOUND, "Its lower bound; null for none, and of the empty range."),
    "upper": Operator("upper({0})", Operand.BOUND, "Its upper bound; null for none, and of the empty range."),
}
_TREE: Final = {
    **_ORDERED,
    "ancestorOf": Operator("{0} @> {1}::ltree", description="Is this path or leads to it."),
    "descendantOf": Operator("{0} <@ {1}::ltree", description="Is this path or lies below it.", empty=True),
    "matches": Operator("{0} ~ {1}::lquery", Operand.TEXT, "Matches the lquery."),
    "matchesAny": Operator("{0} ? {1}::lquery[]", Operand.TEXTS, "Matches one of the lqueries.", empty=False),
    "matchesText": Operator("{0} @ {1}::ltxtquery", Operand.TEXT, "Has labels that match the ltxtquery."),
    "depth": Operator("nlevel({0})", Operand.LENGTH, "Of how many labels."),
}

OPERATORS: Final[Mapping[FilterFamily, Mapping[str, Operator]]] = MappingProxyType(
    {
        FilterFamily.NONE: {},
        FilterFamily.EQUALITY: _EQUALITY,
        FilterFamily.ORDERED: _ORDERED,
        FilterFamily.TEXT: _TEXT,
        FilterFamily.JSON: _JSON,
        FilterFamily.TEXT_SEARCH: {"isnull": _ISNULL, "search": _SEARCH},
        FilterFamily.NETWORK: _NETWORK,
        FilterFamily.RANGE: _RANGE,
        FilterFamily.TREE: _TREE,
    }
)
"""The conditions of each family of types."""

LIST_OPERATORS: Final[Mapping[str, Operator]] = MappingProxyType(
    {
        "eq": _EQ,
        "neq": _NEQ,
        "distinctFrom": _DISTINCT,
        "contains": Operator("{0} @> {1}{3}", description="Has all of these.", empty=True),
        "containedBy": Operator("{0} <@ {1}{3}", description="Has none but these."),
        "overlaps": Operator("{0} && {1}{3}", description="Has one of these.", empty=False),
        "isnull": _ISNULL,
        "length": Operator("cardinality({0})", Operand.LENGTH, "Of how many items."),
        "any": Operator("", Operand.ANY, "One of the items meets these conditions."),
    }
)
"""The conditions of lists of scalars or enums."""

RELATION_OPERATORS: Final[Mapping[str, tuple[str, bool, str]]] = MappingProxyType(
    {
        "some": ("exists", False, "One of the rows meets the conditions."),
        "none": ("not exists", False, "None of the rows meets the conditions."),
        "every": ("not exists", True, "All rows meet the conditions; so where there are none."),
    }
)
"""The conditions of a relation to many rows: the SQL, and whether it is asked of the rows that do not meet them."""

AGGREGATE: Final = "aggregate"
"""The condition of a relation to many rows on figures about all of them."""

EMBEDDED_LIST_OPERATORS: Final[Mapping[str, Operator]] = MappingProxyType(
    {
        "some": Operator("", Operand.CONDITIONS, "One of the elements meets the conditions."),
        "none": Operator("", Operand.CONDITIONS, "None of the elements meets the conditions."),
        "every": Operator("", Operand.CONDITIONS, "All elements meet the conditions; so where there are none."),
        "count": Operator("", Operand.LENGTH, "Of how many elements."),
        "isnull": replace(_ISNULL, sql=f"({_JSON_NULL}) = {{1}}"),
    }
)
"""The conditions of lists of embedded objects; the first three are those of RELATION_OPERATORS."""

SEARCHES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "plain": ("plainto_tsquery", "All of these words."),
        "phrase": ("phraseto_tsquery", "These words, one after the other."),
        "websearch": ("websearch_to_tsquery", 'As in a search engine: `"a phrase" or word -other`.'),
    }
)
"""The ways to ask for words."""

RANK: Final = "rank"
"""The key of the conditions on how well a row fits what is asked for beside it."""

SEARCH_CONFIGS: Final = (
    *("simple", "arabic", "danish", "dutch", "english", "finnish", "french", "german", "hungarian", "indonesian"),
    *("irish", "italian", "lithuanian", "nepali", "norwegian", "portuguese", "romanian", "russian", "spanish"),
    *("swedish", "tamil", "turkish"),
)
"""The text search configurations that every PostgreSQL from version 12 on has; the first is the default."""


def operators_of(named: Scalar | EnumType) -> Mapping[str, Operator]:
    """The conditions of a scalar or an enum."""
    return OPERATORS[named.family if isinstance(named, Scalar) else FilterFamily.EQUALITY]


def is_searched(field: Field, types: Mapping[str, NamedType]) -> bool:
    """Whether a field has one text, or one vector of words, that can be searched."""
    named = types[field.type.named]
    return isinstance(named, Scalar) and field.type.item is None and "search" in operators_of(named)


def bound_operators(named: Scalar | EnumType) -> Mapping[str, Operator]:
    """The conditions of a range's bounds."""
    assert isinstance(named, Scalar)
    assert named.element is not None
    return operators_of(SCALARS[named.element])


def has_list_conditions(named: Scalar | EnumType) -> bool:
    """Whether a list of such values has conditions: whether they can be equal."""
    return isinstance(named, EnumType) or named.filtered
