"""Whatever happens in a command, it ends with a sentence, and its trace is in a file."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sequen_dagster.cli.main import main
from sequen_dagster.cli.unexpected import render_trace
from sequen_dagster.errors import HomeError
from sequen_dagster.operations import doctor, validate
from sequen_dagster.settings import SequenSettings
from support.homes import settings_of
from support.lake import home_of

CANARY = "canary.person@example.com"


@pytest.fixture
def settings(tmp_path: Path) -> SequenSettings:
    settings = settings_of(tmp_path)
    home_of(settings).make()
    return settings


def raising(error: Exception) -> object:
    def fail(*_: object, **__: object) -> None:
        value = CANARY
        try:
            {}[value]
        except KeyError:
            raise error  # noqa: B904  # the context belongs to what is shown

    return fail


def invoke_doctor(settings: SequenSettings) -> Result:
    places = ["--home", str(settings.home), "--exports", str(settings.sources[0].exports)]
    return CliRunner().invoke(main, ["doctor", *places])


def test_unexpected_error_is_a_sentence_and_its_trace_is_in_the_home(
    settings: SequenSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "examine_home", raising(ValueError(CANARY)))

    result = invoke_doctor(settings)

    (written,) = home_of(settings).dbt.traces.iterdir()
    text = written.read_text(encoding="utf-8")
    assert result.exit_code == 1
    assert re.fullmatch(
        r"error Unexpected: ValueError in cli/doctor\.py:\d+\. Its trace is in "
        rf"{re.escape(repr(str(written)))}; it holds no values of events\. Please report it\.",
        " ".join(result.output.split()),
    )
    # Each cause with the lines of code, and no text of theirs.
    assert "builtins.KeyError: its text may quote events and is not shown" in text
    assert "builtins.ValueError: its text may quote events and is not shown" in text
    assert "examine_home(settings, Names(name))" in text
    assert CANARY not in text + result.output
    assert written.stat().st_mode & 0o777 == 0o600


def test_trace_is_in_the_folder_for_temporary_files_where_there_is_no_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path)
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    denied = PermissionError(13, "Permission denied", "/srv/x")
    monkeypatch.setattr(validate, "validate_sources", raising(denied))

    result = CliRunner().invoke(main, ["validate", str(settings.sources[0].exports)])

    (written,) = folder.iterdir()
    assert result.exit_code == 1
    assert "(Permission denied: '/srv/x')" in " ".join(result.output.split())
    assert written.name.startswith("sequen-dagster-")
    assert "builtins.PermissionError: Permission denied: '/srv/x'" in written.read_text()
    assert not settings.home.exists()


def test_errors_of_ours_are_sentences_without_a_trace(
    settings: SequenSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "examine_home", raising(HomeError("The home is damaged.")))

    result = invoke_doctor(settings)

    assert (result.exit_code, result.output) == (1, "error The home is damaged.\n")
    assert not home_of(settings).dbt.traces.exists()


def test_trace_ends_where_causes_go_round() -> None:
    first, second = ValueError(), KeyError()
    first.__cause__, second.__cause__ = second, first

    assert render_trace(first).count("Traceback") == 2
