"""Settings: everything a user can set, checked at load."""

from sequen_dagster.settings.loading import GivenSettings, load_settings, read_settings
from sequen_dagster.settings.model import (
    EVENTS_KEYS,
    RULES_VERSION,
    ContractSettings,
    HivePartitions,
    LocationSettings,
    MartsSettings,
    PlaceholderSettings,
    ReportsSettings,
    RunningSettings,
    SequenSettings,
    fingerprint,
)
from sequen_dagster.settings.sources import Source

__all__ = [
    "EVENTS_KEYS",
    "RULES_VERSION",
    "ContractSettings",
    "GivenSettings",
    "HivePartitions",
    "LocationSettings",
    "MartsSettings",
    "PlaceholderSettings",
    "ReportsSettings",
    "RunningSettings",
    "SequenSettings",
    "Source",
    "fingerprint",
    "load_settings",
    "read_settings",
]
