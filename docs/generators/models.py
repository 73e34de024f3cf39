"""The page of models, from the catalogue."""

from generators.tables import number, table

FETCHED = """# Models

Models are named by a reference: a name of the catalogue, `hf:REPO@REVISION`, `path:FOLDER` or
`store:NAME` (what `curation models import` copied), each with an optional
`#sha256=…`. Adapters of [plug-in packages](../how-to/plug-ins.md) bring facts of their own models.

## Fetched by name

Package registries carry these. `curation models fetch` gets them, `curation models verify` checks them. GiB: on disk.
"""
ELSEWHERE = """## Known elsewhere

What `curation plan` and `curation doctor` know of others. GiB: the parameters as they are loaded, from published
numbers.
"""


def models_page() -> str:
    """The models that can be fetched by name, and what is known of others."""
    from curation.models.catalogue import catalogue, known_elsewhere

    packaged = []
    for name, entry in sorted(catalogue().items()):
        many = len(entry.files)
        files = "one file, pinned by SHA-256" if many == 1 else f"{many} files, each pinned by SHA-256"
        origin = f"in the package `{entry.package}`" if entry.package else files
        packaged.append((f"`{name}`", entry.about, entry.licence, number(entry.gib), origin))
    others = [
        (f"`{name}`", facts.about, facts.licence, number(facts.gib), facts.note)
        for name, facts in sorted(known_elsewhere().items())
    ]
    known = table(["name", "what it is", "licence", "GiB", "where it comes from"], packaged)
    return "\n".join([FETCHED, known, ELSEWHERE, table(["reference", "what it is", "licence", "GiB", "note"], others)])
