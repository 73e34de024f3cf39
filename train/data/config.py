"""Settings of the data: what is sampled from the shards, in which order, packed how."""

from typing import Literal

from pydantic import Field

from curation.core.settings import Section

Phase = Literal["pretrain", "sft", "posttrain"]


class TaskWeights(Section):
    """Samples of each task that an utterance gives in an epoch. 1: exactly one; 0.5: one in every second epoch."""

    asr: float = Field(1.0, description="recognition samples for each utterance and epoch", ge=0, le=16)
    tts: float = Field(1.0, description="synthesis samples for each utterance and epoch", ge=0, le=16)
    vc: float = Field(1.0, description="voice conversion samples for each utterance and epoch", ge=0, le=16)


class PromptWeights(TaskWeights):
    """Prompts of each task that an utterance gives in an epoch of post-training."""

    vc: float = Field(0.0, description="voice conversion samples for each utterance and epoch", ge=0, le=16)


class DataConfig(Section):
    """How shards become packed rows. Everything but `prefetch`, `epochs` and `code_noise` decides the order."""

    split: Literal["train", "dev", "test", "all"] = Field(
        "train", description="utterances that are used, by their split; a corpus without splits is train as a whole"
    )
    tiers: list[str] = Field([], description="tiers whose utterances are used; empty: all utterances")
    temperature: float = Field(
        1.0,
        description="T: the share of a language (or tier) of h hours in an epoch is proportional to h^(1/T). 1: as it "
        "is; above: small ones are used more often and large ones less often",
        gt=0,
        le=1000,
    )
    balance: Literal["language", "tier"] = Field("language", description="what `temperature` balances")
    token_budget: int = Field(4096, description="tokens of a packed row, at most", ge=16)
    max_sample_tokens: int | None = Field(
        None, description="tokens of a sample, at most; longer ones are counted and left out; null: token_budget", ge=16
    )
    pretrain: TaskWeights = Field(TaskWeights(), description="samples for each utterance and epoch in pretraining")
    sft: TaskWeights = Field(TaskWeights(), description="samples for each utterance and epoch in fine-tuning")
    posttrain: PromptWeights = Field(
        PromptWeights(), description="prompts for each utterance and epoch of `curation posttrain`"
    )
    parallel: float = Field(
        1.0,
        description="share of VC samples that convert another speaker's utterance of the same words, where the block "
        "has one; the others reconstruct the utterance from itself",
        ge=0,
        le=1,
    )
    code_noise: float = Field(
        0.0,
        description="share of the speech codes in the input that are replaced by similar-sounding ones; targets "
        "stay. For corpora of a few hours: less memorisation. Needs the tokenizers where training runs",
        ge=0,
        le=1,
    )
    seed: int = Field(0, description="seed of every order and choice", ge=0)
    epochs: int | None = Field(None, description="epochs after which the data end; null: never", ge=1)
    block_rows: int = Field(
        2048, description="utterances that are shuffled and packed together; references and pairs lie within", ge=1
    )
    lanes: int = Field(
        24,
        description="blocks that are mixed; a multiple of the number of ranks lets each rank read only its own",
        ge=1,
    )
    open_rows: int = Field(64, description="packed rows that are filled at the same time", ge=1)
    prefetch: int = Field(32, description="packed rows that each thread or worker prefetches; 0: none", ge=0)

    def weights(self, phase: Phase) -> TaskWeights:
        """The weights of a phase."""
        return {"pretrain": self.pretrain, "sft": self.sft, "posttrain": self.posttrain}[phase]

    @property
    def longest(self) -> int:
        """Tokens above which a sample is left out."""
        return min(self.max_sample_tokens or self.token_budget, self.token_budget)
