"""Finds the schema that a command line names as `module:schema`."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import fraiseql
from fraiseql.errors import ConfigurationError, FraiseQLError

__all__ = ["Target", "UserCodeFailed", "load_context", "load_schema", "parse_target"]


class UserCodeFailed(Exception):
    """The module that should define the schema raised an exception of its own.

    Args:
        module: its name.
        report: the traceback, beginning in the user's code.
    """

    def __init__(self, module: str, report: str) -> None:
        super().__init__(f"importing {module} failed")
        self.report = report


@dataclass(frozen=True, slots=True)
class Target:
    """Where a schema is: a module and an attribute in it, either of them dotted."""

    module: str
    attribute: str


def parse_target(text: str) -> Target:
    """Read `module:schema`; raises ValueError, with a sentence for the user, where it is not of that form."""
    module, colon, attribute = text.partition(":")
    if module.endswith(".py") or "/" in module:
        suggestion = module.removeprefix("./").removesuffix(".py").replace("/", ".")
        raise ValueError(f"{module!r} is a file: name the module, as in {suggestion}:{attribute or 'schema'}")
    names = [*module.split("."), *attribute.split(".")]
    if not colon or not all(name.isidentifier() for name in names):
        raise ValueError(f"{text!r} is not of the form module:schema, as in app:schema")
    return Target(module, attribute)


def load_schema(target: Target) -> fraiseql.Schema:
    """Import the target's module, from the current directory too, and return its schema.

    Raises:
        ConfigurationError: there is no such module or attribute, or it is no schema.
        SchemaError: the schema is wrong.
        UserCodeFailed: the module raised.
    """
    found = _load(target)
    if not isinstance(found, fraiseql.Schema):
        kind = type(found).__name__
        raise ConfigurationError(f"{target.module}:{target.attribute} is not a fraiseql.Schema but of type {kind}")
    return found


def load_context(name: str) -> Callable[..., Any]:
    """Import the function that the setting `context` names, as a target is imported; raises as `load_schema`."""
    try:
        target = parse_target(name)
    except ValueError:
        raise ConfigurationError(f"context is {name!r}; expected module:function, as in app:context") from None
    found = _load(target)
    if not callable(found):
        raise ConfigurationError(f"context is {name!r}, which is no function but of type {type(found).__name__}")
    function: Callable[..., Any] = found
    return function


def _load(target: Target) -> Any:
    current = os.getcwd()
    if current not in sys.path:
        sys.path.insert(0, current)
    found: Any = _import(target.module, current)
    for name in target.attribute.split("."):
        if not hasattr(found, name):
            raise ConfigurationError(f"{target.module} has no attribute {target.attribute!r}")
        found = getattr(found, name)
    return found


def _import(module: str, current: str) -> Any:
    try:
        return importlib.import_module(module)
    except FraiseQLError:
        raise
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(f"{error.name}.")):
            raise ConfigurationError(f"there is no module {error.name!r} in {current} or on Python's path") from None
        raise UserCodeFailed(module, _report(error)) from error
    except Exception as error:
        raise UserCodeFailed(module, _report(error)) from error


def _report(error: Exception) -> str:
    """The traceback without our own and the import system's frames."""
    start = error.__traceback__
    while start is not None and _is_machinery(start):
        start = start.tb_next
    return "".join(traceback.format_exception(type(error), error, start))


def _is_machinery(frame: TracebackType) -> bool:
    path = frame.tb_frame.f_code.co_filename
    return path in (__file__, importlib.__file__) or path.startswith("<frozen importlib")
