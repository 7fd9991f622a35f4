"""Settings: the arguments of `load_settings`, by name and type, for editors and type checkers.

`tests/test_settings.py` holds them to the fields of the settings.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import pydantic
from upath import UPath

from sequen_dagster.settings.completeness import AttributeOverride
from sequen_dagster.settings.model import HivePartitions, SessionRule
from sequen_dagster.settings.sources import Source

# Any: the attributes of a source or an override, as a file of settings gives them.
_Mapping = Mapping[str, Any]


class SettingsArguments(TypedDict, total=False):
    """Every setting by name; `None` means "not given"."""

    home: str | os.PathLike[str] | None
    exports: str | os.PathLike[str] | UPath | None
    follow_links: bool | None
    sources: Sequence[Source | _Mapping] | None
    max_record_bytes: int | None
    max_depth: int | None
    max_compression_ratio: int | None
    events_keys: Sequence[str] | None
    hive_partitions: HivePartitions | None
    placeholder_ids: Sequence[str] | None
    placeholder_identities: Sequence[str] | None
    session_timeout_minutes: int | None
    session_rule: SessionRule | None
    stitching: bool | None
    max_users_per_device: int | None
    click_window_minutes: int | None
    click_touch_days: int | None
    view_touch_days: int | None
    max_touches: int | None
    half_life_days: int | None
    value_field: str | None
    currency_field: str | None
    order_field: str | None
    oversized_visitor_events: int | None
    recent_days: int | None
    min_accepted_percent: int | None
    breakdowns: Sequence[str] | None
    completeness: Mapping[str, AttributeOverride | _Mapping] | None
    completeness_file: str | os.PathLike[str] | None
    report_samples: int | None
    fail_below_accepted_percent: int | None
    dbt_docs: bool | None
    workers: int | None
    memory_limit: str | None
    run_bytes: int | None
    run_files: int | None
    max_attempts: int | None
    step_retries: int | None
    quarantine_days: int | None
    lock_timeout_seconds: int | None
    sensors: bool | None
    tick_seconds: int | None
    quiet_seconds: int | None
    runs_per_tick: int | None
    retry_seconds: int | None
    publish_minutes: int | None
    fresh_within_hours: int | None
    owners: Sequence[str] | None
    steps_as_assets: bool | None
    dbt_debug_log: bool | None
    failure_webhook: str | pydantic.SecretStr | None
    daily_at: str | None
