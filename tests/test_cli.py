import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sequen_dagster.cli.main import main
from sequen_dagster.cli.options import EXIT_CODES, describe_progress
from support.builders import event
from support.homes import settings_of, write_events, write_text


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(one) for one in arguments])


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event(), event(id="e2", page_type=...))
    write_events(settings, "b.jsonl", event(id="e3", type="pageview", page_type=...))
    return settings.sources[0].exports


def test_validate_reports_counts_and_line_numbers(exports: Path) -> None:
    result = invoke("validate", exports)

    assert result.exit_code == 0
    assert "2 files, 3 records: 2 accepted, 1 quarantined" in result.output
    assert "missing_page_type" in result.output
    assert "near_standard_type" in result.output


def test_validate_writes_nothing(exports: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))

    invoke("validate", exports)

    assert sorted(tmp_path.rglob("*")) == before


def test_validate_json_is_complete(exports: Path) -> None:
    result = invoke("validate", exports, "--format", "json")

    printed = json.loads(result.output)
    assert printed["record_counts"] == {
        "records_read": 3,
        "accepted": 2,
        "quarantined": 1,
        "skipped": 0,
        "blank_lines": 0,
    }
    assert printed["errors"] == [{"type": "page_view", "rule": "missing_page_type", "records": 1}]
    assert printed["findings"] == [
        {"path": "a.jsonl", "line": 2, "item": 1, "rules": ["missing_page_type"]}
    ]


def test_validate_github_annotates_lines(exports: Path) -> None:
    result = invoke("validate", exports, "--format", "github")

    assert result.output == "::error file=a.jsonl,line=2::missing_page_type\n"


@pytest.mark.parametrize("output_format", ["human", "json", "github"])
def test_validate_says_what_a_file_is_that_cannot_be_read(
    tmp_path: Path, output_format: str
) -> None:
    (tmp_path / "events.csv").write_text("e1,scroll,2025-07-14,u1\n" * 4)
    result = invoke("validate", tmp_path / "events.csv", "--format", output_format)

    output = " ".join(result.output.split())
    assert "missing_header" in output
    assert "4 lines were not read. Write the names of the columns into the first line." in output
    assert "e1" not in output


def test_validate_one_file(exports: Path) -> None:
    result = invoke("validate", exports / "b.jsonl", "--strict")

    assert result.exit_code == 0
    assert "1 file, 1 record: 1 accepted, 0 quarantined" in result.output


def test_strict_fails_on_quarantined_records(exports: Path) -> None:
    assert invoke("validate", exports, "--strict").exit_code == 1


