"""What the wheel carries beside its files: the dbt project as dbt has parsed it."""

import runpy
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ParsedProjectHook(BuildHookInterface):  # type: ignore[type-arg]  # of any builder
    """Has dbt parse the project, so that no installation waits for it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Parse before files are listed; an editable install parses when it is first used."""
        if version == "editable":
            return
        marts = Path(self.root, "sequen_dagster", "marts")
        # By its path: the package itself needs more than a build has installed.
        parsing = runpy.run_path(str(marts / "parsing.py"))
        parsed = parsing["ParsedProject"](marts / "parsed")
        parsing["parse_project"](Path(self.root, "dbt_project"), parsed)
        build_data["artifacts"].append("sequen_dagster/marts/parsed/*")
