"""What is held of the insides of other packages is still there, and still works."""

import ast
import importlib.metadata
import inspect
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Annotated

import dagster as dg
import duckdb
import fsspec.asyn
import pandera.polars as pa
import polars as pl
import pydantic
import pytest
from dbt import compilation
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.clients import jinja
from dbt.compilation import InjectedCTE
from dbt_common.exceptions import DbtRuntimeError

from sequen_dagster import compat
from sequen_dagster.compat import dagster_absent_checks as absent
from sequen_dagster.compat.dagster_dbt_calls import read_as_dagster, selection_arguments
from sequen_dagster.compat.dagster_launch import checked_at_launch
from sequen_dagster.compat.dbt_in_process import dbt_in_process, stop_dbt
from sequen_dagster.compat.dbt_quick_nodes import inject_ctes, quick_nodes
from sequen_dagster.compat.pandera_failures import find_broken_checks
from sequen_dagster.compat.s3fs_keys import exact_s3
from sequen_dagster.errors import FaultError, SettingsError
from sequen_dagster.marts.project import load_manifest, write_profile
from support.graphs import model_translator
from support.homes import settings_of
from support.lake import home_of

TESTS = Path(__file__).parent
MODULES = [name for _, name, _ in pkgutil.iter_modules(compat.__path__)]


