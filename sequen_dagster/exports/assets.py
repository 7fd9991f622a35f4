"""Exports: `raw_events`, the files as somebody else's asset that we only observe."""

import dagster as dg

from sequen_dagster.settings import SequenSettings

RAW_EVENTS = dg.AssetKey("raw_events")
# Of the assets of every stage.
OWNERS = ["team:data-engineering"]


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
                "Raw event exports as they arrive: JSON Lines, JSON, CSV or Parquet, plain, gzip "
                "or zstd. Nothing here is ever moved or deleted."
            ),
            metadata={"exports": places},
        )
    ]
