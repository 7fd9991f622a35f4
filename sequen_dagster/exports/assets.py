"""Exports: `raw_events`, the export files as an external asset, which is only observed."""

from collections.abc import Sequence

import dagster as dg

from sequen_dagster.exports.files import Listing
from sequen_dagster.names import NAMES
from sequen_dagster.settings import SequenSettings

RAW_EVENTS = dg.AssetKey(NAMES.raw_events)
# Owners of the assets of every stage.
OWNERS = ["team:data-engineering"]
# Metadata key: a sentence for each location where no file was found or some were passed over.
EXPORTS_FOUND = "exports_found"


def passed_over_metadata(listings: Sequence[Listing]) -> dict[str, dg.MetadataValue | int]:
    """Count the files passed over at each location, by pattern or reason; empty where none were.

    Args:
        listings: one for each source.
    """
    counts = {
        listing.source.name: {one.label: one.files for one in listing.passed_over}
        for listing in listings
        if listing.passed_over
    }
    if not counts:
        return {}
    return {
        "files_passed_over": sum(sum(own.values()) for own in counts.values()),
        "passed_over": dg.MetadataValue.json(counts),
    }


def exports_metadata(listings: Sequence[Listing]) -> dict[str, dg.MetadataValue | int]:
    """Count the files found and passed over, with the sentences of `EXPORTS_FOUND`."""
    found = [str(listing) for listing in listings if listing.is_reportable]
    return {
        **passed_over_metadata(listings),
        "files_found": sum(len(listing.files) for listing in listings),
        EXPORTS_FOUND: dg.MetadataValue.json(found),
    }


def build_exports_assets(settings: SequenSettings) -> list[dg.AssetSpec]:
    """Build the external asset that stands for the locations of exports.

    Make your own asset that writes export files its upstream by depending on `raw_events`'s key.
    """
    locations = ", ".join(f"{source.name}: {source.exports}" for source in settings.sources)
    # A path need not be UTF-8, as what Dagster stores has to be.
    locations = locations.encode("utf-8", "backslashreplace").decode()
    return [
        dg.AssetSpec(
            RAW_EVENTS,
            group_name="exports",
            kinds={"json", "file"},
            owners=OWNERS,
            description=(
                "Raw event exports as they arrive: JSON text, CSV, TSV or Parquet, plain or packed "
                "with gzip, zstd, bzip2, xz or lz4. Nothing here is ever moved or deleted."
            ),
            metadata={"exports": locations},
        )
    ]
