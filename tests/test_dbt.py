from importlib.metadata import version
from pathlib import Path

from dagster_dbt import DbtCliResource

from sequen_dagster.marts.dbt import HomeDbt, dbt_of
from sequen_dagster.marts.project import write_profile
from support.homes import settings_of


def test_shortcuts_still_replace_functions_of_dbt() -> None:
    for name in ("_cli_version", "_initialize_dbt_core_adapter"):
        assert hasattr(DbtCliResource, name)
        assert getattr(HomeDbt, name) is not getattr(DbtCliResource, name)


def test_version_is_the_installed_one(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_profile(settings)

    assert str(dbt_of(settings)._cli_version) == version("dbt-core")
