"""Where results go."""

import json

import pytest
from rich.table import Table

from curation.cli.options import FILE_WIDTH, console, marked, print_json, table_console


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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("in/a[/b].wav", "in/a[/b].wav"),
        ("[red]loud[/red]", "[red]loud[/red]"),
        (":warning: 100", ":warning: 100"),
        ("\x1b[2Jgone\rhere", "\\x1b[2Jgone\\rhere"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("caf\udce9.wav", "caf\\udce9.wav"),
        ("naïve 中文 🙂", "naïve 中文 🙂"),
        ("one\ntwo", "one\ntwo"),
    ],
)
def test_texts_are_shown_as_they_are_and_do_nothing(text, shown, capsys):
    console.print(text)
    console.print(marked("failed:", text))
    table = Table(title=text, show_header=False, box=None)
    table.add_row(text)
    table_console().print(table)
    told = capsys.readouterr()
    assert told.err == f"{shown}\nfailed: {shown}\n"
    lines = shown.split("\n")
    assert [line.strip() for line in told.out.splitlines()] == lines * 2
