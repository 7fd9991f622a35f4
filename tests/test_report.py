"""The report: what it says, in which form, and what can never get into it."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import jsonschema
import pytest
from click.testing import CliRunner

from sequen_dagster.cli.main import main
from sequen_dagster.errors import ReportError
from sequen_dagster.home.layout import Home
from sequen_dagster.reports.document.report import Report, report_schema
from sequen_dagster.reports.files import WrittenReport, make_report
from sequen_dagster.reports.markdown import render_markdown
from sequen_dagster.reports.options import report_options
from sequen_dagster.reports.page import render_page
from sequen_dagster.reports.reading import read_report
from sequen_dagster.reports.summary import summarize
from sequen_dagster.settings import SequenSettings
from support.graphs import report_steps
from support.histories import Row, after
from support.homes import settings_of
from support.published import file_of, publish_rows
from support.replay import Recording, shared_recording

SCHEMA = Path(__file__).resolve().parent.parent / "docs" / "report.schema.json"
HOSTILE = (
    "<script>window.pwned=1</script>",
    '"><img src=x onerror=window.pwned=1>',
    "</style><script>window.pwned=1</script>",
    "javascript:window.pwned=1",
    "{{7*7}}{% raw %}",
    "</svg></title><iframe src=//x.test>",
    "\u202etxt.exe",
)
VALUES = ("SECRET-VALUE-1", "jo@secret.test", "4111111111111111")


def at(minutes: float, **fields: Any) -> Row:
    moment = after(minutes).isoformat()
    return {"id": f"e{minutes}", "sid": "s", "original_timestamp": moment, **fields}


ROWS = [
    at(0, type="page_view", page_type="home", page_id="p", country="US", **{"app.version": "1.2"}),
    at(1, type="impression", item_id="a", rank=1, rec_id="r", app={"version": "1.3"}),
    at(2, type="impression", item_id="b", rank=2, rec_id="r", note=VALUES[0], mail=VALUES[1]),
    at(3, type="click", item_id="a", click_type="like", impression_id="e1", itemId="a"),
    at(4, type="conversion", conversion_type="buy", item_ids=["a"], order_total=3, card=VALUES[2]),
    at(5, type="pageview", page_type="home"),
    at(6, type="login", x=1, **{"app.version": VALUES[1]}),
    at(60 * 24, type="login", x="1"),
    {"type": "click", "original_timestamp": after(7).isoformat(), "userId": "u", "item_id": "a"},
    *(at(10 + place, type=name, **{name: 1}) for place, name in enumerate(HOSTILE)),
]


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Recording:
    return shared_recording(tmp_path_factory, worker_id)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, recording: Recording) -> SequenSettings:
    made = settings_of(tmp_path_factory.mktemp("report"))
    publish_rows(made, recording, file_of(ROWS, f"{HOSTILE[0]}.jsonl"))
    return made


@pytest.fixture(scope="module")
def written(settings: SequenSettings) -> WrittenReport:
    return make_report(Home(settings.home), report_options(settings), run_id="run-1")


def by(rows: list[dict[str, Any]], **wanted: Any) -> dict[str, Any]:
    (found,) = [row for row in rows if wanted.items() <= row.items()]
    return found


def test_report_is_of_the_published_form(written: WrittenReport, settings: SequenSettings) -> None:
    jsonschema.validate(
        read_report(Home(settings.home)), json.loads(SCHEMA.read_text(encoding="utf-8"))
    )
    assert Report.model_validate(written.numbers).model_dump(mode="json") == written.numbers


def test_published_schema_is_that_of_the_code() -> None:
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == report_schema()


def test_every_property_of_the_schema_has_a_description_and_a_unit() -> None:
    schema = report_schema()
    parts = {"Report": schema, **schema["$defs"]}
    properties = {
        f"{part}.{name}": described
        for part, its in parts.items()
        for name, described in its["properties"].items()
    }

    assert len(properties) > 200
    assert [name for name, its in parts.items() if not its.get("description")] == []
    for key in ("description", "unit"):
        assert [name for name, described in properties.items() if not described.get(key)] == []


def test_report_names_its_commits_and_time(written: WrittenReport) -> None:
    made = written.numbers["made"]

    assert (made["run_id"], made["zone"]) == ("run-1", "UTC")
    assert written.numbers["inputs"]["files"] == 1
    assert written.numbers["inputs"]["latest"][0]["records_read"] == len(ROWS)
    assert "run-1" in written.page.read_text(encoding="utf-8")


def test_record_counts_and_flow_add_up(written: WrittenReport) -> None:
    counts = written.numbers["record_counts"]
    flow = {step["step"]: (step["count"], step["of"]) for step in written.numbers["flow"]}

    assert counts["records_read"] == len(ROWS) == counts["accepted"] + counts["quarantined"]
    assert counts["quarantined"] == 1
    assert flow == {
        "read": (len(ROWS), len(ROWS)),
        "accepted": (len(ROWS) - 1, len(ROWS)),
        "deduplicated": (len(ROWS) - 1, len(ROWS) - 1),
        "sessionized": (len(ROWS) - 1, len(ROWS) - 1),
        "linked": (1, 1),
        "matched": (1, 1),
        "attributed": (1, 1),
    }


def test_near_misses_are_named_with_what_was_meant(written: WrittenReport) -> None:
    misses = written.numbers["near_misses"]

    assert by(misses, name="userId")["meant"] == "uid"
    assert by(misses, name="userId")["rule"] == "missing_identity"
    assert by(misses, name="pageview")["meant"] == "page_view"
    # Every click has its item_id already.
    assert not [miss for miss in misses if miss["name"] == "itemId"]


def test_breakdown_shows_releases_and_nothing_else(written: WrittenReport) -> None:
    rows = written.numbers["breakdowns"]

    assert {row["value"] for row in rows} == {"1.2", "1.3", "(none)", "(other)"}
    geolocation = by(rows, name="geolocation", value="1.2")
    assert (geolocation["event_count"], geolocation["coverage"]) == (1, 1)


def test_type_that_changes_is_drifting_since_then(written: WrittenReport) -> None:
    field = by(written.numbers["catalog"], type="login", field="x")

    assert (field["kinds"], field["is_drifting"]) == (["number", "string"], True)
    assert field["latest_kind_date"] == f"{after(60 * 24):%Y-%m-%d}"


def test_quarantined_records_name_their_fix_and_file(written: WrittenReport) -> None:
    rules = written.numbers["quarantined_by_rule"]
    fixes = written.numbers["quarantine_fixes"]

    assert by(rules, rule="missing_identity")["records"] == 1
    assert by(rules, rule="missing_identity")["worst_path"] == f"{HOSTILE[0]}.jsonl"
    # The record lacks its click_type as well.
    rules_broken = ["missing_click_type", "missing_identity"]
    fix = by(fixes, rules=rules_broken, source="(all)")
    assert (fix["type"], fix["fixable_records"], fix["unread_files"]) == ("click", 1, 0)
    assert fix["accepted_share_after"] == 1
    assert fix["fix"].startswith("Send `click_type` on every click. Send `uid`, `sid` or `cid`")


def test_fixes_beyond_the_first_fifty_are_one_row_so_that_none_is_left_out(
    settings: SequenSettings, tmp_path: Path
) -> None:
    snapshot = tmp_path / "sequen.duckdb"
    shutil.copy(Home(settings.home).serving.snapshot, snapshot)
    with duckdb.connect(snapshot) as connection:
        connection.execute(
            "insert into rpt_quarantine_fixes by name select 'web' as source, 'click' as type,"
            " [number::varchar] as rules, number as fix_number, 100 - number as fixable_records,"
            " 0 as unread_files, 0 as unread_bytes, 0.5::double as accepted_share,"
            " 0.6::double as accepted_share_after from range(1, 54) as numbers (number)"
        )

    report = summarize(snapshot, report_options(settings), made_at=after(0))

    rows = [fix for fix in report.quarantine_fixes if fix.source == "web"]
    assert len(rows) == 51
    assert [(fix.fix_number, fix.fixable_records) for fix in rows[:2]] == [(1, 99), (2, 98)]
    last = rows[-1]
    assert (last.type, last.rules, last.fixable_records) == ("(other)", ["(other)"], 49 + 48 + 47)
    assert (last.accepted_share, last.accepted_share_after, last.fix) == (0.5, None, "")


def test_files_that_could_not_be_read_are_named_with_what_to_do(
    settings: SequenSettings, tmp_path: Path
) -> None:
    snapshot = tmp_path / "sequen.duckdb"
    shutil.copy(Home(settings.home).serving.snapshot, snapshot)
    with duckdb.connect(snapshot) as connection:
        for number in range(30):
            rule = "corrupt_parquet" if number else "missing_header"
            # Half of the files were replaced since.
            is_current = number < 25
            connection.execute(
                "insert into rpt_batches by name select ? as batch_id, 'default' as source,"
                " ? as path, ? as is_current, 0 as records_read, 0 as quarantined,"
                " now()::timestamp as received_at, 'f' as contract_fingerprint, 'f' as file_sha256,"
                " ? as file_bytes",
                [f"b{number}", f"{number:02}.parquet", is_current, 1000 - number],
            )
            connection.execute(
                "insert into rpt_violations by name select ? as batch_id, 'default' as source,"
                " ? as path, '(none)' as type, ? as rule, 'error' as severity, 1 as records,"
                " ? as is_current",
                [f"b{number}", f"{number:02}.parquet", rule, is_current],
            )

    report = summarize(snapshot, report_options(settings), made_at=after(0))

    many, one = report.unread_files
    assert (many.rule, many.files, many.bytes) == (
        "corrupt_parquet", 24, sum(1000 - number for number in range(1, 25)),
    )  # fmt: skip
    assert many.paths == [f"{number:02}.parquet" for number in range(1, 21)]
    assert many.fix.startswith("Copy or export the file again")
    assert (one.rule, one.files, one.paths) == ("missing_header", 1, ["00.parquet"])
    numbers = report.model_dump(mode="json")
    text = render_page(numbers, recent_days=28)
    assert "24 files, 23.7\u00a0kB" in text
    assert "and 19 more" in text
    assert "**corrupt\\_parquet**: 24 files, 23.7 kB (01.parquet, " in render_markdown(numbers)


@pytest.mark.parametrize("is_met", [False, True])
def test_what_blocks_every_tier_is_to_be_fixed_first(written: WrittenReport, is_met: bool) -> None:
    numbers = dict(written.numbers)
    numbers["tiers"] = [
        {**tier, "is_accepted_share_met": is_met} for tier in written.numbers["tiers"]
    ]
    numbers["unread_files"] = [
        {"rule": "missing_header", "files": 1, "bytes": 5, "paths": ["a.csv"], "fix": "Do."}
    ]

    text = render_page(numbers, recent_days=28)

    titles = {
        "files": "Files that could not be read</h3>",
        "records": "Records that would be accepted</h3>",
        "attributes": "Attributes, by what each gains</h3>",
    }
    order = sorted(titles, key=lambda name: text.index(titles[name]))
    records_last = ["files", "attributes", "records"]
    assert order == (records_last if is_met else ["files", "records", "attributes"])


def test_no_line_parts_a_number_from_its_unit(written: WrittenReport) -> None:
    text = written.page.read_text(encoding="utf-8").partition("</style>")[2]
    text = re.sub(r"<svg.*?</svg>", "", text, flags=re.DOTALL)

    assert len(re.findall("[0-9]\u00a0%", text)) > 20
    assert re.findall(r".{20}[0-9] (?:%|kB|MB)", text) == []


def test_no_value_of_an_event_is_shown(written: WrittenReport) -> None:
    for path in written.page.parent.rglob("*"):
        if path.is_file() and path.suffix not in (".duckdb", ".png"):
            text = path.read_text(encoding="utf-8")
            assert not [value for value in VALUES if value in text], path.name


class Tags(HTMLParser):
    """What a browser would make elements of."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


