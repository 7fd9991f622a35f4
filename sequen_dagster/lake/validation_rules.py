"""Lake: what decides the rows of a file, before a file is read."""

from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Self

from sequen_dagster.contract.version import contract_fingerprint
from sequen_dagster.exports.limits import ReadLimits
from sequen_dagster.settings import ContractSettings, fingerprint
from sequen_dagster.settings.absence import ANONYMOUS_WORDS, NONE_WORDS, lower_placeholders

if TYPE_CHECKING:
    from sequen_dagster.contract import EventContract


@dataclass(frozen=True)
class ValidationRules:
    """What decides the rows of a file.

    Attributes:
        max_depth: deepest nesting of a record.
        placeholder_ids: words that mean none in every id field.
        placeholder_identities: words that name no person.
        limits: how the file is read.
    """

    max_depth: int = 64
    placeholder_ids: tuple[str, ...] = NONE_WORDS
    placeholder_identities: tuple[str, ...] = ANONYMOUS_WORDS
    limits: ReadLimits = field(default_factory=ReadLimits)

    @classmethod
    def of(cls, settings: ContractSettings) -> Self:
        """The rules by these settings."""
        return cls(
            settings.max_depth,
            tuple(settings.placeholder_ids),
            tuple(settings.placeholder_identities),
            ReadLimits.of(settings),
        )

    @cached_property
    def fingerprint(self) -> str:
        """Names the rules. A batch with another one is stale: other rules have validated it."""
        ids, identities = lower_placeholders(self.placeholder_ids, self.placeholder_identities)
        contract = contract_fingerprint(
            max_depth=self.max_depth, placeholder_ids=ids, placeholder_identities=identities
        )
        return fingerprint({"contract": contract, "limits": asdict(self.limits)})

    def make_contract(self) -> "EventContract":
        """The contract that validates the records."""
        # Pandera takes a second to import, which a run without new files need not wait for.
        from sequen_dagster.contract import EventContract

        return EventContract(
            max_depth=self.max_depth,
            placeholder_ids=self.placeholder_ids,
            placeholder_identities=self.placeholder_identities,
        )