@pytest.mark.parametrize("module", MODULES)
def test_module_names_its_reason_its_upstream_and_its_test(module: str) -> None:
    described = import_module(f"sequen_dagster.compat.{module}").__doc__ or ""
    package, release = re.findall(r"^Upstream: ([\w-]+) ([\d.]+), `", described, re.MULTILINE)[0]
    path, test = re.findall(r"^Test: tests/(\w+\.py)::(\w+)", described, re.MULTILINE)[0]
    functions = {
        node.name
        for node in ast.walk(ast.parse((TESTS / path).read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    }

    assert re.search(r"^Reason: ", described, re.MULTILINE)
    assert test in functions
    # A later release is looked at once, and written down.
    assert importlib.metadata.version(package) == release


def test_events_and_selections_are_read_as_dagster_dbt_reads_them(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    manifest = load_manifest(settings)
    translator = model_translator(settings, manifest)
    event = {
        "info": {"name": "LogModelResult", "invocation_id": "one", "msg": "built"},
        "data": {
            "execution_time": 0.5,
            "node_info": {
                "unique_id": "model.sequen.fct_events",
                "node_status": "success",
                "resource_type": "model",
                "materialized": "exact",
                "node_started_at": "2025-07-01T00:00:00",
                "node_finished_at": "2025-07-01T00:00:01",
            },
        },
    }

    found = list(read_as_dagster(event, manifest, translator, None, tmp_path))

    assert [type(one).__name__ for one in found] == ["AssetMaterialization"]
    assert found[0].asset_key == dg.AssetKey("fct_events")
    assert found[0].metadata["Execution Duration"].value == 1.0
    silent = {**event, "info": {**event["info"], "name": "LogStartLine"}}
    assert list(read_as_dagster(silent, manifest, translator, None, tmp_path)) == []
    # A selection of a step needs a step: tests/test_selections.py makes them of every kind.
    assert "indirect" in inspect.getsource(selection_arguments)


def test_dbt_gives_the_database_back_and_hides_what_the_engine_quotes(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    home_of(settings).make()
    write_profile(settings)
    handler = DuckDBConnectionManager.exception_handler

    with dbt_in_process({"DBT_LOG_PATH": "there"}):
        assert os.environ["DBT_LOG_PATH"] == "there"
        assert DuckDBConnectionManager.exception_handler is not handler
        manager = DuckDBConnectionManager.__new__(DuckDBConnectionManager)
        manager.rollback_if_open = lambda: None
        fails = pytest.raises(DbtRuntimeError, match="ConversionException")
        with fails as caught, manager.exception_handler("select"):
            duckdb.sql("select 'secret'::int").fetchall()
        stop_dbt()
        fails = pytest.raises(DbtRuntimeError, match="dbt was stopped")
        with fails, manager.exception_handler("select"):
            pytest.fail("a statement was sent")

    assert "secret" not in str(caught.value)
    assert "DBT_LOG_PATH" not in os.environ
    assert DuckDBConnectionManager.exception_handler is handler


def test_logger_of_absent_checks_is_the_one_that_is_silenced(
    caplog: pytest.LogCaptureFixture,
) -> None:
    spec = dg.AssetCheckSpec("check", asset="first", blocking=True)

    @dg.multi_asset(specs=[dg.AssetSpec("first")], check_specs=[spec], can_subset=True)
    def first() -> Iterator[dg.MaterializeResult[None]]:
        yield from ()

    @dg.asset(deps=["first"])
    def second() -> None:
        pytest.fail("it has nothing to work on")

    def execute() -> list[str]:
        caplog.clear()
        with dg.DagsterInstance.ephemeral() as instance:
            result = dg.materialize([first, second], instance=instance)
        assert [step.step_key for step in result.all_events if step.is_step_skipped] == ["second"]
        return [one.name for one in caplog.records if absent.WARNING in one.getMessage()]

    assert execute() == [absent.LOGGER]
    with absent.silent_absent_checks():
        assert execute() == []


@pytest.mark.parametrize(
    "sql",
    [
        "with own as (select 1) select * from own",
        "select 1",
        "\n\n-- a comment\nWITH\nown as (select 1)\nselect * from own",
        "/* with */ with own as (select 1) select * from own",
        '-- with\nselect 1 as "with"',
        "with recursive own as (select 1) select * from own",
        "with own as (select 'with recursive') select * from own",
    ],
)
@pytest.mark.parametrize("count", [0, 1, 2])
def test_ephemeral_models_get_into_sql_as_dbt_puts_them_there(sql: str, count: int) -> None:
    ctes = [InjectedCTE(f"{n}", f" __dbt__cte__e{n} as (select {n})") for n in range(count)]

    def words(text: str) -> list[str]:
        return re.findall(r"\w+|\S", re.sub(r"--[^\n]*\n|/\*.*?\*/", " ", text.lower()))

    ours, theirs = inject_ctes(sql, ctes), compilation.inject_ctes_into_sql(sql, ctes)

    assert words(ours) == words(theirs)
    assert duckdb.sql(ours).fetchall() == duckdb.sql(theirs).fetchall()


@pytest.mark.parametrize("text", ["plain", "1", "true", "['a', 'b']", "it's", "", "None", "{ x }"])
def test_plain_texts_of_tests_are_what_dbt_renders_them_to(text: str) -> None:
    theirs = jinja.get_rendered(text, {}, native=True)
    with quick_nodes():
        ours = jinja.get_rendered(text, {}, native=True)
        rendered = jinja.get_rendered("{{ 1 + 1 }}", {}, native=True)

    assert (ours, type(ours)) == (theirs, type(theirs))
    assert int(rendered) == 2


def test_config_is_refused_before_there_is_a_run() -> None:
    @checked_at_launch
    class Config(dg.Config):
        day: Annotated[str, pydantic.Field(pattern="^[0-9]+$")] = "1"

    @dg.op
    def step(config: Config) -> str:
        return config.day

    @dg.job
    def job() -> None:
        step()

    def launch(day: str) -> dg.ExecuteInProcessResult:
        run_config = {"ops": {"step": {"config": {"day": day}}}}
        return job.execute_in_process(run_config=run_config, instance=instance)

    with dg.DagsterInstance.ephemeral() as instance:
        with pytest.raises(SettingsError) as caught:
            launch("two")
        assert instance.get_runs() == []
        assert launch("2").output_for_node("step") == "2"

    expected = "Bad config. day: String should match pattern '^[0-9]+$'"
    assert str(caught.value) == expected


def test_thread_of_fsspec_ends_on_demand() -> None:
    # In a process of its own: other tests need the thread.
    code = """
import fsspec.asyn
from sequen_dagster.compat.fsspec_thread import end_io_thread

fsspec.asyn.get_loop()
before = fsspec.asyn.iothread[0].is_alive()
end_io_thread()
print(before, fsspec.asyn.iothread[0].is_alive())
"""
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert finished.stdout.split() == ["True", "False"]


def test_functions_of_s3fs_that_are_replaced_or_called_are_there() -> None:
    theirs = fsspec.get_filesystem_class("s3")
    ours = type(exact_s3())

    for name in ("_strip_protocol", "split_path", "_find_bucket_key", "_lsdir"):
        assert hasattr(theirs, name)
    assert ours._cache is theirs._cache
    # As theirs do not: the first takes `?versionId=` for a version, the second loses a slash.
    assert ours._strip_protocol("s3://bucket/a?versionId=1") == "bucket/a?versionId=1"
    assert exact_s3().split_path("bucket/a//") == ("bucket", "a//", None)
    assert callable(fsspec.asyn.sync)


def test_failure_cases_of_pandera_name_rows_and_checks() -> None:
    def check(name: str, limit: int) -> pa.Check:
        return pa.Check.lt(limit, name=name, error=name)

    schema = pa.DataFrameSchema({"a": pa.Column(int, [check("small", 9), check("tiny", 5)])})

    assert find_broken_checks(schema, pl.DataFrame({"a": [1, 7, 9]})).rows() == [
        (1, ["tiny"]),
        (2, ["small", "tiny"]),
    ]
    assert find_broken_checks(schema, pl.DataFrame({"a": [1]})).is_empty()
    with pytest.raises(FaultError, match="do not fit the schema"):
        find_broken_checks(schema, pl.DataFrame({"a": ["secret"]}))


def test_dagster_is_of_the_release_that_goes_with_dagster_dbt() -> None:
    # 1.13.27 goes with 0.29.27.
    assert dg.__version__.split(".")[1:] == [
        "13",
        importlib.metadata.version("dagster-dbt").split(".")[2],
    ]
