"""What `from sequen_dagster import ...` gives: complete, lazy, and typed for callers."""

import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import sequen_dagster
from sequen_dagster import errors

ROOT = Path(__file__).parents[1]
PUBLIC = {name: getattr(sequen_dagster, name) for name in sequen_dagster.__all__}
CALLABLE = [name for name in PUBLIC if callable(PUBLIC[name]) and not name.endswith("Error")]

RIGHT = """
from pathlib import Path

import pandas as pd
import polars as pl

import sequen_dagster
from sequen_dagster import (
    EventContract, FailedRun, Origin, RunOutcome, SequenError, SequenSettings, Source, Split,
    build_definitions, load_settings, run_pipeline,
)

settings: SequenSettings = load_settings(
    Path.cwd(),
    home="home",
    sources=[Source(name="web"), {"name": "app", "exports": "s3://bucket/app"}],
    session_timeout_minutes=45,
    breakdowns=["app.version"],
    order_field=None,
)
polars: Split[pl.DataFrame] = EventContract().validate(pl.DataFrame(), Origin(source="web"))
pandas: pd.DataFrame = EventContract.of(settings).validate(pd.DataFrame()).accepted
version: str = sequen_dagster.__version__


def remember(failed: FailedRun) -> None:
    print(failed.message)


try:
    outcome: RunOutcome = run_pipeline(settings, full_refresh=True)
except SequenError as error:
    print(error)
definitions = build_definitions(settings, on_run_failure=remember)
"""
WRONG = """
from pathlib import Path

import pandas as pd
import polars as pl

from sequen_dagster import EventContract, build_definitions, load_settings, run_pipeline
from sequen_dagster import no_such_name  # error: attr-defined

load_settings(Path.cwd(), session_timeout_minute=45)  # error: call-arg
load_settings(Path.cwd(), session_timeout_minutes="45")  # error: arg-type
load_settings(Path.cwd(), session_rule="daily")  # error: arg-type
load_settings("exports")  # error: arg-type
settings = load_settings(Path.cwd())
settings.session_timeout_minute  # error: attr-defined
build_definitions("home")  # error: arg-type
build_definitions(settings, on_run_failure=len)  # error: arg-type
run_pipeline(settings, full_refresh="yes")  # error: arg-type
EventContract(max_depth="deep")  # error: arg-type
accepted: pd.DataFrame = EventContract().validate(pl.DataFrame()).accepted  # error: assignment
"""


def test_public_names_are_sorted_and_documented() -> None:
    assert sequen_dagster.__all__ == sorted(sequen_dagster.__all__)
    assert all(inspect.getdoc(one) for one in PUBLIC.values())
    assert set(sequen_dagster.__all__) <= set(dir(sequen_dagster))


@pytest.mark.parametrize("name", CALLABLE)
def test_what_a_public_name_takes_gives_and_raises_is_public_too(name: str) -> None:
    public = PUBLIC[name]
    methods = [one for key, one in vars(public).items() if key[0] != "_" and callable(one)]
    functions = [public, *methods] if inspect.isclass(public) else [public]
    texts = [f"{inspect.signature(one)} {raised(one)}" for one in functions if callable(one)]
    types = {one for text in texts for one in re.findall(r"sequen_dagster\.[a-z_.]+\.(\w+)", text)}
    raises = {one for text in texts for one in re.findall(r"\w+Error\b", text)} & set(vars(errors))
    # Groups of settings and chunks of files are what the package hands to itself; the arguments
    # of `load_settings` are keywords; a choice of batches is what `replay` asks for.
    internal = {"RecordChunk", "ContractSettings", "SettingsArguments", "Choice"}

    assert (types | raises) - internal <= set(PUBLIC)


def raised(function: object) -> str:
    _, _, after = (inspect.getdoc(function) or "").partition("Raises:")
    return after.partition("\n\n")[0]


def test_version_is_that_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

    assert sequen_dagster.__version__ == project["project"]["version"]


def test_unknown_name_is_refused() -> None:
    with pytest.raises(ImportError, match="no_such_name"):
        exec("from sequen_dagster import no_such_name")  # noqa: S102  # as a caller writes it


@pytest.mark.slow
def test_type_checker_passes_right_calls_and_finds_wrong_ones(tmp_path: Path) -> None:
    (tmp_path / "right.py").write_text(RIGHT, encoding="utf-8")
    (tmp_path / "wrong.py").write_text(WRONG, encoding="utf-8")
    # The project's configuration, so that the cache of `make lint` serves here.
    finished = subprocess.run(
        [sys.executable, "-m", "mypy", tmp_path / "right.py", tmp_path / "wrong.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.findall(r"(\w+)\.py:(\d+): error: .*\[([a-z-]+)\]", finished.stdout)
    wanted = [
        ("wrong", str(number), line.partition("# error: ")[2])
        for number, line in enumerate(WRONG.splitlines(), start=1)
        if "# error: " in line
    ]

    assert found == wanted, finished.stdout + finished.stderr
