"""Commands that change a published corpus or look at its life: compact."""

from curation.cli.options import AsJson, Output, print_json


def compact(output: Output, *, as_json: AsJson = False) -> None:
    """Write a corpus that grew in steps anew, as one generation.

    With the settings of its last build; no model of the label pass runs. Generations before cannot be read any more.
    """
    from curation.cli.progress import BuildProgress
    from curation.cli.options import console
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
