"""A few minutes of training on the shards of the demo, and what the model has memorised.

Overfits `tiny` on the few utterances, then transcribes one of them and synthesises its text in its voice. It memorises:
so few utterances do not generalise.
"""

from pathlib import Path
from typing import Any

from curation.audio.files import write_wave
from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.errors import DataError

OVERRIDES = (
    "run.steps=500",
    "run.save_steps=500",
    "run.keep_last=1",
    "data.token_budget=2048",
    "data.pretrain.vc=0",
    "optimizer.warmup_steps=30",
    "speech.text_size=256",
)
MAX_SECONDS = 8.0
"""The utterance that is shown is the longest below this."""


def train(build: str, run: Path) -> Path:
    """Train on a build's shards, or resume; returns the last checkpoint."""
    from curation.cli.options import PlainConsole
    from curation.cli.progress import TrainProgress
    from curation.train.config import load_training_config
    from curation.train.run import settings_of, train_run

    config = load_training_config(overrides=OVERRIDES, base=settings_of(run))
    with TrainProgress(PlainConsole(), config.run.steps) as progress:
        trained = train_run(build, run, config, progress.on_step)
    if trained.checkpoint is None:
        msg = f"{run}: training wrote no checkpoint"
        raise RuntimeError(msg)
    return trained.checkpoint


def training_utterance(build: str) -> tuple[dict[str, Any], Wave]:
    """A row of the shards (id, text, speaker) and its audio. Raises DataError where none is short enough."""
    import pyarrow.dataset as ds

    from curation.fit.tokenizers import kept_waves

    shards = ds.dataset(f"{build}/shards", format="parquet", exclude_invalid_files=True)
    rows = {row["id"]: row for row in shards.to_table(columns=["id", "text", "speaker"]).to_pylist()}
    known = [(rows[name], wave) for name, wave in kept_waves(build) if len(wave) <= MAX_SECONDS * SAMPLE_RATE]
    if not known:
        msg = f"{build}: no kept utterance is shorter than {MAX_SECONDS:g} s"
        raise DataError(msg)
    return max(known, key=lambda pair: (len(pair[1]), pair[0]["id"]))


def show(build: str, checkpoint: Path, folder: Path) -> None:
    """Print the text, the model's transcript, and Whisper's transcript of the model's speech; write both waves."""
    from curation.cli.options import PlainConsole
    from curation.train.evaluate.judges import WhisperRecogniser
    from curation.train.infer.preparation import scaled
    from curation.train.infer.speech_model import SpeechModel

    row, wave = training_utterance(build)
    model = SpeechModel.open(checkpoint, prepare=scaled)  # waves of the corpus are prepared already
    heard = model.transcribe([wave])[0]
    spoken = model.speak([row["text"]], [wave])[0]
    understood = WhisperRecogniser().hear([spoken], ["en"])[0]
    files = {"the recording": (folder / "recording.wav", wave), "the model": (folder / "spoken.wav", spoken)}
    for path, played in files.values():
        write_wave(path, played)
    console = PlainConsole(soft_wrap=True)
    console.print(f"a training utterance, which the model has learned by heart: {row['id']} by {row['speaker']}")
    console.print(f"  its text               {row['text']}")
    console.print(f"  transcribed            {heard}")
    console.print(f"  spoken, Whisper hears  {understood}")
    for what, (path, _) in files.items():
        console.print(f"  listen to {what:13s}  {path}")
