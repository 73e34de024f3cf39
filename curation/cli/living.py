"""Commands that look after a published corpus: compact, verify."""

import typer

from curation.cli.options import AsJson, Output, print_json


def compact(output: Output, *, as_json: AsJson = False) -> None:
    """Write a corpus that grew in steps anew, as one generation.

    With the settings of its last build; no model of the label pass runs. Generations before cannot be read any more.
    """
    from curation.cli.options import console
    from curation.cli.progress import BuildProgress
    from curation.cli.tables import print_summary
    from curation.core.storage import Storage
    from curation.pipeline.provenance import read_config
    from curation.pipeline.run import build

    settings = read_config(Storage(output))
    with BuildProgress(console) as progress:
        summary = build(settings, [], output, on_progress=progress.on_progress, compact=True)
    if as_json:
        print_json(summary.to_json())
    else:
        print_summary(summary, output)


def verify(output: Output, *, as_json: AsJson = False) -> None:
    """Check that every file of a corpus is there and unaltered, and that its totals add up.

    Exit code 1, and a line for each file, where something is wrong.
    """
    from dataclasses import asdict

    from curation.cli.options import console
    from curation.core.counts import counted
    from curation.core.storage import Storage
    from curation.living.verify import verify as problems_of
    from curation.manifests.index import read_index

    out = Storage(output)
    problems = problems_of(out)
    if as_json:
        print_json([asdict(problem) for problem in problems])
    for problem in problems if not as_json else ():
        console.print(f"[red]{problem.file}[/] {problem.what}", soft_wrap=True, highlight=False)
    if problems:
        raise typer.Exit(1)
    if not as_json:
        index = read_index(out)
        whole = f"{counted(len(index.generations), 'generation')}, {counted(index.rows, 'utterance')}"
        console.print(f"{output} is whole: {whole}", soft_wrap=True, highlight=False)
