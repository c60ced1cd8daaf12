"""What a command has to say on standard output."""

from __future__ import annotations

from fraiseql.errors import FraiseQLError

__all__ = ["OutputFailed", "write"]


class OutputFailed(FraiseQLError):
    """Standard output takes no more."""


def write(text: str) -> None:
    """Print one text, at once.

    Raises:
        OutputFailed: it could not be written, as on a full disk.
        BrokenPipeError: whoever reads it has left.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputFailed(f"cannot write the output: {error.strerror or error}") from error
