"""`python -m curation` is the command `curation`."""

from curation.cli.app import app

app(prog_name="curation")
