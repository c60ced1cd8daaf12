"""Cleans up after a process that cannot do it itself, because it was killed."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

__all__ = ["Guard", "mark_guarded", "noting_its_number"]

_MARK = "guarded"
_NUMBER = "process"

# Whoever is started in the guarded folder notes its number there, then looks whether the mark still stands; the guard
# takes the mark away, then looks for a number. So either it sees the number, or nobody starts.
_LAUNCHER = f'printf "%s %s\\n" "$$" "$1" >{_NUMBER} && [ -e {_MARK} ] && shift && exec "$@"'

# It waits for the end of its input, which comes when the last holder of the other end of the pipe is gone, however it
# went; a line on it says that there is nothing to do. The processes of the group end with their leader: PostgreSQL
# stops its own, and what initdb runs reads the end of its input; force comes last. Where commands can be seen, one
# without the folder's name in it is somebody else's, who was given the same number since.
_SCRIPT = f"""
read -r line && exit 0
home=$1
rm -f -- "$home/{_MARK}"
number= end_by=
read -r number end_by 2>/dev/null <"$home/{_NUMBER}"
if [ -n "$end_by" ] && {{ [ ! -r /proc/self/cmdline ] || grep -qF -- "${{home##*/}}" "/proc/$number/cmdline"; }}; then
    kill -s "$end_by" "$number"
    tries=0
    while kill -s 0 -- "-$number" && [ "$tries" -lt 200 ]; do sleep 0.05; tries=$((tries + 1)); done
    kill -s KILL -- "-$number"
fi
tries=0
until rm -rf -- "$@" || [ "$tries" -ge 100 ]; do sleep 0.05; tries=$((tries + 1)); done
"""


class Guard:
    """Ends the process started in a folder, and removes folders, when this process ends without calling `dismiss`.

    Args:
        home: the folder in which the process is started, with a name of its own; need not exist yet.
        folders: what else to remove.
    """

    def __init__(self, home: Path, *folders: Path) -> None:
        command = ["/bin/sh", "-c", _SCRIPT, "sh", str(home), *map(str, folders)]
        self._process = subprocess.Popen(  # noqa: S603
            command,
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """There is nothing left to do."""
        self._process.communicate(b"\n")


def mark_guarded(home: Path) -> None:
    """Allow processes to start in this folder."""
    (home / _MARK).touch()


def noting_its_number(command: list[str], end_by: signal.Signals) -> list[str]:
    """The same command for a guard to end: it must be started in the folder that is guarded, as leader of a session.

    Args:
        command: has the folder's name in one of its arguments.
        end_by: the signal that ends it, and what it runs.
    """
    return ["/bin/sh", "-c", _LAUNCHER, "sh", end_by.name.removeprefix("SIG"), *command]
