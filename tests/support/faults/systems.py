"""ASR systems that break on demand, in a build with the stage `Transcribe` and no models."""

from collections.abc import Sequence
from typing import ClassVar

from curation.audio.wave import Wave
from curation.manifests.records import Hypothesis
from curation.pipeline.config import BuildConfig
from curation.stages.base import Stage
from curation.stages.transcribe.base import AsrSystem, SystemConfig
from curation.stages.transcribe.stage import Transcribe
from tests.support.toy import Cut, Hear


class Parrot(AsrSystem):
    """Hears the same words in everything; raises while its name is in `broken`."""

    kind = "parrot"
    section = SystemConfig
    broken: ClassVar[set[str]] = set()

    def load(self) -> None:
        self.languages = frozenset({"de"}) if self.config.name == "german" else None

    def transcribe(self, waves: Sequence[Wave], languages: Sequence[str]) -> list[Hypothesis]:
        if self.config.name in self.broken:
            msg = "CUDA out of memory"
            raise RuntimeError(msg)
        return [Hypothesis(self.config.name, "the same words", code) for _, code in zip(waves, languages, strict=True)]


class Three(Transcribe):
    """Transcribes with the parrots a, b and c; a fourth one speaks German only. Everything is English."""

    def __init__(self) -> None:
        super().__init__()
        names = ("a", "b", "c", "german")
        self.systems = [Parrot(SystemConfig(kind="parrot", name=name, model="")) for name in names]

    def _set_language(self, recording):
        for segment in recording.live_segments:
            segment.language = "en"


class Judged(Hear):
    """Scores what was transcribed, and leaves its hypotheses."""

    def process(self, batch):
        heard = {id(s): (s.hypotheses, s.scores.get("transcribe.systems")) for r in batch for s in r.live_segments}
        super().process(batch)
        for segment in (segment for recording in batch for segment in recording.live_segments):
            segment.hypotheses, systems = heard[id(segment)]
            segment.scores["transcribe.systems"] = systems
            segment.scores |= {"pwer": 0.0, "boundary.cut": 0.0}


def transcribing_stages(config: BuildConfig) -> list[Stage]:
    return [Cut(), Three(), Judged()]
