"""Samples the stacks of a Python process by the CPU time that it uses; Python imports this where it is on PYTHONPATH.

SIGUSR1 begins. SIGUSR2 ends, and writes the stacks to the file that the variable SAMPLES names: frames from the
outermost on with ";" between, and how often they were seen. Samples by the clock would also show where a process waits
for a processor. Only the main thread is seen; what it spends in C and in the kernel counts for the function that calls.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from types import CodeType, FrameType

INTERVAL = 0.002  # seconds of CPU; the kernel may make more of it

_seen: Counter[tuple[CodeType, ...]] = Counter()


def _sample(_number: int, frame: FrameType | None) -> None:
    stack = []
    while frame is not None:
        stack.append(frame.f_code)
        frame = frame.f_back
    _seen[tuple(stack)] += 1


def _begin(_number: int, _frame: FrameType | None) -> None:
    _seen.clear()
    signal.signal(signal.SIGPROF, _sample)
    signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)


def _end(_number: int, _frame: FrameType | None) -> None:
    signal.setitimer(signal.ITIMER_PROF, 0)
    lines = [f"{';'.join(map(_name, reversed(stack)))} {count}\n" for stack, count in _seen.items()]
    target = Path(os.environ["SAMPLES"])
    unfinished = target.with_suffix(".part")
    unfinished.write_text("".join(lines), encoding="utf-8")
    unfinished.rename(target)  # whoever waits for it sees the whole


def _name(code: CodeType) -> str:
    path = Path(code.co_filename)
    return f"{code.co_qualname} ({path.parent.name}/{path.name})".replace(";", ",")


if "SAMPLES" in os.environ:
    signal.signal(signal.SIGUSR1, _begin)
    signal.signal(signal.SIGUSR2, _end)
