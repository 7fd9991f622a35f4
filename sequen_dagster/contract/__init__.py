"""Contract: records become accepted rows and quarantined rows with reasons (Pandera, checks).

Names are imported when they are first used: who only names a rule does not wait for Pandera.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sequen_dagster.contract.origin import Origin
    from sequen_dagster.contract.row_schemas import ACCEPTED_SCHEMA, QUARANTINED_SCHEMA
    from sequen_dagster.contract.validate import EventContract, Split, unreadable_file

__all__ = [
    "ACCEPTED_SCHEMA",
    "QUARANTINED_SCHEMA",
    "EventContract",
    "Origin",
    "Split",
    "unreadable_file",
]

_MODULES = {
    "origin": ("Origin",),
    "row_schemas": ("ACCEPTED_SCHEMA", "QUARANTINED_SCHEMA"),
    "validate": ("EventContract", "Split", "unreadable_file"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

# Hidden from type checkers, for which it would make every name one of the package.
if not TYPE_CHECKING:

    def __getattr__(name):
        if name not in _MODULE_OF:
            message = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(message)
        return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)

    def __dir__():
        return sorted({*globals(), *__all__})
