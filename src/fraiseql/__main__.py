"""`python -m fraiseql` is the `fraiseql` command."""

from __future__ import annotations

import sys

from fraiseql.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    sys.exit(main())
