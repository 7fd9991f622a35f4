"""Contract: records become accepted rows and quarantined rows with reasons (Pandera, checks)."""

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
