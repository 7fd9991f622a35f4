"""Contract: the lineage that every row of a file carries."""

from dataclasses import dataclass, field
from datetime import datetime

from sequen_dagster.contract import scalars


@dataclass(frozen=True)
class Origin:
    """The file that records come from, and when it arrived.

    Attributes:
        source: name of the source.
        source_file: path under the location of the source.
        received_at: arrival time of the file, UTC without zone.
        is_text_format: whether numbers are text by nature, as in a frame read from CSV; for files
            the reader decides that.
    """

    source: str = "default"
    source_file: str = ""
    received_at: datetime = field(default_factory=scalars.utc_now)
    is_text_format: bool = False
