"""dbt without its seconds of start: tests fork it from a process that has it imported.

A call of dbt imports for some three seconds, builds classes for two more, and parses the project
once more for every home. Here a server has done so before; it forks a child for every call, which
is a dbt like any other: arguments, environment, folder, output, exit code and end are its own. In
place of the call a few lines of Python, `call_dbt.py`, stand for it and end when it ends.

Builds of the modules in `WITHOUT_DBT_TESTS` leave dbt's own tests out, which are half of a small
build's nodes: there the tables are held to more, to a full refresh, an oracle or known answers.

Only calls that a test's own process makes are forked. Those of commands that tests start, of the
daemon, and of the wheel start dbt as usual. `SEQUEN_TEST_DBT=plain` has all tests do so.
"""

import atexit
import hashlib
import json
import logging.handlers
import os
import pprint
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, NoReturn

_CALL: Final = Path(__file__).with_name("call_dbt.py")
_SCRIPT: Final = str(Path(sysconfig.get_path("scripts")) / "dbt")
_MODULE: Final = (sys.executable, "-m", "dbt.cli.main")
# Of polars, which the package imports and dbt does not use.
_IDLE_THREADS: Final = {"jemalloc_bg_thd", "polars-ooc-clea"}
_PARENT: Final = "SEQUEN_PARENT_PID"


# What dbt's tests would find there, these modules find themselves.
WITHOUT_DBT_TESTS: Final = {
    "test_affected_rules",
    "test_bounds",
    "test_canary",
    "test_corpus",
    "test_erase",
    "test_exactness",
    "test_field_cases",
    "test_fixes",
    "test_former_home",
    "test_hostile_names",
    "test_killed_runs",
    "test_marts_sql",
    "test_new_files",
    "test_real_data_batches",
    "test_replay",
    "test_rewrites",
    "test_training",
}
_LEAVE_TESTS: Final = "SEQUEN_TEST_LEAVE_DBT_TESTS"


class ForkingPopen(subprocess.Popen[Any]):
    """Starts processes as ever, but dbt from the server."""

    def __init__(self, args: Any, *more: Any, **options: Any) -> None:
        arguments = dbt_arguments(args)
        if arguments is not None:
            if "build" in arguments and os.environ.get(_LEAVE_TESTS):
                arguments = [*arguments, "--exclude-resource-type", "test"]
            args = [sys.executable, "-I", "-S", str(_CALL), server(), *arguments]
        super().__init__(args, *more, **options)


def dbt_arguments(command: Any) -> list[str] | None:
    """What a command hands to dbt; None where it is none of dbt."""
    if not isinstance(command, Sequence) or isinstance(command, str):
        return None
    parts = [str(part) for part in command]
    for start in ((_SCRIPT,), _MODULE):
        if tuple(parts[: len(start)]) == start:
            return parts[len(start) :]
    return None


def leave_dbt_tests(module: str) -> None:
    """Have builds from now on leave dbt's tests out, or not, as the tests of a module need it."""
    os.environ.pop(_LEAVE_TESTS, None)
    if module in WITHOUT_DBT_TESTS:
        os.environ[_LEAVE_TESTS] = "yes"


def fork_dbt() -> None:
    """From now on, this process's calls of dbt are forked."""
    if os.environ.get("SEQUEN_TEST_DBT") != "plain":
        subprocess.Popen = ForkingPopen  # type: ignore[misc]


@cache
def server() -> str:
    """The socket of this process's server, which is started when it is first asked for."""
    folder = Path(tempfile.mkdtemp(prefix="forked-dbt-"))
    started = subprocess.Popen(
        [sys.executable, __file__, str(folder)],
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    assert started.stdout is not None

    def stop() -> None:
        started.terminate()
        started.wait()
        started.stdout.close()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(stop)
    assert started.stdout.readline() == b"ready\n", "the server of dbt did not start"
    return str(folder / "socket")


def serve(folder: Path) -> None:
    """Fork a dbt for every call that comes, while the process that asks is there."""
    owner = os.getppid()
    parses = Parses(folder / "parsed")
    warm_up(folder, parses)
    threads = {task.read_text().strip() for task in Path("/proc/self/task").glob("*/comm")}
    lost = threads - {Path("/proc/self/comm").read_text().strip()} - _IDLE_THREADS
    assert not lost, f"a fork would lose threads that dbt may wait for: {lost}"
    signal.signal(signal.SIGCHLD, reap)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(folder / "socket"))
    listening.listen()
    listening.settimeout(1)
    print("ready", flush=True)  # noqa: T201
    while os.getppid() == owner:
        try:
            call, _ = listening.accept()
        except TimeoutError:
            continue
        call.setblocking(True)
        if os.fork() == 0:
            listening.close()
            take_over(call)
            run_dbt(call, parses)
        call.close()


