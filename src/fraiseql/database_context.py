"""What PostgreSQL is told of the caller: the settings that policies of row-level security read, and the role."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Final, TypeAlias
from uuid import UUID

from fraiseql.context import Caller
from fraiseql.errors import RequestError, SchemaError

__all__ = ["DatabaseContext", "Setting"]

Source: TypeAlias = "str | Callable[[Caller], Any]"

# A setting of one's own has a dot in its name (PostgreSQL §20.16): `search_path` and the like cannot be meant.
_SETTING: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*(?:\.[A-Za-z_][A-Za-z0-9_$]*)+")
_ATTRIBUTES: Final = ("user_id", "tenant_id", "roles", "context")
_NO_ROLES: Final = ("none", "default", "public")  # `set role none` gives back the role of the connection
_MAX_ROLE: Final = 63  # bytes of a name
_CONTEXT: Final = "DatabaseContext"


@dataclass(frozen=True, slots=True)
class Setting:
    """Where the value of a setting comes from.

    Args:
        source: an attribute of the Caller, `"tenant_id"`; a path into its context, `"context.locale"`, of keys and
            attributes; or a function of the Caller, which is not asynchronous.
        required: whether a request without the value is refused; otherwise PostgreSQL is told an empty text.
    """

    source: Source
    required: bool = True


@dataclass(frozen=True, slots=True)
class DatabaseContext:
    """What PostgreSQL is told of the caller before each statement, in the same transaction.

    A value is a str, an int, a bool (`true`, `false`), a UUID, or a list, tuple or set of str, which is written as an
    array: `{"editor","reader"}`, a set in the order of its texts.

    Attributes:
        settings: by the name of the setting, as `app.tenant_id`: where its value comes from, a Setting or its `source`.
        role: where the name of the role comes from, by which the statement runs; None for that of the connection. Of
            several, as `roles`, the first that is declared counts.
        roles: the only roles that it may be: their names; or a mapping from the application's names to theirs.

    Raises:
        SchemaError: a name or a source is wrong.
    """

    settings: Mapping[str, Source | Setting] = field(default_factory=dict)
    role: Source | Setting | None = None
    roles: tuple[str, ...] | Mapping[str, str] = ()
    _settings: tuple[tuple[bytes, _Reader], ...] = field(init=False, repr=False, compare=False)
    _role: _Reader | None = field(init=False, repr=False, compare=False)
    _roles: Mapping[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.settings, Mapping):
            raise SchemaError(_CONTEXT, found=f"settings={self.settings!r}", expected='{"app.tenant_id": "tenant_id"}')
        set_ = object.__setattr__
        set_(self, "_settings", tuple(_readers(self.settings)))
        set_(self, "_roles", _declared_roles(self.roles))
        set_(self, "_role", None if self.role is None else _reader("role", self.role))
        if (self.role is None) != (not self._roles):
            found, expected = f"role={self.role!r}, roles={self.roles!r}", "both of them, or neither"
            raise SchemaError(_CONTEXT, found=found, expected=expected)

    def settings_of(self, caller: Caller) -> tuple[tuple[bytes, bytes], ...]:
        """The names and values for `set_config(name, value, true)`, the role last.

        Raises:
            RequestError: code CONTEXT_MISSING: a value that is required is not there; FORBIDDEN: the role is none of
                those declared; BAD_USER_INPUT: a value cannot be a text of PostgreSQL's.
            TypeError: a value is of another type.
            Exception: what a function of the user's raises.
        """
        found = [(name, reader.text(caller)) for name, reader in self._settings]
        if self._role is not None:
            # That of the connection is told too: something is, so that what the statement leaves is undone.
            found.append((b"role", self._role_of(caller, self._role) or b"none"))
        return tuple(found)

    def _role_of(self, caller: Caller, reader: _Reader) -> bytes | None:
        value = reader.value(caller)
        if value is None:
            return None
        if not isinstance(value, (str, list, tuple, set, frozenset)):
            raise TypeError(f"{_CONTEXT}: role is {value!r}; expected a str, or several")
        names = {value} if isinstance(value, str) else set(value)
        for name, role in self._roles.items():
            if name in names:
                return role.encode()
        raise RequestError("The caller has no role that is served.", code="FORBIDDEN")


@dataclass(frozen=True, slots=True)
class _Reader:
    """One setting, ready to be read."""

    name: str
    get: Callable[[Caller], Any]
    required: bool

    def value(self, caller: Caller) -> Any:
        """None where it is missing and need not be there."""
        value = self.get(caller)
        # No texts are a value, `{}`, as no roles are; but of no role none can be chosen.
        is_there = value is not None and (bool(value) or not isinstance(value, str))
        if is_there and (self.name != "role" or value):
            return value
        if self.required:
            raise RequestError(f"The request has no value for {self.name!r}.", code="CONTEXT_MISSING")
        return None

    def text(self, caller: Caller) -> bytes:
        """As PostgreSQL is told."""
        value = self.value(caller)
        try:
            encoded = b"" if value is None else _text(value, self.name).encode()
        except UnicodeEncodeError:
            encoded = b"\0"
        if b"\0" in encoded:
            message = f"The value of {self.name!r} holds a character that PostgreSQL's texts cannot hold."
            raise RequestError(message, code="BAD_USER_INPUT")
        return encoded


def _text(value: Any, name: str) -> str:
    if isinstance(value, str):  # of an enum's member, too
        return str.__str__(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, UUID)):
        return str(value)
    if isinstance(value, (list, tuple, set, frozenset)) and all(isinstance(item, str) for item in value):
        items = sorted(value) if isinstance(value, (set, frozenset)) else value
        return "{" + ",".join(map(_quoted, items)) + "}"
    found = type(value).__name__
    raise TypeError(f"{_CONTEXT}: the value of {name!r} is of type {found}; expected str, int, bool, UUID or texts")


def _quoted(item: str) -> str:
    """An element of an array (PostgreSQL §8.15.6)."""
    escaped = str.__str__(item).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _readers(settings: Mapping[str, Source | Setting]) -> Iterable[tuple[bytes, _Reader]]:
    seen: set[str] = set()
    for name, source in settings.items():
        where = f"{_CONTEXT}(settings=...)"
        if not isinstance(name, str) or not _SETTING.fullmatch(name):
            expected = "the name of a setting of your own, with a dot in it: 'app.tenant_id'"
            raise SchemaError(where, found=repr(name), expected=expected)
        if name.lower() in seen:  # for PostgreSQL upper case is lower case
            raise SchemaError(where, found=f"{name!r} twice", expected="one")
        seen.add(name.lower())
        yield name.encode(), _reader(name, source)


def _reader(name: str, given: Any) -> _Reader:
    setting = given if isinstance(given, Setting) else Setting(given)
    if not isinstance(setting.required, bool):
        raise SchemaError(name, found=f"required={setting.required!r}", expected="True or False")
    source = setting.source
    if callable(source):
        return _Reader(name, source, setting.required)
    first, *rest = source.split(".") if isinstance(source, str) else ("",)
    is_path = first == "context" and bool(rest) and all(rest)
    if not is_path and (first not in _ATTRIBUTES or rest):
        expected = "'user_id', 'tenant_id', 'roles', 'context', a path 'context.locale', or a function of the Caller"
        raise SchemaError(f"{_CONTEXT}: {name}", found=repr(source), expected=expected)
    return _Reader(name, _getter(first, rest), setting.required)


def _getter(attribute: str, path: list[str]) -> Callable[[Caller], Any]:
    return lambda caller: reduce(_step, path, getattr(caller, attribute))


def _step(value: Any, name: str) -> Any:
    """What a mapping or an object holds under a name; None where it does not."""
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def _declared_roles(roles: Any) -> Mapping[str, str]:
    where = f"{_CONTEXT}(roles=...)"
    found = dict(roles) if isinstance(roles, Mapping) else {}
    if isinstance(roles, (tuple, list)):
        found = {role: role for role in roles}
    elif not isinstance(roles, Mapping):
        raise SchemaError(where, found=repr(roles), expected="a tuple of names, or a mapping to them")
    for name, role in found.items():
        if not isinstance(name, str) or not name:
            raise SchemaError(where, found=repr(name), expected="a name")
        is_name = isinstance(role, str) and role.isprintable() and 0 < len(role.encode("utf-8", "replace")) <= _MAX_ROLE
        if not is_name or role.lower() in _NO_ROLES:
            raise SchemaError(where, found=repr(role), expected="the name of a role of the database")
    return found
