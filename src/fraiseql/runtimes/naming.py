"""Finds the function that a setting names as `module:function`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from fraiseql.errors import ConfigurationError

__all__ = ["load_function"]


def load_function(setting: str, name: str) -> Callable[..., Any]:
    """Import it.

    Args:
        setting: the setting's name, for errors.
        name: the module and an attribute in it, either of them dotted.

    Raises:
        ConfigurationError: there is no such module or attribute, or it cannot be called.
        Exception: what the module raises.
    """
    module, _, attribute = name.partition(":")
    if not all(part.isidentifier() for part in [*module.split("."), *attribute.split(".")]):
        raise ConfigurationError(f"{setting} is {name!r}; expected module:function, as in app:context")
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(f"{error.name}.")):
            text = f"{setting} is {name!r}, but there is no module {error.name!r} on Python's path"
            raise ConfigurationError(text) from None
        raise
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise ConfigurationError(f"{setting} is {name!r}, but {module} has no attribute {attribute!r}")
        found = getattr(found, part)
    if not callable(found):
        raise ConfigurationError(f"{setting} is {name!r}, which is no function but of type {type(found).__name__}")
    function: Callable[..., Any] = found
    return function
