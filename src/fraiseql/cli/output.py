"""What a command has to say on standard output."""

from __future__ import annotations

from fraiseql.errors import FraiseQLError

__all__ = ["OutputFailed", "write"]


class OutputFailed(FraiseQLError):
    """Standard output takes no more."""


def write(text: str) -> None:
    """Print one text, at once.

    Raises:
        OutputFailed: it could not be written, as on a full disk or in an encoding that lacks a letter.
        BrokenPipeError: whoever reads it has left.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise
    except UnicodeEncodeError as error:
        missing = ascii(error.object[error.start])
        text = f"cannot write the output: {error.encoding} has no {missing}; set PYTHONIOENCODING=utf-8"
        raise OutputFailed(text) from error
    except OSError as error:
        raise OutputFailed(f"cannot write the output: {error.strerror or error}") from error
