"""Runs one command and turns every error into a sentence and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from fraiseql.cli.arguments import build_parser
from fraiseql.cli.output import OutputFailed
from fraiseql.cli.target import UserCodeFailed
from fraiseql.errors import FraiseQLError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the `fraiseql` command.

    Args:
        arguments: those of the process by default.

    Returns:
        The exit code: 0 for success, 1 for an error that stderr tells in one sentence, 130 for Ctrl-C.

    Raises:
        SystemExit: code 2, the arguments are wrong; code 0, help or the version was asked for.
    """
    options = build_parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except UserCodeFailed as error:
        print(f"{error.report.rstrip()}\nfraiseql: {error}", file=sys.stderr)
        return 1
    except FraiseQLError as error:
        print(f"fraiseql: {error}", file=sys.stderr)
        if isinstance(error, OutputFailed):
            _discard_output()
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _discard_output()  # whoever read it has seen enough
        return 1
    return code


def _discard_output() -> None:
    """Let the interpreter's own flush at exit not complain again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
