"""Contract: records become accepted rows and quarantined rows with reasons (Pandera, checks)."""

from sequen_dagster.contract.validate import (
    ACCEPTED_SCHEMA,
    QUARANTINED_SCHEMA,
    EventContract,
    Origin,
    Split,
    unreadable_file,
)

__all__ = [
    "ACCEPTED_SCHEMA",
    "QUARANTINED_SCHEMA",
    "EventContract",
    "Origin",
    "Split",
    "unreadable_file",
]