def test_validate_of_an_unreadable_file_counts_one_record(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    target = write_text(settings, "a.zip", "PK\x03\x04")

    result = invoke("validate", target, "--format", "json")

    printed = json.loads(result.output)
    assert result.exit_code == 1
    assert printed["errors"] == [{"type": "(none)", "rule": "unsupported_format", "records": 1}]
    assert printed["findings"][0]["line"] == 0


def test_validate_counts_a_file_that_ends_damaged_as_the_lake_does(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    target = write_text(settings, "a.jsonl.gz", "")
    lines = "".join(f'{{"type":"x","n":{number}}}\n' for number in range(150_000))
    target.write_bytes(gzip.compress(lines.encode(), mtime=0)[:-8])

    printed = json.loads(invoke("validate", target, "--format", "json").output)

    # Whole chunks had been validated before the damage showed; nothing of the file counts.
    assert (printed["record_counts"]["records_read"], printed["record_counts"]["quarantined"]) == (
        1,
        1,
    )
    assert printed["errors"] == [{"type": "(none)", "rule": "corrupt_compression", "records": 1}]
    assert [finding["line"] for finding in printed["findings"]] == [0]


def test_validate_says_what_is_passed_over(exports: Path) -> None:
    (exports / "notes.md").touch()
    (exports / "c.jsonl").symlink_to(exports / "a.jsonl")
    (exports / "d.jsonl").symlink_to(exports / "nothing")
    printed = "Passed over 3 files: 2 symbolic links ('c.jsonl'; `follow_links` reads them), "

    human = " ".join(invoke("validate", exports).output.split())
    github = invoke("validate", exports, "--format", "github").output.splitlines()
    found = json.loads(invoke("validate", exports, "--format", "json").output)["passed_over"]

    assert human.endswith(f"exports default: 2 files. {printed}1 by *.md ('notes.md').")
    assert github[-1] == f"::notice::default: 2 files. {printed}1 by *.md ('notes.md')."
    assert [(one["reason"], one["pattern"], one["files"], one["first"]) for one in found] == [
        ("link", "", 2, "c.jsonl"),
        ("excluded", "*.md", 1, "notes.md"),
    ]

    followed = " ".join(invoke("validate", exports, "--set", "follow_links=true").output.split())
    assert (
        "1 symbolic link to nothing ('d.jsonl'), 1 read under another path ('c.jsonl')" in followed
    )


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="no file that cannot be read")
def test_validate_goes_on_after_a_file_that_cannot_be_opened(exports: Path) -> None:
    (exports / "c.jsonl").symlink_to("/proc/self/mem")
    follow = ("--set", "follow_links=true")

    human = invoke("validate", exports, *follow)
    found = json.loads(invoke("validate", exports, "--format", "json", *follow).output)
    github = invoke("validate", exports, "--format", "github", *follow).output.splitlines()

    why = "It cannot be read: Input/output error."
    assert human.exit_code == 1
    assert f"not read 'c.jsonl': {why}" in human.output
    assert (found["files"], found["failed"]) == (2, [{"path": "c.jsonl", "message": why}])
    assert github[-1] == f"::error file=c.jsonl,line=1::not read: {why}"


def test_validate_says_that_it_found_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.tmp").touch()

    human = invoke("validate", tmp_path)
    github = invoke("validate", tmp_path, "--format", "github").output

    assert human.exit_code == 0
    assert "default: no export file was found in" in " ".join(human.output.split())
    assert github.startswith("::warning::default: no export file was found in ")


def test_names_of_files_are_not_markup(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_text(settings, "[red]x.jsonl", "nonsense\n")

    result = invoke("validate", settings.sources[0].exports)

    assert "[red]x.jsonl" in result.output


@pytest.mark.bad_input(33)
@pytest.mark.parametrize("form", ["human", "github", "json"])
def test_names_and_types_cannot_control_a_terminal(tmp_path: Path, form: str) -> None:
    settings = settings_of(tmp_path)
    red = event(type="\x1b[31m\u202ered", uid=...)
    write_events(settings, "two\n::error::\x1b[2J\u202e.jsonl", red)

    result = invoke("validate", settings.sources[0].exports, "--format", form)

    assert "missing_identity" in result.output
    assert [line for line in result.output.splitlines() if line.startswith("::error::")] == []
    assert not set(result.output) & set("\x1b\u202e\r")


@pytest.mark.bad_input(33)
def test_progress_of_a_run_is_not_markup() -> None:
    assert describe_progress("lake", "1/2 [/b]\x1b[2J\n.jsonl").plain == (
        "lake: 1/2 [/b]\\x1b[2J\\n.jsonl"
    )


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["run", "--exports", "nowhere"], "does not exist"),
        (["run", "--set", "session_timeout_minutes=0"], "session_timeout_minutes"),
        (["run", "--set", "no_such_setting=1"], "no_such_setting"),
        (["run", "--set", "nonsense"], "KEY=VALUE"),
        (["simulate", "out", "--formats", "docx"], "docx"),
    ],
)
def test_bad_arguments_are_explained_and_exit_2(
    arguments: list[str], printed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    result = invoke(*arguments)

    assert result.exit_code == 2
    assert printed in " ".join(result.output.split())


def test_simulate_says_what_it_wrote(tmp_path: Path) -> None:
    result = invoke("simulate", tmp_path / "out", "--events", "500", "--days", "2")

    assert result.exit_code == 0
    assert "records in 2 files" in result.output
    assert len(list((tmp_path / "out" / "exports").rglob("*.jsonl"))) == 2


def test_simulate_does_not_write_over_exports(tmp_path: Path) -> None:
    invoke("simulate", tmp_path / "out", "--events", "500", "--days", "1")

    assert invoke("simulate", tmp_path / "out", "--events", "500", "--days", "1").exit_code == 2


def test_help_of_every_command_lists_the_exit_codes() -> None:
    assert list(EXIT_CODES) == [0, 1, 2, 3]
    for command in ([], *([name] for name in main.commands)):
        lines = invoke(*command, "--help").output.splitlines()
        assert lines[-5].strip() == "Exit codes:", command
        assert [line.split()[0] for line in lines[-4:]] == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    "command",
    [["verify"], ["report"], ["replay", "--stale"], ["erase", "--uid", "u1"]],
    ids=lambda command: command[0],
)
def test_home_that_is_not_there_is_2_in_every_command_that_needs_one(
    exports: Path, tmp_path: Path, command: list[str]
) -> None:
    takes_exports = command[0] in ("replay", "erase")
    places = ["--home", tmp_path / "no", *(["--exports", exports] if takes_exports else [])]

    result = invoke(*command, *places)

    assert (result.exit_code, " ".join(result.output.split())) == (
        2,
        (
            f"error Home {str(tmp_path / 'no')!r} does not exist. Name the directory that a run "
            "has written with --home, or begin with `sequen-dagster run`."
        ),
    )
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("command", ["verify", "report"])
def test_home_without_tables_is_2_as_well(tmp_path: Path, command: str) -> None:
    (tmp_path / "home").mkdir()

    result = invoke(command, "--home", tmp_path / "home")

    assert (result.exit_code, "Run `sequen-dagster run` first." in result.output) == (2, True)
