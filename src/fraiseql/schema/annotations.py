"""From Python's annotations to type references."""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import MISSING, dataclass
from typing import Annotated, Any, ClassVar, Union, get_args, get_origin, get_type_hints

from fraiseql.context import BlockingInfo, Info
from fraiseql.errors import SchemaError
from fraiseql.schema.declarations import (
    FieldOptions,
    MethodDeclaration,
    MutationDeclaration,
    QueryDeclaration,
    RelationOptions,
    SubscriptionDeclaration,
    declaration_of,
)
from fraiseql.schema.model import Shape, TypeReference
from fraiseql.schema.scalar import Scalar
from fraiseql.schema.scalars import PYTHON_SCALARS
from fraiseql.schema.shapes import SHAPES, ShapedType

__all__ = [
    "Annotation",
    "attribute_annotations",
    "check_info",
    "directive_annotations",
    "parameter_annotations",
    "read_annotation",
]

_EXPECTED = "a scalar, an enum, a declared type, list[...] of one, or any of these with `| None`"


@dataclass(frozen=True, slots=True)
class Annotation:
    """An annotation as read.

    Attributes:
        options: what `Annotated` said, as `description`.
        declared: the declared classes that it names.
        scalar: the one that it names.
        shaped: the shape of rows that it names, other than one or a list.
    """

    type: TypeReference
    options: FieldOptions | RelationOptions | None
    description: str | None
    declared: tuple[Callable[..., Any], ...]
    scalar: Scalar | None = None
    shaped: ShapedType | None = None

    @property
    def rows(self) -> tuple[str, Shape]:
        """The type that rows are of, and their shape."""
        if self.shaped is not None:
            return self.shaped.of, self.shaped.shape
        return self.type.named, Shape.ROW if self.type.item is None else Shape.LIST


_Named = Callable[..., Any] | Scalar | ShapedType


def _resolve(annotation: Any, module: str, names: Mapping[str, Any], where: str) -> Any:
    namespace = getattr(sys.modules.get(module), "__dict__", {})
    # One annotation at a time, so that an error can name its field; in a class, where ClassVar is allowed.
    holder = type("holder", (), {"__annotations__": {"it": annotation}})
    try:
        return get_type_hints(holder, namespace, dict(names), include_extras=True)["it"]
    except NameError as error:
        raise SchemaError(
            where, found=f"the unknown name {error.name!r}", expected="a name of its module or of Schema(types=...)"
        ) from None
    except Exception as error:  # an annotation is code, which may raise anything
        raise SchemaError(where, found=f"{annotation!r} ({error})", expected=_EXPECTED) from None


