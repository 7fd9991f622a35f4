"""Reports: the folder of what people open, and how a text file in it is replaced."""

import os
from pathlib import Path

from sequen_dagster.checkpoints import checkpoint
from sequen_dagster.lake.commits import fsync_folder
from sequen_dagster.lake.storage import writing
from sequen_dagster.settings import SequenSettings


def serving_dir(settings: SequenSettings) -> Path:
    """The folder of what people open."""
    return settings.home / "serving"


def write_in_place(target: Path, content: str | bytes) -> None:
    """Replace a file so that readers see the old or the new one, never a part.

    Raises:
        StorageError: it cannot be written; the old one is still in place.
    """
    unfinished = target.with_name(f".{target.name}.tmp")
    with writing(f"the file {target.name}", target.parent, about_bytes=len(content)):
        try:
            with unfinished.open("wb") as handle:
                handle.write(content.encode() if isinstance(content, str) else content)
                handle.flush()
                os.fsync(handle.fileno())
            checkpoint("reports.report_written", target.name)
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)
        fsync_folder(target.parent)
    checkpoint("reports.report_replaced", target.name)
