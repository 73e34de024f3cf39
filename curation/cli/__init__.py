"""Commands of the command line, one file for each group; `curation.cli.app` puts them together."""
