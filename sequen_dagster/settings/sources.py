"""Settings: where exports arrive, and which files there are exports."""

import os
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import fsspec
import pydantic
from upath import UPath

NAME_PATTERN: Final = r"^[a-z][a-z0-9_]{0,62}$"

# What lies beside exports and holds no events: markers of writers, unfinished uploads, papers.
EXCLUDED: Final = (
    ".*", "_SUCCESS", "_committed_*", "_started_*", "_temporary", "_delta_log",
    "*manifest*.json", "*.tmp", "*.part", "*.crc", "*.md", "*.sha256", "README*",
)  # fmt: skip

# `local` is what a path without a scheme means.
STORES: Final = ("s3", "gs", "abfs")
_EXTRAS: Final = {"s3": "s3", "gs": "gcs", "abfs": "azure"}

CompleteWhen = Literal["stable", "success_marker", "manifest"]
Name = Annotated[str, pydantic.Field(pattern=NAME_PATTERN)]


def _read_location(given: Any) -> Any:
    # Any: whatever a user may have written; pydantic refuses what is not a path.
    text = os.fspath(given) if isinstance(given, os.PathLike) else given
    if not isinstance(text, str) or "://" not in text:
        return given
    scheme, _, rest = text.partition("://")
    if scheme not in STORES:
        message = f"must be a folder or begin with one of {', '.join(STORES)}; got {scheme}://"
        raise ValueError(message)
    if "@" in rest.partition("/")[0] and scheme != "abfs":
        message = "must hold no user or key; give the store's credentials by its own variables"
        raise ValueError(message)
    try:
        fsspec.get_filesystem_class(scheme)
    except ImportError as error:
        message = f"{scheme}:// needs an extra: pip install 'sequen-dagster[{_EXTRAS[scheme]}]'"
        raise ValueError(message) from error
    return UPath(text)


Location = Annotated[Path | UPath, pydantic.BeforeValidator(_read_location)]


class Source(pydantic.BaseModel):
    """One location that exports arrive in.

    Attributes:
        name: what `source` says on every event; lower case, letters, digits and underscores.
        exports: the folder, searched recursively; or one file; or `s3://`, `gs://`, `abfs://` and
            a prefix, with the store's credentials taken from its own environment variables.
        include: file name patterns that are read (of the name, or of the path under `exports`).
        exclude: patterns of what is passed over and counted, such as markers and unfinished
            uploads; they count on every name of the path, folders too.
        complete_when: how the sensor knows that a file is whole: `stable` (it has not changed for
            the quiet period), `success_marker` (a folder on its way holds `_SUCCESS`), or
            `manifest` (a `_manifest.json` in its folder names it with its size).
        follow_links: whether symbolic links are followed, each real file once.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    name: Name = "default"
    exports: Location = Path("exports")
    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = EXCLUDED
    complete_when: CompleteWhen = "stable"
    follow_links: bool = False
