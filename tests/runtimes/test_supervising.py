"""Processes that serve on one port: started, killed, replaced, stopped."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fraiseql.runtimes.supervising import pause_before

# Workers that do what a client says: tell their process, stay, wait, die.
PROGRAM = """
import multiprocessing, os, select, signal, sys, time
from fraiseql.errors import FraiseQLError, StartupError
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.runtimes.listening import open_listeners
from fraiseql.runtimes.logs import configure_logging, logger
from fraiseql.runtimes.supervising import STOP, Supervisor

class Stop(Exception): pass

stops = 0

def stop(number, frame):
    global stops
    stops += 1
    if stops > 1:
        os._exit(0)
    raise Stop

def work(listeners, ready):
    if os.path.exists("broken"):
        raise StartupError("the database is away")
    logger.info("a log")
    name = multiprocessing.current_process().name
    signal.signal(STOP, stop)
    (sock,) = listeners.sockets
    clients = {}
    ready()
    try:
        os.write(2, f"{name} is here\\n".encode())  # at once: logging would keep what the handler raises
        while True:
            for fd in select.select([sock, *clients], [], [])[0]:
                if fd is sock:
                    if listeners.head_start:
                        time.sleep(listeners.head_start)
                    try:
                        client, _ = sock.accept()
                    except BlockingIOError:
                        continue
                    clients[client] = True
                else:
                    said = fd.recv(9)
                    if said == b"die":
                        os._exit(3)
                    if said == b"nap":
                        try:
                            open(f"napping-{os.getpid()}", "w").close()
                            time.sleep(60)
                        except Stop:
                            open("stopping", "w").close()
                            for _ in range(200):
                                if os.path.exists("finish"):
                                    fd.sendall(b"done")
                                    raise
                                time.sleep(0.01)
                    if said:
                        fd.sendall(b"%d" % os.getpid())
                    else:
                        del clients[fd]
                        fd.close()
                listeners.count(len(clients))
    except Stop:
        pass

configure_logging("info")
listeners = open_listeners(FraiseQLConfig(port=int(sys.argv[1])))
try:
    Supervisor(listeners, int(sys.argv[2]), work).run()
except FraiseQLError as error:
    raise SystemExit(f"{type(error).__name__}: {error}")
