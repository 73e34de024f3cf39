"""`curation why`, `whatif`, `sample`, `top`, `diff` and `sql`: JSON with all values, tables of 80 columns."""

import json

import pytest

from tests.support.commands import curation, message

CUT = "refused-0000040000-0000048000"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["why", "OUT", CUT], "broken, the reason"),
        (["why", "OUT", "still@0.5"], "non-speech"),
        (["whatif", "OUT", "--set", "consensus.max_pwer=0.16"], "+0.5 s"),
        (["sample", "OUT", "--reason", "consensus.min_words", "-n", "1"], "stands for"),
        (["top", "OUT", "speakers"], "long-S0"),
        (["diff", "OUT", "OUT"], "no verdict differs"),
        (["sql", "OUT", "SELECT reason, sum(seconds) AS s FROM segments GROUP BY 1 ORDER BY 1"], "consensus.max_pwer"),
    ],
)
def test_answers_fit_80_columns_and_say_the_same_as_json(story, command, said):
    words = [str(story / "out") if word == "OUT" else word for word in command]
    shown = curation(*words).stdout
    assert said in shown
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert json.loads(curation(*words, "--json").stdout)


def test_json_has_the_values(story):
    out = story / "out"
    rules = json.loads(curation("why", out, CUT, "--json").stdout)["rules"]
    assert [rule["rule"] for rule in rules if rule["primary"]] == ["boundary.max_cut"]
    assert json.loads(curation("whatif", out, "-s", "consensus.max_pwer=0.16", "--json").stdout)["kept_seconds"] == {
        "before": 11.5,
        "after": 12.0,
    }
    sampled = json.loads(curation("sample", out, "-n", "3", "--json").stdout)
    assert [row["weight"] > 0 for row in sampled] == [True] * 3


def test_errors_name_the_remedy(story, tmp_path):
    assert "give an id" in message(curation("why", story / "out", "nobody", code=2))
    assert "no threshold" in message(curation("whatif", story / "out", "--set", "denoise=null", code=2))
    assert "is one SELECT" in message(curation("sql", story / "out", "COPY segments TO 'x'", code=2))
    assert "no finished build" in message(curation("top", tmp_path, "speakers", code=2))
