"""What `dagster dev` loads: the whole pipeline, configured by `SEQUEN_*` variables."""

from pathlib import Path

import dagster as dg

from sequen_dagster.definitions import build_definitions
from sequen_dagster.settings import load_settings


@dg.definitions
def definitions() -> dg.Definitions:
    """The assets, checks, sensors and schedules of one home.

    Relative paths of the settings count from this file's directory.
    """
    return build_definitions(load_settings(Path(__file__).parent))
