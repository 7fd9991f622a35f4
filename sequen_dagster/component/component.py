"""Component: a whole pipeline by a `defs.yaml`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import dagster as dg
import pydantic
from dagster.components.resolved.core_models import OpSpec
from dagster.components.utils.translation import TranslationFn, TranslationFnResolver

from sequen_dagster.component.attributes import render, settings_model
from sequen_dagster.component.scaffolder import SequenScaffolder
from sequen_dagster.definitions import build_definitions
from sequen_dagster.graph import SequenTranslator, name_of
from sequen_dagster.settings import GivenSettings, SequenSettings, read_settings

_Executor = Literal["in_process", "multiprocess", "host"]
_EXECUTORS: Final = {
    "in_process": dg.in_process_executor,
    "multiprocess": dg.multiprocess_executor,
    "host": None,
}
_Settings: Any = settings_model("SettingsAttributes")


def _read_keys(context: dg.ResolutionContext, given: str | list[str]) -> list[dg.AssetKey]:
    """One key, or several, with `/` between the parts of each."""
    keys = render(context, given)
    return [
        dg.AssetKey.from_user_string(key) for key in ([keys] if isinstance(keys, str) else keys)
    ]


@dg.scaffold_with(SequenScaffolder)
class SequenComponent(dg.Component, _Settings, dg.Resolvable):  # type: ignore[misc]
    """Behavioral events, from raw exports to sessions, attribution and a completeness report.

    Reads files of events (JSON, CSV, Parquet; local or in an object store), validates every record
    against the event contract, and builds tables with dbt in DuckDB: sessions, links, matched
    clicks, attributed conversions, visitors, a training set, and reports of how complete the data
    is. Sensors take in new files; a schedule runs everything once a day. Every setting of the
    pipeline is an attribute; `name`, `key_prefix` and `translation` say how it looks in Dagster.
    """

    model_config = pydantic.ConfigDict(
        extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True
    )

    name: str = pydantic.Field(
        "sequen",
        description=(
            "Of the pipeline. Names of its steps, jobs, sensors, pools and groups begin with it; "
            "two pipelines in one project need two."
        ),
        examples=["shop"],
    )
    key_prefix: Annotated[
        str | list[str] | None,
        dg.Resolver.default(
            description="Stands in front of the key of every asset; one part, or several.",
            examples=["shop", ["marketing", "events"]],
        ),
    ] = None
    upstream: Annotated[
        list[dg.AssetKey] | None,
        dg.Resolver(
            _read_keys,
            model_field_type=str | list[str],
            description="Keys of assets that write the export files; raw_events hangs on them.",
            examples=[["landing/events"]],
            inject_before_resolve=False,
        ),
    ] = None
    translation: Annotated[
        TranslationFn[str] | None,
        TranslationFnResolver(template_vars_for_translation_fn=lambda name: {"name": name}),
    ] = None
    executor: _Executor = pydantic.Field(
        "in_process",
        description=(
            "What runs the steps of its jobs: one after the other in the process of the run, a "
            "process for each, or the executor of the code location."
        ),
        examples=["host"],
    )
    op: Annotated[
        OpSpec | None,
        dg.Resolver.default(
            description="Name, tags and pool of the step that builds the tables.",
            examples=[{"tags": {"dagster-k8s/config": {}}}],
        ),
    ] = None

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        """What pickers and docs show of the component."""
        return dg.ComponentTypeSpec(
            description=(cls.__doc__ or "").strip(),
            tags=["events", "attribution", "recommendations", "dbt", "duckdb"],
            metadata={},
            produces=["asset", "asset_check", "job", "schedule", "sensor"],
        )

    def build_settings(self, base: Path) -> SequenSettings:
        """The settings of the pipeline; override it to take some from elsewhere.

        Args:
            base: where relative paths count from, the folder of the `defs.yaml`.

        Raises:
            SettingsError: a value cannot work.
        """
        given = {
            name: value
            for name in self.model_fields_set & GivenSettings.model_fields.keys()
            if (value := getattr(self, name)) is not None or name == "order_field"
        }
        return read_settings(base, given)

    def get_asset_spec(self, spec: dg.AssetSpec) -> dg.AssetSpec:
        """An asset as it is in this code location (see `SequenTranslator.get_asset_spec`)."""
        translated = SequenTranslator(key_prefix=self.key_prefix or ()).get_asset_spec(spec)
        return self.translation(translated, name_of(spec)) if self.translation else translated

    def get_asset_check_spec(self, check: dg.AssetCheckSpec) -> dg.AssetCheckSpec:
        """An asset check (see `SequenTranslator.get_asset_check_spec`)."""
        return check

    def execute(
        self,
        context: dg.AssetExecutionContext,  # noqa: ARG002  # for those who override it
        events: Iterator[Any],  # Any: events of every kind
    ) -> Iterator[Any]:
        """Run a step; override it to do something before or after it, or with what it yields.

        Args:
            context: of the step.
            events: does the step's work as it is gone through, and yields its events.
        """
        yield from events

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The assets, checks, jobs, sensors and the schedule of the pipeline."""
        return build_definitions(
            self.build_settings(context.path),
            name=self.name,
            translator=_Translator(self),
            upstream=self.upstream or (),
            executor=_EXECUTORS[self.executor],
            execute=self.execute,
            op=self.op,
        )


class _Translator(SequenTranslator):
    """Asks a component, which may be of a user's own class."""

    def __init__(self, component: SequenComponent) -> None:
        super().__init__()
        self._component = component

    def get_asset_spec(self, spec: dg.AssetSpec) -> dg.AssetSpec:
        return self._component.get_asset_spec(spec)

    def get_asset_check_spec(self, check: dg.AssetCheckSpec) -> dg.AssetCheckSpec:
        return self._component.get_asset_check_spec(check)
