"""Where results go."""

import json

from rich.table import Table

from curation.cli.options import FILE_WIDTH, console, print_json, table_console


def test_results_and_messages_do_not_mix(capsys):
    print_json({"a": [1, None]})
    console.print("working")
    told = capsys.readouterr()
    assert json.loads(told.out) == {"a": [1, None]}
    assert told.err == "working\n"


def test_a_table_in_a_file_is_whole(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    table = Table("a column", "another")
    table.add_row("x" * 60, "y" * 60)
    table_console().print(table, crop=False)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= FILE_WIDTH
    assert any("x" * 60 in line and "y" * 60 in line for line in lines)
