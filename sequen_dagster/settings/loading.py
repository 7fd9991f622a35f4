"""Settings: loaded from arguments, `SEQUEN_*` variables and files."""

import csv
import os
import re
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Unpack

import pydantic
from pydantic_settings import BaseSettings, SettingsConfigDict

from sequen_dagster.errors import SettingsError
from sequen_dagster.settings.arguments import SettingsArguments
from sequen_dagster.settings.completeness import AttributeOverride, Overrides, read_overrides
from sequen_dagster.settings.model import SequenSettings
from sequen_dagster.settings.places import check_home, find_place
from sequen_dagster.settings.sources import Location, Source

# What is given as None is set to none, and not left at its default.
_NONE_HAS_A_MEANING: Final = ("order_field",)
# What stands for the one source where no sources are given.
_SHORT_FOR_A_SOURCE: Final = {"exports", "follow_links"}
_PREFIX: Final = "SEQUEN_"
# Our own variables that are not settings: fail points, the parent of a process, dbt by hand.
_NOT_SETTINGS: Final = ("fail_at", "fail_path", "fail_signal", "parent_pid", "warehouse")
# How alike a variable and a setting are whose names differ by a slip.
_NEAR_VARIABLE: Final = 0.75


class GivenSettings(SequenSettings):
    """Everything that may be given, with what is short for one source."""

    exports: Location | None = pydantic.Field(
        None, description="Where exports arrive, where there is one source."
    )
    follow_links: bool | None = pydantic.Field(
        None, description="Whether symbolic links are followed, where there is one source."
    )


class EnvironmentSettings(GivenSettings, BaseSettings):
    """Everything that `load_settings` takes, as an argument or as a variable."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True
    )


def load_settings(base: Path, **given: Unpack[SettingsArguments]) -> SequenSettings:
    """Settings from the arguments, then `SEQUEN_*` variables, then the defaults.

    Use it in a `definitions.py`; `exports` and `follow_links` (or `SEQUEN_EXPORTS` and
    `SEQUEN_FOLLOW_LINKS`) are short for one source.

    Args:
        base: directory that relative paths count from.
        **given: settings by name; `None` means "not given", but for `order_field`, where it
            means that no field names an order, as the text `null` does.

    Returns:
        Settings with absolute paths.

    Raises:
        SettingsError: a value is wrong; the message names the setting and what it may be.

    Example:
        >>> load_settings(Path("/srv"), home="sequen", workers=4).home
        PosixPath('/srv/sequen')
    """
    # Any: settings of all types, which pydantic checks.
    values: dict[str, Any] = {
        name: value
        for name, value in given.items()
        if value is not None or name in _NONE_HAS_A_MEANING
    }
    _check_names(values)
    try:
        return _resolve(_merge_sources(EnvironmentSettings(**values)), base)
    except pydantic.ValidationError as error:
        raise SettingsError(_explain(error)) from error


def read_settings(base: Path, given: Mapping[str, Any]) -> SequenSettings:
    """Settings from what is given alone: no variable of the environment counts.

    Use it where several pipelines have settings in one process.

    Args:
        base: directory that relative paths count from.
        given: settings by name, as `load_settings` takes them.

    Returns:
        Settings with absolute paths.

    Raises:
        SettingsError: a value is wrong; the message names the setting and what it may be.

    Example:
        >>> read_settings(Path("/srv"), {"home": "sequen", "workers": 4}).home
        PosixPath('/srv/sequen')
    """
    try:
        return _resolve(_merge_sources(GivenSettings(**given)), base)
    except pydantic.ValidationError as error:
        raise SettingsError(_explain(error)) from error


def _check_names(given: Collection[str]) -> None:
    """Refuse names of no setting; of variables those alone that come near one.

    Other variables may belong to a wrapper around this program.
    """
    known = list(EnvironmentSettings.model_fields)
    problems = [
        f"There is no {name}; {_suggest_names(name, known)}"
        for name in sorted(set(given) - set(known))
    ]
    for variable in sorted(os.environ):
        name = variable.removeprefix(_PREFIX)
        near = get_close_matches(name.lower(), known, cutoff=_NEAR_VARIABLE)
        is_known = name.lower() in (*known, *_NOT_SETTINGS)
        if name != variable and near and not is_known:
            names = " or ".join(_PREFIX + one.upper() for one in near)
            problems.append(f"There is no variable {variable}; did you mean {names}?")
    if problems:
        message = f"Bad settings. {' '.join(problems)}"
        raise SettingsError(message)


def _suggest_names(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"there are {', '.join(sorted(known))}."


def _merge_sources(loaded: GivenSettings) -> SequenSettings:
    """Settings whose sources are those that were given, or the one that the short names make."""
    values = loaded.model_dump(exclude=_SHORT_FOR_A_SOURCE, exclude_unset=True)
    short = loaded.model_dump(include=_SHORT_FOR_A_SOURCE, exclude_none=True)
    if "sources" in values and loaded.follow_links is not None:
        message = "Bad settings. With `sources`, give follow_links to each source."
        raise SettingsError(message)
    if short:
        values.setdefault("sources", (Source(**short),))
    return SequenSettings(**values)


def _resolve(settings: SequenSettings, base: Path) -> SequenSettings:
    """A copy whose paths are absolute, counted from `base`, and whose file has been read.

    `completeness` then says all that is changed: by the file, and over that by itself.
    """
    sources = tuple(
        source.model_copy(update={"exports": find_place(base, source.exports, "exports")})
        if isinstance(source.exports, Path)
        else source
        for source in settings.sources
    )
    home = find_place(base, settings.home, "home")
    check_home(home)
    # Any: settings of all types.
    update: dict[str, Any] = {"home": home, "sources": sources}
    if settings.completeness_file is not None:
        path = find_place(base, settings.completeness_file, "completeness_file")
        overrides = _read_completeness(path)
        for attribute, override in settings.completeness.items():
            overrides[attribute] = override.over(overrides.get(attribute, AttributeOverride()))
        update |= {"completeness_file": path, "completeness": overrides}
    return settings.model_copy(update=update)


def _read_completeness(path: Path) -> Overrides:
    try:
        return read_overrides(path)
    except (OSError, UnicodeDecodeError) as error:
        message = f"completeness_file cannot be read: {path} ({error})."
        raise SettingsError(message) from error
    except (ValueError, csv.Error) as error:
        message = f"Bad settings. completeness_file: {error}"
        raise SettingsError(message) from error


def _explain(error: pydantic.ValidationError) -> str:
    lines = [
        f"{'.'.join(str(part) for part in problem['loc']) or 'settings'}: {problem['msg']}"
        f"{_suggest_key(problem['type'], problem['loc'])}"
        for problem in error.errors(include_url=False, include_input=False)
    ]
    return "Bad settings. " + "; ".join(re.sub(r"\s+", " ", line) for line in lines)


def _suggest_key(problem: str, place: tuple[int | str, ...]) -> str:
    """The names that come near a key of no setting within `sources` or `completeness`."""
    if problem != "extra_forbidden" or len(place) < 2:
        return ""
    model = Source if place[0] == "sources" else AttributeOverride
    near = get_close_matches(str(place[-1]), list(model.model_fields))
    return f"; did you mean {' or '.join(near)}?" if near else ""
