"""CPU time and memory of a process and all that it has started, from /proc."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Memory", "ProcessStat", "cpu_seconds", "memory", "parse_stat", "read_stats", "tree", "tree_ticks"]

_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class ProcessStat:
    """Of one line of /proc/<pid>/stat: the parent, and clock ticks in user and kernel mode.

    Attributes:
        own: of the process with all its threads, ended ones too.
        reaped: of the children that have ended and were waited for, and of theirs.
    """

    pid: int
    parent: int
    own: int
    reaped: int


@dataclass(frozen=True, slots=True)
class Memory:
    """Of a process and its descendants: resident bytes now, and the sum of what each had at most."""

    resident: int
    peak: int


def parse_stat(line: str) -> ProcessStat:
    """Read a line of /proc/<pid>/stat; the command's name in it may hold spaces and parentheses."""
    head, _, tail = line.rpartition(")")
    fields = tail.split()
    user, system, user_of_children, system_of_children = map(int, fields[11:15])
    return ProcessStat(
        int(head.partition(" ")[0]), int(fields[1]), user + system, user_of_children + system_of_children
    )


def read_stats() -> dict[int, ProcessStat]:
    """All processes of the machine."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                stat = parse_stat(Path("/proc", name, "stat").read_text(encoding="utf-8", errors="replace"))
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has ended since
            found[stat.pid] = stat
    return found


def tree(stats: Mapping[int, ProcessStat], root: int) -> list[int]:
    """A process and its descendants."""
    children: dict[int, list[int]] = {}
    for stat in stats.values():
        children.setdefault(stat.parent, []).append(stat.pid)
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        if pid in stats:
            found.append(pid)
            todo += children.get(pid, ())
    return found


def tree_ticks(root: int, read: Callable[[], Mapping[int, ProcessStat]] = read_stats) -> int:
    """Clock ticks of a process and all its descendants, ended ones too, each counted once.

    A child that ends between two files of /proc would be counted both alive and as reaped, or not at all. So they are
    read again until two readings have the same processes and reaped times.

    Raises:
        ProcessLookupError: the process has ended.
        RuntimeError: its children end faster than they can be counted.
    """
    before: list[tuple[int, int]] | None = None
    for _ in range(_ATTEMPTS):
        stats = read()
        if root not in stats:
            raise ProcessLookupError(f"the process {root} has ended")
        pids = tree(stats, root)
        shape = sorted((pid, stats[pid].reaped) for pid in pids)
        if shape == before:
            return sum(stats[pid].own + stats[pid].reaped for pid in pids)
        before = shape
    raise RuntimeError(f"the children of the process {root} end faster than they can be counted")


def cpu_seconds(root: int) -> float:
    """The CPU time of a process and all its descendants so far."""
    return tree_ticks(root) / os.sysconf("SC_CLK_TCK")


def memory(root: int) -> Memory:
    """The resident memory of a process and its descendants; pages that they share count for each."""
    resident = peak = 0
    for pid in tree(read_stats(), root):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmRSS:"):
                resident += int(line.split()[1]) * 1024
            elif line.startswith("VmHWM:"):
                peak += int(line.split()[1]) * 1024
    return Memory(resident, peak)
