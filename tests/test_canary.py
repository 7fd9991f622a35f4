"""Secrets and values of events stay where they belong, when all goes well and when it does not.

Runs are started as users start them, as processes with a Dagster home, and then every file that
they left is searched.
"""

import json
import os
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sequen_dagster.settings import SequenSettings
from support.builders import event
from support.homes import settings_of, write_events, write_text

SECRETS = {
    "SEQUEN_FAILURE_WEBHOOK": "https://hooks.invalid/T0/canary-of-a-webhook",
    "AWS_SECRET_ACCESS_KEY": "canary/of/a/store/key",
}
EMAIL = "canary.person@example.com"
PHONE = "+49 151 5550 1234"
CARD = "4111 1111 1111 1111"
TEXT = "canary-of-a-value"
VALUES = (EMAIL, PHONE, CARD, TEXT)
# Where events live. Who may open these may see them.
DATA_FILES = (
    "lake/events/",
    "lake/quarantine/",
    "warehouse.duckdb",
    "serving/sequen.duckdb",
    "serving/training/impressions/",
)
ORDER = {"type": "conversion", "page_type": None, "conversion_type": TEXT, "item_ids": [EMAIL]}
EVENTS = [
    event(id=TEXT, uid=EMAIL, cid=PHONE, sid=CARD, note=TEXT, contact={"mail": [EMAIL]}),
    event(id="e2", uid=TEXT, page_type=TEXT, search_query=CARD, page_url=f"/{EMAIL}"),
    event(id="e3", uid=EMAIL, **ORDER, order_total=PHONE, currency=TEXT),
    event(id="e4", uid=EMAIL, **ORDER, order_total="1.99", currency=EMAIL),
    event(id="e5", type="impression", item_id=TEXT, rank=1, rec_id=EMAIL, page_view_id=TEXT),
    event(id="e6", type="click", item_id=TEXT, click_type=PHONE, impression_id="e5"),
    event(id="e6", type="click", item_id=TEXT, click_type=CARD, impression_id=EMAIL),
]
BROKEN = [
    event(id="b1", uid=[EMAIL], note=TEXT),
    event(id="b2", uid=EMAIL, rank=TEXT, original_timestamp=PHONE, dwell_ms=CARD),
    event(id="b3", uid=EMAIL, page_type=..., note=CARD),
]


@dataclass(frozen=True)
class Ran:
    """A home after a run, and what the run printed."""

    settings: SequenSettings
    dagster_home: Path
    returncode: int
    printed: str

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Name and content of every file that was left behind."""
        for root in (self.settings.home, self.dagster_home):
            for path in sorted(root.rglob("*")):
                if path.is_file():
                    yield path.relative_to(root).as_posix(), path.read_bytes()

    def places_of(self, canary: str, *, without: tuple[str, ...] = ()) -> list[str]:
        """Where a text was found, as it is or as JSON and YAML write it."""
        shapes = {canary, json.dumps(canary)[1:-1], canary.replace("@", "%40")}
        found = [
            name
            for name, content in [*self.files(), ("printed", self.printed.encode())]
            if not name.startswith(without or ("\0",))
            and any(shape.encode() in content for shape in shapes)
        ]
        return sorted(found)


def fill(tmp_path: Path) -> SequenSettings:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", *EVENTS, *BROKEN)
    write_text(settings, "b.jsonl", f'{{"uid": "{EMAIL}", "note": "{TEXT}"\n{PHONE} {CARD}\n')
    write_text(settings, "c.csv", f'type,uid,note\nscroll,{EMAIL},"{CARD}\nscroll,{TEXT}\n')
    return settings


def run(settings: SequenSettings, tmp_path: Path, *, before: str = "") -> Ran:
    """Run the pipeline in a process of its own.

    Args:
        settings: exports and home.
        tmp_path: where the Dagster home is made.
        before: what the process does first, to have the run fail.
    """
    dagster_home = tmp_path / "dagster"
    dagster_home.mkdir()
    (dagster_home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    script = f"""
        import os
        os.umask(0o022)
        {textwrap.indent(textwrap.dedent(before), " " * 8).strip()}
        from sequen_dagster.cli.main import main
        main()
    """
    arguments = ["run", "--exports", settings.sources[0].exports, "--home", settings.home]
    finished = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        env={**os.environ, **SECRETS, "DAGSTER_HOME": str(dagster_home), "SEQUEN_WORKERS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return Ran(settings, dagster_home, finished.returncode, finished.stdout + finished.stderr)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("canary")
    return run(fill(folder), folder)


@pytest.mark.slow
@pytest.mark.bad_input(61, 62)
def test_no_secret_and_no_value_reaches_any_output(ran: Ran) -> None:
    assert ran.returncode == 0, ran.printed
    # The search finds what is there to find.
    assert ran.places_of("missing_page_type") != []
    assert any(name.startswith("warehouse.duckdb") for name in ran.places_of(TEXT))

    for value in VALUES:
        assert ran.places_of(value, without=DATA_FILES) == []
    for secret in SECRETS.values():
        assert ran.places_of(secret) == []


@pytest.mark.slow
def test_every_file_of_a_home_is_private(ran: Ran) -> None:
    modes = {
        path.relative_to(ran.settings.home).as_posix(): oct(stat.S_IMODE(path.stat().st_mode))
        for path in ran.settings.home.rglob("*")
        if not path.is_symlink()
    }
    loose = {name: mode for name, mode in modes.items() if mode not in ("0o600", "0o700")}

    assert len(modes) > 10
    assert loose == {}


# Faults of our own, of the kind whose text would show a value.
CONTRACT_FAILS = """
    from sequen_dagster.contract import validate as contract
    convert = contract.convert
    contract.convert = lambda *given, **options: convert(*given, **options).with_columns(rank="uid")
"""
LOADING_FAILS = """
    from sequen_dagster.marts import warehouse
    warehouse.ID_HASH = "id::bigint"
"""
DBT_FAILS = """
    import shutil, tempfile
    from pathlib import Path
    from sequen_dagster.marts import dbt, project
    copy = Path(tempfile.mkdtemp()) / "project"
    shutil.copytree(project.project_dir(), copy)
    model = copy / "models" / "marts" / "failing.sql"
    model.write_text("select uid::integer as uid from {{ ref('stg_events') }}")
    project.project_dir = dbt.project_dir = lambda: copy
"""


@pytest.mark.slow
@pytest.mark.bad_input(61, 62)
@pytest.mark.parametrize(
    ("failed", "before"),
    # A fault met in one file is that file's: the others go on, and the check names it.
    [
        ("files_read (validated_events)", CONTRACT_FAILS),
        ("marts", LOADING_FAILS),
        ("marts", DBT_FAILS),
    ],
    ids=["contract", "loading", "dbt"],
)
def test_failure_message_holds_no_value(tmp_path: Path, failed: str, before: str) -> None:
    ran = run(fill(tmp_path), tmp_path, before=before)

    assert ran.returncode == 1, ran.printed
    assert f"failed {failed}: " in ran.printed
    if failed == "marts":
        # It is the failure that is meant, and not another on the way to it.
        assert "ConversionException" in ran.printed
    for value in (*VALUES, *SECRETS.values()):
        assert (value, ran.places_of(value, without=DATA_FILES)) == (value, [])
