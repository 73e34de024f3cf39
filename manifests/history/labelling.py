"""What the label pass of all published recordings took: the file `generations/NNNNNN-labelling.json` of the latest."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from curation.core.records import typed
from curation.core.storage import Storage
from curation.core.timing import StageTimes
from curation.manifests.error_rates import ErrorRate, add_rates
from curation.manifests.history.chain import LABELLING, file_name
from curation.manifests.history.seal import FIELD, sealed

REMEDY = "remove it: only the times of the label pass are lost"


@dataclass(slots=True)
class Labelling:
    """What the label pass of all published recordings took, and how often its models broke."""

    times: StageTimes = field(default_factory=StageTimes)
    errors: dict[str, ErrorRate] = field(default_factory=dict)

    def add(self, times: StageTimes, errors: Mapping[str, ErrorRate]) -> None:
        """Add those of other recordings."""
        self.times.add(times)
        add_rates(self.errors, errors)


def write_labelling(out: Storage, edition: int, labelling: Labelling) -> None:
    """Keep it with an edition of the corpus, sealed."""
    out.write_bytes(file_name(edition, LABELLING), sealed(asdict(labelling)))


def read_labelling(out: Storage, edition: int) -> Labelling:
    """That of an edition; nothing where there is none. Raises DataError where it is damaged."""
    name = file_name(edition, LABELLING)
    return out.read_record(name, _parsed, REMEDY) if out.exists(name) else Labelling()


def _parsed(values: Any) -> Labelling:
    plain = {name: value for name, value in values.items() if name != FIELD} if isinstance(values, dict) else values
    return typed(Labelling, plain)
