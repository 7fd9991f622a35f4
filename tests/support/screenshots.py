"""Takes the pictures of docs/images again: `make screenshots`, or `screenshots.py HOME` on a home.

They show a simulated shop, so that they can be shown to anybody.
"""

import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final
from urllib.parse import quote

from playwright.sync_api import Browser, expect
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from support.browsing import DESK, PHONE, Look, launched, looking_at, served
from support.pages import read_blocks
from support.pictures import IMAGES, record_shown

EVENTS: Final = 40_000
MOST_BYTES: Final = 400_000
MOST_BYTES_OF_REPORT: Final = 600_000
# Width and height of a picture of the report: its beginning, or from one section on.
PAPER: Final = (1120, 1500)
TERMINAL_COLUMNS: Final = 100
TERMINAL_PAGE: Final = """<!doctype html><meta charset="utf-8"><style>{stylesheet}
body {{ margin: 0 }}
pre {{ display: inline-block; margin: 0; padding: 16px; font: 15px/1.25 monospace }}
pre {{ color: {foreground}; background: {background} }}
</style><pre>{code}</pre>"""
GROUPS: Final = ("sequen_exports", "sequen_lake", "sequen_marts", "sequen_reports")
# The graph has more assets than a picture has room for; these show every stage.
SHOWN: Final = (
    "raw_events",
    "validated_events",
    "quarantined_records",
    "fct_events",
    "fct_sessions",
    "rpt_completeness_tiers",
    "rpt_funnel",
    "warehouse",
    "published_snapshot",
    "completeness_report",
    "training_set",
    "dbt_docs",
)
# A place of the graph where nothing is.
EMPTY: Final = """() => {
    const boxes = [...document.querySelectorAll("foreignObject")]
        .map(one => one.getBoundingClientRect());
    for (let y = 130; y < 1590; y += 20)
        for (let x = 110; x < 2200; x += 20)
            if (boxes.every(box => x < box.left - 9 || x > box.right + 9
                    || y < box.top - 9 || y > box.bottom + 9))
                return [x, y];
}"""
# What is drawn of the graph, with a margin.
DRAWN: Final = """() => {
    const boxes = [...document.querySelectorAll("foreignObject")]
        .map(one => one.getBoundingClientRect());
    const [left, top] = ["left", "top"].map(side => Math.min(...boxes.map(box => box[side])) - 24);
    const [right, bottom] = ["right", "bottom"].map(
        side => Math.max(...boxes.map(box => box[side])) + 24);
    return {x: left, y: top, width: right - left, height: bottom - top};
}"""


