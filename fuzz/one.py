"""`python -m fuzz.one TARGET [option of libFuzzer ...]`: fuzz one target in this process, until libFuzzer ends it."""

from __future__ import annotations

import sys
from importlib import import_module

import atheris


def main() -> None:
    """Instrument our parsers, then hand over to libFuzzer."""
    name = sys.argv.pop(1)
    with atheris.instrument_imports(include=["fraiseql.protocol"]):
        check = import_module(f"fuzz.{name}").check
    sys.argv[0] = f"{sys.executable} -m fuzz.one {name}"  # libFuzzer's -merge starts it again, through a shell
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
