"""What the benchmark beside peers makes of wrk's output, of /proc and of samples; and that all are asked the same."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.peers import __main__ as peers
from benchmarks.peers import database, processes, profiling, targets, wrk
from benchmarks.peers.__main__ import PACKAGES, _parser
from benchmarks.peers.apps.blog import schema
from benchmarks.peers.contenders import APPS, CEILING, CONTENDERS, OURS, POSTGRAPHILE, STRAWBERRY
from benchmarks.peers.environments import SOURCE, Environments, SetUpError
from benchmarks.peers.measuring import Options, Sample, Start, window
from benchmarks.peers.processes import ProcessStat
from benchmarks.peers.queries import QUERIES, first_difference, normalise
from benchmarks.peers.report import write
from benchmarks.peers.targets import Medians, Verdict, verdicts
from benchmarks.peers.wrk import Load, LoadError
from benchmarks.shapes import Backend
from graphql import parse

from fraiseql.pipeline import Pipeline
from fraiseql.testing.embedded import EmbeddedPostgres

FIGURES = {
    "requests": 1000,
    "bytes": 250_000,
    "seconds": 2.0,
    "p50": 1.5,
    "p99": 4.0,
    "connect": 0,
    "read": 0,
    "write": 0,
    "status": 0,
    "timeout": 0,
}


def printed(**figures: float) -> str:
    """What wrk prints, with its own table around our line."""
    return f"Running 2s test\n  1 threads\nfigures {json.dumps({**FIGURES, **figures})}\nRequests/sec: 500\n"


def test_figures_of_wrk_are_read():
    assert wrk.parse(printed()) == Load(requests=1000, bytes=250_000, seconds=2.0, p50=1.5, p99=4.0)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (printed(status=3), "3 answers with a status above 399"),
        (printed(connect=1, read=2), "1 connections refused, 2 connections broken while reading"),
        (printed(write=1), "1 connections broken while writing"),
        (printed(timeout=7), "7 answers that came too late"),
        ("unable to connect to 127.0.0.1:1 Connection refused\n", "wrk printed no figures: 'unable to connect"),
        (printed() * 2, "wrk printed no figures"),
    ],
)
def test_errors_that_wrk_saw_end_the_run(output, message):
    with pytest.raises(LoadError, match=re.escape(message)):
        wrk.parse(output)


@pytest.mark.parametrize(
    ("requests", "size", "message"),
    [
        (1000, 250, None),
        (1000, 245, None),  # what was under way at the end, and 1 %
        (1000, 200, "not all were good"),
        (1000, 300, "not all were good"),
        (0, 250, "there was no answer in 2 s"),
    ],
)
def test_answers_of_another_size_end_the_run(requests, size, message):
    load = Load(requests=requests, bytes=250 * requests, seconds=2.0, p50=1.5, p99=4.0)
    if message is None:
        load.check_size(size, connections=32)
    else:
        with pytest.raises(LoadError, match=message):
            load.check_size(size, connections=32)


def test_slow_answers_are_measured_longer():
    options = Options(["ceiling"], ["users"], seconds=10, warm_up=3, rounds=3, connections=32)
    rates = {1000.0: 10.0, 80.0: 10.0, 40.0: 20.0, 1.0: 40.0, 0.0: 40.0}
    loads = {rate: Load(round(3 * rate), 0, 3.0, 0.0, 0.0) for rate in rates}
    assert {rate: window(options, load) for rate, load in loads.items()} == rates


def test_a_line_of_proc_is_read_whatever_the_command_is_called():
    fields = "S 7 1 1 0 -1 4194560 1 2 3 4 100 20 30 4 20 0 5 0 12345"
    assert processes.parse_stat(f"42 (postgres: a) b (c)) {fields}\n") == ProcessStat(42, 7, own=120, reaped=34)


def stats(*rows: tuple[int, int, int, int]) -> dict[int, ProcessStat]:
    return {row[0]: ProcessStat(*row) for row in rows}


ALONE = stats((1, 0, 500, 900), (10, 1, 5, 2))
WITH_CHILD = stats((1, 0, 500, 900), (10, 1, 5, 2), (11, 10, 7, 0), (12, 11, 1, 0), (13, 1, 99, 0))
CHILD_REAPED = stats((1, 0, 500, 900), (10, 1, 5, 10), (13, 1, 99, 0))
CAUGHT_BETWEEN = stats((1, 0, 500, 900), (10, 1, 5, 10), (11, 10, 7, 0), (12, 11, 1, 0))


@pytest.mark.parametrize(
    ("readings", "ticks"),
    [
        ([ALONE, ALONE], 7),
        ([WITH_CHILD, WITH_CHILD], 5 + 2 + 7 + 1),
        ([CAUGHT_BETWEEN, CHILD_REAPED, CHILD_REAPED], 15),  # a child that ends is not counted twice
        ([WITH_CHILD, CHILD_REAPED, CHILD_REAPED], 15),
    ],
)
def test_the_cpu_of_all_descendants_is_counted_once(readings, ticks):
    left = iter(readings)
    assert processes.tree_ticks(10, lambda: next(left)) == ticks


def test_what_cannot_be_counted_is_said():
    with pytest.raises(ProcessLookupError):
        processes.tree_ticks(99, lambda: ALONE)
    numbers = iter(range(1000))
    with pytest.raises(RuntimeError, match="faster than they can be counted"):
        processes.tree_ticks(10, lambda: stats((10, 1, 5, next(numbers))))


BURN = "import time\nwhile time.process_time() < 0.2: pass\n"


def test_an_ended_child_counts_for_its_parent():
    program = (
        f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BURN!r}])\nprint('done', flush=True)\ninput()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        assert parent.stdout.readline() == "done\n"
        spent, held = processes.cpu_seconds(parent.pid), processes.memory(parent.pid)
        parent.stdin.write("\n")
        parent.stdin.flush()
    assert spent >= 0.19  # a tick may be missing
    assert 1e6 < held.resident <= held.peak


def sample(number: int, contender: str, query: str, **figures: float) -> Sample:
    values = {"requests": 1000, "rate": 100.0, "server": 50.0, "postgres": 20.0, "p50": 1.0, "p99": 4.0, "busy": 0.5}
    return Sample(round=number, contender=contender, query=query, **{**values, **figures})  # type: ignore[arg-type]


def figures() -> tuple[list[Sample], list[Start]]:
    """Three rounds, of which one was disturbed."""
    samples = []
    for number, slower in enumerate((1.0, 4.0, 1.0), 1):
        for query in ("users", "comments"):
            samples += [
                sample(number, OURS[0], query, rate=1000 / slower, server=44.0 * slower),
                sample(number, OURS[2], query, rate=800 / slower, server=61.0 * slower, p99=5.1),
                sample(number, CEILING, query, rate=1010 / slower, postgres=21.0),
                sample(number, POSTGRAPHILE, query, rate=350 / slower),
                sample(number, STRAWBERRY, query, rate=20 / slower),
            ]
    starts = [Start(number, name, 0.3, 40_000_000, 60_000_000, 70_000_000) for number in (1, 2) for name in OURS[:3:2]]
    return samples, starts


def test_medians_are_held_against_the_targets():
    found = {verdict.name: verdict for verdict in verdicts(Medians(*figures()))}
    assert {name: (round(verdict.found, 3), verdict.met) for name, verdict in found.items()} == {
        "server CPU per request, users, fraiseql-uvloop": (44.0, True),
        "server CPU per request, users, fraiseql-trio": (61.0, False),
        "requests per second, users, fraiseql-uvloop / ceiling": (0.990, False),
        "requests per second, comments, fraiseql-uvloop / ceiling": (0.990, False),
        "requests per second, users, fraiseql-uvloop / postgraphile": (2.857, True),
        "requests per second, comments, fraiseql-uvloop / postgraphile": (2.857, False),
        "requests per second, users, fraiseql-uvloop / strawberry": (50.0, True),
        "requests per second, comments, fraiseql-uvloop / strawberry": (50.0, True),
        "PostgreSQL's CPU per request, users, fraiseql-uvloop / by hand": (0.952, True),
        "PostgreSQL's CPU per request, comments, fraiseql-uvloop / by hand": (0.952, True),
        "p99 / p50, users, fraiseql-uvloop": (4.0, True),
        "p99 / p50, comments, fraiseql-uvloop": (4.0, True),
        "p99 / p50, users, fraiseql-trio": (5.1, False),
        "p99 / p50, comments, fraiseql-trio": (5.1, False),
        "memory idle, fraiseql-uvloop": (40.0, True),
        "memory under load, fraiseql-uvloop": (70.0, True),
        "memory idle, fraiseql-trio": (40.0, True),
        "memory under load, fraiseql-trio": (70.0, True),
    }


def test_a_bound_itself_is_within_it():
    assert Verdict("CPU", 45.0, 45.0, "µs").met
    assert str(Verdict("rate", 2.5, 2.5, "x", at_least=True)) == "rate: 2.5 x, aimed at >= 2.5: met"
    assert str(Verdict("CPU", 45.01, 45.0, "µs")) == "CPU: 45.01 µs, aimed at <= 45: MISSED"


def test_the_targets_are_those_of_the_plan():
    assert dict(zip(OURS, (45, 60, 60, 80), strict=True)) == targets.SERVER_CPU
    assert {(query, other): target for query, other, target in targets.TIMES_AS_FAST} == {
        ("users", POSTGRAPHILE): 2.5,
        ("comments", POSTGRAPHILE): 3,
        ("users", STRAWBERRY): 8,
        ("comments", STRAWBERRY): 40,
    }


def test_a_page_and_all_figures_are_written(tmp_path):
    samples, starts = figures()
    samples = [sample for sample in samples if sample.contender in OURS]
    write(tmp_path / "results", {"Python": "CPython 3.13.0"}, samples, starts)
    page = (tmp_path / "results" / "peers.md").read_text(encoding="utf-8").splitlines()
    assert "- Python: CPython 3.13.0" in page
    assert page[page.index("## 10 users") + 2 :][:4] == [
        "|  | req/s | server CPU | PostgreSQL CPU | p50 | p99 | cores |",
        "| --- | --: | --: | --: | --: | --: | --: |",
        "| FraiseQL, asyncio on uvloop | 1,000 | 44.0 µs | 20.0 µs | 1.00 ms | 4.00 ms | 0.50 |",
        "| FraiseQL, trio | 800 | 61.0 µs | 20.0 µs | 1.00 ms | 5.10 ms | 0.50 |",
    ]
    assert "| FraiseQL, trio | 0.30 s | 40 MB | 60 MB | 70 MB |" in page
    assert "| server CPU per request, users, fraiseql-trio | 61 µs | ≤ 60 | **missed** |" in page
    data = json.loads((tmp_path / "results" / "peers.json").read_text(encoding="utf-8"))
    assert len(data["samples"]) == len(samples)
    assert [target["met"] for target in data["targets"][:2]] == [True, False]


def test_answers_are_compared_as_data():
    ours = {"data": {"user": {"id": "7", "name": "A", "posts": [{"createdAt": "2024-01-01T00:00:00+00:00"}]}}}
    theirs = {"data": {"user": {"id": 7, "name": "A", "posts": [{"createdAt": "2024-01-01T01:00:00.000000+01:00"}]}}}
    assert first_difference(normalise(ours), normalise(theirs)) is None


@pytest.mark.parametrize(
    ("found", "difference"),
    [
        ({"a": [1, {"b": 3}]}, ".a[1].b is 3, not 2"),
        ({"a": [1]}, ".a is [1], not [1, {'b': 2}]"),
        ({"c": []}, "the answer is {'c': []}, not {'a': [1, {'b': 2}]}"),
        ({"a": ["1", {"b": 2}]}, ".a[0] is '1', not 1"),
        ({"a": [1, {"b": 2}]}, None),
    ],
)
def test_a_difference_is_told_with_its_place(found, difference):
    assert first_difference({"a": [1, {"b": 2}]}, found) == difference


@pytest.mark.parametrize("dialect", sorted({contender.dialect for contender in CONTENDERS.values()}))
@pytest.mark.parametrize("query", QUERIES)
def test_each_contender_is_asked_in_its_own_words(query, dialect):
    parse(QUERIES[query].document(dialect))
    assert ("orderBy" in QUERIES[query].document(dialect)) is (
        query in ("posts", "comments") and dialect != "strawberry"
    )


@pytest.fixture(scope="module")
def backend(postgres: EmbeddedPostgres):
    """The benchmark's tables with a hundredth of their posts and comments."""
    text = SOURCE.joinpath("schema.sql").read_text(encoding="utf-8")
    for number in (200_000, 100_000, 40_000):
        text = text.replace(str(number), str(number // 100))
    postgres.execute("create database few_peers")
    postgres.execute(text.replace("60001", "601"), database="few_peers")
    opened = Backend(postgres.conninfo_for("few_peers"))
    yield opened
    opened.close()
    postgres.execute("drop database few_peers")


@pytest.mark.parametrize("query", QUERIES)
def test_statements_by_hand_give_our_answers(backend, query):
    ways = database.read_statements()[query]
    assert len(ways) == 3
    explanation = Pipeline(schema).explain(QUERIES[query].plain, dict.fromkeys(QUERIES[query].variables, "7"))
    expected = json.loads(backend.run(backend.prepare(explanation.sql, explanation.parameters)) or b"null")
    assert expected
    for statement in ways.values():
        assert json.loads(backend.run(backend.prepare(statement, QUERIES[query].parameters)) or b"null") == expected


def test_one_of_each_statement_is_chosen(backend, postgres, monkeypatch):
    monkeypatch.setattr(database, "TURNS", 1)
    monkeypatch.setattr(database, "SECONDS", 0.0001)
    chosen = database.fastest_statements(postgres.conninfo_for("few_peers"))
    ways = database.read_statements()
    assert {query: ways[query][way] for query, (way, _) in chosen.items()} == {
        query: statement for query, (_, statement) in chosen.items()
    }


def test_a_socket_is_told_to_clients_of_all_kinds():
    conninfo = "host=/tmp/a-folder port=5432 user=postgres dbname=blog"
    assert database.url(conninfo) == "postgresql://postgres@/blog?host=/tmp/a-folder&port=5432"
    variables = database.variables(conninfo)
    assert variables == {"PGHOST": "/tmp/a-folder", "PGPORT": "5432", "PGUSER": "postgres", "PGDATABASE": "blog"}


def test_all_versions_are_exact():
    for file in (SOURCE / "requirements").glob("*.txt"):
        lines = [line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines), file.name
    packages = json.loads((SOURCE / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in packages.values())
    assert list(Environments(sys.executable).versions(PACKAGES)) == list(PACKAGES)


def test_the_wrk_of_the_machine_is_used_or_it_is_said_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    environments = Environments(sys.executable, tmp_path / "peers")
    with pytest.raises(SetUpError, match=r"^wrk is missing: install it \(Debian, Ubuntu: apt-get install wrk\)"):
        environments.wrk()
    (tmp_path / "wrk").touch(0o755)
    assert environments.wrk()[0] == str(tmp_path / "wrk")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--python", "/nowhere/python"],
            "--python: /nowhere/python cannot be used: [Errno 2] No such file or directory: '/nowhere/python'",
        ),
        (["--python", "/bin/false"], "--python: /bin/false cannot be used: it ended with exit code 1"),
        (["--rounds", "0"], "--rounds: it must be at least 1, and is '0'"),
        (["--rounds", "1.5"], "--rounds: it must be a whole number, and is '1.5'"),
        (["--seconds", "abc"], "--seconds: it must be a number, and is 'abc'"),
        (["--seconds", "nan"], "--seconds: it must be at least 1, and is 'nan'"),
    ],
)
def test_what_cannot_be_measured_is_one_line(arguments, message, capsys):
    with pytest.raises(SystemExit) as end:
        peers.main(arguments)
    assert end.value.code == 2
    assert capsys.readouterr().err == f"python -m benchmarks.peers: argument {message}\n"


