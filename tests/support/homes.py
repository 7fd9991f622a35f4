"""Homes and their exports, for tests of the lake and all later stages."""

import json
import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sequen_dagster.settings import SequenSettings, load_settings
from support.builders import RECEIVED_AT


def settings_of(tmp_path: Path, **overrides: Any) -> SequenSettings:
    """Settings with an exports folder and a home of their own."""
    exports = tmp_path / "exports"
    exports.mkdir(exist_ok=True)
    return load_settings(tmp_path, home=tmp_path / "home", exports=exports, workers=1, **overrides)


@dataclass(frozen=True)
class Kept:
    """A home and its exports that can be restored.

    They keep their path, so that dbt need not parse its project for another one.
    """

    settings: SequenSettings

    def __post_init__(self) -> None:
        shutil.copytree(self._folder, self._copy)

    @property
    def _folder(self) -> Path:
        return self.settings.home.parent

    @property
    def _copy(self) -> Path:
        return self._folder.with_name(f"{self._folder.name} kept")

    def put_back(self) -> SequenSettings:
        """Restore both as they were first."""
        shutil.rmtree(self._folder)
        shutil.copytree(self._copy, self._folder)
        return self.settings


def write_events(settings: SequenSettings, path: str, *events: dict[str, Any]) -> Path:
    """Write events as a JSON Lines export whose modified time is `RECEIVED_AT`."""
    return write_text(settings, path, "".join(f"{json.dumps(one)}\n" for one in events))


def write_text(settings: SequenSettings, path: str, text: str) -> Path:
    """Write an export whose modified time is `RECEIVED_AT`."""
    target = settings.sources[0].exports / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    set_modified_at(target, RECEIVED_AT)
    return target


def set_modified_at(path: Path, modified_at: datetime) -> None:
    """Set a file's modified time."""
    seconds = modified_at.replace(tzinfo=UTC).timestamp()
    os.utime(path, (seconds, seconds))
