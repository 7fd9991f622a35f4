"""What people open, in a real browser: dbt's docs as a file, and Dagster's own pages."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from support.browsing import find_browser, looking_at, served

# What the asset graph shows while all groups are closed.
GROUPS = ("sequen_exports", "sequen_lake", "sequen_marts", "sequen_reports")
SENSORS = ("sequen_automation", "sequen_daily", "sequen_new_exports", "sequen_run_failures")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated shop after one run, and the Dagster instance that knows of it."""
    home = tmp_path_factory.mktemp("shop")
    dagster_home = home / "dagster"
    dagster_home.mkdir()
    (dagster_home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "sequen_dagster.cli.main",
            "demo",
            "--home",
            home,
            "--events",
            "1500",
        ],
        env={**os.environ, "DAGSTER_HOME": str(dagster_home), "SEQUEN_DBT_DOCS": "true"},
        check=True,
        capture_output=True,
    )
    return home


@pytest.fixture(scope="module")
def docs(shop: Path) -> str:
    return (shop / "serving" / "docs" / "index.html").as_uri()


@pytest.fixture(scope="module")
def dagster(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a webserver for it."""
    log = tmp_path_factory.mktemp("webserver") / "webserver.log"
    with served(shop, shop / "exports", shop / "dagster", log) as address:
        yield address


def test_browser_that_is_named_but_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQUEN_TEST_BROWSER", "/not/there")

    with pytest.raises(FileNotFoundError, match="/not/there"):
        find_browser()


def test_page_that_asks_for_something_outside_is_caught(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    (tmp_path / "other.js").write_text("")
    page.write_text('<img src="https://example.com/a.png"><script src="other.js"></script>')

    with (
        pytest.raises(AssertionError, match=r"example\.com"),
        looking_at(browser, page.as_uri()) as look,
    ):
        look.page.wait_for_timeout(100)
    assert sorted(look.refused) == [(tmp_path / "other.js").as_uri(), "https://example.com/a.png"]


def test_errors_and_dialogs_of_a_page_are_noticed(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<script>console.error('one'); alert('two'); throw Error('three')</script>")

    with looking_at(browser, page.as_uri()) as look:
        look.page.wait_for_timeout(100)

    outcome = " ".join(look.complaints)
    assert [word in outcome for word in ("one", "two", "three")] == [True] * 3


@pytest.mark.slow
def test_docs_open_without_a_server_or_a_network(browser: Browser, docs: str) -> None:
    with looking_at(browser, docs) as look:
        page = look.page
        expect(
            page.get_by_role("heading", name="Sequen: tables of behavioral events")
        ).to_be_visible()
        # The tree: project, folder, model.
        for step in ("sequen", "models", "marts", "fct_events"):
            page.locator(".menu-tree, .menu-node").filter(
                has_text=re.compile(rf"^\s*{step}\s*$")
            ).first.click()
        expect(page.get_by_role("heading", name="fct_events")).to_be_visible()
        icons = page.locator("use").evaluate_all("icons => icons.map(icon => icon.href.baseVal)")

    assert look.asked == [docs]
    assert look.complaints == []
    assert {"#icn-dir-on", "#icn-doc-on"} <= set(icons)
    assert [icon for icon in icons if "{" in icon] == []


@pytest.mark.slow
def test_search_of_the_docs_leads_to_a_model_with_columns(browser: Browser, docs: str) -> None:
    with looking_at(browser, docs) as look:
        page = look.page
        page.get_by_placeholder("Search for models").fill("fct_sessions")
        page.locator(".result-body h4").filter(has_text=re.compile(r"^\s*fct_sessions\b")).click()
        expect(page.get_by_role("heading", name="fct_sessions")).to_be_visible()
        row = page.get_by_role("row", name=re.compile(r"^\s*session_key\s"))
        expect(row).to_contain_text("VARCHAR")
        expect(row).to_contain_text("Hash of the visitor")

    assert look.asked == [docs]
    assert look.complaints == []


@pytest.mark.slow
def test_docs_show_code_and_lineage(browser: Browser, docs: str) -> None:
    with looking_at(browser, f"{docs}#!/model/model.sequen.fct_sessions") as look:
        page = look.page
        page.get_by_text("Compiled", exact=True).click()
        expect(page.locator("pre.line-numbers:visible")).to_contain_text("with fct_events as")
        page.get_by_title("View Lineage Graph").click()
        expect(page.get_by_text("Lineage Graph")).to_be_visible()
        expect(page.locator("canvas").first).to_be_visible()

    assert look.complaints == []
    assert [one for one in look.asked if one.partition("#")[0] != docs] == []


@pytest.mark.slow
def test_policy_of_the_docs_lets_nothing_in_or_out(browser: Browser, docs: str) -> None:
    # As a script that was smuggled in would try it.
    tries = """async () => {
        const image = new Image();
        image.src = "https://example.com/a.png";
        const script = document.createElement("script");
        script.src = "https://example.com/a.js";
        document.head.append(script);
        const outcome = await fetch("https://example.com/").then(() => "out", () => "refused");
        setTimeout("window.pwned = 1", 0);
        await new Promise(done => setTimeout(done, 100));
        return [outcome, window.pwned ?? "refused"];
    }"""
    with looking_at(browser, docs) as look:
        assert look.page.evaluate(tries) == ["refused", "refused"]

    assert look.asked == [docs]
    assert "Content Security Policy" in " ".join(look.complaints)


@pytest.mark.slow
def test_asset_graph_shows_all_stages_and_the_docs(browser: Browser, dagster: str) -> None:
    with looking_at(browser, f"{dagster}/asset-groups") as look:
        page = look.page
        for name in GROUPS:
            expect(page.get_by_text(name, exact=True).first).to_be_visible()
        page.get_by_placeholder("Jump to").click()
        page.keyboard.type("dbt_docs")
        expect(page.get_by_text("dbt_docs").first).to_be_visible()

    assert look.errors == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asset", "shown"),
    [
        ("completeness_report", ("Good", "Latest materialization")),
        ("fct_sessions", ("session_key", "Row count", "One row per session")),
        ("dbt_docs", ("is_rebuilt", "index.html")),
    ],
)
def test_asset_page_shows_the_metadata_of_a_run(
    browser: Browser, dagster: str, asset: str, shown: tuple[str, ...]
) -> None:
    with looking_at(browser, f"{dagster}/assets/{asset}") as look:
        for text in shown:
            expect(look.page.get_by_text(text).first).to_be_visible()

    assert look.errors == []


@pytest.mark.slow
def test_sensors_page_shows_all_of_ours_switched_on(browser: Browser, dagster: str) -> None:
    with looking_at(browser, f"{dagster}/automation") as look:
        for name in SENSORS:
            expect(look.page.get_by_text(name).first).to_be_visible()
        switched_on = look.page.locator("input[type=checkbox]:checked")
        expect(switched_on).to_have_count(len(SENSORS))

    assert look.errors == []
