"""Marts: the dbt project that ships with the package, its profile and its manifest.

Nothing is ever written into the package: profile, manifest, targets and logs live in the home.
"""

import hashlib
import importlib.resources
import json
import os
import subprocess
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Final
from urllib.parse import quote

import yaml

from sequen_dagster.errors import BuildError, SettingsError
from sequen_dagster.home.durable import writing
from sequen_dagster.home.layout import Home
from sequen_dagster.marts.warehouse import engine_options
from sequen_dagster.runtime.parent_watchdog import parent_in_environment
from sequen_dagster.settings import MartsSettings, SequenSettings

# Doc blocks lie in Markdown.
_SOURCES: Final = ("*.sql", "*.yml", "*.csv", "*.md")
_PLUGINS: Final = (
    "sequen_dagster.compat.dbt_duckdb_parent",
    "sequen_dagster.compat.dbt_duckdb_errors",
    "sequen_dagster.compat.dbt_duckdb_path",
)


@cache
def project_dir() -> Path:
    """The dbt project: inside the installed package, or beside it in a checkout."""
    package = Path(str(importlib.resources.files("sequen_dagster")))
    inside = package / "dbt_project"
    return inside if inside.is_dir() else package.with_name("dbt_project")


def write_profile(settings: SequenSettings) -> Path:
    """Write the home's dbt profile: absolute path, locked-down engine; return its folder.

    Raises:
        SettingsError: the home lies within the dbt project.
        StorageError: the home cannot be written.
    """
    if settings.home.is_relative_to(project_dir()):
        message = (
            f"home {str(settings.home)!r} lies within the dbt project, which an upgrade replaces "
            "and Dagster may copy. Choose a place outside."
        )
        raise SettingsError(message)
    home = Home(settings.home).make()
    output = {
        "type": "duckdb",
        "path": _escape_path(str(home.warehouse)),
        "schema": "main",
        "threads": max(2, min(settings.workers, 8)),
        # As config_options, not settings: dbt-duckdb sets the latter again for every cursor, which
        # a locked configuration refuses.
        "config_options": engine_options(settings),
        "plugins": [{"module": module} for module in _PLUGINS],
    }
    profile = {"sequen": {"target": "duckdb", "outputs": {"duckdb": output}}}
    with writing("dbt's profile", home.dbt.root):
        home.dbt.root.mkdir(exist_ok=True)
        home.dbt.profile.write_text(yaml.safe_dump(profile), encoding="utf-8")
    return home.dbt.root


def manifest_path(settings: SequenSettings) -> Path:
    """The project's manifest, parsed again only when its sources, vars or dbt have changed.

    Raises:
        BuildError: dbt cannot parse the project.
    """
    folder = Home(settings.home).dbt
    manifest, stamp = folder.manifest, folder.sources_fingerprint
    wanted = sources_fingerprint(settings)
    if manifest.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return manifest
    write_profile(settings)
    finished = subprocess.run(  # noqa: S603  # our own interpreter and arguments
        dbt_command(settings, "--quiet", "parse"),
        env=dbt_environment(Home(settings.home)),
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode != 0:
        message = f"dbt cannot parse the project: {finished.stdout.strip()[-2000:]}"
        raise BuildError(message)
    stamp.write_text(wanted, encoding="utf-8")
    return manifest


def model_names(manifest: Path) -> frozenset[str]:
    """Names of the tables and views that dbt builds, from `manifest_path`."""
    nodes = json.loads(manifest.read_text(encoding="utf-8"))["nodes"].values()
    return frozenset(node["name"] for node in nodes if node["resource_type"] == "model")


def tables_fingerprint(settings: MartsSettings) -> str:
    """Names what decides the tables: the marts' settings, all SQL and the seeds."""
    return _hash_of(settings, ("*.sql", "*.csv"))


def sources_fingerprint(settings: MartsSettings) -> str:
    """Names what decides dbt's manifest: all of the project, its vars, and the releases of dbt."""
    versions = ",".join(version(package) for package in ("dbt-core", "dbt-duckdb"))
    return hashlib.sha256(f"{versions},{_hash_of(settings, _SOURCES)}".encode()).hexdigest()


def vars_arguments(settings: MartsSettings) -> list[str]:
    """The marts' settings as arguments of dbt. The same for every call: others mean a new parse."""
    return ["--vars", yaml.safe_dump(settings.mart_vars(), default_flow_style=True, width=10_000)]


def dbt_command(settings: MartsSettings, *arguments: str) -> list[str]:
    """A call of dbt by this very interpreter, for `dbt_environment`."""
    return [sys.executable, "-m", "dbt.cli.main", *arguments, *vars_arguments(settings)]


def dbt_environment(home: Home) -> dict[str, str]:
    """The environment that keeps dbt inside the home, and has it end with this process."""
    folder = home.dbt
    return {
        **os.environ,
        **parent_in_environment(),
        "DBT_PROJECT_DIR": str(project_dir()),
        "DBT_PROFILES_DIR": str(folder.root),
        "DBT_TARGET_PATH": str(folder.target),
        "DBT_LOG_PATH": str(folder.target),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def _escape_path(path: str) -> str:
    """A path without what dbt would take for a template, or dbt-duckdb for an address.

    The plugin `dbt_duckdb_path` turns it back before the file is opened.
    """
    # The percent sign first: it begins the others.
    for character in "%#{":
        path = path.replace(character, quote(character))
    return path


def _hash_of(settings: MartsSettings, patterns: tuple[str, ...]) -> str:
    digest = hashlib.sha256(settings.marts_fingerprint().encode())
    root = project_dir()
    folders = [root / "models", root / "macros", root / "seeds", root / "tests"]
    files = {path for folder in folders for pattern in patterns for path in folder.rglob(pattern)}
    for source in sorted({*files, root / "dbt_project.yml"}):
        digest.update(source.relative_to(root).as_posix().encode())
        digest.update(source.read_bytes())
    return digest.hexdigest()
