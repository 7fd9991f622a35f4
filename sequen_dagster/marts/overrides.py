"""Marts: what a user changes of the attributes of completeness, held against the seed."""

import csv
from pathlib import Path
from typing import Final

from sequen_dagster.errors import SettingsError
from sequen_dagster.marts.project import project_dir
from sequen_dagster.settings import MartsSettings

_SEED: Final = Path("seeds") / "completeness_attributes.csv"


def check_overrides(settings: MartsSettings) -> None:
    """Refuse attributes that are neither in the seed nor whole, and what their kind cannot have.

    Args:
        settings: from `load_settings`, which has read `completeness_file`.

    Raises:
        SettingsError: an attribute lacks something; the message names it and what to give.
    """
    with (project_dir() / _SEED).open(encoding="utf-8", newline="") as handle:
        kinds = {row["attribute"]: row["kind"] for row in csv.DictReader(handle)}
    for attribute, override in settings.completeness.items():
        kind = override.kind or kinds.get(attribute)
        needed = () if attribute in kinds else ("tier", "kind")
        has_detectors = override.detectors or override.more_detectors or attribute in kinds
        missing = [name for name in needed if getattr(override, name) is None]
        missing += [] if has_detectors else ["detectors (or aliases)"]
        is_new_field = kind == "field" and kinds.get(attribute) != "field"
        missing += ["threshold"] if is_new_field and override.threshold is None else []
        if missing:
            message = (
                f"Bad settings. completeness.{attribute}: it needs {', '.join(missing)} as well, "
                f"since the seed has none. Its attributes are {', '.join(sorted(kinds))}."
            )
            raise SettingsError(message)
