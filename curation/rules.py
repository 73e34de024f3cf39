"""The thresholds of a configuration as rules, in the order in which they are tried."""

from curation.config import BuildConfig
from curation.manifests.verdicts import Rule


def rules_of(config: BuildConfig) -> list[Rule]:
    """The first rule that a segment breaks is the reason of its rejection."""
    rules = [
        Rule("transcribe.min_systems", "transcribe.systems", "<", config.transcribe.min_systems),
        Rule("consensus.min_words", "consensus.words", "<", config.consensus.min_words),
        Rule("consensus.max_pwer", "pwer", ">=", config.consensus.max_pwer),
    ]
    if config.boundary is not None:
        rules.insert(0, Rule("boundary.max_cut", "boundary.cut", ">", config.boundary.max_cut))
    return rules