@pytest.mark.bad_input(33, 57)
def test_page_has_no_script_and_asks_for_nothing(written: WrittenReport) -> None:
    page = Tags()
    page.feed(written.page.read_text(encoding="utf-8"))

    assert not page.tags & {"script", "img", "iframe", "link", "object", "image", "base", "form"}
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    links = {value for name, value in page.attributes if name in ("href", "src", "xlink:href")}
    assert {link[:1] for link in links} == {"#"}
    text = written.page.read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert "49{% raw %}" not in text
    assert "\u202e" not in text


def test_page_works_without_colors(written: WrittenReport) -> None:
    text = written.page.read_text(encoding="utf-8")

    marks = re.findall(r'<span class="mark [a-z ]+">\s*(.)', text)
    assert len(marks) > 10
    assert set(marks) <= set("✓✗◐○⚠●")
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_every_picture_has_a_name_and_ids_of_its_own(written: WrittenReport) -> None:
    text = written.page.read_text(encoding="utf-8")
    pictures = re.findall(r"<svg .*?</svg>", text, re.DOTALL)

    assert len(pictures) == 6
    for picture in pictures:
        assert re.match(r'<svg role="img" aria-label="[^"]+" ', picture)
    ids = [found for picture in pictures for found in set(re.findall(r'\bid="([^"]+)"', picture))]
    assert len(ids) == len(set(ids))


