import json
from pathlib import Path

import duckdb
import pytest

from sequen_dagster.marts.catalog import TableCatalog, TableColumn
from sequen_dagster.marts.compare import Difference, compare
from sequen_dagster.marts.copies import attach_copy, copy_tables

ROWS = (
    "(values ('a', 1, 1.5, ['x']), ('b', null, null, null), ('c', 3, 2.5, [])) as t (id, n, d, l)"
)


def difference(
    tmp_path: Path, change: str = "", *, key: tuple[str, ...] = ("id",), wanted: str = ""
) -> Difference | None:
    """Compare a table with a copy of it that was changed."""
    with duckdb.connect(tmp_path / "warehouse.duckdb") as expected:
        expected.execute(f"create table fct as select * from {ROWS}")
        copied = copy_tables(expected, tmp_path / "copy.duckdb", names=("fct", "not built"))
        assert copied == {"fct": 3}
        if change:
            with duckdb.connect(tmp_path / "copy.duckdb") as copy:
                copy.execute(change)
        if wanted:
            expected.execute(wanted)
        attach_copy(expected, tmp_path / "copy.duckdb", "actual")
        return compare(expected, "fct", key)


def test_same_rows_in_any_order_are_equal(tmp_path: Path) -> None:
    change = "create or replace table fct as select * from fct order by id desc"

    assert difference(tmp_path, change) is None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("delete from fct where id = 'b'", Difference("fct", missing=1)),
        ("insert into fct values ('d', 4, 1, [])", Difference("fct", unexpected=1)),
        ("insert into fct from fct where id = 'a'", Difference("fct", repeated=1)),
        ("update fct set n = 2 where id = 'a'", Difference("fct", changed=1, columns=("n",))),
        # A null is a value of its own, and an empty list is none.
        ("update fct set n = 0 where id = 'b'", Difference("fct", changed=1, columns=("n",))),
        ("update fct set l = null where id = 'c'", Difference("fct", changed=1, columns=("l",))),
        (
            "update fct set d = d + 0.1, l = ['y'] where id <> 'b'",
            Difference("fct", changed=2, columns=("d", "l")),
        ),
        ("update fct set id = null where id = 'b'", Difference("fct", missing=1, unexpected=1)),
        ("truncate fct", Difference("fct", missing=3)),
        ("drop table fct", Difference("fct", missing=3)),
        ("alter table fct drop d", Difference("fct", columns=("d",))),
        ("alter table fct alter n type bigint", Difference("fct", columns=("n",))),
    ],
)
def test_every_kind_of_difference_is_reported(
    tmp_path: Path, change: str, expected: Difference
) -> None:
    found = difference(tmp_path, change)

    assert found is not None
    assert Difference(**{**vars(found), "keys": ()}) == expected


def test_table_that_a_rebuild_does_not_make_is_unexpected(tmp_path: Path) -> None:
    assert difference(tmp_path, wanted="drop table fct") == Difference("fct", unexpected=3)


def test_rows_without_a_key_are_compared_whole(tmp_path: Path) -> None:
    assert difference(tmp_path, key=()) is None


def test_keys_are_shown_but_stay_out_of_the_text_of_the_object(tmp_path: Path) -> None:
    found = difference(tmp_path, "update fct set id = 'secret' where id = 'a'", key=("id", "n"))

    assert found is not None
    assert found.keys == ("missing id='a', n=1", "unexpected id='secret', n=1")
    assert "secret" not in repr(found)


def test_history_is_left_out(tmp_path: Path) -> None:
    wanted = "alter table fct add column registered_at timestamp default '2025-07-01'"

    assert difference(tmp_path, wanted=wanted) is None


def test_catalog_is_what_the_manifest_says() -> None:
    manifest = json.loads(
        """{"nodes": {
            "model.sequen.fct_a": {"name": "fct_a", "resource_type": "model",
                "columns": {"id": {"data_type": "varchar", "description": "Id. ",
                    "config": {"meta": {"sequen": {"role": "key"}}}}},
                "config": {"schema": null, "access": "public", "meta": {},
                    "materialized": "exact"}},
            "model.sequen.rpt_b": {"name": "rpt_b", "resource_type": "model",
                "columns": {}, "config": {"access": "public", "materialized": "table",
                    "meta": {"sequen": {"is_history": true}}}},
            "model.sequen.a": {"name": "a", "resource_type": "model", "columns": {},
                "depends_on": {"nodes": ["model.sequen.fct_a", "model.sequen.z"]},
                "config": {"access": "public", "meta": {}, "materialized": "view"}},
            "model.sequen.z": {"name": "z", "resource_type": "model", "columns": {},
                "depends_on": {"nodes": ["model.sequen.fct_a"]},
                "config": {"access": "public", "meta": {}, "materialized": "view"}},
            "model.sequen.part": {"name": "part", "resource_type": "model",
                "config": {"access": "protected", "materialized": "ephemeral"}},
            "model.sequen.rows": {"name": "rows", "resource_type": "model",
                "columns": {},
                "config": {"access": "protected", "meta": {}, "materialized": "view"}},
            "model.sequen.fct_step": {"name": "fct_step", "resource_type": "model",
                "config": {"schema": "intermediate", "access": "protected", "meta": {}}},
            "seed.sequen.fct_list": {"name": "fct_list", "resource_type": "seed",
                "config": {"meta": {}}},
            "test.1": {"resource_type": "test", "attached_node": "model.sequen.fct_a",
                "test_metadata": {"name": "unique_key", "kwargs": {"column_name": "id"}}},
            "test.2": {"resource_type": "test", "attached_node": "model.sequen.rpt_b",
                "test_metadata": {"name": "unique_key", "kwargs": {"columns": ["x", "y"]}}},
            "test.3": {"resource_type": "test", "attached_node": "model.sequen.rpt_b",
                "test_metadata": {"name": "not_null", "kwargs": {"column_name": "z"}}}}}"""
    )

    catalog = TableCatalog.read(manifest)

    assert (catalog.tables, catalog.views) == (("fct_a", "rpt_b"), ("z", "a"))
    assert catalog.private == ("rows",)
    assert catalog.compared == ("fct_a", "rows")
    assert catalog.keys == {"fct_a": ("id",), "rpt_b": ("x", "y")}
    assert catalog.columns["fct_a"] == (TableColumn("id", "VARCHAR", "key", "Id."),)
