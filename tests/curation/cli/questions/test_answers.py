"""Tables of answers: strings of strangers stay texts."""

from curation.cli.questions.answers import number, print_sample, print_top, safe


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