def main() -> None:
    """Make a home if none is named, and take all pictures."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else Path(folder) / "shop"
        printed = _run_demo(home)
        with launched() as browser:
            _shoot_terminal(browser, printed)
            _shoot_files(browser, home / "serving")
            log = home / "webserver.log"
            with served(home, home / "exports", home / "dagster", log) as address:
                _shoot_dagster(browser, address)
            _shoot_host(browser, Path(folder) / "host")
    _check_sizes()
    record_shown()


def _run_demo(home: Path) -> str:
    """Run the demo into a home, again where it is one; return what the run has printed."""
    dagster_home = home / "dagster"
    dagster_home.mkdir(parents=True, exist_ok=True)
    (dagster_home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    command = ["demo", "--home", str(home), "--events", str(EVENTS)]
    finished = subprocess.run(
        [sys.executable, "-m", "sequen_dagster.cli.main", *command],
        env={
            **os.environ,
            "DAGSTER_HOME": str(dagster_home),
            "FORCE_COLOR": "1",
            "COLUMNS": str(TERMINAL_COLUMNS),
        },
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return "\n".join(_with_short_path(line, home) for line in finished.stdout.split("\n"))


def _with_short_path(line: str, home: Path) -> str:
    """A line with the home as `make demo` names it; the border of its panel stays where it is."""
    short = line.replace(str(home), ".demo")
    border = "│"
    if short.endswith(border):
        return short.removesuffix(border) + " " * (len(line) - len(short)) + border
    return short


def _shoot_terminal(browser: Browser, printed: str) -> None:
    """Show what a command has printed as a terminal does."""
    console = Console(record=True, width=TERMINAL_COLUMNS, file=io.StringIO())
    console.print(Text.from_ansi(f"$ sequen-dagster demo\n{printed}"))
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "terminal.html"
        page.write_text(console.export_html(theme=MONOKAI, code_format=TERMINAL_PAGE), "utf-8")
        with looking_at(browser, page.as_uri(), viewport=(1000, 800)) as look:
            look.page.locator("pre").screenshot(path=IMAGES / "demo.png")


def _shoot_files(browser: Browser, serving: Path) -> None:
    docs = (serving / "docs" / "index.html").as_uri()
    with looking_at(browser, f"{docs}#!/model/model.sequen.fct_sessions", viewport=DESK) as look:
        expect(look.page.get_by_role("heading", name="fct_sessions")).to_be_visible()
        _shoot(look, "dbt-docs.png")
    report = serving / "report.html"
    if not report.exists():
        return
    with looking_at(browser, report.as_uri(), viewport=PAPER) as look:
        look.shoot(IMAGES / "report-light.png")
    with looking_at(browser, report.as_uri(), viewport=PAPER, scheme="dark") as look:
        look.page.evaluate("document.querySelector('#trend').scrollIntoView()")
        look.shoot(IMAGES / "report-dark.png")
    with looking_at(browser, report.as_uri(), viewport=PHONE) as look:
        look.shoot(IMAGES / "report-phone.png")


def _shoot_dagster(browser: Browser, address: str) -> None:
    _shoot_graph(browser, address)
    for name, path, height, last in (
        ("asset.png", "/assets/fct_sessions", 1000, "visitor_key"),
        ("sensors.png", "/automation", 500, "sequen_run_failures"),
    ):
        with looking_at(browser, address + path, viewport=(1300, height)) as look:
            look.page.get_by_text("Hide navigation").click()
            expect(look.page.get_by_text(last).first).to_be_visible()
            _shoot(look, name)


def _shoot_graph(browser: Browser, address: str) -> None:
    query = quote(" or ".join(f'key:"{name}"' for name in SHOWN), safe="")
    with looking_at(browser, f"{address}/asset-groups~{query}/", viewport=(2400, 1600)) as look:
        page = look.page
        page.get_by_text("Hide navigation").click()
        page.locator("[aria-label=panel_show_right]").click()
        for name in GROUPS:
            group = page.locator("foreignObject").get_by_text(name, exact=True)
            expect(group).to_be_visible()
            group.click()
            page.wait_for_timeout(1_500)
            # Makes everything fit again: what lies outside is not there at all.
            page.mouse.dblclick(*page.evaluate(EMPTY))
            page.wait_for_timeout(1_500)
        expect(page.get_by_text("fetching statuses")).to_have_count(0)
        _settle(look)
        page.screenshot(path=IMAGES / "graph.png", clip=page.evaluate(DRAWN))


def _shoot_host(browser: Browser, folder: Path) -> None:
    """The graph of the page's example of a host, with its groups closed."""
    definitions = folder / "definitions.py"
    folder.mkdir()
    blocks = read_blocks(IMAGES.parent / "embedding.md")
    (text,) = [one.text for one in blocks if 'pipeline("blog")' in one.text]
    definitions.write_text(text, encoding="utf-8")
    with (
        served(folder, folder, folder / "dagster", folder / "log", definitions) as address,
        looking_at(browser, f"{address}/asset-groups", viewport=(2000, 900)) as look,
    ):
        look.page.get_by_text("Hide navigation").click()
        look.page.locator("[aria-label=panel_show_right]").click()
        for name in ("shop_marts", "blog_reports"):
            expect(look.page.locator("foreignObject").get_by_text(name)).to_be_visible()
        _settle(look)
        look.page.screenshot(path=IMAGES / "host.png", clip=look.page.evaluate(DRAWN))


def _shoot(look: Look, name: str) -> None:
    _settle(look)
    look.shoot(IMAGES / name)


def _settle(look: Look) -> None:
    # Counts and icons come in after the page itself.
    look.page.wait_for_load_state("networkidle")
    look.page.wait_for_timeout(2_000)
    look.page.mouse.move(0, 0)


def _check_sizes() -> None:
    for picture in sorted(IMAGES.glob("*.png")):
        most = MOST_BYTES_OF_REPORT if picture.name.startswith("report") else MOST_BYTES
        size = picture.stat().st_size
        sys.stdout.write(f"{picture.name}: {size:,} bytes\n")
        if size > most:
            sys.exit(f"{picture.name} has {size:,} bytes, more than {most:,}: shoot less of it")


if __name__ == "__main__":
    main()
