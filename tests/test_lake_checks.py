"""The checks of the lake: what they say, and that they look at the state of a home alone."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from sequen_dagster.contract.scalars import utc_now
from sequen_dagster.exports.readers import ExportReader
from sequen_dagster.lake.checks import (
    Expectations,
    check_accepted_share,
    check_counts,
    check_files_read,
    check_freshness,
    lake_checks,
)
from sequen_dagster.lake.commits import RecordCounts
from sequen_dagster.lake.current_files import (
    CurrentFiles,
    FailedFile,
    NewestFile,
    QuarantinedFile,
    UnreadFile,
)
from sequen_dagster.lake.drain import FileFailure
from sequen_dagster.settings import SequenSettings
from sequen_dagster.triggers.failures import root_cause
from support.builders import event
from support.graphs import QUARANTINED_RECORDS, VALIDATED_EVENTS, lake_step
from support.homes import set_modified_at, settings_of, write_events, write_text
from support.lake import drain, lake_of, ledger_of, pending_files

ZIP = "PK\x03\x04"
EXPECTED = Expectations(95, 0, 26, Path("/home/serving/report.html"))
NAMES = [spec.name for spec in lake_checks(VALIDATED_EVENTS)]
WARN, ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def select(
    settings: SequenSettings,
    instance: dg.DagsterInstance,
    selection: dg.AssetSelection | None = None,
) -> dg.ExecuteInProcessResult:
    return dg.materialize([lake_step(settings)], instance=instance, selection=selection)


def checks_of(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {one.check_name: one for one in result.get_asset_check_evaluations()}


def materialized(result: dg.ExecuteInProcessResult) -> list[dg.AssetKey | None]:
    return [one.asset_key for one in result.get_asset_materialization_events()]


def check(name: str) -> dg.AssetSelection:
    return dg.AssetSelection.checks(dg.AssetCheckKey(VALIDATED_EVENTS, name))


@pytest.mark.parametrize("key", [VALIDATED_EVENTS, QUARANTINED_RECORDS])
def test_either_asset_alone_takes_in_files_once_for_both(
    tmp_path: Path, instance: dg.DagsterInstance, key: dg.AssetKey
) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event(), event(id="e2", uid=...))

    result = select(settings, instance, dg.AssetSelection.assets(key))

    assert result.success
    assert set(materialized(result)) == {VALIDATED_EVENTS, QUARANTINED_RECORDS}
    assert len(materialized(result)) == 2
    for one in (VALIDATED_EVENTS, QUARANTINED_RECORDS):
        event_ = instance.get_latest_materialization_event(one)
        assert event_ is not None
        assert event_.asset_materialization is not None
        assert event_.asset_materialization.metadata["quarantined"].value == 1
    assert sorted(checks_of(result)) == (sorted(NAMES) if key == VALIDATED_EVENTS else [])
    assert pending_files(settings) == []
    assert len(list(lake_of(settings).commits.iterdir())) == 1


@pytest.mark.parametrize("name", NAMES)
def test_check_alone_takes_in_nothing(
    tmp_path: Path, instance: dg.DagsterInstance, name: str
) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())

    result = select(settings, instance, check(name))

    assert result.success
    assert list(checks_of(result)) == [name]
    assert materialized(result) == []
    assert pending_files(settings) != []


def test_job_of_one_check_says_the_same_as_the_run(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event(), event(id="e2", uid=...))
    ran = checks_of(select(settings, instance))
    defs = dg.Definitions(
        assets=[lake_step(settings)],
        jobs=[dg.define_asset_job("checks", selection=dg.AssetSelection.checks(
            *(dg.AssetCheckKey(VALIDATED_EVENTS, name) for name in NAMES)
        ))],
    )  # fmt: skip

    result = defs.resolve_job_def("checks").execute_in_process(instance=instance)

    found = checks_of(result)
    assert set(found) == set(NAMES)
    for name in NAMES:
        assert (name, found[name].passed, found[name].description) == (
            name,
            ran[name].passed,
            ran[name].description,
        )


def test_ledger_that_is_gone_is_filled_before_a_check(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event(), event(id="e2", uid=...))
    drain(settings)
    for path in settings.home.glob("ledger.sqlite*"):
        path.unlink()

    found = checks_of(select(settings, instance, check("accepted_share")))["accepted_share"]

    assert (found.passed, found.metadata["accepted_percent"].value) == (False, 50)


def test_check_of_a_lake_that_has_lost_commits_is_an_error(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    settings = settings_of(tmp_path, step_retries=0)
    write_events(settings, "a.jsonl", event())
    drain(settings)
    (manifest,) = lake_of(settings).commits.glob("*.json")
    manifest.unlink()

    result = dg.materialize(
        [lake_step(settings)],
        instance=instance,
        selection=check("accepted_share"),
        raise_on_error=False,
    )

    (failure,) = [one for one in result.all_events if one.is_step_failure]
    error = root_cause(failure.step_failure_data.error)
    assert error is not None
    assert "has lost 1 of its commits" in error.message
    assert "`sequen-dagster doctor --rebuild`" in error.message


def test_share_stays_until_the_files_have_changed(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event(), event(id="e2", uid=...))
    first = checks_of(select(settings, instance))["accepted_share"]
    without_files = checks_of(select(settings, instance))["accepted_share"]

    assert (first.passed, without_files.passed) == (False, False)
    assert first.description == without_files.description

    # Good files of another day do not hide it where they are too few, and heal it where they are
    # enough: what counts is the tables.
    write_events(settings, "b.jsonl", event(id="e3"))
    after = checks_of(select(settings, instance))["accepted_share"]
    assert (after.passed, after.metadata["accepted_percent"].value) == (False, 66.66)

    write_events(settings, "a.jsonl", event(), event(id="e2"))
    healed = checks_of(select(settings, instance))["accepted_share"]
    assert healed.passed
    assert healed.description == (
        "3 of 3 records in the current versions of 2 files are accepted: 100.0 %, "
        "needed: 95 % (`min_accepted_percent`)."
    )


def test_file_that_failed_stays_in_the_check_until_it_is_gone_or_read(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path, max_attempts=1)
    export = write_events(settings, "a.jsonl", event())
    chunks = ExportReader.chunks

    def refuse(_: ExportReader) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(ExportReader, "chunks", refuse)
    failing = checks_of(select(settings, instance))["files_read"]
    monkeypatch.setattr(ExportReader, "chunks", chunks)
    # Dead-lettered, it is not tried again, so this run has no failure of its own.
    later = checks_of(select(settings, instance))["files_read"]

    assert (failing.passed, failing.severity) == (False, ERROR)
    assert (later.passed, later.severity) == (False, WARN)
    for one in (failing, later):
        assert one.metadata["failed_files"].value == 1
        assert one.description is not None
        assert "`a.jsonl`: PermissionError: Permission denied" in one.description
        assert "`sequen-dagster replay --dead-lettered`" in one.description

    export.unlink()
    assert checks_of(select(settings, instance, check("files_read")))["files_read"].passed


def test_log_warns_of_the_first_twenty_unread_files(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    settings = settings_of(tmp_path)
    for number in range(22):
        write_text(settings, f"{number:02}.jsonl", f"{ZIP}{number}")

    result = select(settings, instance)

    (unread, *_) = ledger_of(settings).unread_files()
    warned = [entry.user_message for entry in instance.all_logs(result.run_id) if entry.level == 30]
    assert warned[0] == f"file not read as a whole: {unread}"
    assert (len(warned), warned[20]) == (21, "2 more files not read as a whole")
    (event_, _) = result.get_asset_materialization_events()
    metadata = event_.materialization.metadata
    assert metadata["unread_files"].value == 22
    assert len(metadata["files_not_read_as_a_whole"].value) == 20
    found = checks_of(result)["files_read"]
    assert found.description is not None
    assert found.description.startswith("22 files could not be read as a whole, ")
    assert found.description.count("\n- `") == 20
    assert "\n- and 2 more\n" in found.description
    assert "20.jsonl" not in found.description


def unread(path: str) -> UnreadFile:
    return UnreadFile("default", path, "unsupported_format", "It is a zip archive.")


@pytest.mark.parametrize(
    ("failures", "failed", "unread_files", "severity", "description"),
    [
        (
            [], [], [], WARN,
            (
            "The current versions of 3 files are read as a whole, and none waits to be read "
            "again."
            ),
        ),
        (
            [], [], [unread("b")], WARN,
            (
            "1 file could not be read as a whole, and none of the records in it is in the tables:\n"
            "- `b`: unsupported_format: It is a zip archive.\n\n"
            "Send it again under the same path, in a form that is read. The check stays like this "
            "until it has a new version."
            ),
        ),
        (
            [FileFailure("default", "a", "OSError: broken Attempt 1 of 3.")],
            # The same file, as the ledger knows it by then.
            [FailedFile("default", "a", ("default", "a", 1, "", ""), "failed", "OSError: broken")],
            [unread("b"), unread("c")], ERROR,
            (
            "1 file could not be read at all, and nothing of it is in the tables:\n"
            "- `a`: OSError: broken Attempt 1 of 3.\n\n"
            "Remove what each reason names. The next runs try again by themselves; of a "
            "dead-lettered file they do so after `sequen-dagster replay --dead-lettered`, or when "
            "it changes.\n\n"
            "2 files could not be read as a whole, and none of the records in them is in the "
            "tables:\n"
            "- `b`: unsupported_format: It is a zip archive.\n"
            "- `c`: unsupported_format: It is a zip archive.\n\n"
            "Send them again under the same path, in a form that is read. The check stays like "
            "this until they have a new version."
            ),
        ),
    ],
    ids=["all read", "one unread", "one failed, two unread"],
)  # fmt: skip
def test_files_read_says_which_and_what_to_do(
    failures: Sequence[FileFailure],
    failed: Sequence[FailedFile],
    unread_files: Sequence[UnreadFile],
    severity: dg.AssetCheckSeverity,
    description: str,
) -> None:
    result = check_files_read(failures, failed, unread_files, files=3)

    assert (result.passed, result.severity) == (not (failures or unread_files), severity)
    assert result.description == description
    assert result.metadata["failed_files"].value == len(failures)


def test_name_of_a_file_is_neither_a_link_nor_a_picture() -> None:
    hostile = UnreadFile("default", "![x](http://x.test/`y`)\n<b>", "missing_header", "No header.")

    result = check_files_read([], [], [hostile], files=1)

    assert "\n- `` ![x](http://x.test/`y`)\\n<b> ``: missing_header: " in (result.description or "")


def test_share_says_rules_files_setting_and_section() -> None:
    current = CurrentFiles(
        3,
        RecordCounts(records_read=8, accepted=5, quarantined=3),
        (("missing_identity", 2), ("invalid_rank", 1)),
        (QuarantinedFile("default", "b.jsonl", 2, 4), QuarantinedFile("default", "a.jsonl", 1, 3)),
    )

    result = check_accepted_share(current, EXPECTED)

    assert (result.passed, result.severity) == (False, WARN)
    assert result.description == (
        "5 of 8 records in the current versions of 3 files are accepted: 62.5 %, needed: 95 % "
        "(`min_accepted_percent`). With fewer no tier of data is reached.\n"
        "Quarantined, by rule (a record may break several): missing_identity 2, invalid_rank 1.\n"
        "Most of them are in:\n"
        "- `b.jsonl`: 2 of 4 records\n"
        "- `a.jsonl`: 1 of 3 records\n\n"
        "Fix what sends them: What to fix first in the report says what each rule costs "
        "(/home/serving/report.html#fixes), and the table `quarantined_events` of the warehouse "
        "has every record with its line. Send the files again under the same paths; after a "
        "change of the settings, `sequen-dagster replay --quarantined`. The check stays like this "
        "until then."
    )
    assert result.metadata["accepted_percent"].value == 62.5
    assert result.metadata["quarantined_by_rule"].value == {
        "missing_identity": 2,
        "invalid_rank": 1,
    }


@pytest.mark.parametrize(
    ("accepted", "passed", "percent"), [(95, True, 95.0), (94.999, False, 94.99)]
)
def test_share_is_never_rounded_up_to_its_limit(
    accepted: float, passed: bool, percent: float
) -> None:
    counts = RecordCounts(100_000, int(1000 * accepted), 100_000 - int(1000 * accepted))

    result = check_accepted_share(CurrentFiles(1, counts), EXPECTED)

    assert (result.passed, result.metadata["accepted_percent"].value) == (passed, percent)


def test_share_without_records_says_so() -> None:
    result = check_accepted_share(CurrentFiles(0, RecordCounts()), EXPECTED)

    assert result.passed
    assert result.description == "No record was read yet, so there is no share to look at."
    assert "accepted_percent" not in result.metadata


def test_counts_say_the_sum_or_the_files_that_are_off() -> None:
    counts = RecordCounts(records_read=8, accepted=5, quarantined=2, skipped=1)
    fine = check_counts(CurrentFiles(3, counts))
    off = check_counts(
        CurrentFiles(
            3, counts, unreconciled_files=21, unreconciled=(("a", RecordCounts(4, 2, 1, 0)),)
        )
    )

    assert (fine.passed, off.passed, off.severity) == (True, False, ERROR)
    assert fine.description == (
        "The current versions of 3 files: 8 records read = 5 accepted + 2 quarantined + 1 skipped."
    )
    assert off.description is not None
    assert off.description.startswith(
        "The record counts of 21 files do not reconcile:\n"
        "- `a`: 4 read, 2 accepted, 1 quarantined, 0 skipped\n- and 20 more\n\n"
    )
    assert "`sequen-dagster doctor --rebuild`" in off.description


def test_freshness_says_over_which_files() -> None:
    now = utc_now()
    old, new = now - timedelta(hours=50), now - timedelta(hours=25)
    app, web = NewestFile("app", "x.csv", old), NewestFile("web", "a.jsonl", new)

    none = check_freshness([], EXPECTED, now=now)
    fresh = check_freshness([app, web], EXPECTED, now=now)
    stale = check_freshness([app], EXPECTED, now=now)

    assert (none.passed, fresh.passed, stale.passed) == (True, True, False)
    assert none.description == (
        "No file was taken in yet. From the first on, one has to arrive in 26 hours "
        "(`fresh_within_hours`)."
    )
    assert fresh.description == (
        "The newest file, `a.jsonl` of source web, arrived 25.0 hours ago; expected: one in 26 "
        "hours (`fresh_within_hours`).\nThe newest of each source:\n"
        f"- app: `x.csv`, {old:%Y-%m-%d %H:%M} UTC\n- web: `a.jsonl`, {new:%Y-%m-%d %H:%M} UTC"
    )
    assert stale.description == (
        "The newest file, `x.csv` of source app, arrived 50.0 hours ago, and one is expected in "
        "26 hours (`fresh_within_hours`). Look whether what writes the exports still runs, and "
        "whether files wait in a location: `sequen-dagster doctor` says what was found and passed "
        "over. If files come less often, raise `fresh_within_hours`."
    )
    assert stale.metadata["hours_since_the_newest_file"].value == 50.0


def test_metadata_only_change_counts_nothing_twice(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    settings = settings_of(tmp_path)
    export = write_events(settings, "a.jsonl", event(), event(id="e2", uid=...))
    select(settings, instance)
    set_modified_at(export, utc_now())

    found = checks_of(select(settings, instance))

    assert found["accepted_share"].metadata["accepted_percent"].value == 50
    assert found["counts_reconcile"].metadata["files"].value == 1
