"""Marts: what dbt makes of the project when it parses it.

In: a dbt project. Out: a folder with dbt's manifest, as JSON for Dagster and as dbt itself reads
it. No setting has a part in it: settings become vars when models are compiled. So the wheel carries
the folder, and an installation never waits for dbt to parse. The build of the wheel loads this
module by its path; it imports nothing of the package.

Upstream: dbt-core 1.11 has no public way to keep what `dbtRunner` takes as its manifest; this is
how its own partial parsing does it.
"""

import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

# Doc blocks lie in Markdown.
_SOURCES: Final = ("*.sql", "*.yml", "*.csv", "*.md")
# The database has the name of the warehouse's file.
_PROFILE: Final = """
sequen:
  target: parse
  outputs:
    parse: {type: duckdb, path: warehouse.duckdb, schema: main}
"""
_FOLDERS: Final = ("models", "macros", "seeds", "tests")


@dataclass(frozen=True)
class ParsedProject:
    """The folder with a parsed project."""

    folder: Path

    @property
    def manifest(self) -> Path:
        """Dbt's manifest as JSON."""
        return self.folder / "project.json"

    @property
    def packed(self) -> Path:
        """Dbt's manifest as dbt itself keeps it, which only the very same dbt can read."""
        return self.folder / "project.msgpack"

    @property
    def stamp(self) -> Path:
        """What the manifest was made of."""
        return self.folder / "stamp.json"

    def is_of(self, project: Path) -> bool:
        """Whether it was made of the files of a project, by whatever release of dbt."""
        return self.manifest.exists() and self._read_stamp().get("sources") == hash_sources(project)

    def is_for_dbt(self) -> bool:
        """Whether the dbt that is installed can read `packed`."""
        return self.packed.exists() and self._read_stamp().get("dbt") == _dbt_releases()

    def _read_stamp(self) -> dict[str, str]:
        try:
            stamp: dict[str, str] = json.loads(self.stamp.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return stamp


def list_sources(project: Path, patterns: tuple[str, ...]) -> list[Path]:
    """The files of a project that decide what dbt makes of it, in a fixed order."""
    folders = [project / name for name in _FOLDERS]
    files = {path for folder in folders for pattern in patterns for path in folder.rglob(pattern)}
    return sorted({*files, project / "dbt_project.yml"})


def hash_sources(project: Path, patterns: tuple[str, ...] = _SOURCES) -> str:
    """Names what a project's files say (sha256)."""
    digest = hashlib.sha256()
    for source in list_sources(project, patterns):
        digest.update(source.relative_to(project).as_posix().encode())
        digest.update(source.read_bytes())
    return digest.hexdigest()


def parse_project(project: Path, target: ParsedProject) -> None:
    """Have dbt parse a project, in this process, which takes some seconds.

    No path gets into the result: `read_manifest` and Dagster know where the project lies.

    Args:
        project: the dbt project, which is not written to.
        target: where the result goes; the stamp is written last.

    Raises:
        ValueError: dbt cannot parse it, with its message.
    """
    from dbt.cli.main import dbtRunner  # two seconds, which few callers need
    from dbt.parser.manifest import extended_mashumaro_encoder

    shutil.rmtree(target.folder, ignore_errors=True)
    target.folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="sequen-parse-") as made:
        Path(made, "profiles.yml").write_text(_PROFILE, encoding="utf-8")
        result = dbtRunner().invoke(
            [
                *("--quiet", "--log-level", "none", "--log-level-file", "none"),
                *("--no-send-anonymous-usage-stats", "parse", "--no-partial-parse"),
                *("--project-dir", str(project), "--profiles-dir", made),
                *("--target-path", made, "--log-path", made),
            ]
        )
        if not result.success or not hasattr(result.result, "nodes"):
            message = f"dbt cannot parse the project: {result.exception}"
            raise ValueError(message)
        manifest: Any = result.result  # dbt's Manifest, whose fields are typed for dbt's own use
        # What only partial parsing uses, and what is built again when it is read.
        manifest.files = {}
        manifest.flat_graph = {}
        for node in manifest.nodes.values():
            if hasattr(node, "root_path"):
                node.root_path = None
        target.packed.write_bytes(manifest.to_msgpack(extended_mashumaro_encoder))
        shown = manifest.writable_manifest().to_dict(omit_none=False)
        target.manifest.write_text(json.dumps(shown, separators=(",", ":")), encoding="utf-8")
    stamp = {"sources": hash_sources(project), "dbt": _dbt_releases()}
    target.stamp.write_text(json.dumps(stamp), encoding="utf-8")


def read_manifest(parsed: ParsedProject, project: Path) -> Any:  # dbt's Manifest
    """The parsed project as dbt takes it from who calls it; a new one for every call of dbt.

    Args:
        parsed: one that `is_for_dbt`.
        project: where the project lies, for its seeds.
    """
    from dbt.contracts.graph.manifest import Manifest  # as above
    from dbt.parser.manifest import extended_mashumuro_decoder

    manifest: Any = Manifest.from_msgpack(parsed.packed.read_bytes(), extended_mashumuro_decoder)
    for node in manifest.nodes.values():
        if hasattr(node, "root_path"):
            node.root_path = str(project)
    manifest.build_flat_graph()
    return manifest


def _dbt_releases() -> str:
    packages = ("dbt-core", "dbt-adapters", "dbt-common", "dbt-duckdb")
    return ", ".join(f"{package} {version(package)}" for package in packages)
