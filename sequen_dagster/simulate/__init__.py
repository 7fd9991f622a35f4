"""Simulated exports: a seeded shop that writes event files as a real producer would.

In: a `Simulation` (settings and a seed). Out: `exports/<day>/events-<nn>.<format>` in the raw
schema of Sequen, and a `Truth` that says exactly what a correct reading of them must find.
"""

from sequen_dagster.simulate.run import simulate
from sequen_dagster.simulate.settings import (
    DEFAULT_COVERAGES,
    FORMATS,
    Format,
    Simulation,
)
from sequen_dagster.simulate.truth import FileTruth, Truth

__all__ = [
    "DEFAULT_COVERAGES",
    "FORMATS",
    "FileTruth",
    "Format",
    "Simulation",
    "Truth",
    "simulate",
]
