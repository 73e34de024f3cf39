"""Tables of answers: strings of strangers stay texts."""

from curation.cli.questions.answers import number, print_answer, print_sample, print_top, print_why, safe


def test_texts_are_neither_markup_nor_commands_of_a_terminal(capsys):
    hostile = "[red]x[/red] \x1b[2Jy \u202ez"
    assert safe(hostile).plain == "[red]x[/red] \\x1b[2Jy \\u202ez"
    row = {
        "id": hostile,
        "language": None,
        "seconds": 1.0,
        "status": "rejected",
        "reason": "a.b",
        "value": 1.0,
        "threshold": 0.5,
        "weight": 2.5,
        "text": hostile,
    }
    print_sample([row])
    top = {"name": hostile, "kept_seconds": 1.0, "share": 1.0, "seconds": 1.0, "utterances": 1}
    print_top({"kind": "speakers", "names": 1, "kept_seconds": 1.0, "top": [top]})
    shown = capsys.readouterr().out
    assert shown.count("[red]x[/red] \\x1b[2Jy \\u202ez") == 3
    assert "stands for 2.5" in shown
    assert "\x1b[2J" not in shown


def test_what_was_not_measured_is_empty():
    assert (number(None), number(0.0), number(0.123456)) == ("", "0", "0.1235")


def test_what_has_too_many_columns_for_a_table_is_written_row_by_row(capsys):
    names = [f"[b]name{number}" for number in range(60)]
    rows = [[*range(1, 59), None, "long " * 40], [0.5] * 59 + ["\u8a00" * 90]]
    print_answer({"columns": names, "rows": rows, "more": False})
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert [line.split() for line in shown.splitlines()[:2]] == [["row", "1"], ["[b]name0", "1"]]
    assert ["[b]name57", "58"] in [line.split() for line in shown.splitlines()]
    assert shown.count("long") == 40
    assert shown.replace("\n", "").replace(" ", "").count("\u8a00") == 90
    assert shown.count("name58") == 1  # null is not written
    assert shown.count("0.5") == 59


def test_no_text_is_cut_that_has_no_blanks(capsys):
    said = "\u8a00" * 90
    heard = [{"system": "q" * 60, "text": said, "error": ""}]
    found = {"id": None, "recording_id": "r", "start": 0.0, "end": 1.0, "status": "kept", "reason": None, "text": said}
    print_why({**found, "hypotheses": heard, "outlier": None, "rules": [], "rules_broken": 0})
    shown = capsys.readouterr().out
    assert shown.count("\u8a00") == 180
    assert shown.count("q") == 60
