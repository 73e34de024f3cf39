"""Omnilingual ASR (Meta 2025, arXiv 2511.09690): 1,600 languages, in a separate Python environment.

Its package needs fairseq2 and torch 2.8, which cannot be installed beside ours, so the model runs in a child process
(`isolated.py`) of an environment that is created once per machine (`curation.models.environments`). The model is
fetched by fairseq2 into its own cache. It gives no confidences and no word times.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.declarations import Environment
from curation.core.settings import model_field
from curation.manifests.records import Hypothesis
from curation.models.environments import ensure
from curation.stages.transcribe.base import AsrSystem, SystemConfig, text_scores
from curation.stages.transcribe.isolated import WORKERS, IsolatedWorker
from curation.text.languages import OMNILINGUAL

ENVIRONMENT = Environment(
    "omnilingual",
    (
        "omnilingual-asr==0.2.0",
        "fairseq2==0.6",  # its native code is built for one version of torch
        "torch==2.8.0",
        "torchaudio==2.8.0",
        "pyarrow==21.0.0",  # newer ones need numpy 2, fairseq2 needs numpy 1
    ),
    gib=6.8,  # with the CUDA libraries
)
MAX_SECONDS = 40


class OmnilingualConfig(SystemConfig):
    """Omnilingual ASR in its own environment."""

    kind: Literal["omnilingual"] = "omnilingual"
    name: str = Field("omnilingual", description="name of the system in hypotheses; unique", min_length=1)
    model: str = model_field("omniASR_LLM_7B_v2", "asset card of the model; its names are in the package")
    device: Literal["cpu", "cuda"] = Field("cpu", description="where the model runs")
    python: str = Field(
        "", description="Python of an environment that has omnilingual-asr; empty: one is created in the model store"
    )
    interpreter: str = Field("", description="Python 3.10 or 3.11 to create the environment with; empty: our own")
    load_seconds: float = Field(3600, description="seconds that loading (and the first download) may take", gt=0)
    request_seconds: float = Field(600, description="seconds after which a batch counts as hung", gt=0)


class Omnilingual(AsrSystem):
    """Adapter whose model is in a child process."""

    kind = "omnilingual"
    section = OmnilingualConfig
    max_seconds = MAX_SECONDS

    @classmethod
    def environment(cls, section: Any) -> Environment | None:
        """A separate one, unless the settings name the Python of another."""
        return None if section.python else replace(ENVIRONMENT, interpreter=section.interpreter)

    def __init__(self, config: OmnilingualConfig) -> None:
        self.config: OmnilingualConfig = config
        self.languages = frozenset(OMNILINGUAL)
        self._worker: IsolatedWorker | None = None

    def load(self) -> None:
        """Create the environment if necessary, and load the model in it. Raises ModelError."""
        config = self.config
        needed = self.environment(config)
        python = Path(config.python) if needed is None else ensure(needed.name, needed.requirements, needed.interpreter)
        settings = {"card": config.model, "device": config.device, "batch_size": config.batch_size}
        script = WORKERS / "omnilingual.py"
        self._worker = IsolatedWorker(python, script, settings, config.load_seconds, config.request_seconds)
        self._worker.start()

    def transcribe(self, waves: Sequence[Wave], languages: Sequence[str]) -> list[Hypothesis]:
        """Texts. Raises ValueError above 40 s or for an unknown language, ChildError where the child fails."""
        longest = max((len(wave) for wave in waves), default=0) / SAMPLE_RATE
        if longest > MAX_SECONDS:
            msg = f"{self.config.name}: {longest:.1f} s of audio, it takes {MAX_SECONDS} s at most"
            raise ValueError(msg)
        strange = sorted(set(languages) - set(OMNILINGUAL))
        if strange or self._worker is None:
            msg = (
                f"{self.config.name} is not loaded" if not strange else f"{self.config.name} has no code for {strange}"
            )
            raise ValueError(msg)
        answers = self._worker.ask(waves, [OMNILINGUAL[code] for code in languages])
        return [
            Hypothesis(self.config.name, text, language=code, scores=text_scores(text))
            for text, code in zip((str(answer["text"]).strip() for answer in answers), languages, strict=True)
        ]
