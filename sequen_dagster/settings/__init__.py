"""Settings: everything a user can set, checked at load."""

from sequen_dagster.settings.model import (
    EVENTS_KEYS,
    EXCLUDED,
    FIELD_PATTERN,
    NAME_PATTERN,
    RULES_VERSION,
    STORES,
    HivePartitions,
    Location,
    SequenSettings,
    Source,
    fingerprint,
    load_settings,
)

__all__ = [
    "EVENTS_KEYS",
    "EXCLUDED",
    "FIELD_PATTERN",
    "NAME_PATTERN",
    "RULES_VERSION",
    "STORES",
    "HivePartitions",
    "Location",
    "SequenSettings",
    "Source",
    "fingerprint",
    "load_settings",
]
