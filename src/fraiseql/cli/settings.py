"""Every setting as an option of the command line."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable
from typing import Any

from fraiseql.runtimes.config import FraiseQLConfig, Setting

__all__ = ["add_settings", "read_config"]

_GROUPS = (
    ("http_", "limits of HTTP", "Sizes in bytes, times in seconds."),
    ("query_", "limits of a query", "Times in seconds."),
    ("pool_", "the database connection pool", "Times in seconds."),
    ("", "the server", "Each setting is read from the environment where its option is not given. Times in seconds."),
)


def add_settings(parser: argparse.ArgumentParser, names: Iterable[str] | None = None) -> None:
    """Add an option for each setting, or for those named."""
    wanted = None if names is None else set(names)
    for prefix, title, description in reversed(_GROUPS):
        settings = [
            setting
            for setting in FraiseQLConfig.settings()
            if _prefix_of(setting) == prefix and (wanted is None or setting.name in wanted)
        ]
        if settings:
            group = parser.add_argument_group(title, description)
            for setting in settings:
                _add_option(group, setting)


def read_config(options: argparse.Namespace, **overrides: Any) -> FraiseQLConfig:
    """The settings: what the options say, else the environment, else the defaults.

    Args:
        options: as the parser left them; settings that have no option there are read from the environment.
        overrides: settings that neither may change.

    Raises:
        ConfigurationError: a variable or value is wrong; the message names it.
    """
    given = {setting.name: getattr(options, setting.name, None) for setting in FraiseQLConfig.settings()}
    return FraiseQLConfig.from_environment(os.environ, **{**given, **overrides})


def _prefix_of(setting: Setting) -> str:
    return next(prefix for prefix, _, _ in _GROUPS if setting.name.startswith(prefix))


def _add_option(group: Any, setting: Setting) -> None:
    default = "none" if setting.default is None else str(setting.default).lower()
    help_text = f"{setting.help} (default {default}; {setting.variable})".replace("%", "%%")
    if setting.kind is bool:
        group.add_argument(setting.option, action=argparse.BooleanOptionalAction, default=None, help=help_text)
    else:
        metavar = (
            f"{{{','.join(setting.choices)}}}" if setting.choices else {str: "TEXT", int: "N", float: "X"}[setting.kind]
        )
        group.add_argument(setting.option, type=_parser_of(setting), metavar=metavar, default=None, help=help_text)


def _parser_of(setting: Setting) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        try:
            return setting.parse(text)
        except ValueError as error:
            shown = "the value" if setting.is_secret else repr(text)
            raise argparse.ArgumentTypeError(f"{shown} is wrong; expected {error}") from None

    return parse
