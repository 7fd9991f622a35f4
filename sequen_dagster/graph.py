"""The assets of one pipeline as a code location has them: keys, groups, owners, edges, checks.

Each stage says what its assets are by themselves, and a translator, what becomes of them here. All
else that is said of an asset, in a condition, a selection, an event or an edge, asks the graph.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Concatenate, ParamSpec, Self

import dagster as dg

from sequen_dagster.errors import SettingsError
from sequen_dagster.names import Names

# From the name of an asset or a table to its key.
KeyOf = Callable[[str], dg.AssetKey]
# All assets as they are by themselves, but for their edges and conditions, which ask for keys.
OwnSpecs = Callable[[KeyOf], Iterable[dg.AssetSpec]]
# Goes through the events of a step, which does the step's work. Any: events of every kind.
Execute = Callable[[dg.AssetExecutionContext, Iterator[Any]], Iterator[Any]]
_Config = ParamSpec("_Config")


class SequenTranslator:
    """Decides what the assets and the asset checks of a pipeline are in Dagster.

    Subclass it and give it to `build_definitions`. Whatever it makes of a key, edges, conditions,
    selections and checks follow.

    Args:
        key_prefix: stands in front of every key; one part, or several.

    Example:
        >>> class Ours(SequenTranslator):
        ...     def get_asset_spec(self, spec):
        ...         return super().get_asset_spec(spec).merge_attributes(tags={"domain": "shop"})
        >>> Ours(key_prefix=["shop"]).get_asset_spec(dg.AssetSpec("fct_events")).key
        AssetKey(['shop', 'fct_events'])
    """

    def __init__(self, *, key_prefix: str | Sequence[str] = ()) -> None:
        self._key_prefix = [key_prefix] if isinstance(key_prefix, str) else list(key_prefix)

    def get_asset_spec(self, spec: dg.AssetSpec) -> dg.AssetSpec:
        """An asset as it is in this code location.

        Args:
            spec: the asset as it is by itself: its key ends in its name, its edges lead to where
                they lead here. Called twice for each; the key must not follow from the edges.
        """
        if not self._key_prefix:
            return spec
        return spec.replace_attributes(key=spec.key.with_prefix(self._key_prefix))

    def get_asset_check_spec(self, check: dg.AssetCheckSpec) -> dg.AssetCheckSpec:
        """An asset check as it is in this code location.

        Args:
            check: the check, of an asset by its key here. Its name and its asset have to stay.
        """
        return check


def _pass_on(_context: dg.AssetExecutionContext, events: Iterator[Any]) -> Iterator[Any]:
    return events


@dataclass(frozen=True)
class Graph:
    """The assets of a pipeline in a code location.

    Attributes:
        names: of everything but assets.
        translator: what made the assets.
        specs: the assets, by their names or those of their tables.
        execute: goes through the events of every step.
        op_tags: of every step.
    """

    names: Names
    translator: SequenTranslator
    specs: Mapping[str, dg.AssetSpec]
    execute: Execute = _pass_on
    op_tags: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, names: Names, translator: SequenTranslator, own: OwnSpecs) -> Self:
        """Have the translator make the assets of this code location.

        Args:
            names: of everything but assets.
            translator: called for each asset twice, since edges and conditions ask for keys.
            own: gives all assets as they are by themselves.

        Raises:
            SettingsError: two assets get one key.
        """
        keys = {
            name_of(spec): translator.get_asset_spec(spec).key
            for spec in own(lambda name: dg.AssetKey(name))
        }
        taken: dict[dg.AssetKey, str] = {}
        for name, key in keys.items():
            if key in taken:
                message = (
                    f"{taken[key]} and {name} both get the key {key.to_user_string()}. Have the "
                    "translation make keys from those that it is given."
                )
                raise SettingsError(message)
            taken[key] = name
        specs = {name_of(spec): translator.get_asset_spec(spec) for spec in own(keys.__getitem__)}
        return cls(names, translator, specs)

    def key(self, name: str) -> dg.AssetKey:
        """The key of an asset, by its name or that of its table."""
        return self.specs[name].key

    def name(self, key: dg.AssetKey) -> str:
        """The name of an asset, or of its table, by its key; the last part of one not ours."""
        return self._names_by_key.get(key, key.path[-1])

    def checks(self, checks: Iterable[dg.AssetCheckSpec]) -> list[dg.AssetCheckSpec]:
        """Asset checks as the translator makes them."""
        return [self.translator.get_asset_check_spec(check) for check in checks]

    def step(
        self, work: Callable[Concatenate[dg.AssetExecutionContext, _Config], Iterator[Any]]
    ) -> Callable[Concatenate[dg.AssetExecutionContext, _Config], Iterator[Any]]:
        """Decorate what a step does, so that `execute` goes through its events."""

        def run(
            context: dg.AssetExecutionContext, /, *config: _Config.args, **more: _Config.kwargs
        ) -> Iterator[Any]:
            yield from self.execute(context, work(context, *config, **more))

        # Dagster reads the parameters of the function that was decorated.
        functools.update_wrapper(run, work)
        return run

    @property
    def _names_by_key(self) -> dict[dg.AssetKey, str]:
        return {spec.key: name for name, spec in self.specs.items()}


def name_of(spec: dg.AssetSpec) -> str:
    """The name of an asset, or of its table, that is as it is by itself."""
    return spec.key.path[-1]
