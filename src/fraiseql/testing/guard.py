"""Cleans up after a process that cannot do it itself, because it was killed."""

from __future__ import annotations

import subprocess
from pathlib import Path

__all__ = ["Guard"]

# It waits for the end of its input, which comes when the last holder of the other end of the pipe is gone, however it
# went; a line on it says that there is nothing to do. The process is told by its number in `postmaster.pid`, so that
# nobody else's is stopped who was given the same number since.
_SCRIPT = """
read -r line && exit 0
pid=$1 data=$2
shift 2
if [ "$(head -n 1 "$data/postmaster.pid" 2>/dev/null)" = "$pid" ]; then
    kill -QUIT "$pid" 2>/dev/null
    tries=0
    while kill -0 "$pid" 2>/dev/null && [ "$tries" -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
fi
rm -rf -- "$@"
"""


class Guard:
    """Stops a PostgreSQL and removes its folders when this process ends without having called `dismiss`.

    Args:
        pid: the server's process.
        data_directory: its data.
        folders: what to remove.
    """

    def __init__(self, pid: int, data_directory: Path, folders: list[Path]) -> None:
        command = ["/bin/sh", "-c", _SCRIPT, "sh", str(pid), str(data_directory), *map(str, folders)]
        self._process = subprocess.Popen(  # noqa: S603
            command,
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """The server has stopped in an orderly way."""
        self._process.communicate(b"\n")
