"""Exports: what a record or a file may be at most, as the settings say it."""

from dataclasses import dataclass
from typing import Self

from sequen_dagster.settings import EVENTS_KEYS, ContractSettings, HivePartitions
from sequen_dagster.settings.absence import NONE_WORDS


@dataclass(frozen=True)
class ReadLimits:
    """Limits and options of reading: what a record or a file may be at most.

    Attributes:
        max_record_bytes: longest record.
        max_compression_ratio: how many times larger than the file its content may be.
        events_keys: keys under which an envelope may hold its events, in order of preference.
        hive_partitions: which names of `name=value` folders are read as fields.
        max_depth: deepest nesting of arrays around records.
        none_words: whole values that mean none in id fields, in lower case.
    """

    max_record_bytes: int = 16 * 1024 * 1024
    max_compression_ratio: int = 250
    events_keys: tuple[str, ...] = EVENTS_KEYS
    hive_partitions: HivePartitions = "reserved"
    max_depth: int = 64
    none_words: tuple[str, ...] = tuple(sorted(NONE_WORDS))

    @classmethod
    def of(cls, settings: ContractSettings) -> Self:
        """The limits that the settings name."""
        return cls(
            settings.max_record_bytes,
            settings.max_compression_ratio,
            settings.events_keys,
            settings.hive_partitions,
            settings.max_depth,
            tuple(sorted({word.lower() for word in settings.placeholder_ids})),
        )
