"""Exports: `raw_events`, the export files as an external asset, which we see and never write."""

from collections.abc import Mapping, Sequence

import dagster as dg

from sequen_dagster.exports.files import Listing
from sequen_dagster.names import Names
from sequen_dagster.settings import SequenSettings

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


def observed_exports(
    key: dg.AssetKey,
    listings: Sequence[Listing],
    metadata: Mapping[str, dg.MetadataValue | int | str] | None = None,
) -> dg.AssetMaterialization:
    """What was seen at the locations, as an event of `raw_events`.

    A materialization, though nothing of ours makes the files: of an external asset that is only
    observed, the graph would always say that it was never materialized.

    Args:
        key: of `raw_events`.
        listings: one for each source.
        metadata: what else is known of the files.
    """
    files = [file for listing in listings for file in listing.files]
    newest = max((file.modified_at for file in files), default=None)
    return dg.AssetMaterialization(
        key,
        metadata={
            **passed_over_metadata(listings),
            "files": len(files),
            "bytes": sum(file.size_bytes for file in files),
            **({"newest": newest.isoformat()} if newest else {}),
            **(metadata or {}),
        },
    )


def exports_specs(
    settings: SequenSettings, names: Names, *, upstream: Sequence[dg.AssetKey] = ()
) -> list[dg.AssetSpec]:
    """The external asset that stands for the locations of exports.

    Args:
        settings: the locations, the home.
        names: of the pipeline.
        upstream: keys of assets that write the files.
    """
    locations = ", ".join(f"{source.name}: {source.exports}" for source in settings.sources)
    # A path need not be UTF-8, as what Dagster stores has to be.
    locations = locations.encode("utf-8", "backslashreplace").decode()
    return [
        dg.AssetSpec(
            names.raw_events,
            deps=upstream,
            group_name=names.group("exports"),
            kinds={"json", "file"},
            owners=list(settings.owners),
            tags={names.access_tag: "public"},
            description=(
                "Raw event exports as they arrive: JSON text, CSV, TSV or Parquet, plain or packed "
                "with gzip, zstd, bzip2, xz or lz4. Nothing here is ever moved or deleted."
            ),
            metadata={
                "exports": locations,
                # Where all that is made of them lies.
                "home": dg.MetadataValue.path(str(settings.home)),
            },
        )
    ]
