"""Places that this process may not read or write: named, with the remedy, in every command."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sequen_dagster.cli.main import main
from sequen_dagster.errors import ExportsError, SequenError, StorageError
from sequen_dagster.exports.files import list_files, list_location
from sequen_dagster.home.locks import writer_lock
from sequen_dagster.marts.opening import opened
from sequen_dagster.marts.project import write_profile
from sequen_dagster.operations.doctor import examine_home
from sequen_dagster.settings import SequenSettings, load_settings
from support.builders import event
from support.homes import settings_of, write_events
from support.lake import drain, home_of, ledger_of
from support.permissions import binding_permissions
from support.sensing import Daemon


@contextmanager
def mode(path: Path, bits: int) -> Iterator[None]:
    """Permission bits that bind inside the block, and are as before after it."""
    before = path.stat().st_mode & 0o777
    path.chmod(bits)
    try:
        with binding_permissions():
            yield
    finally:
        path.chmod(before)


def invoke(settings: SequenSettings, command: str, *arguments: str) -> Result:
    places = ["--home", str(settings.home)]
    if command not in ("verify", "report"):
        places += ["--exports", str(settings.sources[0].exports)]
    return CliRunner().invoke(main, [command, *places, *arguments])


def said_by(result: Result) -> str:
    return " ".join(result.output.split())


@pytest.fixture
def settings(tmp_path: Path) -> SequenSettings:
    """A home that has taken in one file of two; the other lies in a folder of its own."""
    settings = settings_of(tmp_path, quiet_seconds=0)
    write_events(settings, "a.jsonl", event())
    drain(settings)
    write_events(settings, "sub/b.jsonl", event(id="e2"))
    return settings


CLOSED = (
    "of source 'default' cannot be listed: Permission denied. Give this user the right to read it, "
    "and to enter it and the folders above."
)


# Of the last, names can be read, and nothing that they name.
@pytest.mark.parametrize("bits", [0, 0o100, 0o400])
@pytest.mark.parametrize("command", ["run", "replay", "validate", "doctor"])
def test_closed_location_is_named(settings: SequenSettings, command: str, bits: int) -> None:
    location = settings.sources[0].exports
    with mode(location, bits):
        if command == "validate":
            result = CliRunner().invoke(main, ["validate", str(location)])
        else:
            result = invoke(settings, command, *(["--stale"] if command == "replay" else []))
        found = [one.message for one in examine_home(settings) if one.area == "exports"]

    assert found == [f"Location {str(location)!r} {CLOSED}"]
    # The doctor finds that something is wrong; the others cannot begin.
    assert result.exit_code == (1 if command == "doctor" else 2)
    if command == "validate" and not bits & 0o400:
        # The command line's own check of the argument.
        assert "is not readable" in said_by(result) or CLOSED in said_by(result)
    elif command != "doctor":
        assert said_by(result) == f"error Location {str(location)!r} {CLOSED}"
    assert "Traceback" not in result.output


def test_location_below_a_closed_folder_is_named(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, home="home", exports="above/in")
    settings.sources[0].exports.mkdir(parents=True)

    with mode(tmp_path / "above", 0), pytest.raises(ExportsError, match="cannot be listed"):
        list_location(settings.sources[0])
    with mode(tmp_path / "above", 0):
        assert invoke(settings, "run").exit_code == 2


def test_closed_location_fails_the_tick_and_the_drain(settings: SequenSettings) -> None:
    daemon = Daemon(settings)

    with mode(settings.sources[0].exports, 0):
        with pytest.raises(ExportsError, match="Give this user the right to read it"):
            daemon.tick()
        with pytest.raises(ExportsError, match="Give this user the right to read it"):
            drain(settings)


def test_closed_folder_is_counted_and_looked_at_again(settings: SequenSettings) -> None:
    folder = settings.sources[0].exports / "sub"
    write_events(settings, "c.jsonl", event(id="e3"))

    with mode(folder, 0):
        drained = drain(settings)
        validated = CliRunner().invoke(main, ["validate", str(settings.sources[0].exports)])
        diagnosed = [one for one in examine_home(settings) if one.area == "exports"]

    # The others go on.
    assert [batch.path for batch in drained.batches] == ["c.jsonl"]
    (failure,) = drained.failures
    assert (failure.path, failure.reason) == (
        "sub/",
        (
            "1 file or folder may not be read, this one first. Give this user the right to; the "
            "next run looks again."
        ),
    )
    assert validated.exit_code == 1
    assert "1 that may not be read ('sub/'; give this user the right to)" in said_by(validated)
    assert [one.level for one in diagnosed] == ["error"]
    assert [batch.path for batch in drain(settings).batches] == ["sub/b.jsonl"]


def test_closed_file_is_counted_and_tried_again(settings: SequenSettings) -> None:
    closed = settings.sources[0].exports / "sub" / "b.jsonl"
    write_events(settings, "c.jsonl", event(id="e3"))

    with mode(closed, 0):
        drained = drain(settings)
        validated = CliRunner().invoke(main, ["validate", str(settings.sources[0].exports)])
        diagnosed = [one for one in examine_home(settings) if one.area == "exports"]

    assert [batch.path for batch in drained.batches] == ["c.jsonl"]
    assert [failure.reason for failure in drained.failures] == [
        "PermissionError: Permission denied. Give this user the right to read it. Attempt 1 of 3."
    ]
    assert validated.exit_code == 1
    remedy = "This user may not read it. Give it the right to."
    assert f"not read 'sub/b.jsonl': {remedy}" in said_by(validated)
    assert (diagnosed[0].level, diagnosed[0].message) == (
        "error",
        "default: 1 file may not be read ('sub/b.jsonl'). Give this user the right to.",
    )
    assert [batch.path for batch in drain(settings).batches] == ["sub/b.jsonl"]


@pytest.mark.parametrize("command", ["run", "verify", "report", "replay", "erase", "doctor"])
def test_home_that_may_not_be_written_is_named(settings: SequenSettings, command: str) -> None:
    further = {"replay": ["--stale"], "erase": ["--uid", "u1"]}
    with mode(settings.home, 0o500):
        result = invoke(settings, command, *further.get(command, []))

    home = repr(str(settings.home))
    assert result.exit_code == (1 if command == "doctor" else 2)
    assert "Traceback" not in result.output
    if command == "doctor":
        assert "Permission denied. Nothing half" in said_by(result)
    else:
        assert said_by(result) == (
            f"error Cannot write the home {home}: Permission denied. Nothing half done was "
            f"committed. Give this user the right to write {home} and what lies in it, or choose "
            "another `home`."
        )


@pytest.mark.parametrize("command", ["run", "doctor"])
def test_home_that_cannot_be_made_or_reached_is_named(tmp_path: Path, command: str) -> None:
    settings = settings_of(tmp_path).model_copy(update={"home": tmp_path / "above" / "home"})
    (tmp_path / "above").mkdir()

    with mode(tmp_path / "above", 0):
        result = invoke(settings, command)
        found = [one.message for one in examine_home(settings) if one.area == "home"]

    assert result.exit_code == (1 if command == "doctor" else 2)
    assert found == [
        (
            f"{str(settings.home)!r} cannot be read or written: Permission denied. Give this user "
            "the right to."
        )
    ]
    if command == "run":
        assert said_by(result).startswith(f"error Cannot write the home {str(settings.home)!r}: ")


def test_home_that_is_a_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "exports").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEQUEN_HOME", "file")

    result = CliRunner().invoke(main, ["run"])

    message = f"error The home {str(tmp_path / 'file')!r} is not a folder. Choose another `home`."
    assert (result.exit_code, said_by(result)) == (2, message)


def test_home_that_may_not_be_written_fails_ticks_and_steps(settings: SequenSettings) -> None:
    daemon = Daemon(settings)

    with mode(settings.home, 0o500):
        for work in (
            daemon.tick,
            lambda: drain(settings),
            lambda: write_profile(settings),
            lambda: writer_lock(home_of(settings), timeout_seconds=0).__enter__(),
        ):
            with pytest.raises(StorageError, match="Give this user the right to write"):
                work()


@pytest.mark.parametrize("name", ["ledger.sqlite", "warehouse.duckdb"])
def test_file_that_another_user_has_left_in_the_home_is_named(
    settings: SequenSettings, name: str
) -> None:
    with opened(home_of(settings).warehouse, {}, timeout_seconds=0):
        pass
    path = settings.home / name

    def work() -> None:
        if name == "ledger.sqlite":
            ledger_of(settings).observe(list_files(settings.sources[0]))
        else:
            with opened(path, {}, timeout_seconds=0):
                pass

    with mode(path, 0o400):
        found = [one.message for one in examine_home(settings) if one.level == "error"]
    assert found[0] == (
        f"{str(settings.home)!r} holds what may not be written ({name!r}), of another user most "
        "likely. Give this user the right to."
    )
    with mode(path, 0o400), pytest.raises(SequenError, match="Permission denied") as caught:
        work()
    assert f"Give this user the right to write {str(path)!r}" in str(caught.value)


def test_permission_bits_bind_in_these_tests(tmp_path: Path) -> None:
    target = tmp_path / "closed"
    target.touch()

    with mode(target, 0), pytest.raises(PermissionError):
        target.read_bytes()
    # And root, if it runs the tests, has its rights back.
    target.chmod(0)
    assert os.geteuid() != 0 or target.read_bytes() == b""
