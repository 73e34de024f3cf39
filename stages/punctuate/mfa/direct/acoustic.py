"""An acoustic model as MFA stores it: metadata, decision tree, transitions, mixtures, the matrix of the features."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from curation.core.errors import ModelError
from curation.stages.punctuate.mfa.direct.archive import read_model
from curation.stages.punctuate.mfa.direct.features import width
from curation.stages.punctuate.mfa.direct.kaldi import Floats, KaldiFile
from curation.stages.punctuate.mfa.direct.metadata import POSITIONS, Metadata, read_metadata
from curation.stages.punctuate.mfa.direct.mixtures import Mixtures
from curation.stages.punctuate.mfa.direct.transitions import Costs, Topology, Transitions
from curation.stages.punctuate.mfa.direct.tree import Tree

UNADAPTED, ADAPTED = "final.alimdl", "final.mdl"
"""A model that is adapted to speakers has a second one for features that are not."""


@dataclass(frozen=True, slots=True)
class PhoneStates:
    """A phone in its context: for each of its states the density, and the costs of its transitions."""

    topology: Topology
    densities: tuple[int, ...]
    costs: tuple[Costs, ...]


class AcousticModel:
    """One model of an archive; without `adapted` the one for features as they are, as `mfa align --single_speaker` and
    its first pass use it.
    """

    def __init__(self, files: Mapping[str, bytes], name: str, *, adapted: bool = False) -> None:
        self.name = name
        self.meta: Metadata = read_metadata(files, name)
        member = UNADAPTED if UNADAPTED in files and not adapted else ADAPTED
        file = KaldiFile(files[member], f"{member} of {name}")
        self.transitions, self.mixtures = Transitions(file), Mixtures(file)
        self.tree = Tree(KaldiFile(files["tree"], f"tree of {name}"))
        self.lda: Floats | None = None
        if self.meta.splice:
            self.lda = KaldiFile(files["lda.mat"], f"lda.mat of {name}").matrix()
        if (found := width(self.meta, self.lda)) != self.mixtures.dimension:
            msg = f"{name}: its features have {found} values a frame, its densities {self.mixtures.dimension}"
            raise ModelError(msg)
        if problem := self._lacking():
            msg = f"{name}: {problem}"
            raise ModelError(msg)
        self.states = cache(self._states)

    def _lacking(self) -> str:
        unknown = self.meta.unknown + (POSITIONS[0] if self.meta.by_position else "")
        for phone in (self.meta.silence, unknown):
            if self.meta.phones.get(phone) not in self.transitions.topologies:
                return f"it has no states for the phone {phone}"
        return ""

    def _states(self, left: int, phone: int, right: int) -> PhoneStates:
        """The states of `phone` between two others (0: none). Raises ModelError where the files contradict."""
        topology = self.transitions.topologies[phone]
        try:
            densities = tuple(self.tree.density(left, phone, right, state.density_class) for state in topology)
            costs = tuple(self.transitions.costs[phone, state, each] for state, each in enumerate(densities))
        except KeyError:
            msg = f"{self.name}: the tree and the transitions do not fit each other (phone {phone})"
            raise ModelError(msg) from None
        if max(densities) >= len(self.mixtures):
            msg = f"{self.name}: the tree has more densities than the model"
            raise ModelError(msg)
        return PhoneStates(topology, densities, costs)

    def number(self, phone: str, index: int = 0, count: int = 1) -> int | None:
        """The number of the phone at `index` of a pronunciation of `count` phones; None: the model does not have it."""
        if self.meta.by_position:
            phone += POSITIONS[0 if count == 1 else 1 if index == 0 else 2 if index == count - 1 else 3]
        found = self.meta.phones.get(phone)
        return found if found in self.transitions.topologies else None

    @property
    def silences(self) -> set[int]:
        """The numbers of the phones that are no speech: silence and spoken noise, in all positions."""
        names = [phone + end for phone in (self.meta.silence, self.meta.unknown) for end in ("", *POSITIONS)]
        return {self.meta.phones[name] for name in names if name in self.meta.phones}

    def boost_silence(self, factor: float) -> None:
        """Make silence more likely, or less; densities that silence shares with speech stay."""
        shared = self.transitions.phones_of.items()
        self.mixtures.boost((density for density, phones in shared if phones <= self.silences), factor)


def load_models(path: Path, boost_silence: float = 1.0, *, both: bool = False) -> list[AcousticModel]:
    """The model in a .zip of MFA or its folder; with `both`, also the one for features that are adapted to a speaker,
    where there is one. Raises ModelError where it cannot be used.
    """
    files = read_model(path)
    made = [AcousticModel(files, str(path))]
    if both and UNADAPTED in files:
        made.append(AcousticModel(files, str(path), adapted=True))
    if boost_silence != 1:
        for model in made:
            model.boost_silence(boost_silence)
    return made
