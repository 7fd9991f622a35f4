"""Exports: `raw_events`, the files as somebody else's asset that we only observe."""

from collections.abc import Sequence

import dagster as dg

from sequen_dagster.exports.files import Listing
from sequen_dagster.settings import SequenSettings

RAW_EVENTS = dg.AssetKey("raw_events")
# Of the assets of every stage.
OWNERS = ["team:data-engineering"]
# Metadata key: a sentence for each exports place where no file was found or some were passed over.
EXPORTS_FOUND = "exports_found"


def passed_over_metadata(listings: Sequence[Listing]) -> dict[str, dg.MetadataValue | int]:
    """What was passed over in exports places, by pattern or reason; empty where nothing was.

    Args:
        listings: one a source.
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
    """The same, with how many files were found, and the sentences of `EXPORTS_FOUND`."""
    found = [str(listing) for listing in listings if listing.is_reportable]
    return {
        **passed_over_metadata(listings),
        "files_found": sum(len(listing.files) for listing in listings),
        EXPORTS_FOUND: dg.MetadataValue.json(found),
    }


def build_exports_assets(settings: SequenSettings) -> list[dg.AssetSpec]:
    """The external asset that stands for the exports places.

    Make your own asset that writes export files its upstream by depending on `raw_events`'s key.
    """
    places = ", ".join(f"{source.name}: {source.exports}" for source in settings.sources)
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
            metadata={"exports": places},
        )
    ]
