"""The report as people open it: one file, in light and dark, on a phone and on paper.

What exports name and say is put through a real run, and must end up as text.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser

from sequen_dagster.home.layout import Home
from sequen_dagster.settings import SequenSettings
from support.browsing import DESK, PHONE, TABLET, Look, Scheme, looking_at
from support.builders import event
from support.homes import settings_of, write_events, write_text

SCHEMES: Final[tuple[Scheme, ...]] = ("light", "dark")
PAYLOADS: Final = (
    "<script>window.pwned=1</script>",
    '"><img src=x onerror=window.pwned=1>',
    "'><svg onload=window.pwned=1>",
    "</style><script>window.pwned=1</script>",
    "</title></textarea><script>window.pwned=1</script>",
    "--><script>window.pwned=1</script>",
    "]]><script>window.pwned=1</script>",
    '<iframe srcdoc="<script>parent.pwned=1</script>">',
    '<a href="javascript:window.pwned=1">click</a>',
    "[click](javascript:window.pwned=1)",
    "javascript:window.pwned=1",
    "{{7*7}}",
    "{% for one in (1, 2) %}pwned{% endfor %}",
    "${window.pwned=1}",
    "\\u003cscript\\u003ewindow.pwned=1\\u003c/script\\u003e",
    "&lt;script&gt;window.pwned=1&lt;/script&gt;",
    "=cmd|'/C calc'!A0",
    "\u202egnp.exe",
)
# Text as WCAG counts it large needs 3, all other text 4.5.
CONTRAST = """() => {
    const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
    const rgba = color => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = color;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data].map(part => part / 255);
    };
    const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3]));
    const light = color => {
        const [r, g, b] = color.map(
            part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const isDark = dark && getComputedStyle(document.documentElement).colorScheme.includes("dark");
    const paper = isDark ? [0.07, 0.07, 0.07] : [1, 1, 1];
    const behind = element => {
        const above = [];
        for (let one = element; one; one = one.parentElement) above.push(one);
        return above.reduceRight(
            (below, one) => over(rgba(getComputedStyle(one).backgroundColor), below), paper);
    };
    const found = [];
    for (const element of document.body.querySelectorAll("*:not(svg *):not(svg)")) {
        const text = [...element.childNodes].filter(node => node.nodeType === 3)
            .map(node => node.textContent.trim()).join("");
        if (!text || !element.checkVisibility({opacityProperty: true})) continue;
        const style = getComputedStyle(element);
        const ground = behind(element);
        const [a, b] = [light(over(rgba(style.color), ground)), light(ground)];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        const size = parseFloat(style.fontSize);
        const isLarge = size >= 24 || (size >= 18.66 && +style.fontWeight >= 700);
        if (ratio < (isLarge ? 3 : 4.5)) found.push(`${text.slice(0, 40)}: ${ratio.toFixed(2)}`);
    }
    return found;
}"""
UNNAMED = """() => [...document.querySelectorAll("svg")]
    .filter(svg => !svg.closest("[aria-hidden=true]") && !svg.parentElement.closest("svg"))
    .filter(svg => ![
        svg.getAttribute("aria-label"),
        svg.closest("[role=img][aria-label]")?.getAttribute("aria-label"),
        svg.querySelector(":scope > title")?.textContent,
        ...(svg.getAttribute("aria-labelledby") ?? "").split(/\\s+/)
            .map(id => id && document.getElementById(id)?.textContent),
    ].some(name => name?.trim()))
    .map(svg => svg.outerHTML.slice(0, 120))"""
ACTIVE = """() => [...document.querySelectorAll("*")].filter(one =>
    ["script", "img", "image", "iframe", "object", "embed", "form", "base", "audio", "video"]
        .includes(one.localName)
    || [...one.attributes].some(({name, value}) =>
        name.startsWith("on") || /^\\s*(javascript|data|vbscript):/i.test(value)))
    .map(one => one.outerHTML.slice(0, 120))"""
HEADINGS = """() => [...document.querySelectorAll("h1, h2")].map(
    one => [one.textContent.trim(), one.checkVisibility({opacityProperty: true})])"""
# Words of a table that are broken inside, where no break was offered.
BROKEN: Final = """() => [...document.querySelectorAll("td code")].filter(one => {
    const words = document.createTreeWalker(one, NodeFilter.SHOW_TEXT);
    while (words.nextNode()) {
        const range = document.createRange();
        range.selectNodeContents(words.currentNode);
        const text = words.currentNode.textContent;
        if (/^[\\w./-]+$/.test(text) && range.getClientRects().length > 1) return true;
    }
    return false;
}).map(one => one.textContent)"""
# Not `innerWidth`: a phone zooms out until what is too wide fits.
WIDTHS = "() => [document.scrollingElement.scrollWidth, document.documentElement.clientWidth]"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run over exports whose names, types, fields and values are payloads."""
    settings = settings_of(tmp_path_factory.mktemp("report"))
    for number, payload in enumerate(PAYLOADS):
        fields: dict[str, Any] = {"type": payload, "uid": payload, payload: payload}
        fields |= {"page_type": None, "referrer": payload, "sid": payload}
        name = f"{payload.replace('/', '_')}.jsonl"
        write_events(settings, name, event(id=f"e{number}", **fields), event(id=f"v{number}"))
        write_events(settings, f"{number}/{name}", event(id=..., type=..., **{payload: 1}))
    bought = {"type": "conversion", "page_type": None, "conversion_type": PAYLOADS[1]}
    money = {"order_total": "9.99", "currency": PAYLOADS[0], "item_ids": [PAYLOADS[3]]}
    write_events(settings, "orders.jsonl", event(id="o1", **bought, **money))
    write_text(settings, "broken.jsonl", f"{PAYLOADS[0]}\n")
    run(settings)
    # Another contract from now on: the report lists stale batches by the names of files.
    run(settings, "--set", "max_depth=60")
    return Home(settings.home).serving.report_html


def run(settings: SequenSettings, *options: str) -> None:
    """Run everything in a process of its own: the browser's event loop is at work in this one."""
    places = ("--exports", settings.sources[0].exports, "--home", settings.home)
    finished = subprocess.run(
        [sys.executable, "-m", "sequen_dagster.cli.main", "run", *map(str, places), *options],
        env={**os.environ, "SEQUEN_WORKERS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert finished.returncode == 0, finished.stdout + finished.stderr


def check_is_quiet(look: Look, report: Path) -> None:
    """Nothing was asked for but the file, and the page complained of nothing."""
    assert look.asked == [report.as_uri()]
    assert look.complaints == []


def test_checks_of_the_page_find_planted_faults(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        "<meta name=viewport content='width=device-width'>"
        "<h1>seen</h1><h2 style='display:none'>hidden</h2><div style='width:420px'>wide</div>"
        "<p style='color:#999'>faint</p><p style='background:#222;color:#fff'>plain</p>"
        "<div style='background:#000'><b style='color:#333'>lost</b></div>"
        "<svg id=nameless></svg><svg aria-label=named></svg><svg><title>named</title></svg>"
        "<a href=' javascript:1'>go</a><p onclick='1'>click</p>"
    )

    with looking_at(browser, page.as_uri(), viewport=PHONE) as look:
        headings = look.page.evaluate(HEADINGS)
        width, room = look.page.evaluate(WIDTHS)
        faint = [one.partition(":")[0] for one in look.page.evaluate(CONTRAST)]
        unnamed = look.page.evaluate(UNNAMED)
        active = look.page.evaluate(ACTIVE)

    assert headings == [["seen", True], ["hidden", False]]
    assert width > room == PHONE[0]
    assert faint == ["faint", "lost"]
    assert [one.partition(">")[0] for one in unnamed] == ['<svg id="nameless"']
    assert [one[:2] for one in active] == ["<a", "<p"]


@pytest.mark.slow
@pytest.mark.parametrize("viewport", [DESK, TABLET, PHONE], ids=["desk", "tablet", "phone"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_report_is_one_quiet_file_that_fits_and_can_be_read(
    browser: Browser, report: Path, viewport: tuple[int, int], scheme: Scheme
) -> None:
    with looking_at(browser, report.as_uri(), viewport=viewport, scheme=scheme) as look:
        headings = look.page.evaluate(HEADINGS)
        width, room = look.page.evaluate(WIDTHS)
        faint = look.page.evaluate(CONTRAST)

    check_is_quiet(look, report)
    assert len(headings) >= 2
    assert [one for one, is_visible in headings if not (one and is_visible)] == []
    assert width <= room
    assert faint == []


@pytest.mark.slow
@pytest.mark.parametrize("viewport", [DESK, TABLET, PHONE], ids=["desk", "tablet", "phone"])
def test_no_word_of_a_table_is_broken(
    browser: Browser, report: Path, viewport: tuple[int, int]
) -> None:
    with looking_at(browser, report.as_uri(), viewport=viewport) as look:
        codes = look.page.locator("td code").count()
        broken = look.page.evaluate(BROKEN)

    assert codes > 20
    assert broken == []


@pytest.mark.slow
def test_dark_report_is_dark(browser: Browser, report: Path) -> None:
    grounds = []
    for scheme in SCHEMES:
        with looking_at(browser, report.as_uri(), scheme=scheme) as look:
            # Of what is painted, by whatever element.
            look.page.set_viewport_size({"width": 40, "height": 40})
            look.page.add_style_tag(content="body > * { visibility: hidden }")
            grounds.append(look.page.screenshot())

    assert grounds[0] != grounds[1]


@pytest.mark.slow
def test_report_has_a_language_a_title_and_names_for_its_pictures(
    browser: Browser, report: Path
) -> None:
    with looking_at(browser, report.as_uri()) as look:
        assert look.page.title().strip()
        assert look.page.evaluate("() => document.documentElement.lang")
        assert look.page.evaluate("() => document.querySelectorAll('h1').length") == 1
        assert look.page.evaluate(UNNAMED) == []


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES)
def test_report_is_printed_in_full_on_white_paper(
    browser: Browser, report: Path, scheme: Scheme
) -> None:
    with looking_at(browser, report.as_uri(), scheme=scheme, is_printed=True) as look:
        hidden = [one for one, is_visible in look.page.evaluate(HEADINGS) if not is_visible]
        pages = look.page.pdf(format="A4")

    check_is_quiet(look, report)
    assert hidden == []
    assert pages.startswith(b"%PDF-")
    # A page that shows nothing takes 1 kB.
    assert len(pages) > 5_000
    # Long lists stay folded.
    assert len(re.findall(rb"/Type\s*/Page\b", pages)) <= 8


@pytest.mark.slow
@pytest.mark.bad_input(29, 30, 33, 56, 57)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_names_and_values_of_exports_are_text(
    browser: Browser, report: Path, scheme: Scheme
) -> None:
    with looking_at(browser, report.as_uri(), scheme=scheme) as look:
        for summary in look.page.locator("summary").all():
            summary.click()
        for link in look.page.locator("a[href^='#']").all()[:20]:
            link.click()
        pwned = look.page.evaluate("() => window.pwned")
        active = look.page.evaluate(ACTIVE)
        shown = look.page.evaluate("() => document.body.textContent")

    assert pwned is None
    assert active == []
    assert [one.partition("#")[0] for one in look.asked] == [report.as_uri()]
    assert look.complaints == []
    # The types of events are listed, so this run did put payloads into the page.
    assert "<script>window.pwned=1</script>" in shown
    assert "{{7*7}}" in shown
