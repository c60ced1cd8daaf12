"""A process that has others serve: forks them, hands them the listening sockets, and replaces one that died.

It runs no event loop and no thread, so that it can fork at any time, and does nothing for a request. Signals wake it
through a pipe, and so does each worker, by which it says that it serves, or why it cannot.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NoReturn

from fraiseql.errors import ConfigurationError, FraiseQLError, StartupError
from fraiseql.runtimes.balancing import Shares
from fraiseql.runtimes.listening import Listeners
from fraiseql.runtimes.logs import logger, name_worker

__all__ = ["STOP", "Supervisor", "pause_before"]

STEADY: Final = 10.0  # seconds of service after which a worker that dies has had bad luck, and not one more mistake
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
# What a worker stops on: once for an end in order, twice for one at once. It is none that a terminal or a service
# manager sends to all processes: what the supervisor passes on would be the second.
STOP: Final = signal.SIGUSR2
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP)

Work = Callable[[Listeners, Callable[[], None]], None]
"""What a worker does: serve until STOP; the second argument is to be called once it serves."""


def pause_before(deaths: int) -> float:
    """Seconds before a worker is started again that has died so many times in a row, each time soon: the first is free.

    What dies at once and again would otherwise do nothing but start, and fill the log.
    """
    return 0.0 if deaths < 2 else min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(deaths - 2, 10))


@dataclass(slots=True, eq=False)
class _Worker:
    """One of the workers: a place that processes take one after the other."""

    number: int
    pid: int = 0  # 0 while there is no process
    status: int = -1  # the pipe by which it tells how it goes
    told: bytes = b""
    since: float = 0.0  # when it began to serve, or was started
    serves: bool = False
    deaths: int = 0
    due: float | None = None  # when to start it again


class Supervisor:
    """Has several processes serve on the same listening sockets.

    Args:
        listeners: open; closed at the end.
        workers: how many processes.
        work: what each does.
    """

    def __init__(self, listeners: Listeners, workers: int, work: Work) -> None:
        self._listeners = listeners
        self._shares = listeners.shares = Shares(workers)
        self._work = work
        self._workers = [_Worker(number) for number in range(workers)]
        self._renewing: list[_Worker] = []  # to be replaced, one after the other
        self._serving = False
        self._stops = 0
        self._failure: FraiseQLError | None = None
        self._signals_read = self._signals_write = -1
        self._life_read = self._life_write = -1  # whose write end nobody else has: it closes when this process ends

    def run(self) -> None:
        """Serve until SIGINT or SIGTERM.

        The first lets the workers finish what runs, the second stops them at once, the third kills them. SIGHUP
        replaces them one after the other, unless this runs at a terminal, where it says that the terminal was closed.

        Raises:
            StartupError, ConfigurationError: a worker could not start, the first time.
        """
        gc.collect()
        gc.freeze()  # lest the collector of a worker write to pages that all share
        self._life_read, self._life_write = os.pipe()
        try:
            with self._signals():
                self._start(self._workers[0])  # where it fails, all would
                while any(worker.pid or worker.due is not None for worker in self._workers):
                    self._step()
        finally:
            self._kill_all()
            self._listeners.close()
            os.close(self._life_read)
            os.close(self._life_write)
            gc.unfreeze()
        if self._failure is not None:
            raise self._failure

    def _step(self) -> None:
        """Wait for something, and see to it."""
        due = [worker.due for worker in self._workers if worker.due is not None]
        timeout = max(0.0, min(due) - time.monotonic()) if due else None
        pipes = {worker.status: worker for worker in self._workers if worker.status >= 0}
        ready, _, _ = select.select([self._signals_read, *pipes], [], [], timeout)
        for fd in ready:
            if fd in pipes:
                self._listen_to(pipes[fd])
        if self._signals_read in ready:
            for number in os.read(self._signals_read, 4_096):
                self._signalled(number)
        for worker in self._workers:
            if worker.due is not None and worker.due <= time.monotonic():
                self._start(worker)

    # Signals

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        self._signals_read, self._signals_write = os.pipe()
        os.set_blocking(self._signals_write, False)
        numbers = _SIGNALS[:-1] if sys.stderr.isatty() else _SIGNALS
        before = {number: signal.signal(number, lambda *_: None) for number in numbers}
        wakeup = signal.set_wakeup_fd(self._signals_write, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(self._signals_read)
            os.close(self._signals_write)

    def _signalled(self, number: int) -> None:
        if number == signal.SIGCHLD:
            for worker in self._workers:
                if worker.pid:
                    pid, status = os.waitpid(worker.pid, os.WNOHANG)
                    if pid:
                        self._ended(worker, status)
        elif number == signal.SIGHUP:
            if self._serving and not self._stops and not self._renewing:
                logger.info("replacing the workers one after the other")
                self._renewing = list(self._workers)
                self._renew()
        else:
            self._stop()
            if self._stops == 1:
                logger.info("stopping the workers; a second signal stops them at once")

    def _stop(self) -> None:
        self._stops += 1
        for worker in self._workers:
            worker.due = None
            self._signal(worker, STOP if self._stops < 3 else signal.SIGKILL)
        if self._stops == 1:
            self._listeners.close()  # nobody can connect any more once the last worker has closed its own

    def _signal(self, worker: _Worker, number: signal.Signals) -> None:
        if worker.pid:
            os.kill(worker.pid, number)  # it is there until we have waited for it

    def _renew(self) -> None:
        """Let the next worker that is to be replaced end."""
        if self._renewing and not self._stops:
            self._signal(self._renewing[0], STOP)

    # Workers

    def _start(self, worker: _Worker) -> None:
        read, write = os.pipe()
        os.set_blocking(read, False)
        worker.due, worker.told, worker.serves, worker.since = None, b"", False, time.monotonic()
        sys.stdout.flush()  # lest what is not written yet be written twice
        sys.stderr.flush()
        # A signal that came to the new process while it has our handlers still would wake us, and be lost to it.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        worker.pid = os.fork()
        if worker.pid == 0:
            os.close(read)
            self._become(worker, write, mask)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.close(write)
        worker.status = read

    def _listen_to(self, worker: _Worker) -> None:
        """Hear that a worker serves, or why it cannot."""
        data = os.read(worker.status, 65_536)
        worker.told += data
        if not data:
            self._close_status(worker)
        elif worker.told == b"\n":
            worker.serves, worker.since = True, time.monotonic()
            self._serves(worker)

    def _close_status(self, worker: _Worker) -> None:
        if worker.status >= 0:
            os.close(worker.status)
            worker.status = -1

    def _serves(self, worker: _Worker) -> None:
        if worker in self._renewing:
            self._renewing.remove(worker)
            self._renew()
        if self._serving or self._stops:
            return
        for other in self._workers:
            if not other.pid:
                self._start(other)
        if all(other.serves for other in self._workers):
            self._serving = True
            logger.info("%d workers serve %s", len(self._workers), self._listeners.url)

    def _ended(self, worker: _Worker, status: int) -> None:
        """A worker's process has ended."""
        with contextlib.suppress(BlockingIOError):  # a process of the worker's own may have the pipe's other end
            while worker.status >= 0:
                self._listen_to(worker)
        self._close_status(worker)
        pid, worker.pid = worker.pid, 0
        self._shares.leave(worker.number)
        how = _how_ended(os.waitstatus_to_exitcode(status))
        error = _error_of(worker.told)
        if self._stops:
            if status and worker.serves:  # one that is on its way there has no handler for STOP
                logger.warning("worker %d (process %d) %s", worker.number + 1, pid, how)
        elif not self._serving:
            text = f"worker {worker.number + 1} {how} before it served"
            self._failure = error or StartupError(text)
            self._stop()
        else:
            self._replace(worker, f"worker {worker.number + 1} (process {pid}) {how}", error)

    def _replace(self, worker: _Worker, ended: str, error: FraiseQLError | None) -> None:
        asked = worker in self._renewing and worker.serves
        steady = worker.serves and time.monotonic() - worker.since >= STEADY
        worker.deaths = 0 if asked else 1 if steady else worker.deaths + 1
        pause = pause_before(worker.deaths)
        worker.due = time.monotonic() + pause
        worker.serves = False
        if not asked:
            reason = ended if error is None else f"{ended}: {error}"
            logger.warning("%s; another one starts %s", reason, f"in {pause:.1f} s" if pause else "at once")

    def _kill_all(self) -> None:
        """Leave no process behind, whatever went wrong here."""
        for worker in self._workers:
            if worker.pid:
                os.kill(worker.pid, signal.SIGKILL)
                os.waitpid(worker.pid, 0)
                worker.pid = 0
            self._close_status(worker)

    # In the worker's process

    def _become(self, worker: _Worker, status: int, mask: set[int]) -> NoReturn:
        """Be a worker from now on; ends the process."""
        code = 1
        try:
            self._leave_supervisor(mask)
            self._shares.take(worker.number)
            name_worker(worker.number + 1)
            self._begin_to_follow()
            self._work(self._listeners, lambda: self._tell_that_it_serves(status))
            code = 0
        except FraiseQLError as error:
            kind = "ConfigurationError" if isinstance(error, ConfigurationError) else "StartupError"
            os.write(status, json.dumps([kind, str(error)[:2_000]]).encode())
        except BaseException as error:
            logger.error("the worker failed: %s", error, exc_info=error)
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _leave_supervisor(self, mask: set[int]) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number in (
            signal.SIGINT,
            signal.SIGTERM,
            signal.SIGHUP,
        ):  # not ignored: that a program of ours would inherit
            signal.signal(number, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        inherited = [self._signals_read, self._signals_write, self._life_write]
        for fd in [*inherited, *(other.status for other in self._workers)]:
            if fd >= 0:
                os.close(fd)

    def _tell_that_it_serves(self, status: int) -> None:
        self._shares.join()
        os.write(status, b"\n")

    def _begin_to_follow(self) -> None:
        """Watch the supervisor in a thread that takes no signal: one that it took would not wake the main thread."""
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        threading.Thread(target=self._follow, name="fraiseql follow", daemon=True).start()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _follow(self) -> None:
        """Stop where the supervisor has died, which sends no signal then."""
        if not os.read(self._life_read, 1):
            os.kill(os.getpid(), STOP)


def _how_ended(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    with contextlib.suppress(ValueError):
        return f"died of {signal.Signals(-code).name}"
    return f"died of signal {-code}"


def _error_of(told: bytes) -> FraiseQLError | None:
    """What a worker told of its end, if it did."""
    with contextlib.suppress(ValueError, TypeError):
        kind, message = json.loads(told)
        return ConfigurationError(message) if kind == "ConfigurationError" else StartupError(message)
    return None
