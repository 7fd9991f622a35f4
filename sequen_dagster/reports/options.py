"""Reports: what the report needs of the settings."""

from dataclasses import dataclass

from sequen_dagster.lake.validation_rules import ValidationRules
from sequen_dagster.settings import SequenSettings


@dataclass(frozen=True)
class ReportOptions:
    """What the report needs of the settings.

    Attributes:
        recent_days: length of the recent period, in days.
        min_accepted_share: share of records that must be accepted, from 0 to 1.
        sample_count: masked values to show of each custom field.
        memory_limit: how much memory DuckDB may use, such as `2GB`.
        contract_fingerprint: hash of the contract; batches of another one are stale.
        marts_fingerprint: hash of the settings that change tables.
    """

    recent_days: int
    min_accepted_share: float
    sample_count: int
    memory_limit: str
    contract_fingerprint: str
    marts_fingerprint: str


def report_options(settings: SequenSettings) -> ReportOptions:
    """Pick from the settings what the report needs."""
    return ReportOptions(
        recent_days=settings.recent_days,
        min_accepted_share=settings.min_accepted_percent / 100,
        sample_count=settings.report_samples,
        memory_limit=settings.memory_limit,
        contract_fingerprint=ValidationRules.of(settings).fingerprint,
        marts_fingerprint=settings.marts_fingerprint(),
    )