print("ended", os.getpid(), flush=True)
"""


class Supervised:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.port = 0
        self.log = ""
        self.open: list[socket.socket] = []

    def until(self, pattern: str, times: int = 1) -> re.Match[str]:
        """Read the log until it has lines of a kind; gives the last of them."""
        assert self.process.stderr is not None
        give_up = time.monotonic() + 10
        while len(found := list(re.finditer(pattern, self.log))) < times:
            line = self.process.stderr.readline()
            assert line, f"{pattern} is not in {self.log}"
            assert time.monotonic() < give_up
            self.log += line
        return found[-1]

    def stay(self, clients: int) -> list[tuple[socket.socket, int]]:
        """Clients that stay, each with the process that serves it."""
        found = []
        for _ in range(clients):
            client = socket.create_connection(("127.0.0.1", self.port), timeout=10)
            self.open.append(client)
            client.sendall(b"pid")
            found.append((client, int(client.recv(9))))
        return found

    def spread(self, workers: int, each: int = 1) -> list[tuple[socket.socket, int]]:
        """As many clients that stay as it takes until every worker has some: a slow one may let some go to others."""
        found = self.stay(workers * each)
        while len({pid for _, pid in found if [other for _, other in found].count(pid) >= each}) < workers:
            assert len(found) < 20 * workers * each
            found += self.stay(1)
        return found

    def leave(self) -> None:
        """Close all clients."""
        while self.open:
            self.open.pop().close()

    def end(self) -> int:
        output, errors = self.process.communicate(timeout=10)
        self.log += errors
        assert "Traceback" not in self.log
        assert output == f"ended {self.process.pid}\n", "the workers do not come back from where they were forked"
        return self.process.returncode


@contextmanager
def supervised(folder: Path, workers: int = 2) -> Iterator[Supervised]:
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-W", "ignore::ResourceWarning", "-c", PROGRAM, "0", str(workers)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
    )
    running = Supervised(process)
    try:
        running.port = int(running.until(rf"INFO {workers} workers serve http://127.0.0.1:([0-9]+)/graphql\n")[1])
        running.until("worker [0-9] is here", workers)
        running.until("INFO worker 1: a log")
        yield running
    finally:
        running.leave()
        process.kill()
        process.communicate()


def test_the_first_death_is_mended_at_once_and_further_ones_ever_later() -> None:
    assert [pause_before(deaths) for deaths in (0, 1, 2, 3, 4, 100)] == [0, 0, 0.5, 1, 2, 30]


def test_clients_are_shared_and_who_dies_is_replaced(tmp_path: Path) -> None:
    with supervised(tmp_path) as running:
        (one, _) = {pid for _, pid in running.spread(2, each=3)}
        os.kill(one, signal.SIGKILL)
        running.until(rf"WARNING worker [12] \(process {one}\) died of SIGKILL; another one starts at once\n")
        running.leave()
        running.until("worker [12] is here", 3)
        more = running.spread(2)
        assert one not in {pid for _, pid in more}
        more[0][0].sendall(b"die")
        running.until(rf"WARNING worker [12] \(process {more[0][1]}\) ended with exit code 3; another one starts")
        running.process.send_signal(signal.SIGTERM)
        assert running.end() == 0
        with pytest.raises(OSError):
            running.stay(1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_every_worker_and_a_second_one_does_not_wait(tmp_path: Path, number: signal.Signals) -> None:
    with supervised(tmp_path) as running:
        client, pid = running.stay(1)[0]
        client.sendall(b"nap")
        while not (tmp_path / f"napping-{pid}").exists():
            time.sleep(0.01)
        os.kill(pid, number)  # as a terminal or a service manager does, who tell all processes
        running.process.send_signal(number)
        running.until("INFO stopping the workers")
        if number == signal.SIGTERM:
            (tmp_path / "finish").touch()
            assert client.recv(9) == b"done"
        else:
            while not (tmp_path / "stopping").exists():  # lest two signals become one
                time.sleep(0.01)
            running.process.send_signal(number)
            assert client.recv(9) == b""
        assert running.end() == 0


def test_a_hangup_replaces_one_after_the_other(tmp_path: Path) -> None:
    with supervised(tmp_path) as running:
        before = {pid for _, pid in running.spread(2)}
        running.leave()
        running.process.send_signal(signal.SIGHUP)
        running.until("worker 1 is here", 2)
        running.until("worker 2 is here", 2)
        after = {pid for _, pid in running.spread(2)}
        assert not after & before
        running.process.send_signal(signal.SIGTERM)
        assert running.end() == 0
        assert "WARNING" not in running.log


def test_workers_end_with_their_supervisor(tmp_path: Path) -> None:
    with supervised(tmp_path) as running:
        clients = running.spread(2)
        running.process.kill()
        for client, _ in clients:
            assert client.recv(9) == b"", "its worker has ended"


def test_a_worker_that_cannot_start_later_is_tried_again(tmp_path: Path) -> None:
    with supervised(tmp_path) as running:
        (tmp_path / "broken").touch()
        pid = running.stay(1)[0][1]
        os.kill(pid, signal.SIGKILL)
        running.until("ended with exit code 1: the database is away; another one starts in 0.5 s")
        assert running.stay(1)[0][1] != pid, "the other one serves"
        (tmp_path / "broken").unlink()
        running.until("worker [12] is here", 3)
        running.process.send_signal(signal.SIGTERM)
        assert running.end() == 0


def test_one_that_cannot_start_at_first_ends_all_with_its_error(tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore::ResourceWarning", "-c", PROGRAM, "0", "3"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "StartupError: the database is away"
    assert done.stderr.count("the database is away") == 1