def test_page_begins_with_what_to_do_and_the_evidence_follows(written: WrittenReport) -> None:
    text = written.page.read_text(encoding="utf-8")

    headings = re.findall(r"<h2>\s*(.*?)</h2>", text)
    assert headings == [
        "No tier is reached yet",
        "What to fix first",
        "What the data is ready for",
        "The attributes",
        "By release and platform",
        "Day by day",
        "Where the records went",
        "Fields by event type",
        "Links, clicks and recommendations",
        "Custom fields",
    ]
    assert text.index("What the data is ready for</h2>") < text.index("<span>Evidence</span>")
    assert "What blocks Good" in text
    assert "covers the mandatory requirements for a baseline model" in text


def test_every_use_of_the_data_says_what_it_lacks(written: WrittenReport) -> None:
    readiness = written.numbers["readiness"]
    text = written.page.read_text(encoding="utf-8")

    uses = dict.fromkeys(row["use_case"] for row in readiness)
    assert len(uses) == 5
    assert {row["is_ready"] for row in readiness} == {False}
    for use in uses:
        first = by(readiness, source="(all)", use_case=use, is_first_missing=True)
        assert first["missing"] in text or "More " in text
    ranked = by(readiness, source="(all)", use_case="model_training", requirement_number=1)
    assert (ranked["metric"], ranked["have_count"]) == ("impressions_with_rank", 2)
    assert len(re.findall(r"✗ not ready", text)) == 5


