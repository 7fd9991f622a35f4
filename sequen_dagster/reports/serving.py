"""Reports: the folder of what people open, and how a text file in it is replaced."""

import os
from pathlib import Path

from sequen_dagster.home.durable import fsync_folder, writing
from sequen_dagster.runtime.fail_points import fail_point
from sequen_dagster.settings import SequenSettings


def serving_dir(settings: SequenSettings) -> Path:
    """The folder of what people open."""
    return settings.home / "serving"


def write_in_place(target: Path, text: str) -> None:
    """Replace a text file so that readers see the old or the new one, never a part.

    Raises:
        StorageError: it cannot be written; the old one is still in place.
    """
    unfinished = target.with_name(f".{target.name}.tmp")
    with writing(f"the file {target.name}", target.parent, about_bytes=len(text)):
        try:
            with unfinished.open("w", encoding="utf-8") as handle:
                handle.write(text)
                handle.flush()
                os.fsync(handle.fileno())
            fail_point("reports.report_written", target.name)
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)
        fsync_folder(target.parent)
    fail_point("reports.report_replaced", target.name)
