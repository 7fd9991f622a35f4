"""Raw event exports to sessionized, attributed tables and a completeness report, in Dagster."""

import importlib
from typing import Any

__all__ = ["EventContract", "SequenSettings", "Source", "build_definitions", "load_settings"]

_HOMES = {
    "EventContract": "sequen_dagster.contract",
    "SequenSettings": "sequen_dagster.settings",
    "Source": "sequen_dagster.settings",
    "build_definitions": "sequen_dagster.definitions",
    "load_settings": "sequen_dagster.settings",
}


def __getattr__(name: str) -> Any:  # Any: whatever is asked for
    # Looked up when asked for: worker processes and the contract must not pay for Dagster's import.
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(importlib.import_module(_HOMES[name]), name)
