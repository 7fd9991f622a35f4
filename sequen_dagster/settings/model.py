"""Settings: everything a user can set, in groups; what cannot work fails here.

A function takes the group that it uses; `SequenSettings` inherits them all, so that settings have
one flat list of names for a user.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

import pydantic

from sequen_dagster.settings.absence import ANONYMOUS_WORDS, NONE_WORDS
from sequen_dagster.settings.bounds import (
    Days,
    Few,
    Hours,
    Interval,
    LongWait,
    Many,
    Minutes,
    Percent,
    RecordBytes,
    VeryMany,
    Wait,
)
from sequen_dagster.settings.completeness import Overrides
from sequen_dagster.settings.sources import Source
from sequen_dagster.settings.texts import (
    FROM_TEXT,
    Breakdowns,
    FieldPath,
    OptionalFieldPath,
    Owners,
    Texts,
)

# Raised whenever the meaning of the marts changes, so that old tables are refreshed in full.
RULES_VERSION: Final = 2

# Keys under which an envelope may hold its events.
EVENTS_KEYS: Final = ("events", "batch", "data", "payload", "records")

SessionRule = Literal["given", "inactivity"]
HivePartitions = Literal["reserved", "all", "off"]


class _Group(pydantic.BaseModel):
    # Errors show no input: it may be a secret.
    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class LocationSettings(_Group):
    """Where exports arrive, and where everything is written."""

    home: Path = pydantic.Field(
        Path(".sequen"), description="Directory that holds everything the pipeline writes."
    )
    sources: tuple[Source, ...] = pydantic.Field(
        (Source(),), min_length=1, description="Locations that exports arrive in."
    )

    @pydantic.model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [source.name for source in self.sources]
        if len(set(names)) != len(names):
            message = f"source names must differ, got {names}"
            raise ValueError(message)
        return self


class PlaceholderSettings(_Group):
    """Words that stand for no value; the contract and the marts compare ids with them."""

    placeholder_ids: Texts = pydantic.Field(
        NONE_WORDS, description="Words that mean none in every id field, in any case."
    )
    placeholder_identities: Texts = pydantic.Field(
        ANONYMOUS_WORDS, description="Words that name no person in uid, sid and cid, in any case."
    )


class ContractSettings(PlaceholderSettings):
    """How files are read, and what a record may be."""

    max_record_bytes: RecordBytes = pydantic.Field(
        16 * 1024 * 1024, description="Longest record (object, array element, CSV row) in bytes."
    )
    max_depth: Annotated[int, pydantic.Field(ge=1, le=200)] = pydantic.Field(
        64, description="Deepest nesting of a record."
    )
    max_compression_ratio: Many = pydantic.Field(
        250, description="How many times larger than its file the plain data may be."
    )
    events_keys: Texts = pydantic.Field(
        EVENTS_KEYS,
        description="Keys under which an envelope may hold its events, in order of preference.",
    )
    hive_partitions: HivePartitions = pydantic.Field(
        "reserved",
        description="Which names of `name=value` folders are read as fields of their records.",
    )


class MartsSettings(PlaceholderSettings):
    """What decides the rows of the tables; a change of any of these rebuilds them."""

    session_timeout_minutes: Minutes = pydantic.Field(
        30, description="Inactivity, in minutes, beyond which a new derived session starts."
    )
    session_rule: SessionRule = pydantic.Field(
        "given", description="`given` honors sid; `inactivity` ignores it."
    )
    stitching: bool = pydantic.Field(
        True, description="Whether anonymous events are joined to the user they belong to."
    )
    max_users_per_device: Many = pydantic.Field(
        20,
        description="Most users of a cid, and users or cids of a sid; beyond, it names no person.",
    )
    click_window_minutes: Minutes = pydantic.Field(
        30, description="How long before a click an unlinked impression may match it, in minutes."
    )
    click_touch_days: Days = pydantic.Field(
        7, description="How long before a conversion a click counts as a touch, in days."
    )
    view_touch_days: Days = pydantic.Field(
        1, description="How long before a conversion an impression counts as a touch, in days."
    )
    max_touches: Annotated[int, pydantic.Field(ge=2, le=1000)] = pydantic.Field(
        100, description="Most touches kept of a unit: the first and the latest others."
    )
    half_life_days: Days = pydantic.Field(
        7, description="Half-life of the time_decay model, in days."
    )
    value_field: FieldPath = pydantic.Field(
        "order_total", description="Property of a conversion that holds its value."
    )
    currency_field: FieldPath = pydantic.Field(
        "currency", description="Property of a conversion that holds its currency."
    )
    order_field: OptionalFieldPath = pydantic.Field(
        "order_id", description="Property of a conversion that names its order; null for none."
    )
    oversized_visitor_events: VeryMany = pydantic.Field(
        50_000, description="More events than this mark a visitor as oversized (a bot, likely)."
    )
    recent_days: Days = pydantic.Field(
        28, description="Length of the `recent` period of completeness, in days."
    )
    min_accepted_percent: Percent = pydantic.Field(
        95, description="Accepted share, in percent, below which no tier is reached."
    )
    breakdowns: Breakdowns = pydantic.Field(
        (),
        description="Custom fields, such as app.version, whose values the report separates.",
    )
    completeness: Annotated[Overrides, *FROM_TEXT] = pydantic.Field(
        default_factory=dict, description="What is changed of the attributes of completeness."
    )
    completeness_file: Path | None = pydantic.Field(
        None, description="The same as a csv file with the columns of the seed."
    )

    def mart_vars(self) -> dict[str, Any]:
        """The settings of the marts, as dbt vars.

        User-chosen names go in as lists: dbt renders a string var as Jinja, a list it leaves alone.
        """
        return {
            "sequen_session_timeout_minutes": self.session_timeout_minutes,
            "sequen_session_rule": self.session_rule,
            "sequen_stitching": self.stitching,
            "sequen_click_window_minutes": self.click_window_minutes,
            "sequen_click_touch_days": self.click_touch_days,
            "sequen_view_touch_days": self.view_touch_days,
            "sequen_max_touches": self.max_touches,
            "sequen_half_life_days": self.half_life_days,
            "sequen_value_field": self.value_field.split("."),
            "sequen_currency_field": self.currency_field.split("."),
            "sequen_order_field": self.order_field.split(".") if self.order_field else [],
            "sequen_max_users_per_device": self.max_users_per_device,
            "sequen_placeholder_ids": list(self.placeholder_ids),
            "sequen_placeholder_identities": list(self.placeholder_identities),
            "sequen_oversized_visitor_events": self.oversized_visitor_events,
            "sequen_recent_days": self.recent_days,
            "sequen_min_accepted_percent": self.min_accepted_percent,
            "sequen_breakdowns": [path.split(".") for path in self.breakdowns],
        }

    def marts_fingerprint(self) -> str:
        """Names the rules and settings that the tables were built by (16 hex digits)."""
        overrides = {
            attribute: override.model_dump(mode="json", exclude_none=True)
            for attribute, override in self.completeness.items()
        }
        facts = {"rules_version": RULES_VERSION, **self.mart_vars()}
        return fingerprint({**facts, "completeness": overrides} if overrides else facts)


class ReportsSettings(_Group):
    """What is published, and what makes a run count as failed."""

    report_samples: Annotated[int, pydantic.Field(ge=0, le=5)] = pydantic.Field(
        0, description="Masked values of each custom field that the report shows."
    )
    fail_below_accepted_percent: Percent = pydantic.Field(
        0, description="Accepted share, in percent, below which a run counts as failed."
    )
    dbt_docs: bool = pydantic.Field(
        True, description="Whether dbt's docs are published; takes seconds where they changed."
    )


class RunningSettings(_Group):
    """How work is run: processes, memory, retries, waits, schedules, owners, notifications."""

    workers: Few = pydantic.Field(
        min(os.cpu_count() or 1, 8),
        description="Processes that read and validate files side by side.",
    )
    memory_limit: Annotated[str, pydantic.Field(pattern=r"^[0-9]+(\.[0-9]+)?(MB|GB)$")] = (
        pydantic.Field("1GB", description="Memory limit of the DuckDB engine.")
    )
    run_bytes: VeryMany = pydantic.Field(
        8 * 1024**3, description="Most bytes of files that one commit takes; the rest follow."
    )
    run_files: Many = pydantic.Field(
        5_000, description="Most files that one commit takes; the rest follow."
    )
    max_attempts: Few = pydantic.Field(
        3, description="Failures after which a file is dead-lettered and no longer retried."
    )
    step_retries: Annotated[int, pydantic.Field(ge=0, le=100)] = pydantic.Field(
        2, description="How often Dagster tries a failed step again; never in `sequen-dagster run`."
    )
    quarantine_days: Days | None = pydantic.Field(
        None, description="Days after which the text of quarantined records is dropped."
    )
    lock_timeout_seconds: LongWait = pydantic.Field(
        600, description="How long to wait for another writer, in seconds."
    )
    sensors: bool = pydantic.Field(
        True, description="Whether sensors and the daily schedule start switched on."
    )
    tick_seconds: Interval = pydantic.Field(
        30, description="Interval between two ticks of a sensor, in seconds."
    )
    quiet_seconds: Wait = pydantic.Field(
        30, description="How long a file must not change before a sensor takes it, in seconds."
    )
    runs_per_tick: Few = pydantic.Field(
        2, description="Most runs that take in files at a time when a sensor starts them."
    )
    retry_seconds: Wait = pydantic.Field(
        60, description="Wait before a failed file is tried again, doubled with each failure."
    )
    publish_minutes: Annotated[int, pydantic.Field(ge=1, le=59)] = pydantic.Field(
        5, description="Least time between two publications that sensors start, in minutes."
    )
    fresh_within_hours: Hours = pydantic.Field(
        26, description="Age of the newest commit and publication above which a check warns."
    )
    owners: Owners = pydantic.Field(
        ("team:data-engineering",),
        description="Who answers for the assets: e-mail addresses, or `team:` and a name.",
    )
    steps_as_assets: bool = pydantic.Field(
        False,
        description="Whether the steps that lead to the tables are assets of Dagster as well.",
    )
    dbt_debug_log: bool = pydantic.Field(
        False, description="Whether dbt writes all that it does to dbt/target/dbt.log; slower."
    )
    failure_webhook: pydantic.SecretStr | None = pydantic.Field(
        None, description="Address that gets a JSON message when a run fails."
    )
    daily_at: Annotated[str, pydantic.Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = pydantic.Field(
        "04:00", description="When the daily run starts, hh:mm UTC."
    )

    @pydantic.field_validator("failure_webhook")
    @classmethod
    def _webhook_is_safe(cls, webhook: pydantic.SecretStr | None) -> pydantic.SecretStr | None:
        if webhook is not None:
            address = urlsplit(webhook.get_secret_value())
            is_local = address.hostname in ("localhost", "127.0.0.1", "::1")
            if address.scheme != "https" and not (address.scheme == "http" and is_local):
                # Without the address: it is a secret.
                message = "must begin with https:// (http:// only for this machine)"
                raise ValueError(message)
        return webhook


# The bases in reverse: fields are listed from the last base to the first.
class SequenSettings(
    RunningSettings, ReportsSettings, MartsSettings, ContractSettings, LocationSettings
):
    """Everything a user can set, with the defaults of the design.

    Relative paths count from the working directory, or from `base` in `load_settings`.

    Example:
        >>> SequenSettings(session_timeout_minutes=45).mart_vars()["sequen_session_timeout_minutes"]
        45
    """


def fingerprint(facts: dict[str, Any]) -> str:
    """The first 16 hex digits of the sha256 of `facts` as sorted JSON."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
