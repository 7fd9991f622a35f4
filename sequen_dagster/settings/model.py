"""The one settings class: values from code or `SEQUEN_*` variables; bad ones fail here."""

import csv
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

import fsspec
import pydantic
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from upath import UPath

from sequen_dagster.errors import SettingsError
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
    no_field,
)
from sequen_dagster.settings.completeness import AttributeOverride, Overrides, read_overrides

# Raised whenever the meaning of the marts changes, so that old tables are refreshed in full.
RULES_VERSION: Final = 2
NAME_PATTERN: Final = r"^[a-z][a-z0-9_]{0,62}$"
FIELD_PATTERN: Final = r"^[A-Za-z_][A-Za-z0-9_]{0,62}(\.[A-Za-z_][A-Za-z0-9_]{0,62}){0,3}$"

# What lies beside exports and holds no events: markers of writers, unfinished uploads, papers.
EXCLUDED: Final = (
    ".*", "_SUCCESS", "_committed_*", "_started_*", "_temporary", "_delta_log",
    "*manifest*.json", "*.tmp", "*.part", "*.crc", "*.md", "*.sha256", "README*",
)  # fmt: skip

# `local` is what a path without a scheme means.
STORES: Final = ("s3", "gs", "abfs")
_EXTRAS: Final = {"s3": "s3", "gs": "gcs", "abfs": "azure"}

# Keys under which an envelope may hold its events.
EVENTS_KEYS: Final = ("events", "batch", "data", "payload", "records")

# What is given as None is set to none, and not left at its default.
_NONE_HAS_A_MEANING: Final = ("order_field",)

SessionRule = Literal["given", "inactivity"]
CompleteWhen = Literal["stable", "success_marker", "manifest"]
Name = Annotated[str, pydantic.Field(pattern=NAME_PATTERN)]
FieldPath = Annotated[str, pydantic.Field(pattern=FIELD_PATTERN)]
OptionalFieldPath = Annotated[FieldPath | None, pydantic.BeforeValidator(no_field)]
HivePartitions = Literal["reserved", "all", "off"]


def _place(given: Any) -> Any:
    # Any: whatever a user may have written; pydantic refuses what is no path.
    text = os.fspath(given) if isinstance(given, os.PathLike) else given
    if not isinstance(text, str) or "://" not in text:
        return given
    scheme, _, rest = text.partition("://")
    if scheme not in STORES:
        message = f"must be a folder or begin with one of {', '.join(STORES)}; got {scheme}://"
        raise ValueError(message)
    if "@" in rest.partition("/")[0] and scheme != "abfs":
        message = "must hold no user or key; give the store's credentials by its own variables"
        raise ValueError(message)
    try:
        fsspec.get_filesystem_class(scheme)
    except ImportError as error:
        message = f"{scheme}:// needs an extra: pip install 'sequen-dagster[{_EXTRAS[scheme]}]'"
        raise ValueError(message) from error
    return UPath(text)


def _from_json(given: Any) -> Any:
    """What a variable or `--set` gives as text: JSON, or names separated by commas."""
    # Any: whatever a user may have written; pydantic refuses what does not fit.
    if not isinstance(given, str):
        return given
    if given.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(given)
        except ValueError as error:
            message = f"is no JSON: {error}"
            raise ValueError(message) from error
    return [name.strip() for name in given.split(",") if name.strip()]


Location = Annotated[Path | UPath, pydantic.BeforeValidator(_place)]
Texts = Annotated[tuple[str, ...], NoDecode, pydantic.BeforeValidator(_from_json)]


