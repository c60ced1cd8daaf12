"""The documentation: what is marked as runnable runs and gives the output it shows, and every link leads somewhere.

A fence's info string says how its block is run, in the order of the page, in one folder and on one fresh database:

- `python run`: saved under the name in its first line (`# app.py`), or executed where there is none;
- `sql run`: executed on the page's database;
- `console run`: each line after `$ ` is a command, the lines below it what it prints (`...` stands for any lines);
- `console serve`: its command runs in the background until the page ends.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from fraiseql import EventBus
from fraiseql.bus import outbox_sql
from fraiseql.cli import main
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.schema.error_rules import DEFAULT_RULES

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
PYTHON = shlex.quote(sys.executable)
DEFAULT_ADDRESS = "127.0.0.1:8000"  # in the pages; a free port in the tests

# For a machine without curl: the few of its options that the pages use.
CURL = """
import argparse, sys, urllib.request
parser = argparse.ArgumentParser()
parser.add_argument("url")
parser.add_argument("-s", action="store_true")
parser.add_argument("-H", dest="headers", action="append", default=[])
parser.add_argument("-d", dest="data")
options = parser.parse_args()
headers = dict(header.split(": ", 1) for header in options.headers)
data = options.data.encode() if options.data else None
sys.stdout.buffer.write(urllib.request.urlopen(urllib.request.Request(options.url, data, headers)).read())
"""


@dataclass(frozen=True)
class Block:
    line: int
    info: str
    text: str


def blocks(page: Path) -> list[Block]:
    found = []
    text = page.read_text(encoding="utf-8")
    for match in re.finditer(r"^```([^\n]+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        found.append(Block(text.count("\n", 0, match.start()) + 2, match[1].strip(), match[2]))
    return found


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


class Reader:
    """Somebody who follows a page to the letter, in an empty folder with an empty database."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.folder = folder
        self.database_url = database_url
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        scripts = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"], str(folder / "bin")])
        (folder / "bin").mkdir()
        (folder / "bin" / "curl.py").write_text(CURL)
        (folder / "bin" / "curl").write_text(f'#!/bin/sh\nexec {PYTHON} "$0.py" "$@"\n')
        (folder / "bin" / "curl").chmod(0o755)
        settings = {"FRAISEQL_DATABASE_URL": database_url, "FRAISEQL_PORT": str(self.port)}
        self.environment = {**os.environ, **settings, "PATH": scripts, "PYTHONWARNINGS": "error"}
        self.servers: list[subprocess.Popen[str]] = []

    def follow(self, block: Block) -> None:
        language, _, how = block.info.partition(" ")
        if language == "python" and how == "run":
            self._python(block)
        elif language == "python" and not how:
            compile(block.text, f"line {block.line}", "exec")
        elif language == "sql" and how == "run":
            with psycopg.connect(self.database_url) as connection:
                connection.execute(block.text.encode())
        elif language == "console" and how == "run":
            for command, expected in commands(block.text):
                self._command(command, expected, block.line)
        elif language == "console" and how == "serve":
            self._serve(next(commands(block.text))[0])
        else:
            assert not how, f"line {block.line}: nothing is known of a block marked {block.info!r}"

    def _python(self, block: Block) -> None:
        name = re.match(r"# (\w+\.py)\n", block.text)
        path = self.folder / (name[1] if name else f"line_{block.line}.py")
        path.write_text(block.text, encoding="utf-8")
        if not name:
            self._command(f"{PYTHON} {path.name}", None, block.line)

    def _command(self, command: str, expected: str | None, line: int) -> None:
        done = subprocess.run(
            ["/bin/sh", "-c", self._here(command)],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )
        printed = done.stdout.replace(f"127.0.0.1:{self.port}", DEFAULT_ADDRESS)
        assert done.returncode == 0 or expected, f"line {line}: {command} failed:\n{printed}"
        if expected is not None:
            pattern = re.escape(expected.strip()).replace(re.escape("..."), "(?s:.*)")
            assert re.fullmatch(pattern, printed.strip()), f"line {line}: {command} printed:\n{printed}"

    def _serve(self, command: str) -> None:
        self.servers.append(
            subprocess.Popen(
                ["/bin/sh", "-c", f"exec {self._here(command)}"],
                cwd=self.folder,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
        give_up = time.monotonic() + 30
        while time.monotonic() < give_up and self.servers[-1].poll() is None:
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.01)
        self.servers[-1].kill()
        pytest.fail(f"{command} did not serve:\n{self.servers[-1].communicate()[0]}")

    def _here(self, command: str) -> str:
        return command.replace(DEFAULT_ADDRESS, f"127.0.0.1:{self.port}")

    def close(self) -> None:
        for server in self.servers:
            server.send_signal(signal.SIGINT)
            printed, _ = server.communicate(timeout=20)
            assert server.returncode == 0, f"the server ended with {server.returncode}:\n{printed}"


def commands(text: str) -> Iterator[tuple[str, str | None]]:
    """The commands of a console block, each with what it prints; None where the page shows nothing."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        lines = part.split("\n")
        length = next(count for count, line in enumerate(lines, start=1) if not line.endswith("\\"))
        expected = "\n".join(lines[length:]).strip()
        yield "\n".join(lines[:length]), expected or None


@pytest.fixture
def reader(tmp_path: Path, database_url: str) -> Iterator[Reader]:
    reader = Reader(tmp_path, database_url)
    try:
        yield reader
    finally:
        reader.close()


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_a_page_can_be_followed_to_the_letter(page: Path, reader: Reader) -> None:
    for block in blocks(page):
        reader.follow(block)


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text)]
    broken = [link for link in links if link and "://" not in link and not (page.parent / link).exists()]
    assert broken == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        links = re.findall(r"\]\(([^)\s#]+)", page.read_text(encoding="utf-8"))
        waiting += [(page.parent / link).resolve() for link in links if "://" not in link]
    assert set(PAGES) - seen == set()


EXAMPLE_ANSWER = '{"data":{"posts":[{"title":"The first bug","author":{"name":"Grace"}}]}}'


def test_the_example_program_serves_its_database(reader: Reader) -> None:
    with psycopg.connect(reader.database_url) as connection:
        connection.execute((ROOT / "examples" / "blog.sql").read_bytes())
    shutil.copy(ROOT / "examples" / "blog.py", reader.folder)
    query = '{"query": "{ posts(where: {id: {eq: 3}}) { title author { name } } }"}'
    page = Block(1, "console serve", "$ python blog.py")
    reader.follow(page)
    curl = f"bin/curl -s http://{DEFAULT_ADDRESS}/graphql -H 'Content-Type: application/json' -d '{query}'"
    reader.follow(Block(1, "console run", f"$ {curl}\n{EXAMPLE_ANSWER}"))


TENANTS_ANSWER = '{"data":{"tickets":[{"title":"The acme printer is on fire"},{"title":"More acme paper"}]}}'


def test_the_example_with_tenants_serves_each_its_own(reader: Reader) -> None:
    with psycopg.connect(reader.database_url) as connection:
        connection.execute(outbox_sql(EventBus.postgresql()).encode())
        connection.execute((ROOT / "examples" / "tenants.sql").read_bytes())
    shutil.copy(ROOT / "examples" / "tenants.py", reader.folder)
    reader.environment["FRAISEQL_DATABASE_URL"] += " user=desk_server"
    reader.follow(Block(1, "console serve", "$ python tenants.py"))
    headers = "-H 'Content-Type: application/json' -H 'Authorization: Bearer alan'"
    query = '{"query": "{ tickets { title } }"}'
    curl = f"bin/curl -s http://{DEFAULT_ADDRESS}/graphql {headers} -d '{query}'"
    reader.follow(Block(1, "console run", f"$ {curl}\n{TENANTS_ANSWER}"))


@pytest.mark.parametrize(
    "block",
    [
        Block(1, "python run", "raise SystemExit(3)"),
        Block(1, "console run", "$ echo one\ntwo"),
        Block(1, "console run", "$ exit 3"),
        Block(1, "python runs", "pass"),
    ],
)
def test_a_page_that_is_wrong_is_noticed(reader: Reader, block: Block) -> None:
    with pytest.raises(AssertionError):
        reader.follow(block)


def test_a_page_that_is_right_is_followed(reader: Reader) -> None:
    reader.follow(Block(1, "python run", "# first.py\nvalue = 'a.b'"))
    reader.follow(Block(1, "python run", "import first\nassert first.value == 'a.b'"))
    reader.follow(Block(1, "sql run", "create table t (a int)"))
    reader.follow(Block(1, "console run", "$ printf 'a\\nb\\n' \\\n  && echo c\na\n...\nc\n$ true\n"))


def settings_in_the_reference() -> dict[str, str]:
    """The settings of the page, each with the default shown."""
    text = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    return {name: default.strip("`") for name, default in re.findall(r"^\| `(\w+)` \| (\S+) \|", text, re.MULTILINE)}


def test_the_reference_lists_exactly_the_settings_and_their_defaults() -> None:
    actual = {setting.name: str(setting.default).lower() for setting in FraiseQLConfig.settings()}
    assert settings_in_the_reference() == actual


def test_every_setting_of_the_reference_is_an_option_and_a_variable(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    words = set(re.findall(r"--[a-z0-9-]+|FRAISEQL_[A-Z0-9_]+", capsys.readouterr().out))
    for name in settings_in_the_reference():
        assert "--" + name.replace("_", "-") in words
        assert "FRAISEQL_" + name.upper() in words


def test_the_reference_tells_every_code_of_an_error() -> None:
    package = ROOT / "src" / "fraiseql"
    served = [path for path in package.rglob("*.py") if package / "testing" not in path.parents]
    sources = (path.read_text(encoding="utf-8") for path in served)
    codes = {code for source in sources for code in re.findall(r'\bcode="([A-Z_]+)"', source)} | {
        rule.code for rule in DEFAULT_RULES.values()
    }
    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "reference").glob("*.md"))
    assert {"BAD_REQUEST", "UNIQUE_VIOLATION"} <= codes
    assert {code for code in codes if f"`{code}`" not in pages} == set()


@pytest.mark.parametrize(
    "command", ["serve", "demo", "sql", "schema", "check", "introspect", "outbox", "idempotency", "rls"]
)
def test_the_reference_names_every_option_of_a_command(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    settings = {"--" + name.replace("_", "-") for name in settings_in_the_reference()}
    options = set(re.findall(r"^  (?:-h, )?(--[a-z-]+)", capsys.readouterr().out, re.MULTILINE)) - {"--help"}
    text = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    section = re.search(rf"^## `fraiseql {command}.*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert section is not None
    documented = set(re.findall(r"--[a-z][a-z-]*", section[0]))
    assert (options if command != "serve" else options - settings) <= documented
    assert documented <= options | settings, "an option that does not exist"
