"""The documentation agrees with the code: its blocks run, its links lead somewhere."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sequen_dagster.settings import SequenSettings, load_settings
from support.generated_pages import PAGES as GENERATED
from support.generated_pages import names_of_tables, tables, with_tables
from support.pages import (
    PAGES,
    ROOT,
    RUNNERS,
    SHOWN,
    Block,
    Workspace,
    all_blocks,
    check_commands,
    is_slow,
    read_blocks,
    run_block,
)

TUTORIAL = "docs/tutorial.md"
BLOCKS = [block for block in all_blocks() if block.page != TUTORIAL]
RUN_HERE = [block for block in BLOCKS if not block.not_run and not block.run_by]
FAST = [block for block in RUN_HERE if not is_slow(block)]
SLOW = [block for block in RUN_HERE if is_slow(block)]


def path_below_root(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def copied(demo_home: Path, folder: Path) -> Workspace:
    """A folder as the pages have it: exports, a home of the demo, and the ids of a person."""
    shutil.copytree(demo_home, folder / ".sequen")
    (folder / ".sequen" / "exports").rename(folder / "exports")
    (folder / "serving").symlink_to(".sequen/serving")
    (folder / "kept").mkdir()
    shutil.copy(folder / "serving" / "report.json", folder / "kept")
    (folder / "id.txt").write_text("u_4432\n", encoding="utf-8")
    return Workspace(folder)


@pytest.fixture(scope="module")
def workspaces(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Workspace]:
    """The folder that fast blocks run in, a workspace a page: a page's blocks follow each other."""
    folder = copied(demo_home, tmp_path_factory.mktemp("pages")).folder
    return {block.page: Workspace(folder) for block in BLOCKS}


@pytest.fixture(scope="module")
def slow_workspace(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The folder that blocks run in which build tables, one after the other."""
    return copied(demo_home, tmp_path_factory.mktemp("slow"))


@pytest.mark.parametrize("block", FAST, ids=str)
def test_block_runs(block: Block, workspaces: dict[str, Workspace]) -> None:
    run_block(block, workspaces[block.page])


@pytest.mark.parametrize("block", SLOW, ids=str)
def test_commands_are_understood(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "exports").mkdir()
    monkeypatch.chdir(tmp_path)

    check_commands(block)


@pytest.mark.slow
@pytest.mark.parametrize("block", SLOW, ids=str)
def test_block_that_builds_tables_runs(block: Block, slow_workspace: Workspace) -> None:
    run_block(block, slow_workspace)


@pytest.mark.slow
def test_tutorial_says_what_happens(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)

    for block in read_blocks(ROOT / TUTORIAL):
        run_block(block, workspace)

    assert (tmp_path / ".sequen" / "serving" / "report.html").exists()


def test_blocks_that_cannot_run_are_few_and_say_why() -> None:
    exempt = [block for block in all_blocks() if block.not_run]

    assert [str(block).partition(":")[0] for block in exempt] == [TUTORIAL]
    for block in all_blocks():
        assert block.not_run or block.shows in SHOWN or block.language in RUNNERS, block
        assert (ROOT / block.run_by).exists(), block


@pytest.mark.parametrize("page", PAGES, ids=path_below_root)
def test_code_stands_in_fences(page: Path) -> None:
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)

    assert re.findall(r"(?<=[^\n]\n\n)    [^ \n*\d-].*", text) == []


@pytest.mark.parametrize("page", PAGES, ids=path_below_root)
def test_links_and_pictures_lead_somewhere(page: Path) -> None:
    for target, _, heading in links_of(page):
        if not target.startswith("http"):
            path = page.parent / target if target else page
            assert path.exists(), target
            assert not heading or heading in headings_of(path), f"{target}#{heading}"


def links_of(page: Path) -> Iterator[tuple[str, str, str]]:
    """Path and heading of every link and picture of a page."""
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r'\]\(([^)\s]+)\)|<img src="([^"]+)"', text):
        yield "".join(target).partition("#")


def headings_of(page: Path) -> set[str]:
    """The headings of a page, as links name them."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    named = {(index.parent / target).resolve() for target, *_ in links_of(index)}

    assert {page for page in PAGES if page != index and page != ROOT / "README.md"} <= named


@pytest.mark.parametrize("page", GENERATED, ids=path_below_root)
def test_generated_tables_are_up_to_date(page: Path) -> None:
    written = page.read_text(encoding="utf-8")

    assert written == with_tables(written), "run `make docs`"


def test_every_generated_table_is_in_a_page() -> None:
    named = [name for page in GENERATED for name in names_of_tables(page.read_text("utf-8"))]

    assert sorted(named) == sorted(tables())


def test_every_setting_is_in_its_page() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z_]+)` \| `SEQUEN_([A-Z_]+)` \|", page, re.MULTILINE)

    assert sorted(name for name, _ in rows) == sorted(SequenSettings.model_fields)
    assert all(name.upper() == variable for name, variable in rows)


def test_attributes_are_the_same_by_settings_and_by_file(tmp_path: Path) -> None:
    blocks = read_blocks(ROOT / "docs" / "report.md")
    (python,) = [block for block in blocks if block.language == "python"]
    (table,) = [block for block in blocks if block.language == "csv"]
    workspace = Workspace(tmp_path)

    run_block(python, workspace)
    run_block(table, workspace)
    by_file = load_settings(tmp_path, completeness_file="attributes.csv").completeness

    by_settings = workspace.names["settings"].completeness
    assert by_file == {name: by_settings[name] for name in ("geolocation", "search_query")}
