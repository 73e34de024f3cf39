"""`python -m curation` is the command `curation`."""

from curation.cli import app

app(prog_name="curation")
