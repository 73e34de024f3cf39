"""The thresholds of a configuration as rules, in the order in which they are tried."""

from curation.manifests.verdicts import Rule
from curation.pipeline.config import BuildConfig


def rules_of(config: BuildConfig) -> list[Rule]:
    """The first rule that a segment breaks is the reason of its rejection."""
    transcribe, consensus = config.transcribe, config.consensus
    rules = [
        Rule("transcribe.min_systems", "transcribe.systems", "<", transcribe.min_systems),
        Rule("consensus.min_words", "text.words", "<", consensus.min_words),
        # One system alone has no pairwise WER; it gets here only where min_systems = 1 allows it.
        Rule("consensus.max_pwer", "pwer", ">=", consensus.max_pwer, required=transcribe.min_systems > 1),
    ]
    if consensus.min_confidence > 0:  # builds of earlier versions have no such score
        rules.append(Rule("consensus.min_confidence", "confidence.calibrated", "<", consensus.min_confidence))
    if config.boundary is not None:
        rules.insert(0, Rule("boundary.max_cut", "boundary.cut", ">", config.boundary.max_cut))
    return rules
