"""Files that a run takes in and cannot read as a whole, or passes over: who says so, and how."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner

from sequen_dagster.cli.main import main
from sequen_dagster.lake.commits import current_batches
from sequen_dagster.operations.doctor import Diagnosis, examine_home
from sequen_dagster.settings import SequenSettings
from support.builders import event
from support.graphs import lake_step
from support.homes import settings_of, write_events, write_text
from support.lake import drain, lake_of, ledger_of

ZIP = "PK\x03\x04"


def lake_run(settings: SequenSettings) -> tuple[dict[str, Any], dg.AssetCheckEvaluation]:
    """What a run of the lake's step says of itself, and its check `files_read`."""
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([lake_step(settings)], instance=instance)
    (check,) = [
        one for one in result.get_asset_check_evaluations() if one.check_name == "files_read"
    ]
    (event, _) = result.get_asset_materialization_events()
    return {name: one.value for name, one in event.materialization.metadata.items()}, check


def test_unreadable_file_is_reported_while_it_is_current(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())
    write_text(settings, "b.jsonl", ZIP)
    first, check = lake_run(settings)
    (unread,) = ledger_of(settings).unread_files()

    assert (unread.source, unread.path, unread.rule) == ("default", "b.jsonl", "unsupported_format")
    assert "zip" in unread.message
    assert first["files_not_read_as_a_whole"] == [str(unread)]
    assert str(unread) == f"'b.jsonl': unsupported_format: {unread.message}"
    # A warning: what can be taken in of it was taken in.
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert check.metadata["unread_files"].value == 1
    assert check.metadata["reasons"].value == [str(unread)]

    second, check = lake_run(settings)
    assert (second["files"], second["files_not_read_as_a_whole"]) == (0, [])
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)

    write_events(settings, "b.jsonl", event(id="e2"))
    third, check = lake_run(settings)
    assert (third["files"], third["files_not_read_as_a_whole"]) == (1, [])
    assert check.passed
    assert ledger_of(settings).unread_files() == []


def test_doctor_names_the_first_twenty_files_that_could_not_be_read(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    for number in range(22):
        write_text(settings, f"{number:02}.jsonl", f"{ZIP}{number}")
    write_text(settings, "bad.jsonl", "nonsense\n")
    drain(settings)
    unread = ledger_of(settings).unread_files()

    (message,) = [one.message for one in examine_home(settings) if "as a whole" in one.message]

    assert message.splitlines() == [
        (
            "22 files could not be read as a whole. Send them again under the same path, in a form "
            "that is read:"
        ),
        *(f"- {one}" for one in unread[:20]),
        "- and 2 more",
    ]


def test_message_outlives_the_ledger(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_text(settings, "b.jsonl", ZIP)
    drain(settings)
    (batch,) = current_batches(lake_of(settings))
    assert batch.is_unread
    before = ledger_of(settings).unread_files()
    for path in settings.home.glob("ledger.sqlite*"):
        path.unlink()
    ledger = ledger_of(settings)
    ledger.sync()

    assert ledger.unread_files() == before


def test_run_reports_files_passed_over(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    for path in ("a.jsonl", "README.md", "raw/x.tmp"):
        write_events(settings, path, event())
    (settings.sources[0].exports / "link.jsonl").symlink_to(tmp_path / "elsewhere")

    metadata, _ = lake_run(settings)

    assert (metadata["files_found"], metadata["files_passed_over"]) == (1, 3)
    assert metadata["passed_over"] == {"default": {"link": 1, "*.md": 1, "*.tmp": 1}}
    (found,) = metadata["exports_found"]
    assert found == (
        "default: 1 file. Passed over 3 files: 1 symbolic link ('link.jsonl'; `follow_links` reads "
        "them), 1 by *.md ('README.md'), 1 by *.tmp ('raw/x.tmp')."
    )


def test_run_without_findings_prints_no_warning(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())

    metadata, _ = lake_run(settings)

    assert (metadata["files_found"], metadata["exports_found"]) == (1, [])
    assert "passed_over" not in metadata


@pytest.mark.parametrize(("name", "level"), [("a.tmp", "warning"), (None, "ok")])
def test_doctor_says_that_no_file_was_found(tmp_path: Path, name: str | None, level: str) -> None:
    settings = settings_of(tmp_path)
    if name:
        write_events(settings, name, event())

    (finding,) = [one for one in examine_home(settings) if one.area == "exports"]

    assert finding.level == level
    assert finding.message.startswith("default: no export file was found in ")


def test_doctor_says_what_is_passed_over(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())
    write_events(settings, "a.md", event())

    assert Diagnosis(
        "exports", "ok", "default: 1 file, 118 bytes. Passed over 1 file: 1 by *.md ('a.md')."
    ) in examine_home(settings)


@pytest.mark.slow
def test_command_line_names_what_was_not_read_and_exits_1(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    exports = settings.sources[0].exports
    write_text(settings, "[b].jsonl", ZIP)
    (exports / "a.jsonl").symlink_to(tmp_path / "elsewhere")

    result = CliRunner().invoke(
        main, ["run", "--exports", str(exports), "--home", str(settings.home)]
    )

    lines = result.output.splitlines()
    assert result.exit_code == 1, result.output
    assert (
        "exports default: 1 file. Passed over 1 file: 1 symbolic link ('a.jsonl'; `follow_links` "
        "reads them)."
    ) in lines
    (unread,) = ledger_of(settings).unread_files()
    assert f"not read '[b].jsonl': unsupported_format: {unread.message}" in lines
