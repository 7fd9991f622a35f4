"""Compat: what a Config class refuses is refused at launch, before there is a run.

Reason: Dagster asks pydantic only inside the step, so a mistake costs a run, whose log holds the
message. A type of config may refuse a value while the run is planned, but a Config class has no
access to its type. If the hook has another name, mistakes are found by the step again.
Upstream: dagster 1.13.27, `ConfigType.post_process`, and one `Shape` for equal fields.
Test: tests/test_compat.py::test_config_is_refused_before_there_is_a_run
"""

from collections.abc import Mapping
from typing import Any, TypeVar

import dagster as dg
import pydantic

from sequen_dagster.errors import SettingsError

_Class = TypeVar("_Class", bound=type[dg.Config])


def checked_at_launch(config_class: _Class) -> _Class:
    """A decorator of a Config class: a launch with values that it refuses fails with its words.

    The launchpad shows the message, and no run is made. While a person types, Dagster checks names
    and types only.
    """
    # Any: Dagster does not export the type.
    shape: Any = config_class.to_config_schema().as_field().config_type

    def refuse_bad_values(values: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            config_class(**values)
        except pydantic.ValidationError as error:
            raise SettingsError(_explain(error)) from None
        return values

    shape.post_process = refuse_bad_values
    return config_class


def _explain(error: pydantic.ValidationError) -> str:
    problems = [
        (".".join(map(str, problem["loc"])), problem["msg"].removeprefix("Value error, "))
        for problem in error.errors(include_url=False, include_input=False)
    ]
    described = "; ".join(f"{place}: {what}" if place else what for place, what in problems)
    return f"Bad config. {described}"
