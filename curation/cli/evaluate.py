"""`curation evaluate`: word and character error rates and speaker similarity on a test set."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, get_args

import typer

from curation.cli.options import (
    EXIT_ERROR,
    AsJson,
    Penalty,
    Prepared,
    Seed,
    Temperature,
    TopP,
    console,
    errors_explained,
    preparation,
    sampling_of,
    table_console,
)

if TYPE_CHECKING:
    from curation.train.evaluate.report import Report, SummaryRow
    from curation.train.evaluate.run import Judges, Result, Task
    from curation.train.evaluate.scores import Estimate


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(evaluate)


def evaluate(  # noqa: PLR0913 - the options of a command
    test_set: Annotated[
        str,
        typer.Argument(
            metavar="SET",
            help="manifest (.jsonl, .csv, .parquet), or a folder of LibriSpeech, AISHELL-1 or Seed-TTS-eval",
        ),
    ],
    *,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", "-m", help="folder of the model; without it: recording, codec")
    ] = None,
    tasks: Annotated[str, typer.Option(help="of asr, tts, vc, recording, codec, with commas")] = "asr,tts,vc",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="folder for results by utterance")] = None,
    subset: Annotated[str, typer.Option(help="part of AISHELL-1: train, dev or test")] = "test",
    language: Annotated[str, typer.Option(help="language (ISO 639-1) of items that do not say theirs")] = "",
    normalizer: Annotated[str, typer.Option(help="auto (by language), unicode or none")] = "auto",
    by: Annotated[list[str], typer.Option(help="a column of the manifest: figures for each of its values")] = [],  # noqa: B006
    limit: Annotated[int | None, typer.Option(help="only so many items, evenly chosen", min=1)] = None,
    batch: Annotated[int, typer.Option(help="items handed to the model at once", min=1)] = 16,
    recogniser: Annotated[str, typer.Option(help="Whisper model that hears speech")] = "whisper-base",
    codec: Annotated[str, typer.Option(help="tokenizer of the task codec: compact, or a folder")] = "compact",
    device: Annotated[str, typer.Option(help="where the model runs: cpu or cuda")] = "cpu",
    prepare: Prepared = None,
    temperature: Temperature = 0.2,
    top_p: TopP = 1.0,
    repetition_penalty: Penalty = None,
    seed: Seed = 0,
    save_audio: Annotated[bool, typer.Option("--save-audio", help="keep speech as OUTPUT/TASK/ID.wav")] = False,
    as_json: AsJson = False,
) -> None:
    """Measure ASR by its errors, and TTS and voice conversion by the errors of a recogniser that listens to them and
    the likeness of their voice. All rates come with 95 % intervals.
    """
    with errors_explained():
        from curation.train.evaluate.report import report, write_report

        chosen = _tasks(tasks)
        items = _spread(_items(test_set, subset, language), limit)
        judges = _judges(chosen, recogniser, codec)
        if save_audio and output is None:
            _usage("--save-audio needs --output")
        model = _model(checkpoint, chosen, device, prepare=prepare)
        speaks = {"tts", "vc"} & set(chosen)
        sampling = sampling_of(model.sampling, temperature, top_p, repetition_penalty, seed) if speaks else None
        options = {"normalization": _choice(normalizer), "batch": batch, "sampling": sampling}
        results = _run(items, chosen, model, judges, options, output if save_audio else None)
        summary = report(results, judges, by, sampling)
        if output is not None:
            write_report(output, results, summary)
    if as_json:
        typer.echo(json.dumps(summary.to_json(), indent=2))
    else:
        print_report(summary, by)
    _mention_failures(results)


def _run(
    items: list[Any], tasks: "list[Task]", model: Any, judges: "Judges", options: Any, audio: Path | None
) -> "list[Result]":
    from rich.progress import Progress

    from curation.train.evaluate.report import write_speech
    from curation.train.evaluate.run import evaluate as run_evaluation

    results = []
    with Progress(console=console) as progress:
        bars = {task: progress.add_task(task, total=len(items)) for task in tasks}
        steps = run_evaluation(
            items,
            tasks,
            model,
            judges,
            on_step=lambda task, done, _: progress.update(bars[task], completed=done),
            **options,
        )
        for result in steps:
            if audio is not None:
                write_speech(audio, result)
            result.speech = None
            results.append(result)
    return results


def _usage(message: str) -> NoReturn:
    from curation.core.errors import ConfigError

    raise ConfigError(message)


def _tasks(text: str) -> "list[Task]":
    from curation.train.evaluate.run import TASKS

    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in TASKS]
    if unknown or not names:
        _usage(f"--tasks {text}: choose of {', '.join(TASKS)}")
    return [task for task in TASKS if task in names]


def _choice(normalizer: str) -> str:
    from curation.train.evaluate.scores import Normalization

    if normalizer not in get_args(Normalization):
        _usage(f"--normalizer {normalizer}: choose of {', '.join(get_args(Normalization))}")
    return normalizer


def _items(test_set: str, subset: str, language: str) -> list[Any]:
    from curation.train.evaluate.sets import read_set

    return read_set(test_set, subset=subset, language=language)


def _spread(items: list[Any], limit: int | None) -> list[Any]:
    """At most `limit` items, at equal distances, so that all speakers of an ordered set have their part."""
    if limit is None or limit >= len(items):
        return items
    return [items[at * len(items) // limit] for at in range(limit)]


def _judges(tasks: "list[Task]", recogniser: str, codec: str) -> "Judges":
    from curation.train.evaluate.run import Judges

    if tasks == ["asr"]:
        return Judges()
    from curation.tokenize.registry import load_codec
    from curation.train.evaluate.judges import GE2EJudge, WhisperRecogniser

    return Judges(WhisperRecogniser(recogniser), GE2EJudge(), load_codec(codec) if "codec" in tasks else None)


def _model(checkpoint: Path | None, tasks: "list[Task]", device: str, *, prepare: bool | None) -> Any:
    wanted = [task for task in tasks if task in {"asr", "tts", "vc"}]
    if not wanted:
        return None
    if checkpoint is None:
        _usage(f"the tasks {', '.join(wanted)} need a model: give --checkpoint, or --tasks recording,codec")
    from curation.train.infer.speech_model import SpeechModel

    try:
        return SpeechModel.open(checkpoint, device=device, prepare=preparation(prepare=prepare))
    except ValueError as error:
        _usage(str(error))


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
        out.print(f"  {name}: {text}", highlight=False)


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
        console.print(f"[red]failed:[/] {result.task} {result.item.id}: {result.error}", highlight=False)
    if failed:
        console.print(f"{len(failed)} of {len(results)} could not be evaluated; no rate counts them")
    if len(failed) == len(results):
        raise typer.Exit(EXIT_ERROR)
