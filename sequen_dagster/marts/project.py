"""Marts: the dbt project that ships with the package, its profile and its manifest.

Nothing is ever written into the package: profile, manifest, targets and logs live in the home.
"""

import hashlib
import importlib.resources
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import yaml

from sequen_dagster.errors import BuildError, SettingsError
from sequen_dagster.home.durable import writing
from sequen_dagster.home.layout import Home
from sequen_dagster.marts.parsing import ParsedProject, hash_sources, parse_project
from sequen_dagster.marts.warehouse import engine_options
from sequen_dagster.settings import MartsSettings, SequenSettings

# Dbt's manifest as it is in JSON.
Manifest = Mapping[str, Any]  # Any: dbt's own
# Made when the wheel is built; in a checkout by `make setup`, as long as no file changes.
SHIPPED: Final = ParsedProject(Path(__file__).with_name("parsed"))
_PLUGINS: Final = ("sequen_dagster.compat.dbt_duckdb_path",)


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


def load_manifest(settings: SequenSettings) -> Manifest:
    """Dbt's manifest of the project, which is the same for all settings and releases of dbt.

    Raises:
        BuildError: dbt cannot parse the project.
    """
    parsed = SHIPPED if SHIPPED.is_of(project_dir()) else parsed_project(settings)
    manifest: Manifest = json.loads(parsed.manifest.read_text(encoding="utf-8"))
    return manifest


def parsed_project(settings: SequenSettings) -> ParsedProject:
    """The project as the installed dbt has parsed it: as it came with the package, or in the home.

    Only who has changed the project's files, or has other releases of dbt than those that the
    package was built with, waits for dbt to parse, once.

    Raises:
        BuildError: dbt cannot parse the project.
        StorageError: the home cannot be written.
    """
    project = project_dir()
    home = Home(settings.home)
    own = ParsedProject(home.dbt.parsed)
    for parsed in (SHIPPED, own):
        if parsed.is_for_dbt() and parsed.is_of(project):
            return parsed
    home.make()
    with writing("dbt's manifest", own.folder):
        try:
            parse_project(project, own)
        except ValueError as error:
            raise BuildError(str(error)) from error
    return own


def model_names(manifest: Manifest) -> frozenset[str]:
    """Names of the models that dbt builds."""
    return frozenset(node["name"] for node in _read_nodes(manifest, "model"))


def relation_names(manifest: Manifest) -> frozenset[str]:
    """The tables and views that dbt leaves, seeds included, as `schema.name`."""
    return frozenset(
        f"{node['schema']}.{node['alias']}"
        for node in _read_nodes(manifest, "model", "seed")
        if node["config"]["materialized"] != "ephemeral"
    )


def _read_nodes(manifest: Manifest, *resource_types: str) -> list[Manifest]:
    return [node for node in manifest["nodes"].values() if node["resource_type"] in resource_types]


def tables_fingerprint(settings: MartsSettings) -> str:
    """Names what decides the tables: the marts' settings, all SQL and the seeds."""
    return _hash_with_settings(settings, hash_sources(project_dir(), ("*.sql", "*.csv")))


def sources_fingerprint(settings: MartsSettings) -> str:
    """Names what decides what dbt says of the tables: all of the project, and its settings."""
    return _hash_with_settings(settings, hash_sources(project_dir()))


def _hash_with_settings(settings: MartsSettings, sources: str) -> str:
    return hashlib.sha256(f"{settings.marts_fingerprint()},{sources}".encode()).hexdigest()


def vars_arguments(settings: MartsSettings) -> list[str]:
    """The marts' settings as arguments of dbt. The same for every call: others mean a new parse."""
    return ["--vars", yaml.safe_dump(settings.mart_vars(), default_flow_style=True, width=10_000)]


def _escape_path(path: str) -> str:
    """A path without what dbt would take for a template, or dbt-duckdb for an address.

    The plugin `dbt_duckdb_path` turns it back before the file is opened.
    """
    # The percent sign first: it begins the others.
    for character in "%#{":
        path = path.replace(character, quote(character))
    return path
