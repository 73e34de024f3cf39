"""What was exported is an input again: the same texts, speakers, languages and seconds."""

from collections import Counter

import pytest

from curation.audio.wave import SAMPLE_RATE
from curation.export.corpus import Chosen
from curation.export.ids import safe
from curation.manifests.inputs.listing import Listing
from curation.stages.decode.stage import DecodeConfig, decode_spans

NAMES = {
    "nemo": "nemo/manifest.json",
    "nemo-tarred": "nemo-tarred/tarred_audio_manifest.json",
    "hf": "huggingface",
    "lhotse": "lhotse/cuts.jsonl.gz",
    "kaldi": "kaldi",
    "emilia": "emilia",
}


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize(("given", "folder"), [("corpus", "exported"), ("hostile", "from_hostile")])
def test_an_export_is_an_input(kind, given, folder, request):
    ours = list(Chosen.of(str(request.getfixturevalue(given))).utterances())
    name = f"{kind.partition('-')[0]}:{request.getfixturevalue(folder) / NAMES[kind]}"
    found = [item.source for item in Listing([name]).distinct()]
    samples = {one.id: sum(span.num_samples for span in decode_spans(one, DecodeConfig())) for one in found}

    def text(said):
        return " ".join(said.replace("\0", " ").split()) if kind == "kaldi" else said.strip()

    def speaker(one):
        said = one.row["speaker"]
        return said.strip() if kind != "kaldi" else safe(said) if said else one.key

    assert Counter((one.transcript, one.speaker, one.language, samples[one.id]) for one in found) == Counter(
        (text(one.text), speaker(one), one.row["language"], one.samples) for one in ours
    )
    assert sum(samples.values()) / SAMPLE_RATE == sum(one.seconds for one in ours)