class Source(pydantic.BaseModel):
    """One place that exports arrive in.

    Attributes:
        name: what `source` says on every event; lower case, letters, digits and underscores.
        exports: the folder, searched recursively; or one file; or `s3://`, `gs://`, `abfs://` and
            a prefix, with the store's credentials taken from its own environment variables.
        include: file name patterns that are read (of the name, or of the path under `exports`).
        exclude: patterns of what is passed over and counted, such as markers and unfinished
            uploads; they count on every name of the path, folders too.
        complete_when: how the sensor knows that a file is whole: `stable` (it does not change),
            `success_marker` (a folder on its way holds `_SUCCESS`), or `manifest` (a
            `_manifest.json` in its folder names it with its size).
        follow_links: whether symbolic links are followed, each real file once.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    name: Name = "default"
    exports: Location = Path("exports")
    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = EXCLUDED
    complete_when: CompleteWhen = "stable"
    follow_links: bool = False


class SequenSettings(pydantic.BaseModel):
    """Everything a user can set, with the defaults of the design.

    Relative paths count from the working directory, or from `base` in `load_settings`.

    Example:
        >>> SequenSettings(session_timeout_minutes=45).mart_vars()["sequen_session_timeout_minutes"]
        45
    """

    # Errors show no input: it may be a secret.
    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    home: Path = pydantic.Field(
        Path(".sequen"), description="Directory that holds everything the pipeline writes."
    )
    sources: tuple[Source, ...] = pydantic.Field(
        (Source(),), min_length=1, description="Places that exports arrive in."
    )
    # contract
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
    placeholder_ids: Texts = pydantic.Field(
        NONE_WORDS, description="Words that mean none in every id field, in any case."
    )
    placeholder_identities: Texts = pydantic.Field(
        ANONYMOUS_WORDS, description="Words that name no person in uid, sid and cid, in any case."
    )
    # marts
    session_timeout_minutes: Minutes = pydantic.Field(
        30, description="Inactivity, in minutes, beyond which a new derived session starts."
    )
    session_rule: SessionRule = pydantic.Field(
        "given", description="`given` honours sid; `inactivity` ignores it."
    )
    stitching: bool = pydantic.Field(
        True, description="Whether anonymous events are joined to the user they belong to."
    )
    max_users_per_device: Many = pydantic.Field(
        20,
        description="Most users on a cid, and users or cids on a sid; with more it is no person's.",
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
    # reports
    completeness: Annotated[Overrides, NoDecode, pydantic.BeforeValidator(_from_json)] = (
        pydantic.Field(
            default_factory=dict, description="What is changed of the attributes of completeness."
        )
    )
    completeness_file: Path | None = pydantic.Field(
        None, description="The same as a csv file with the columns of the seed."
    )
    breakdowns: Annotated[
        tuple[FieldPath, ...],
        NoDecode,
        pydantic.BeforeValidator(_from_json),
        pydantic.Field(max_length=2),
    ] = pydantic.Field(
        (), description="Custom fields, such as app.version, whose values the report tells apart."
    )
    report_samples: Annotated[int, pydantic.Field(ge=0, le=5)] = pydantic.Field(
        0, description="Masked values of each custom field that the report shows."
    )
    fail_below_accepted_percent: Percent = pydantic.Field(
        0, description="Accepted share, in percent, below which a run counts as failed."
    )
    dbt_docs: bool = pydantic.Field(
        True, description="Whether dbt's docs are published; takes seconds where they changed."
    )
    # running
    workers: Few = pydantic.Field(
        min(os.cpu_count() or 1, 8), description="Processes that read and judge files side by side."
    )
    memory_limit: Annotated[str, pydantic.Field(pattern=r"^[0-9]+(\.[0-9]+)?(MB|GB)$")] = (
        pydantic.Field("2GB", description="Memory limit of the DuckDB engine.")
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
        30, description="How often the sensors look, in seconds."
    )
    quiet_seconds: Wait = pydantic.Field(
        30, description="How long a file must look the same before a sensor takes it, in seconds."
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

    @pydantic.model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [source.name for source in self.sources]
        if len(set(names)) != len(names):
            message = f"source names must differ, got {names}"
            raise ValueError(message)
        return self

    def resolved(self, base: Path) -> Self:
        """A copy whose paths are absolute, counted from `base`, and whose file has been read.

        `completeness` then says all that is changed: by the file, and over that by itself.

        Raises:
            SettingsError: `completeness_file` cannot be read, or is wrong.
        """
        sources = tuple(
            source.model_copy(update={"exports": (base / source.exports).resolve()})
            if isinstance(source.exports, Path)
            else source
            for source in self.sources
        )
        update: dict[str, Any] = {"home": (base / self.home).resolve(), "sources": sources}
        if self.completeness_file is not None:
            path = (base / self.completeness_file).resolve()
            overrides = _read_completeness(path)
            for attribute, override in self.completeness.items():
                overrides[attribute] = override.over(overrides.get(attribute, AttributeOverride()))
            update |= {"completeness_file": path, "completeness": overrides}
        return self.model_copy(update=update)

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


class _EnvironmentSettings(SequenSettings, BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="SEQUEN_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    exports: Location | None = None
    follow_links: bool | None = None


def load_settings(base: Path, **overrides: Any) -> SequenSettings:
    """Settings from `overrides`, then `SEQUEN_*` variables, then the defaults.

    Use it in a `definitions.py`; `exports` and `follow_links` (or `SEQUEN_EXPORTS` and
    `SEQUEN_FOLLOW_LINKS`) are short for one source.

    Args:
        base: directory that relative paths count from.
        **overrides: settings by name; `None` means "not given", but for `order_field`, where it
            means that no field names an order, as the text `null` does.

    Returns:
        Settings with absolute paths.

    Raises:
        SettingsError: a value is wrong; the message names the setting and what it may be.
    """
    given = {
        name: value
        for name, value in overrides.items()
        if value is not None or name in _NONE_HAS_A_MEANING
    }
    unknown = sorted(set(given) - set(_EnvironmentSettings.model_fields))
    if unknown:
        known = ", ".join(sorted(_EnvironmentSettings.model_fields))
        message = f"Bad settings. There is no {', '.join(unknown)}; there are {known}."
        raise SettingsError(message)
    try:
        loaded = _EnvironmentSettings(**given)
        values = loaded.model_dump(exclude={"exports", "follow_links"}, exclude_unset=True)
        own = loaded.model_dump(include={"exports", "follow_links"}, exclude_none=True)
        if "sources" in values and loaded.follow_links is not None:
            message = "Bad settings. With `sources`, give follow_links to each source."
            raise SettingsError(message)
        if own:
            values.setdefault("sources", (Source(**own),))
        return SequenSettings(**values).resolved(base)
    except pydantic.ValidationError as error:
        raise SettingsError(_explain(error)) from error


def fingerprint(facts: dict[str, Any]) -> str:
    """The first 16 hex digits of the sha256 of `facts` as sorted JSON."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read_completeness(path: Path) -> Overrides:
    try:
        return read_overrides(path)
    except (OSError, UnicodeDecodeError) as error:
        message = f"completeness_file cannot be read: {path} ({error})."
        raise SettingsError(message) from error
    except (ValueError, csv.Error) as error:
        message = f"Bad settings. completeness_file: {error}"
        raise SettingsError(message) from error


def _explain(error: pydantic.ValidationError) -> str:
    lines = [
        f"{'.'.join(str(part) for part in problem['loc']) or 'settings'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False)
    ]
    return "Bad settings. " + "; ".join(re.sub(r"\s+", " ", line) for line in lines)
