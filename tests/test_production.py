"""The production guide: its processes on a real PostgreSQL, and its restore from a backup."""

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import httpx
import pytest

from support.browsing import free_port
from support.builders import event
from support.pages import ROOT, block_of, commands_of, read_blocks

PAGE = ROOT / "docs" / "production.md"
PATIENCE_SECONDS = 120
BIN = Path(sys.executable).parent


def find_postgres() -> Path:
    """The folder of PostgreSQL's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if not found and not on_path:
        pytest.skip("needs PostgreSQL: apt-get install postgresql")
    return (found[-1] if found else Path(str(on_path))).parent


@pytest.fixture
def postgres() -> Iterator[dict[str, str]]:
    """A PostgreSQL of its own; the variables by which Dagster finds it."""
    programs, port = find_postgres(), free_port()
    is_root = os.geteuid() == 0
    # It refuses to run as root; and pytest closes its own folders to all other users.
    as_user = ["runuser", "-u", "postgres", "--"] if is_root else []

    def call(program: str, *arguments: object) -> None:
        done = subprocess.run(
            [*as_user, str(programs / program), *map(str, arguments)],
            check=False, capture_output=True, text=True, timeout=120, cwd="/",
        )  # fmt: skip
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"

    with tempfile.TemporaryDirectory(prefix="sequen-postgres-") as folder:
        data, password = Path(folder), Path(folder) / "password"
        password.write_text("secret", encoding="utf-8")
        if is_root:
            for path in (data, password):
                shutil.chown(path, "postgres")
        call("initdb", "-D", data / "db", "-U", "dagster", "-A", "md5", f"--pwfile={password}")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={data}"
        call("pg_ctl", "-D", data / "db", "-o", options, "-l", data / "log", "-w", "start")
        try:
            yield {
                "DAGSTER_PG_HOST": "127.0.0.1",
                "DAGSTER_PG_USER": "dagster",
                "DAGSTER_PG_PASSWORD": "secret",
                "DAGSTER_PG_DB": "postgres",
                "port": str(port),
            }
        finally:
            call("pg_ctl", "-D", data / "db", "-m", "immediate", "stop")


def write_files(folder: Path, ports: dict[str, str]) -> None:
    """The files of the page, with ports that are free here."""
    for block in read_blocks(PAGE):
        if name := re.match(r"# ([\w.]+\.yaml)\n", block.text):
            text = block.text
            for port, free in ports.items():
                text = re.sub(rf"\b{port}\b", free, text)
            (folder / name[1]).write_text(text, encoding="utf-8")


def commands(start: str) -> list[str]:
    """The commands of the page's block that begins so."""
    return commands_of(block_of(PAGE, start))


@contextlib.contextmanager
def running(
    command: str, folder: Path, environment: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the page, until the end of the block."""
    words = shlex.split(command)
    log = folder / f"{words[0]}-{words[1]}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(BIN / words[0]), *words[1:]],
            cwd=folder, env=environment, stdout=out, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for(what: str, is_true: Callable[[], bool], folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_true():
        if time.monotonic() > deadline:
            logs = "\n".join(
                f"{log.name}: {log.read_text(errors='replace')[-3_000:]}"
                for log in folder.glob("*.log")
            )
            pytest.fail(f"waited in vain for {what}; {logs}")
        time.sleep(1)


def published(home: Path) -> set[str]:
    snapshot = home / "serving" / "sequen.duckdb"
    if not snapshot.exists():
        return set()
    with duckdb.connect(str(snapshot), read_only=True) as connection:
        return {row[0] for row in connection.execute("select id from fct_events").fetchall()}


@pytest.mark.slow
def test_three_processes_on_postgresql_turn_files_into_tables(
    tmp_path: Path, postgres: dict[str, str]
) -> None:
    ports = {
        "5432": postgres.pop("port"), "4266": str(free_port()), "3000": str(free_port())
    }  # fmt: skip
    write_files(tmp_path, ports)
    shutil.copy(ROOT / "definitions.py", tmp_path)
    (tmp_path / "exports").mkdir()
    environment = os.environ | postgres | {
        "DAGSTER_HOME": str(tmp_path),
        "SEQUEN_TICK_SECONDS": "5",
        "SEQUEN_QUIET_SECONDS": "5",
        "SEQUEN_PUBLISH_MINUTES": "1",
        "SEQUEN_WORKERS": "1",
    }  # fmt: skip
    home, address = tmp_path / ".sequen", f"http://localhost:{ports['3000']}"

    def answers() -> bool:
        query = "{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError "
        query += "{ __typename } } } } }"
        try:
            answer = httpx.post(f"{address}/graphql", json={"query": query}, timeout=5)
        except httpx.HTTPError:
            return False
        return '"RepositoryLocation"' in answer.text

    with contextlib.ExitStack() as processes:
        for command in commands("dagster code-server"):
            for port, free in ports.items():
                command = command.replace(port, free)
            processes.enter_context(running(command, tmp_path, environment))
        (tmp_path / "exports" / "a.jsonl").write_text(json.dumps(event(id="e1")) + "\n")
        wait_for("the web server", answers, tmp_path)
        wait_for("the tables", lambda: published(home) == {"e1"}, tmp_path)

    # What ran is in PostgreSQL, and nowhere else.
    assert not (tmp_path / "history").exists()
    assert not (tmp_path / "storage" / "runs.db").exists()
    assert not any(
        "secret" in log.read_text(errors="replace") for log in tmp_path.glob("dagster-*.log")
    )


@pytest.mark.slow
def test_home_is_restored_from_its_lake(demo_home: Path, tmp_path: Path) -> None:
    shutil.copytree(demo_home, tmp_path / ".sequen")
    (tmp_path / ".sequen" / "exports").rename(tmp_path / "exports")
    environment = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "DAGSTER_HOME": ""}

    for command in commands("mkdir restored"):
        done = subprocess.run(
            shlex.split(command), cwd=tmp_path, env=environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"

    assert published(tmp_path / "restored") == published(tmp_path / ".sequen") != set()