def reap(*_: Any) -> None:
    """Let children go that have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def take_over(call: socket.socket) -> None:
    """Become the process that the call stands for; end when it is killed."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    first, outputs, _, _ = socket.recv_fds(call, 4, 2)
    asked = json.loads(received(call, int.from_bytes(first, "big")))
    for number, output in enumerate(outputs, start=1):
        os.dup2(output, number)
        os.close(output)
    os.umask(asked["umask"])
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    if _PARENT in os.environ:
        os.environ[_PARENT] = str(os.getppid())
    sys.argv = ["dbt", *asked["arguments"]]
    call.sendall(f"{os.getpid()}\n".encode())

    def end_with_the_call() -> None:
        call.recv(1)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=end_with_the_call, daemon=True).start()


def received(call: socket.socket, size: int) -> bytes:
    """So many bytes of the call."""
    parts = []
    while size:
        part = call.recv(size)
        assert part, "the call ended while it asked"
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def run_dbt(call: socket.socket, parses: "Parses") -> NoReturn:
    """Run dbt, send its exit code and end as Python does, which closes the database."""
    from dbt.cli.main import cli

    code: str | int | None = 1
    parses.lend()
    try:
        cli()
    except SystemExit as end:
        code = end.code
        parses.keep()
    finally:
        call.sendall(f"{code if isinstance(code, int) else int(code is not None)}\n".encode())
    sys.exit(code)


class Parses:
    """What dbt has parsed so far, lent to homes that have nothing of their own.

    dbt parses again where the profile names another database. Here profiles differ in their paths
    alone, on which no parsed model depends; any other difference is looked for as dbt does.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._is_lent = False
        self._profile = ""
        self._watch()

    def _watch(self) -> None:
        from dbt.parser.manifest import ManifestLoader

        state_of, is_usable = (
            ManifestLoader.build_manifest_state_check,
            ManifestLoader.is_partial_parsable,
        )

        def build_manifest_state_check(loader: Any) -> Any:
            named = dict(loader.root_project.credentials.connection_info())
            for path in ("path", "config_options"):
                del named[path]
            self._profile = pprint.pformat(named)
            return state_of(loader)

        def is_partial_parsable(loader: Any, manifest: Any) -> Any:
            if self._is_lent and self._profile == self._kept.with_suffix(".profile").read_text():
                manifest.state_check.profile_hash = loader.manifest.state_check.profile_hash
            return is_usable(loader, manifest)

        ManifestLoader.build_manifest_state_check = build_manifest_state_check
        ManifestLoader.is_partial_parsable = is_partial_parsable

    @property
    def _kept(self) -> Path:
        """Where the parse for such a project and such variables is, if it is."""
        named = [value_of("--vars"), value_of("--project-dir", "DBT_PROJECT_DIR")]
        return self._folder / hashlib.sha256(json.dumps(named).encode()).hexdigest()

    @property
    def _own(self) -> Path | None:
        target = value_of("--target-path", "DBT_TARGET_PATH")
        return Path(target) / "partial_parse.msgpack" if target else None

    def lend(self) -> None:
        """Give the call what was parsed before, if it has nothing."""
        own = self._own
        self._is_lent = own is not None and not own.exists() and self._kept.exists()
        if self._is_lent:
            own.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self._kept, own)

    def keep(self) -> None:
        """Keep what the call has parsed, if it is new."""
        own = self._own
        if own is None or not own.exists() or self._kept.exists() or not self._profile:
            return
        mine = self._kept.with_suffix(f".{os.getpid()}")
        shutil.copyfile(own, mine)
        self._kept.with_suffix(".profile").write_text(self._profile)
        mine.replace(self._kept)


def value_of(option: str, variable: str = "") -> str:
    """What the call says by an option or a variable of the environment."""
    if option in sys.argv:
        return sys.argv[sys.argv.index(option) + 1]
    return os.environ.get(variable, "")


def warm_up(folder: Path, parses: Parses) -> None:
    """Parse the project once with usual settings: dbt imports and builds what it needs."""
    import dbt.adapters.duckdb  # noqa: F401
    from dbt.cli.main import dbtRunner

    from sequen_dagster.compat import dbt_duckdb_errors, dbt_duckdb_parent  # noqa: F401
    from sequen_dagster.home.layout import Home
    from sequen_dagster.marts.project import dbt_environment, vars_arguments, write_profile
    from sequen_dagster.settings import load_settings

    # The same text, written by the encoder in C: a manifest takes two seconds otherwise.
    json.dump = lambda value, file, **options: file.write(json.dumps(value, **options))
    # Whether the log is too long is looked up on disk for every line; no test writes 10 MB.
    logging.handlers.RotatingFileHandler.shouldRollover = lambda *_: False  # type: ignore[method-assign]
    settings = load_settings(folder, home=folder / "home", exports=folder, workers=1)
    write_profile(settings)
    before = dict(os.environ)
    os.environ.update(dbt_environment(Home(settings.home)))
    del os.environ[_PARENT]
    # The static parser has threads of its own, which a fork would lose.
    sys.argv = ["dbt", "--quiet", "--no-static-parser", "parse", *vars_arguments(settings)]
    result = dbtRunner().invoke(sys.argv[1:])

    assert result.success, result.exception
    parses.keep()
    os.environ.clear()
    os.environ.update(before)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