def attribute_annotations(cls: Any, names: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Each public annotated attribute of a class and its bases: name, annotation, default or `Parameter.empty`."""
    found: dict[str, tuple[Any, str]] = {}
    for base in reversed(cls.__mro__):
        for name, annotation in inspect.get_annotations(base).items():
            found[name] = (annotation, base.__module__)
    _refuse_without_annotation(cls, found)
    for name, (annotation, module) in found.items():
        if name.startswith("_"):
            continue
        resolved = _resolve(annotation, module, names, f"{cls.__name__}.{name}")
        if get_origin(resolved) is not ClassVar and resolved is not ClassVar:
            yield name, resolved, _default(cls, name)


def _default(cls: Any, name: str) -> Any:
    """An attribute's value in the class; that of a dataclass with slots is its field's default."""
    default = getattr(cls, name, inspect.Parameter.empty)
    if isinstance(default, types.MemberDescriptorType):
        kept = getattr(cls, "__dataclass_fields__", {}).get(name)
        return inspect.Parameter.empty if kept is None or kept.default is MISSING else kept.default
    return default


def _refuse_without_annotation(cls: Any, annotated: Mapping[str, Any]) -> None:
    """`posts = fraiseql.relation(...)` is meant to be a field, and would be none."""
    for base in cls.__mro__:
        for name, value in vars(base).items():
            if isinstance(value, (FieldOptions, RelationOptions)) and name not in annotated:
                raise SchemaError(f"{cls.__name__}.{name}", found="no annotation", expected=_EXPECTED)


def parameter_annotations(
    function: Callable[..., Any], names: Mapping[str, Any], *, skipped: int = 0, where: str = ""
) -> tuple[list[tuple[str, Any, Any]], Any]:
    """The parameters of a function as `attribute_annotations` gives attributes, and its resolved return annotation.

    Args:
        skipped: how many of the first parameters are none of the field's arguments: `self`, `info`.
        where: names it in a SchemaError; its own name by default.
    """
    signature = inspect.signature(function)
    where = where or function.__name__
    parameters = list(_parameters(function, names, skipped, where))
    if signature.return_annotation is signature.empty:
        raise SchemaError(where, found="no return annotation", expected="-> list[T], -> T or -> T | None")
    return parameters, _resolve(signature.return_annotation, function.__module__, names, f"{where} -> ...")


def check_info(function: Callable[..., Any], names: Mapping[str, Any], told: type, where: str) -> None:
    """See that the parameter `info` is not annotated with the other one of Info and BlockingInfo than it is told.

    Raises:
        SchemaError: it is.
    """
    annotation = inspect.signature(function).parameters["info"].annotation
    try:
        resolved = _resolve(annotation, function.__module__, names, where)
    except SchemaError:  # a name for type checkers alone, which nobody else needs
        return
    if resolved in (Info, BlockingInfo) and resolved is not told:
        raise SchemaError(f"{where}(info)", found=resolved.__name__, expected=f"{told.__name__}, which it is given")


def directive_annotations(function: Callable[..., Any], names: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """The same of a function that returns nothing."""
    returned = inspect.signature(function).return_annotation
    if returned not in (inspect.Signature.empty, None, "None"):
        raise SchemaError(
            f"{function.__name__} -> ...", found=_shown(returned), expected="None: a directive has no value"
        )
    return list(_parameters(function, names, 0, function.__name__))


def _parameters(
    function: Callable[..., Any], names: Mapping[str, Any], skipped: int, where: str
) -> Iterator[tuple[str, Any, Any]]:
    for parameter in list(inspect.signature(function).parameters.values())[skipped:]:
        place = f"{where}({parameter.name})"
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise SchemaError(place, found=parameter.kind.description, expected="a named parameter")
        if parameter.annotation is parameter.empty:
            raise SchemaError(place, found="no annotation", expected=_EXPECTED)
        resolved = _resolve(parameter.annotation, function.__module__, names, place)
        yield parameter.name, resolved, parameter.default


def read_annotation(annotation: Any, where: str) -> Annotation:
    """Read one resolved annotation; `where` names its place in a SchemaError."""
    options: FieldOptions | RelationOptions | None = None
    description: str | None = None
    if get_origin(annotation) is Annotated:
        for extra in get_args(annotation)[1:]:
            if isinstance(extra, (FieldOptions, RelationOptions)):
                options = extra
            elif isinstance(extra, str):
                description = extra
    named: list[_Named] = []
    reference = _reference(annotation, where, named)
    scalar = next((each for each in named if isinstance(each, Scalar)), None)
    shaped = next((each for each in named if isinstance(each, ShapedType)), None)
    classes = tuple(each for each in named if not isinstance(each, (Scalar, ShapedType)))
    return Annotation(reference, options, description, classes, scalar, shaped)


def _reference(annotation: Any, where: str, declared: list[_Named]) -> TypeReference:
    origin = get_origin(annotation)
    if origin is Annotated:
        scalar = next((extra for extra in get_args(annotation)[1:] if isinstance(extra, Scalar)), None)
        if scalar is not None:
            declared.append(scalar)
            return TypeReference(nullable=False, name=scalar.name)
        return _reference(get_args(annotation)[0], where, declared)
    if origin in (Union, types.UnionType):
        members = [member for member in get_args(annotation) if member is not types.NoneType]
        if len(members) == 1:
            inner = _reference(members[0], where, declared)
            return TypeReference(nullable=True, name=inner.name, item=inner.item)
    elif origin is list and get_args(annotation):
        return TypeReference(nullable=False, item=_reference(get_args(annotation)[0], where, declared))
    elif origin in SHAPES:
        return _shaped(SHAPES[origin], annotation, where, declared)
    elif isinstance(annotation, Hashable):
        named = PYTHON_SCALARS.get(origin or annotation)
        if named is not None:
            declared.append(named)
            return TypeReference(nullable=False, name=named.name)
        declaration = declaration_of(annotation)
        if declaration is not None and not isinstance(
            declaration, (QueryDeclaration, MutationDeclaration, SubscriptionDeclaration, MethodDeclaration)
        ):
            declared.append(declaration.cls)
            return TypeReference(nullable=False, name=declaration.name)
    raise SchemaError(where, found=_shown(annotation), expected=_EXPECTED)


def _shaped(shape: Shape, annotation: Any, where: str, declared: list[_Named]) -> TypeReference:
    (argument,) = get_args(annotation)
    below = _reference(argument, where, declared)
    is_shaped = any(isinstance(each, ShapedType) for each in declared)
    if below.item is not None or below.nullable or is_shaped:
        raise SchemaError(where, found=_shown(annotation), expected="a type with sql_source inside the brackets")
    shaped = ShapedType(shape, below.name)
    declared.append(shaped)
    return TypeReference(nullable=False, name=shaped.name)


def _shown(annotation: Any) -> str:
    if inspect.isclass(annotation) and not isinstance(annotation, types.GenericAlias):
        undecorated = (
            "" if annotation.__module__ in ("builtins", "typing") else ", which no fraiseql decorator declares"
        )
        return f"{annotation.__qualname__}{undecorated}"
    return str(annotation).replace("typing.", "") if isinstance(annotation, Hashable) else repr(annotation)
