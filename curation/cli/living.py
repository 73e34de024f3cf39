"""Commands that look after a published corpus: compact, split, verify, remove, log; or take it elsewhere: export."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from curation.cli.options import AsJson, ForceUnlock, Output, Wait, print_json

if TYPE_CHECKING:
    from curation.manifests.removals.receipts import Receipt


def compact(output: Output, *, wait: Wait = 0.0, force_unlock: ForceUnlock = False, as_json: AsJson = False) -> None:
    """Write a corpus that grew in steps anew, as one generation.

    With the settings of its last build; no model of the label pass runs. Generations before cannot be read any more.
    """
    from functools import partial

    from curation.cli.options import console
    from curation.cli.progress import BuildProgress
    from curation.cli.tables import print_summary
    from curation.core.storage import Storage
    from curation.pipeline.run import build, labelled_config

    settings = partial(labelled_config, Storage(output))
    settings()  # for a corpus that is not there: before the lock, which would make a folder
    with BuildProgress(console) as progress:
        summary = build(
            settings,
            [],
            output,
            on_progress=progress.on_progress,
            wait_seconds=wait,
            force_unlock=force_unlock,
            compact=True,
        )
    print_summary(summary, output, as_json=as_json)


def split(
    output: Output,
    *,
    dev: Annotated[
        str, typer.Option("--dev", metavar="SIZE", help="Kept speech that is dev: 5h, 30m, or 2% of all of it.")
    ] = "0s",
    test: Annotated[str, typer.Option("--test", metavar="SIZE", help="Kept speech that is test.")] = "0s",
    by: Annotated[
        str,
        typer.Option(
            "--by",
            metavar="LIST",
            help="What is never divided: recordings with the same speaker in the manifest, of the same file "
            "(recording), in the same group of duplicates.",
        ),
    ] = "speaker,recording,duplicate",
    wait: Wait = 0.0,
    force_unlock: ForceUnlock = False,
    as_json: AsJson = False,
) -> None:
    """Divide a corpus into train, dev and test, without leaks.

    It is published again; no model runs. What is appended later gets its split without moving anything. The sizes are
    met within one group of recordings that belong together.
    """
    from typing import get_args

    from curation.cli.options import console
    from curation.cli.progress import BuildProgress
    from curation.cli.tables import print_summary
    from curation.core.errors import ConfigError
    from curation.living.split import split as divide
    from curation.manifests.splits.components import Link

    links = [name.strip() for name in by.split(",") if name.strip()]
    unknown = sorted({*links} - {*get_args(Link)})
    if unknown or not links:  # an empty one would put one speaker into several splits
        msg = f"--by: there is no {by if not links else unknown[0]!r}: choose of {', '.join(get_args(Link))}"
        raise ConfigError(msg)
    with BuildProgress(console) as progress:
        summary = divide(
            output,
            dev=dev,
            test=test,
            by=[link for link in get_args(Link) if link in links],
            on_progress=progress.on_progress,
            wait_seconds=wait,
            force_unlock=force_unlock,
        )
    print_summary(summary, output, as_json=as_json)


def verify(output: Output, *, as_json: AsJson = False) -> None:
    """Check that every file of a corpus is there and unaltered, and that its totals add up.

    Exit code 1, and a line for each file, where something is wrong.
    """
    from dataclasses import asdict

    from curation.cli.options import console, marked
    from curation.core.counts import counted
    from curation.core.storage import Storage
    from curation.living.verify import verify as problems_of
    from curation.manifests.index import read_index

    out = Storage(output)
    problems = problems_of(out)
    if as_json:
        print_json([asdict(problem) for problem in problems])
    for problem in problems if not as_json else ():
        console.print(marked(problem.file, problem.what), soft_wrap=True)
    if problems:
        raise typer.Exit(1)
    if not as_json:
        index = read_index(out)
        whole = f"{counted(len(index.generations), 'generation')}, {counted(index.rows, 'utterance')}"
        console.print(f"{output} is whole: {whole}", soft_wrap=True)


def remove(
    output: Output,
    *,
    recording: Annotated[
        list[str], typer.Option("--recording", metavar="R", help="Id or path of a recording; repeatable.")
    ] = [],  # noqa: B006 - typer copies it
    speaker: Annotated[
        list[str],
        typer.Option("--speaker", metavar="S", help="Every recording in which this speaker is heard; repeatable."),
    ] = [],  # noqa: B006 - typer copies it
    names: Annotated[
        str | None, typer.Option("--list", metavar="FILE", help="A file with an id or path in each line.")
    ] = None,
    reason: Annotated[
        Literal["consent", "licence", "takedown", "other"], typer.Option("--reason", help="Why; it is in the receipt.")
    ] = "other",
    wait: Wait = 0.0,
    force_unlock: ForceUnlock = False,
    as_json: AsJson = False,
) -> None:
    """Take recordings out of a corpus for good, and write a receipt.

    Recordings with the same samples go too. No model runs. Later builds refuse the same recordings, under other names
    too. Without names, an interrupted removal is finished.
    """
    from dataclasses import asdict

    from curation.core.counts import counted
    from curation.living.remove import Wanted, read_list
    from curation.living.remove import remove as take_out

    wanted = Wanted([*recording, *(read_list(names) if names else ())], speaker)
    receipt = take_out(output, wanted, reason, wait_seconds=wait, force_unlock=force_unlock)
    if as_json:
        print_json(asdict(receipt))
        return
    gone = f"{counted(receipt.recordings, 'recording')}, {receipt.samples / 16_000:.1f} s"
    if receipt.duplicates:
        gone += f", {receipt.duplicates} of them with the samples of others"
    typer.echo(f"removed {gone}: generation {receipt.number}")
    typer.echo(f"{output}/removals/{receipt.number:06d}.json is the receipt, and says what was not reached")


def voices(
    output: Output,
    *,
    threshold: Annotated[
        float | None,
        typer.Option(min=0.0, max=2.0, metavar="D", help="Cosine distance below which two are one voice (0.5)."),
    ] = None,
    anew: Annotated[bool, typer.Option("--anew", help="Forget the voices of before.")] = False,
    wait: Wait = 0.0,
    force_unlock: ForceUnlock = False,
    as_json: AsJson = False,
) -> None:
    """Find who is heard in several recordings of a corpus, by the stored speaker embeddings.

    Writes voices/members.parquet. No model runs; who has a voice keeps it when the corpus has grown.
    """
    from dataclasses import asdict

    from curation.core.counts import counted
    from curation.living.voices import find_voices
    from curation.manifests.voices.clusters import THRESHOLD

    near = THRESHOLD if threshold is None else threshold
    found = find_voices(output, near, anew=anew, wait_seconds=wait, force_unlock=force_unlock)
    if as_json:
        print_json(asdict(found))
        return
    typer.echo(f"{counted(found.voices, 'voice')}, {found.speakers} speakers of recordings, {found.new} of them new")
    typer.echo(f"{output}/voices/members.parquet names them; `curation compact {output}` writes them into all files")


def log(output: Output, *, as_json: AsJson = False) -> None:
    """Show the generations of a corpus, and what was removed from it."""
    from dataclasses import asdict

    from curation.core.counts import counted
    from curation.core.storage import Storage
    from curation.manifests.index import published_index
    from curation.manifests.removals.receipts import numbers, read_receipt

    out = Storage(output)
    steps = published_index(out).generations
    known = {number: read_receipt(out, number) for number in numbers(out)}
    if as_json:
        print_json([{**asdict(step), **_removed(known.get(step.number))} for step in steps])
        return
    for step in steps:
        receipt = known.get(step.number)
        what = f", {counted(receipt.recordings, 'recording')}, {receipt.reason}, {receipt.at}" if receipt else ""
        typer.echo(f"{step.number:6d}  {step.kind:8}{step.rows:10d} utterances {step.seconds / 3600:10.3f} h{what}")


def _removed(receipt: "Receipt | None") -> dict[str, object]:
    if receipt is None:
        return {}
    names = ("reason", "at", "recordings", "samples", "tombstones")
    return {name: getattr(receipt, name) for name in names}


def export(  # noqa: PLR0913 - each is an option of the command
    kind: Annotated[
        str,
        typer.Argument(
            metavar="FORMAT",
            help="nemo, nemo-tarred, huggingface, lhotse, lhotse-shar, webdataset, kaldi, emilia, croissant or "
            "energon.",
        ),
    ],
    corpus: Annotated[str, typer.Argument(metavar="CORPUS", help="Folder or fsspec URL of a published build.")],
    output: Annotated[str, typer.Argument(metavar="OUT", help="A local folder; an earlier export is replaced.")],
    *,
    where: Annotated[
        str,
        typer.Option(
            metavar="SQL",
            help="Only utterances with this condition on the columns of segments: \"language = 'de' AND pwer < 0.05\".",
            show_default=False,
        ),
    ] = "",
    shard_hours: Annotated[float, typer.Option(min=0.001, metavar="N", help="Hours in one file, at most.")] = 10.0,
    audio: Annotated[Literal["flac", "opus"], typer.Option(help="Format of the audio.")] = "flac",
    split: Annotated[
        Literal["", "train", "dev", "test"],
        typer.Option(metavar="NAME", help="Only utterances of this split: train, dev or test.", show_default=False),
    ] = "",
    tier: Annotated[
        list[str],
        typer.Option("--tier", metavar="NAME", help="Only utterances of this tier; repeatable.", show_default=False),
    ] = [],  # noqa: B006 - typer copies it
    as_json: AsJson = False,
) -> None:
    """Write a corpus in the format of another trainer.

    The same corpus gives the same bytes. What was written, with the SHA-256 of each file, is in export.json.
    """
    from dataclasses import asdict

    from curation.export.run import Options
    from curation.export.run import export as run

    done = run(kind, corpus, output, Options(where, shard_hours, audio, split, tier))
    if as_json:
        print_json(asdict(done))
    else:
        typer.echo(f"{done.utterances:,} utterances, {done.seconds / 3600:.2f} h: {done.folder}")
