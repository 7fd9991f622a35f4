import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import pydantic
import pytest

from sequen_dagster.errors import SettingsError
from sequen_dagster.marts.project import project_dir, write_profile
from sequen_dagster.settings import (
    ContractSettings,
    LocationSettings,
    MartsSettings,
    ReportsSettings,
    RunningSettings,
    SequenSettings,
    Source,
    load_settings,
)
from sequen_dagster.settings.arguments import SettingsArguments
from sequen_dagster.settings.completeness import AttributeOverride
from sequen_dagster.settings.loading import EnvironmentSettings
from support.lake import home_of

# What a caller may give for what a setting is.
ACCEPTED_FOR: dict[object, set[object]] = {
    Path: {str, os.PathLike[str]},
    pydantic.SecretStr: {str, pydantic.SecretStr},
    tuple[str, ...]: {Sequence[str]},
    tuple[Source, ...]: {Sequence[Source | Mapping[str, Any]]},
    dict[str, AttributeOverride]: {Mapping[str, AttributeOverride | Mapping[str, Any]]},
}


def plain(annotation: Any) -> Any:
    """A type without the bounds and patterns that pydantic checks."""
    if get_origin(annotation) is Annotated:
        return plain(get_args(annotation)[0])
    if get_origin(annotation) in (tuple, dict):
        arguments = tuple(plain(one) for one in get_args(annotation))
        return get_origin(annotation)[arguments]
    return annotation


def members(annotation: Any) -> set[object]:
    """The types that a union holds; or the one that is not a union."""
    if get_origin(annotation) in (Union, UnionType):
        return {member for one in get_args(annotation) for member in members(plain(one))}
    return {plain(annotation)}


def test_arguments_are_the_settings_with_what_a_caller_may_give_for_them() -> None:
    settings = get_type_hints(EnvironmentSettings, include_extras=True)
    wanted = {
        name: {
            one
            for member in members(plain(settings[name]))
            for one in ACCEPTED_FOR.get(member, {member})
        }
        | {type(None)}
        for name in EnvironmentSettings.model_fields
    }

    assert {
        name: members(kind) for name, kind in get_type_hints(SettingsArguments).items()
    } == wanted


def test_every_setting_belongs_to_one_group() -> None:
    groups = (LocationSettings, ContractSettings, MartsSettings, ReportsSettings, RunningSettings)
    names = [name for group in groups for name in group.model_fields]
    # The contract and the marts compare ids with the same words.
    shared = {"placeholder_ids", "placeholder_identities"}

    assert set(names) == set(SequenSettings.model_fields)
    assert {name for name in names if names.count(name) > 1} == shared
    assert all(field.description for field in EnvironmentSettings.model_fields.values())


def test_relative_paths_count_from_the_base(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, home="there", exports="in")

    assert settings.home == tmp_path / "there"
    assert settings.sources == (Source(exports=tmp_path / "in"),)


def test_defaults_are_the_design(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)

    assert settings.home == tmp_path / ".sequen"
    assert settings.session_timeout_minutes == 30
    assert settings.value_field == "order_total"


