"""`curation evaluate`: word and character error rates and speaker similarity on a test set."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, get_args

import typer

from curation.cli.checkpoints import (
    Device,
    EngineUrl,
    Int8,
    Penalty,
    Prepared,
    Seed,
    Temperature,
    TopP,
    open_model,
    sampling_of,
)
from curation.cli.options import EXIT_ERROR, AsJson, console, marked, print_json, table_console

if TYPE_CHECKING:
    from curation.train.evaluate.report import Report, SummaryRow
    from curation.train.evaluate.run import EvaluationTask, Judges, Result
    from curation.train.evaluate.scores import Estimate, Normalization
    from curation.train.evaluate.sets import Item
    from curation.train.infer.speech_model import SpeechModel


def evaluate(  # noqa: PLR0913 - the options of a command
    test_set: Annotated[
        str,
        typer.Argument(
            metavar="SET",
            help="Manifest, published build with splits, or a folder of LibriSpeech, AISHELL-1 or Seed-TTS-eval.",
        ),
    ],
    *,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--checkpoint",
            "-m",
            metavar="FOLDER",
            help="Checkpoint folder, training run or official model; the tasks recording, codec and swap need none.",
            show_default=False,
        ),
    ] = None,
    tasks: Annotated[
        str, typer.Option(metavar="LIST", help="Tasks, separated by commas: asr, tts, vc, recording, codec, swap.")
    ] = "asr,tts,vc",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FOLDER", file_okay=False, help="Write results per utterance.", show_default=False
        ),
    ] = None,
    subset: Annotated[
        str, typer.Option(metavar="NAME", help="Split of a build, or subset of AISHELL-1: train, dev or test.")
    ] = "test",
    language: Annotated[
        str,
        typer.Option(metavar="CODE", help="Language (ISO 639-1) of items without their own.", show_default=False),
    ] = "",
    normalizer: Annotated[
        str, typer.Option(metavar="NAME", help="Text normalization: auto (by language), unicode or none.")
    ] = "auto",
    by: Annotated[
        list[str],
        typer.Option(metavar="COLUMN", help="Also group by a column of the manifest (repeatable).", show_default=False),
    ] = [],  # noqa: B006 - typer copies it
    limit: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Evaluate at most N items, evenly spaced.", show_default=False),
    ] = None,
    batch: Annotated[int, typer.Option(metavar="N", min=1, help="Items per batch.")] = 16,
    recogniser: Annotated[
        str, typer.Option(metavar="NAME", help="Whisper model that transcribes synthesized speech.")
    ] = "whisper-base",
    codec: Annotated[
        str, typer.Option(metavar="NAME", help="Codec of the tasks codec and swap: compact, or a folder.")
    ] = "compact",
    device: Device = "cpu",
    int8: Int8 = False,
    engine: EngineUrl = "",
    prepare: Prepared = None,
    temperature: Temperature = 0.2,
    top_p: TopP = 1.0,
    repetition_penalty: Penalty = None,
    seed: Seed = 0,
    reference_text: Annotated[
        bool,
        typer.Option(
            "--reference-text",
            help="Tell the model what the reference says, from which its speech goes on (tts).",
        ),
    ] = False,
    save_audio: Annotated[bool, typer.Option("--save-audio", help="Keep speech as OUTPUT/TASK/ID.wav.")] = False,
    as_json: AsJson = False,
) -> None:
    """Measure ASR, TTS and voice conversion on a test set.

    ASR: error rates. TTS and voice conversion: error rates of an independent recogniser, speaker similarity by an
    encoder. All figures come with 95 % confidence intervals.
    """
    from rich.progress import Progress

    from curation.train.evaluate.report import report, write_report, write_speech
    from curation.train.evaluate.run import evaluate as run_evaluation

    chosen, normalization = _tasks(tasks), _choice(normalizer)
    if save_audio and output is None:
        _usage("--save-audio needs --output")
    sampling_for = sampling_of(temperature, top_p, repetition_penalty, seed)
    items = _spread(_items(test_set, subset, language), limit)
    judges = _judges(chosen, recogniser, codec)
    model = _model(checkpoint, chosen, device, prepare=prepare, int8=int8, engine=engine)
    sampling = sampling_for(model) if model and {"tts", "vc"} & set(chosen) else None
    results = []
    with Progress(console=console) as progress:
        bars = {task: progress.add_task(task, total=len(items)) for task in chosen}
        steps = run_evaluation(
            items,
            chosen,
            model,
            judges,
            normalization=normalization,
            batch=batch,
            sampling=sampling,
            reference_texts=reference_text,
            on_step=lambda task, done, _: progress.update(bars[task], completed=done),
        )
        for result in steps:
            if save_audio and output is not None:
                write_speech(output, result)
            result.speech = None
            results.append(result)
    summary = report(results, judges, by, sampling)
    if output is not None:
        write_report(output, results, summary)
    if as_json:
        print_json(summary.to_json())
    else:
        print_report(summary, by)
    _mention_failures(results)


def _usage(message: str) -> NoReturn:
    from curation.core.errors import ConfigError

    raise ConfigError(message)


def _tasks(text: str) -> "list[EvaluationTask]":
    from curation.train.evaluate.run import EVALUATION_TASKS

    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in EVALUATION_TASKS]
    if unknown or not names:
        _usage(f"--tasks {text}: choose of {', '.join(EVALUATION_TASKS)}")
    return [task for task in EVALUATION_TASKS if task in names]


def _choice(normalizer: str) -> "Normalization":
    from curation.train.evaluate.scores import Normalization

    names: tuple[Normalization, ...] = get_args(Normalization)
    chosen = next((name for name in names if name == normalizer), None)
    return chosen or _usage(f"--normalizer {normalizer}: choose of {', '.join(names)}")


def _items(test_set: str, subset: str, language: str) -> "list[Item]":
    from curation.train.evaluate.sets import read_set

    return read_set(test_set, subset=subset, language=language)


def _spread(items: "list[Item]", limit: int | None) -> "list[Item]":
    """At most `limit` items, at equal distances, so that all speakers of an ordered set have their part."""
    if limit is None or limit >= len(items):
        return items
    return [items[at * len(items) // limit] for at in range(limit)]


def _judges(tasks: "list[EvaluationTask]", recogniser: str, codec: str) -> "Judges":
    from curation.train.evaluate.run import Judges

    if tasks == ["asr"]:
        return Judges()
    from curation.tokenize.registry import load_codec
    from curation.train.evaluate.judges import EncoderJudge, WhisperRecogniser
    from curation.train.evaluate.run import OF_CODEC

    return Judges(WhisperRecogniser(recogniser), EncoderJudge(), load_codec(codec) if OF_CODEC & set(tasks) else None)


def _model(
    checkpoint: Path | None,
    tasks: "list[EvaluationTask]",
    device: str,
    *,
    prepare: bool | None,
    int8: bool,
    engine: str,
) -> "SpeechModel | None":
    wanted = [task for task in tasks if task in {"asr", "tts", "vc"}]
    if not wanted:
        return None
    if checkpoint is None:
        _usage(f"the tasks {', '.join(wanted)} need a model: give --checkpoint, or --tasks recording,codec,swap")
    return open_model(checkpoint, device, prepare=prepare, int8=int8, engine=engine)


def print_report(summary: "Report", by: list[str]) -> None:
    """The table on standard output, and how to read it. Columns that say nothing of these tasks are left out."""
    from rich.table import Table

    names = ["task", "language", *by, "n", "WER %", "CER %", "similarity", "to source", "nearer target", "RTF"]
    rows = [_cells(row) for row in summary.rows]
    used = [place for place in range(len(names)) if any(cells[place] for cells in rows)]
    table = Table()
    for place in used:
        table.add_column(names[place], no_wrap=True, justify="left" if place < 2 + len(by) else "right")
    for cells in rows:
        table.add_row(*(cells[place] for place in used))
    out = table_console()
    out.print(table, crop=False)
    for name, text in summary.about.items():
        out.print(f"  {name}: {text}")


def _cells(row: "SummaryRow") -> list[str]:
    return [
        row.task,
        row.language,
        *row.group.values(),
        str(row.utterances - row.failed),
        _figure(row.wer, 100, 1),
        _figure(row.cer, 100, 1),
        _figure(row.similarity, 1, 2),
        _figure(row.source_similarity, 1, 2),
        "" if row.nearer_target is None else f"{row.nearer_target:.0%}",
        "" if row.real_time_factor is None else f"{row.real_time_factor:.2f}",
    ]


def _figure(figure: "Estimate | None", scale: float, digits: int) -> str:
    """The value and its interval."""
    if figure is None:
        return ""
    value, low, high = (f"{scale * one:.{digits}f}" for one in (figure.value, figure.low, figure.high))
    return f"{value} [{low}, {high}]"


def _mention_failures(results: "list[Result]") -> None:
    failed = [result for result in results if result.error]
    for result in failed[:5]:
        console.print(marked("failed:", f"{result.task} {result.item.id}: {result.error}"))
    if failed:
        console.print(f"{len(failed)} of {len(results)} could not be evaluated; no rate counts them")
    if len(failed) == len(results):
        raise typer.Exit(EXIT_ERROR)
