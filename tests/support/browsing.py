"""A real browser, and a Dagster webserver for it to look at.

Chromium is Debian's, driven by playwright; it can resolve no name but this machine's. Whatever a
page asks for, and whatever it complains of, is written down.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

ROOT: Final = Path(__file__).resolve().parents[2]
Scheme = Literal["light", "dark"]
DESK: Final = (1280, 800)
TABLET: Final = (768, 1024)
PHONE: Final = (390, 844)
_HERE: Final = ("127.0.0.1", "localhost")
# These a page asks no server for.
_INLINE: Final = ("about", "blob", "data")
_ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
_PATIENCE_SECONDS: Final = 120


def find_browser() -> str | None:
    """Chromium's command: what `SEQUEN_TEST_BROWSER` names, else the one on the path.

    Raises:
        FileNotFoundError: the variable names no file, so that a slip of the pen skips no test.
    """
    named = os.environ.get("SEQUEN_TEST_BROWSER")
    if not named:
        return shutil.which("chromium")
    if not Path(named).is_file():
        raise FileNotFoundError(f"SEQUEN_TEST_BROWSER names no file: {named}")
    return named


@contextmanager
def launched() -> Iterator[Browser]:
    """A browser with a fresh profile, closed at the end; skips the test where there is none."""
    command = find_browser()
    if command is None:
        pytest.skip("needs Chromium: apt-get install chromium, or set SEQUEN_TEST_BROWSER to it")
    # Pages are waited for as long as other tests may keep the machine busy.
    expect.set_options(timeout=1_000 * _PATIENCE_SECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=command, args=list(_ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Look:
    """A page that is open, and what it has done so far.

    Attributes:
        page: playwright's page.
        asked: addresses it has asked for, but those that lie in the page itself.
        refused: those among them that are neither the page's own file nor of this machine.
        complaints: errors and warnings in its console, errors of scripts, and dialogs.
    """

    page: Page
    asked: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def errors(self) -> list[str]:
        """Its complaints without warnings, of which other people's pages may have their own."""
        return [one for one in self.complaints if not one.startswith("warning:")]

    def note(self, address: str, *, is_allowed: bool) -> None:
        """Write down that the page has asked for something."""
        if urlsplit(address).scheme not in _INLINE:
            self.asked.append(address)
            if not is_allowed:
                self.refused.append(address)

    def shoot(self, path: Path, *, is_whole: bool = False) -> None:
        """Take a picture of what is to be seen, or of the whole page."""
        self.page.screenshot(path=path, full_page=is_whole, animations="disabled")


@contextmanager
def looking_at(
    browser: Browser,
    address: str,
    *,
    viewport: tuple[int, int] = DESK,
    scheme: Scheme = "light",
    is_printed: bool = False,
) -> Iterator[Look]:
    """Open a page, and fail at the end if it has asked for anything outside.

    Args:
        browser: from `launched`.
        address: `file://` (it may ask for nothing else) or `http://` of this machine.
        viewport: width and height of the window.
        scheme: the color scheme that the reader prefers.
        is_printed: whether it is laid out for paper.
    """
    width, height = viewport
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        reduced_motion="reduce",
        is_mobile=width < 500,
        service_workers="block",
    )
    try:
        look = Look(context.new_page())
        _watch(look, address)
        if is_printed:
            look.page.emulate_media(media="print")
        look.page.goto(address, wait_until="load")
        yield look
        # What begins to load at once is asked for by now.
        look.page.wait_for_timeout(250)
        if look.refused:
            message = f"{address} asked for {look.refused}"
            raise AssertionError(message)
    finally:
        context.close()


def _watch(look: Look, address: str) -> None:
    own = urlsplit(address)

    def is_allowed(other: str) -> bool:
        there = urlsplit(other)
        if own.scheme == "file":
            return (there.scheme, there.path) == (own.scheme, own.path)
        return there.hostname in _HERE

    def route(request: Route) -> None:
        asked = request.request.url
        look.note(asked, is_allowed=is_allowed(asked))
        if is_allowed(asked) or urlsplit(asked).scheme in _INLINE:
            request.continue_()
        else:
            request.abort()

    page = look.page
    page.route("**/*", route)
    page.on("websocket", lambda ws: look.note(ws.url, is_allowed=is_allowed(ws.url)))
    page.on("pageerror", lambda error: look.complaints.append(f"error: {error}"))
    page.on("dialog", lambda dialog: look.complaints.append(f"dialog: {dialog.message}"))
    page.on("dialog", lambda dialog: dialog.dismiss())
    page.on(
        "console",
        lambda said: (
            look.complaints.append(f"{said.type}: {said.text} ({said.location['url']})")
            if said.type in ("error", "warning")
            else None
        ),
    )


@contextmanager
def served(
    home: Path,
    exports: Path,
    dagster_home: Path,
    log: Path,
    definitions: Path = ROOT / "definitions.py",
) -> Iterator[str]:
    """Definitions in a Dagster webserver of their own, gone at the end.

    Args:
        home: the home that the definitions are of.
        exports: where its exports lie.
        dagster_home: the instance; it gets the settings of `deploy/dagster.yaml`.
        log: what the server writes.
        definitions: the file that holds them.

    Yields:
        The address, without a slash at its end.
    """
    dagster_home.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "deploy" / "dagster.yaml", dagster_home / "dagster.yaml")
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    settings = {"SEQUEN_HOME": home, "SEQUEN_EXPORTS": exports, "DAGSTER_HOME": dagster_home}
    command = ["-m", "dagster_webserver", "-h", "127.0.0.1", "-p", str(port)]
    with (
        log.open("wb") as out,
        subprocess.Popen(
            [sys.executable, *command, "-f", str(definitions)],
            env={**os.environ, "SEQUEN_DBT_DOCS": "true"}
            | {k: str(v) for k, v in settings.items()},
            cwd=dagster_home,
            stdout=out,
            stderr=subprocess.STDOUT,
            # The code server is its child, and goes with it.
            start_new_session=True,
        ) as process,
    ):
        try:
            _wait_for(address, process, log)
            yield address
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urlopen(f"{address}/server_info", timeout=5) as answer:  # noqa: S310  # http, ours
                if answer.status == 200:
                    return
        except (URLError, OSError):
            time.sleep(0.5)
    raise TimeoutError(f"no webserver at {address}: {log.read_text(errors='replace')[-3000:]}")