def test_field_that_no_event_carries_is_a_line_and_no_table(written: WrittenReport) -> None:
    (section,) = re.findall(
        r'<section id="releases">(.*?)</section>',
        written.page.read_text(encoding="utf-8"),
        re.DOTALL,
    )

    assert "Carried by no event, whatever the release" in section
    tables = "".join(re.findall(r"<table.*?</table>", section, re.DOTALL))
    assert "module_<wbr>view_<wbr>id" not in tables
    assert "geolocation" in tables


def test_files_beside_the_report_are_listed_and_for_their_owner_only(
    written: WrittenReport, settings: SequenSettings
) -> None:
    serving = settings.home / "serving"
    listed = {one["path"]: one for one in written.numbers["files"]}

    there = {
        str(path.relative_to(serving))
        for path in serving.rglob("*")
        if path.is_file() and path.parent.name != "history" and path.name[0] != "."
    }
    assert set(listed) == there - {"report.json", "sequen.duckdb"}
    assert all(one["holds"] for one in listed.values())
    assert listed["csv/tiers.csv"]["media_type"].startswith("text/csv")
    for path in listed:
        assert (serving / path).stat().st_mode & 0o077 == 0, path
        assert (serving / path).stat().st_size > 0
    assert (serving / "csv").stat().st_mode & 0o077 == 0