def test_environment_comes_before_defaults_and_after_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEQUEN_SESSION_TIMEOUT_MINUTES", "45")
    monkeypatch.setenv("SEQUEN_EXPORTS", "env-exports")
    monkeypatch.setenv("SEQUEN_HALF_LIFE_DAYS", "3")

    settings = load_settings(tmp_path, half_life_days=5)

    assert settings.session_timeout_minutes == 45
    assert settings.sources[0].exports == tmp_path / "env-exports"
    assert settings.half_life_days == 5


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("session_timeout_minutes", 0, "session_timeout_minutes"),
        ("session_rule", "daily", "'given' or 'inactivity'"),
        ("value_field", "{{ env_var('X') }}", "value_field"),
        ("value_field", "a'b", "value_field"),
        ("max_touches", 1, "max_touches"),
        ("memory_limit", "lots", "memory_limit"),
        ("daily_at", "24:00", "daily_at"),
        ("owners", ["data"], "owners.0: Value error, must be an e-mail address, or `team:`"),
        ("owners", ["team:"], "owners.0"),
        ("owners", ["a@b"], "owners.0"),
        ("owners", [], "owners"),
        ("no_such_setting", 1, "no_such_setting"),
    ],
)
def test_bad_settings_are_named(tmp_path: Path, name: str, value: object, named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        load_settings(tmp_path, **{name: value})


def test_home_is_private(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, home="a/b")

    assert home_of(settings).make().root.stat().st_mode & 0o777 == 0o700


def test_source_names_must_differ(tmp_path: Path) -> None:
    twice = [Source(name="web", exports=tmp_path), Source(name="web", exports=tmp_path)]

    with pytest.raises(SettingsError, match="must differ"):
        load_settings(tmp_path, sources=twice)


@pytest.mark.bad_input(30)
def test_no_text_of_a_user_becomes_a_string_var() -> None:
    # dbt renders string vars as Jinja; only closed words may be strings.
    texts = {
        name: value
        for name, value in SequenSettings().mart_vars().items()
        if isinstance(value, str)
    }

    assert texts == {"sequen_session_rule": "given"}


def test_marts_fingerprint_follows_the_marts_settings_only() -> None:
    base = SequenSettings()

    assert base.marts_fingerprint() == SequenSettings(workers=7).marts_fingerprint()
    assert base.marts_fingerprint() != SequenSettings(stitching=False).marts_fingerprint()


@pytest.mark.fault(43)
def test_relative_home_is_the_same_wherever_definitions_are_loaded_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    homes = set()
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        homes.add(load_settings(tmp_path, home="home").home)

    assert homes == {tmp_path / "home"}


@pytest.mark.fault(43)
def test_home_within_the_dbt_project_is_refused(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, home=project_dir() / "home")

    with pytest.raises(SettingsError, match="within the dbt project"):
        write_profile(settings)

    assert not (project_dir() / "home").exists()


def test_following_links_is_short_for_one_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_settings(tmp_path).sources[0].follow_links is False
    asked = load_settings(tmp_path, exports="in", follow_links="true").sources
    assert asked == (Source(exports=tmp_path / "in", follow_links=True),)
    monkeypatch.setenv("SEQUEN_FOLLOW_LINKS", "true")
    assert load_settings(tmp_path).sources == (
        Source(exports=tmp_path / "exports", follow_links=True),
    )
    with pytest.raises(SettingsError, match="give follow_links to each source"):
        load_settings(tmp_path, sources=[{"name": "web"}])


def test_name_of_no_setting_gets_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path, session_timout_minutes=45, nonsense=1)  # type: ignore[call-arg]
    assert str(caught.value).startswith(
        "Bad settings. There is no nonsense; there are breakdowns, click_touch_days, "
    )
    assert str(caught.value).endswith(
        " There is no session_timout_minutes; did you mean session_timeout_minutes?"
    )
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path, sources=[{"name": "web", "export": "in"}])
    assert str(caught.value).startswith(
        "Bad settings. sources.0.export: Extra inputs are not permitted; did you mean exports?"
    )
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path, completeness={"page_id": {"treshold": 0.5}})
    assert str(caught.value).endswith("not permitted; did you mean threshold?")
    monkeypatch.setenv("SEQUEN_SESSION_TIMEOUT", "45")
    monkeypatch.setenv("SEQUEN_WORKER", "2")
    # Of something else, and one of ours that comes near `daily_at`.
    monkeypatch.setenv("SEQUEN_TEAM", "data")
    monkeypatch.setenv("SEQUEN_FAIL_AT", "")
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path)
    assert str(caught.value) == (
        "Bad settings. There is no variable SEQUEN_SESSION_TIMEOUT; did you mean "
        "SEQUEN_SESSION_TIMEOUT_MINUTES? "
        "There is no variable SEQUEN_WORKER; did you mean SEQUEN_WORKERS?"
    )
