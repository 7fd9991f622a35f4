"""Which files each picture of the docs shows, and whether it is older than they are.

`make screenshots` takes the pictures and records a hash of what each shows, in
`docs/images/shown.json`. A picture is out of date where the hash of today is another. Python counts
without its comments and layout.
"""

import ast
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent.parent
IMAGES: Final = ROOT / "docs" / "images"
RECORD: Final = IMAGES / "shown.json"

_PACKAGE: Final = "sequen_dagster"
_REPORT: Final = (
    f"{_PACKAGE}/reports/templates/**/*.*",
    *(
        f"{_PACKAGE}/reports/{module}.py"
        for module in ("charts", "page", "readiness", "releases", "rendering", "trends")
    ),
    "dbt_project/seeds/*.csv",
)
_TABLE: Final = (
    "dbt_project/models/marts/_marts__models.yml",
    "dbt_project/models/marts/_marts*__docs.md",
    "dbt_project/models/marts/fct_sessions.sql",
)
SHOWN: Final[Mapping[str, tuple[str, ...]]] = {
    "asset.png": (*_TABLE, f"{_PACKAGE}/marts/assets.py", f"{_PACKAGE}/marts/translator.py"),
    "dbt-docs.png": (*_TABLE, f"{_PACKAGE}/reports/dbt_docs.py"),
    "demo.png": (f"{_PACKAGE}/cli/run_summary.py", f"{_PACKAGE}/simulate/*.py"),
    "graph.png": (f"{_PACKAGE}/*/assets.py", f"{_PACKAGE}/marts/translator.py"),
    "host.png": (f"{_PACKAGE}/graph.py", f"{_PACKAGE}/names.py", f"{_PACKAGE}/definitions.py"),
    "report-dark.png": _REPORT,
    "report-light.png": _REPORT,
    "report-phone.png": _REPORT,
    "sensors.png": (f"{_PACKAGE}/triggers/*.py", f"{_PACKAGE}/marts/conditions.py"),
}


def fingerprint(picture: str, root: Path = ROOT) -> str:
    """The hash of everything that a picture shows (16 hex digits)."""
    digest = hashlib.sha256()
    for path in _files(picture, root):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(_content(path))
    return digest.hexdigest()[:16]


def _files(picture: str, root: Path) -> Iterator[Path]:
    for pattern in SHOWN[picture]:
        found = sorted(path for path in root.glob(pattern) if path.is_file())
        if not found:
            message = f"{picture} shows {pattern}, which is not there. Correct SHOWN."
            raise FileNotFoundError(message)
        yield from found


def _content(path: Path) -> bytes:
    if path.suffix == ".py":
        return ast.dump(ast.parse(path.read_text(encoding="utf-8"))).encode()
    return path.read_bytes()


def read_recorded() -> dict[str, str]:
    """The hashes of what the pictures showed when they were taken."""
    recorded: dict[str, str] = json.loads(RECORD.read_text(encoding="utf-8"))
    return recorded


def record_shown() -> None:
    """Write the hashes of today down, since all pictures have just been taken."""
    hashes = {picture: fingerprint(picture) for picture in sorted(SHOWN)}
    RECORD.write_text(json.dumps(hashes, indent=2) + "\n", encoding="utf-8")
