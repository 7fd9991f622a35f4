"""Raw event exports to sessionized, attributed tables and a completeness report, in Dagster.

Names are imported when they are first used: the contract does not wait for Dagster.
"""

import importlib
import importlib.metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sequen_dagster.component.component import SequenComponent
    from sequen_dagster.contract import EventContract, Origin, Split
    from sequen_dagster.definitions import build_definitions
    from sequen_dagster.errors import (
        BuildError,
        ExportsError,
        HomeError,
        LockTimeoutError,
        ReportError,
        SequenError,
        SettingsError,
        StorageError,
    )
    from sequen_dagster.graph import SequenTranslator
    from sequen_dagster.marts.compare import Difference
    from sequen_dagster.marts.verify import Verification, verify
    from sequen_dagster.operations.run import RunOutcome, run_pipeline
    from sequen_dagster.settings import SequenSettings, Source, load_settings
    from sequen_dagster.settings.completeness import AttributeOverride, Detector, Scope
    from sequen_dagster.triggers.failures import FailedRun

    __version__: str

__all__ = [
    "AttributeOverride",
    "BuildError",
    "Detector",
    "Difference",
    "EventContract",
    "ExportsError",
    "FailedRun",
    "HomeError",
    "LockTimeoutError",
    "Origin",
    "ReportError",
    "RunOutcome",
    "Scope",
    "SequenComponent",
    "SequenError",
    "SequenSettings",
    "SequenTranslator",
    "SettingsError",
    "Source",
    "Split",
    "StorageError",
    "Verification",
    "__version__",
    "build_definitions",
    "load_settings",
    "run_pipeline",
    "verify",
]

_MODULES = {
    "sequen_dagster.contract": ("EventContract", "Origin", "Split"),
    "sequen_dagster.component.component": ("SequenComponent",),
    "sequen_dagster.definitions": ("build_definitions",),
    "sequen_dagster.errors": (
        "BuildError",
        "ExportsError",
        "HomeError",
        "LockTimeoutError",
        "ReportError",
        "SequenError",
        "SettingsError",
        "StorageError",
    ),
    "sequen_dagster.graph": ("SequenTranslator",),
    "sequen_dagster.marts.compare": ("Difference",),
    "sequen_dagster.marts.verify": ("Verification", "verify"),
    "sequen_dagster.operations.run": ("RunOutcome", "run_pipeline"),
    "sequen_dagster.settings": ("SequenSettings", "Source", "load_settings"),
    "sequen_dagster.settings.completeness": ("AttributeOverride", "Detector", "Scope"),
    "sequen_dagster.triggers.failures": ("FailedRun",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

# Hidden from type checkers, for which it would make every name one of the package.
if not TYPE_CHECKING:

    def __getattr__(name):
        if name == "__version__":
            return importlib.metadata.version("sequen-dagster")
        if name not in _MODULE_OF:
            message = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(message)
        return getattr(importlib.import_module(_MODULE_OF[name]), name)

    def __dir__():
        return sorted({*globals(), *__all__})
