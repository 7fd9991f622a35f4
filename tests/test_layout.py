import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import sequen_dagster
from sequen_dagster.home import layout
from sequen_dagster.home.layout import Home, rows_name

PACKAGE = Path(sequen_dagster.__file__).parent
LAYOUT = Path(layout.__file__)
OTHERS = sorted(path for path in PACKAGE.rglob("*.py") if path != LAYOUT)


def parts_of_paths(module: Path) -> Iterator[str]:
    """The literal parts that a module joins to paths."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        is_joined = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
        if is_joined and isinstance(node.right, ast.Constant):
            yield str(node.right.value)


# Names that also stand for other files: dbt's command, its page, the README of its project.
OF_OTHERS = {"dbt", "index.html", "README.md"}
OF_A_HOME = set(parts_of_paths(LAYOUT)) - OF_OTHERS


@pytest.mark.parametrize("module", OTHERS, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_paths_of_a_home_are_spelled_in_one_module(module: Path) -> None:
    assert set(parts_of_paths(module)) & OF_A_HOME == set()


def test_rows_are_found_by_the_names_that_commits_give_them(tmp_path: Path) -> None:
    lake = Home(tmp_path).lake
    name = rows_name("quarantine", "b1", "r1")
    rows = lake.rows(name)
    rows.parent.mkdir(parents=True)
    rows.touch()

    assert rows == lake.quarantine / "batch_id=b1" / "r1.parquet"
    assert lake.name_of(rows) == name == "quarantine/batch_id=b1/r1.parquet"
    assert lake.list_rows() == [rows]


def test_home_is_made_for_its_owner_and_may_be_there(tmp_path: Path) -> None:
    home = Home(tmp_path / "a" / "home")

    assert home.make().make() == home
    assert home.root.stat().st_mode & 0o777 == 0o700


def test_verify_rebuilds_in_a_home_of_its_own(tmp_path: Path) -> None:
    home = Home(tmp_path)

    assert home.scratch.warehouse == tmp_path / "verify" / "warehouse.duckdb"