def test_table_of_a_section_that_is_gone_is_removed(recording: Recording, tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    publish_rows(settings, recording, file_of(ROWS[:3]))
    former = settings.home / "serving" / "csv" / "former.csv"
    former.parent.mkdir()
    former.write_text("source\r\n")

    make_report(Home(settings.home), report_options(settings))

    assert not former.exists()
    assert (former.parent / "volume_drops.csv").exists()


def test_samples_are_masked(recording: Recording, tmp_path: Path) -> None:
    sampling = settings_of(tmp_path, report_samples=2)
    publish_rows(sampling, recording, file_of(ROWS))
    written = make_report(Home(sampling.home), report_options(sampling))
    text = written.page.read_text(encoding="utf-8")

    note = by(written.numbers["catalog"], type="impression", field="note")
    assert note["samples"] == ["S***1 (14 characters)"]
    assert "S***1 (14 characters)" in text
    assert not [value for value in VALUES if value in text]


def test_changes_are_reported_against_a_report_of_other_files(
    recording: Recording, tmp_path: Path
) -> None:
    settings = settings_of(tmp_path)
    publish_rows(settings, recording, file_of(ROWS[:3]))
    first = make_report(Home(settings.home), report_options(settings))
    same = make_report(Home(settings.home), report_options(settings))
    whole = [{**row, "country": "US"} for row in ROWS[:4]]
    publish_rows(settings, recording, file_of(whole, version=2))
    second = make_report(Home(settings.home), report_options(settings))

    assert first.numbers["changes"] is None
    assert same.numbers["changes"] is None
    changes = second.numbers["changes"]
    assert (changes["events_before"], changes["events_after"]) == (3, 4)
    geolocation = by(changes["attributes"], name="geolocation", source="(all)")
    assert (geolocation["before"], geolocation["after"]) == (pytest.approx(1 / 3), 1)
    assert geolocation["note"] == "complete"
    assert "click" in changes["new_names"]
    assert "33.3\u00a0% → 100\u00a0%" in second.page.read_text(encoding="utf-8")


def test_diff_compares_with_the_report_that_is_named(recording: Recording, tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    publish_rows(settings, recording, file_of(ROWS[:3]))
    make_report(Home(settings.home), report_options(settings))
    kept = tmp_path / "kept.json"
    kept.write_text((settings.home / "serving" / "report.json").read_text())
    publish_rows(settings, recording, file_of(ROWS, version=2))

    result = CliRunner().invoke(main, ["report", "--home", str(settings.home), "--diff", str(kept)])

    assert result.exit_code == 0, result.output
    assert read_report(Home(settings.home))["changes"]["events_before"] == 3
    assert "report.html" in result.output


def test_file_that_is_not_a_report_is_refused(settings: SequenSettings, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text("{}")

    with pytest.raises(ReportError, match="is not a report of this release"):
        make_report(Home(settings.home), report_options(settings), against=other)


def test_nothing_published_says_what_to_do(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["report", "--home", str(tmp_path)])

    assert result.exit_code == 2
    assert "Run `sequen-dagster run` first" in result.output


def test_command_prints_the_schema() -> None:
    result = CliRunner().invoke(main, ["report", "--json-schema"])

    assert json.loads(result.output) == report_schema()


def test_empty_tables_give_a_report(recording: Recording, tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    publish_rows(settings, recording)

    written = make_report(Home(settings.home), report_options(settings))

    assert written.numbers["events"]["events"] == 0
    assert "No tier is reached yet" in written.page.read_text(encoding="utf-8")


def test_asset_has_numbers_to_plot_and_checks_of_the_tiers(
    recording: Recording, tmp_path: Path
) -> None:
    settings = settings_of(tmp_path)
    publish_rows(settings, recording, file_of(ROWS))
    asset = report_steps(settings)["completeness_report"]

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([asset], instance=instance)
        log = [str(entry) for entry in instance.all_logs(result.run_id)]

    (materialized,) = result.asset_materializations_for_node("sequen_completeness_report")
    found = {name: value.value for name, value in materialized.metadata.items()}
    assert found["dagster/uri"] == str(settings.home / "serving" / "report.html")
    assert found["link"] == (settings.home / "serving" / "report.html").as_uri()
    assert found["tier_reached"] == "none"
    assert (found["accepted"], found["quarantined"]) == (len(ROWS) - 1, 1)
    assert 0 < found["good_score"] < 1
    assert found["report"].startswith("# Event completeness report")
    checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
    assert set(checks) == {"tier_good", "tier_better", "tier_best", "ids_are_unique"}
    assert {check.severity for check in checks.values()} == {dg.AssetCheckSeverity.WARN}
    assert [name for name, check in checks.items() if check.passed] == ["ids_are_unique"]
    assert read_report(Home(settings.home))["made"]["run_id"] == result.run_id
    assert not [value for value in VALUES if any(value in entry for entry in log)]
