"""The configuration of a training run: one validated YAML file, with `--set section.key=value` over it.

config = load_training_config("train.yaml", overrides=["model.preset=gpa-0.3b", "run.steps=200000"])
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from curation.core.settings import Section, load_sections
from curation.tokenize.registry import check_reference
from curation.train.data.config import DataConfig, Phase
from curation.train.model.qwen3 import ADAPTERS, FINE_TUNING, LEARNING_RATES, Preset

Decay = Annotated[float, Field(ge=0, lt=1)]
"""What is kept of a running mean at each step."""


class ModelConfig(Section):
    """Which model is trained, and how its layers are run."""

    preset: Preset = Field("tiny", description="size of a new model: tiny (CPU), gpa-0.3b or 3b")
    start_from: str | None = Field(
        None, description="checkpoint folder (or run: its last one) whose weights training starts from; needed for sft"
    )
    code_embeddings: Literal["random", "codebook"] = Field(
        "random",
        description="codebook: similar-sounding speech codes of a new model start alike; learns from fewer hours, and "
        "needs the tokenizers where training starts",
    )
    activation_checkpointing: bool = Field(
        False,  # noqa: FBT003 - a default
        description="activation checkpointing: keep only the layers' inputs; less memory, a third more time",
    )
    compile: bool = Field(False, description="torch.compile the layers: faster on a GPU, after minutes of compiling")  # noqa: FBT003


class LoraConfig(Section):
    """Fine-tuning of low-rank adapters instead of all weights; checkpoints are plain, with the adapters merged."""

    rank: int | None = Field(
        None, description="rank of an adapter beside each matrix of the layers; null: all weights are trained", ge=1
    )
    alpha: float | None = Field(None, description="adapters count alpha / rank times; null: twice the rank", gt=0)
    dropout: float = Field(0.0, description="share of an adapter's inputs that are dropped in training", ge=0, lt=1)

    @property
    def scale(self) -> float:
        """What an adapter counts, alpha / rank; 0 without adapters."""
        return (self.alpha or 2.0 * self.rank) / self.rank if self.rank else 0.0


class OptimizerConfig(Section):
    """AdamW with warm-up and cosine decay."""

    learning_rate: float | None = Field(
        None,
        description="peak learning rate; null: the preset's, a sixtieth of it in fine-tuning, ten times that with lora",
        gt=0,
    )
    final_fraction: float = Field(0.1, description="share of the peak at the last step", ge=0, le=1)
    warmup_steps: int = Field(100, description="steps of linear warm-up", ge=0)
    betas: tuple[Decay, Decay] = Field((0.9, 0.95), description="decay of the two moments of the gradient")
    epsilon: float = Field(1e-8, description="added to the root of the second moment", gt=0)
    weight_decay: float = Field(0.1, description="decay of matrices; norms and embeddings have none", ge=0)
    clip_norm: float = Field(1.0, description="norm that the gradient is scaled down to", gt=0)


class RunConfig(Section):
    """Length, precision, checkpoints and supervision of the run."""

    steps: int = Field(1000, description="optimizer steps", ge=1)
    accumulation: int = Field(1, description="packed rows of each process in a step", ge=1)
    seed: int = Field(0, description="seed of the new model's weights", ge=0)
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a GPU where there is one")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="bfloat16 runs layers under autocast; auto: on a GPU only"
    )
    threads: int | None = Field(None, description="CPU threads of a process; null: PyTorch's choice", ge=1)
    parallel: Literal["auto", "ddp", "fsdp2"] = Field(
        "auto", description="how several processes share the model; auto: fsdp2 for 3b, else ddp"
    )
    save_steps: int = Field(500, description="steps between checkpoints", ge=1)
    keep_last: int = Field(2, description="checkpoints that are kept", ge=1)
    spike_factor: float | None = Field(
        4.0,
        description="stop when a task's loss is this many times its running mean and six standard deviations above "
        "it; null: never",
        gt=1,
    )
    validation: str | None = Field(
        None,
        description="finished build, or its shards, for validation; where it has splits also the one that is trained "
        "on: its loss is measured, never trained on",
    )
    validation_split: Literal["train", "dev", "test", "all"] = Field(
        "dev", description="utterances of it that are used, by their split; one without splits is used as a whole"
    )
    validation_steps: int = Field(500, description="steps between measurements; the last step has one too", ge=1)
    validation_rows: int = Field(64, description="packed rows of each process in a measurement, at most", ge=1)
    data_workers: int = Field(0, description="processes of each rank that make packed rows; 0: a thread", ge=0)


class PosttrainConfig(Section):
    """`curation posttrain`: what the model answers to prompts of the corpus is judged, and the better is learned."""

    method: Literal["grpo", "dpo"] = Field(
        "grpo", description="grpo: all answers of a group by their advantage; dpo: the best one over the worst one"
    )
    prompts: int = Field(8, description="prompts of a step", ge=1)
    group: int = Field(8, description="answers to each prompt, which are compared with one another", ge=2, le=256)
    temperature: float = Field(
        0.7,
        description="of the answers, drawn among all ids of the task; log-probabilities are those at it",
        gt=0,
        le=4,
    )
    updates: int = Field(1, description="updates from the answers of a step; beyond the first ratios are clipped", ge=1)
    clip: float = Field(0.2, description="how far the ratio to the probability when drawn counts (grpo)", gt=0, lt=1)
    kl: float = Field(
        0.02, description="weight of the divergence from the model that the run began with (grpo); 0: none", ge=0
    )
    beta: float = Field(0.1, description="how far log-probabilities may leave that model, as its inverse (dpo)", gt=0)
    similarity: float = Field(
        0.5, description="weight of the voice's similarity in the reward of speech; -WER has 1; 0: not measured", ge=0
    )
    min_spread: float = Field(
        0.01, description="standard deviation of a group's rewards below which it teaches nothing", gt=0
    )
    recogniser: str = Field("whisper-base", description="Whisper model that judges speech")

    @property
    def has_reference(self) -> bool:
        """Whether anything is compared with the model that the run began with."""
        return self.method == "dpo" or self.kl > 0


class SpeechConfig(Section):
    """Vocabulary and speech tokenizers; null: those of the shards."""

    vocabulary: str | None = Field(
        None, description="folder of tokenizer files (GPA's, say); null: bytes or BPE, markers and the shards' codes"
    )
    text_size: int = Field(
        1024, description="text ids of a new vocabulary: 256 are plain bytes, more are learned from the shards", ge=256
    )
    glm: str | None = Field(None, description="reference of the 12.5 tokens/s tokenizer that made the shards")
    bicodec: str | None = Field(None, description="reference of the codec that made the shards")

    @field_validator("glm")
    @classmethod
    def _has_content(cls, reference: str | None) -> str | None:
        if reference is not None:
            check_reference(reference, "content")
        return reference

    @field_validator("bicodec")
    @classmethod
    def _has_codec(cls, reference: str | None) -> str | None:
        if reference is not None:
            check_reference(reference, "codec")
        return reference


class RayConfig(Section):
    """Training on a Ray cluster through Ray Train."""

    workers: int | None = Field(None, description="processes on the cluster; null: train without Ray", ge=1)
    address: str | None = Field(None, description="cluster to join (`auto` inside one); null starts Ray here")
    cpus_per_worker: float = Field(1.0, description="CPUs that a process reserves", gt=0)
    gpus_per_worker: float = Field(0.0, description="GPUs that a process reserves", ge=0)


class TrainConfig(Section):
    """All settings of a training run."""

    phase: Phase = Field(
        "pretrain",
        description="pretrain: new weights; sft: from model.start_from; posttrain: that of `curation posttrain`",
    )
    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    speech: SpeechConfig = SpeechConfig()
    lora: LoraConfig = LoraConfig()
    posttrain: PosttrainConfig = PosttrainConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    run: RunConfig = RunConfig()
    ray: RayConfig = RayConfig()

    @property
    def learning_rate(self) -> float:
        """The peak learning rate."""
        preset = LEARNING_RATES[self.model.preset] * (1 if self.phase == "pretrain" else FINE_TUNING)
        return self.optimizer.learning_rate or preset * (ADAPTERS if self.lora.rank else 1)


def load_training_config(
    file: str | Path | None = None, *, overrides: Iterable[str] = (), base: dict[str, Any] | None = None
) -> TrainConfig:
    """The defaults (or `base`), changed by the file, changed by the overrides. Raises ConfigError."""
    return load_sections(TrainConfig, file, overrides=overrides, base=base or {})
