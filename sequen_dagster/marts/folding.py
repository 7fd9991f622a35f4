"""Marts: the graph of what people open, without the steps on the way there."""

from collections.abc import Iterator, Set
from typing import Final

from sequen_dagster.marts.project import Manifest
from sequen_dagster.marts.translator import access_of

_MODELS: Final = ("model", "seed")


def fold_steps(manifest: Manifest) -> Manifest:
    """Leave the steps out of dbt's manifest, and hang each table on what its steps hang on.

    Args:
        manifest: from `load_manifest`.

    Returns:
        The manifest for Dagster alone: dbt still builds every step.

    Example:
        >>> step = {"resource_type": "model", "config": {"schema": "intermediate"}}
        >>> table = {"resource_type": "model", "config": {}, "depends_on": {"nodes": ["step"]}}
        >>> nodes = {"step": {**step, "depends_on": {"nodes": ["source"]}}, "table": table}
        >>> fold_steps({"nodes": nodes})["parent_map"]
        {'table': ['source']}
    """
    nodes = manifest["nodes"]
    steps = {
        unique_id
        for unique_id, node in nodes.items()
        if node["resource_type"] in _MODELS and access_of(node) == "internal"
    }
    parents = _Ancestry(nodes, steps).parents()
    children: dict[str, list[str]] = {}
    for unique_id, above in parents.items():
        for parent in above:
            children.setdefault(parent, []).append(unique_id)
    folded = {
        unique_id: {**nodes[unique_id], "depends_on": {"macros": [], "nodes": above}}
        for unique_id, above in parents.items()
    }
    return {**manifest, "nodes": folded, "parent_map": parents, "child_map": children}


class _Ancestry:
    """What the nodes of a manifest hang on.

    Args:
        nodes: of the manifest.
        steps: those that are left out.
    """

    def __init__(self, nodes: Manifest, steps: Set[str]) -> None:
        self._nodes = nodes
        self._steps = steps
        self._found: dict[str, frozenset[str]] = {}

    def parents(self) -> dict[str, list[str]]:
        """What each node hangs on that is not a step.

        Of what it reaches through steps alone, it hangs on what none of its parents hang on.
        """
        return {
            unique_id: self._find_parents(unique_id)
            for unique_id in self._nodes
            if unique_id not in self._steps
        }

    def _find_parents(self, unique_id: str) -> list[str]:
        own = [parent for parent in self._read_parents(unique_id) if parent not in self._steps]
        near = dict.fromkeys([*own, *self._find_beyond_steps(unique_id)])
        far = {above for parent in near for above in self._find_ancestors(parent)}
        return [parent for parent in near if parent in own or parent not in far]

    def _find_beyond_steps(self, unique_id: str) -> Iterator[str]:
        for parent in self._read_parents(unique_id):
            if parent in self._steps:
                yield from self._find_beyond_steps(parent)
            else:
                yield parent

    def _find_ancestors(self, unique_id: str) -> frozenset[str]:
        if unique_id not in self._found:
            above = self._read_parents(unique_id)
            self._found[unique_id] = frozenset(above).union(*map(self._find_ancestors, above))
        return self._found[unique_id]

    def _read_parents(self, unique_id: str) -> list[str]:
        # Sources are not among the nodes, and hang on nothing.
        found: list[str] = self._nodes.get(unique_id, {}).get("depends_on", {}).get("nodes", [])
        return found
