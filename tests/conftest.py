"""Fixtures that several test modules share."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from sequen_dagster.cli.demo import DEMO_BREAKDOWNS
from sequen_dagster.cli.main import main
from sequen_dagster.settings import SequenSettings, load_settings
from sequen_dagster.simulate import Truth
from support.in_process_dbt import leave_dbt_tests, parse_once
from support.once import made_once

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# dbt's docs take some ten seconds for every new home; tests that look at them ask for them.
os.environ["SEQUEN_DBT_DOCS"] = "false"
parse_once()
# A worker takes one module after the other: the longest first, or one worker ends alone.
LONGEST_FIRST = [
    "test_crashes.py",
    "test_exactness.py",
    "test_killed_runs.py",
    "test_erase.py",
    "test_canary.py",
    "test_known_answers.py",
    "test_real_data_batches.py",
    "test_new_files.py",
    "test_replay.py",
    "test_training.py",
    "test_daemon.py",
    "test_dbt_docs.py",
    "test_any_order_of_things.py",
    "test_affected_rules.py",
]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order modules for `--no-loadscope-reorder`, which else has those with most tests first."""
    ranks = {name: rank for rank, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: ranks.get(item.path.name, len(ranks)))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before fixtures of the module build anything."""
    leave_dbt_tests(item.path.stem)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real event sets, named by `SEQUEN_TEST_DATA`.

    Without the variable the test is skipped; a variable that names no folder fails, so that a
    slip of the pen in CI does not turn every real-data test into a skip.
    """
    named = os.environ.get("SEQUEN_TEST_DATA")
    if not named:
        pytest.skip("needs the real event sets: set SEQUEN_TEST_DATA to their folder")
    folder = Path(named)
    if not folder.is_dir():
        pytest.fail(f"SEQUEN_TEST_DATA names no folder: {folder}. Unset it or correct it.")
    return folder


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """What `sequen-dagster demo` leaves, to look at, and what it has said, in `said.txt`."""

    def make(home: Path) -> None:
        result = CliRunner().invoke(main, ["demo", "--home", str(home), "--events", "6000"])
        assert result.exit_code == 0, result.output
        (home / "said.txt").write_text(result.output, encoding="utf-8")

    return made_once(tmp_path_factory, worker_id, "demo", make)


@pytest.fixture(scope="session")
def demo(demo_home: Path) -> SequenSettings:
    """The settings of the demo."""
    return load_settings(
        demo_home,
        home=demo_home,
        exports=demo_home / "exports",
        workers=1,
        breakdowns=DEMO_BREAKDOWNS,
    )


@pytest.fixture(scope="session")
def demo_truth(demo_home: Path) -> Truth:
    """What the simulator knows of the demo."""
    return Truth.read(demo_home / "truth.json")


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Chromium; the test is skipped where there is none."""
    # Only tests of pages pay for importing playwright.
    from support.browsing import launched

    with launched() as started:
        yield started
