"""Fixtures that several test modules share."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# dbt's docs take some ten seconds for every new home; tests that look at them ask for them.
os.environ["SEQUEN_DBT_DOCS"] = "false"


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


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Chromium; the test is skipped where there is none."""
    # Only tests of pages pay for importing playwright.
    from browsing import launched

    with launched() as started:
        yield started