def test_all_is_installed_before_anything_is_measured_and_node_only_for_who_runs_in_it(monkeypatch, capsys):
    asked = []

    def interpreter(self, name):
        asked.append(name)
        if name == "tools":
            raise SetUpError("pip could not install it")
        return sys.executable

    monkeypatch.setattr(Environments, "interpreter", interpreter)
    monkeypatch.setattr(peers, "EmbeddedPostgres", None)  # nothing is started
    assert peers.main(["--only", "ceiling,fraiseql-trio"]) == 1
    assert asked == ["fraiseql", "ceiling", "tools"]
    assert capsys.readouterr().err == "python -m benchmarks.peers: pip could not install it\n"


def test_contenders_are_chosen_by_name(capsys):
    options = _parser().parse_args(["--only", "ceiling,fraiseql-trio", "--queries", "user"])
    assert (options.only, options.queries) == (["fraiseql-trio", "ceiling"], ["user"])
    with pytest.raises(SystemExit):
        _parser().parse_args(["--only", "hasura"])
    assert "there is no hasura; known are fraiseql-uvloop," in capsys.readouterr().err


def test_samples_are_added_up_by_function():
    assert profiling.shares(["main (a.py);run (b.py);send (c.py) 3", "main (a.py);run (b.py);run (b.py) 2\n"]) == (
        5,
        {"send (c.py)": 3, "run (b.py)": 2},
        {"main (a.py)": 5, "run (b.py)": 5, "send (c.py)": 3},
    )
    page = profiling.page("ceiling", "users", 50.0, ["main (a.py);send (c.py) 3", "main (a.py) 1"])
    assert "| `send (c.py)` | 75.0 % | 37.5 µs |" in page


def test_a_process_samples_itself_by_its_cpu(tmp_path):
    program = (
        "import os, signal, time\n"
        "def burn():\n    end = time.process_time() + 0.2\n    while time.process_time() < end: pass\n"
        "os.kill(os.getpid(), signal.SIGUSR1)\nburn()\nos.kill(os.getpid(), signal.SIGUSR2)\n"
    )
    samples = tmp_path / "samples.txt"
    environment = {**os.environ, "PYTHONPATH": str(Path(APPS, "sampler")), "SAMPLES": str(samples)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=30)
    total, own, _ = profiling.shares(samples.read_text(encoding="utf-8").splitlines())
    assert total > 5
    assert own.most_common(1)[0][0].startswith("burn ")
