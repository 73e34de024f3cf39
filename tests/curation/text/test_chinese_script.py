"""Chinese in one script: what is converted, and what stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.text.chinese_script import in_script

SIMPLIFIED = "假设成交法是指销售人员先假设顾客一定会购买的方法。"
TRADITIONAL = "假設成交法是指銷售人員先假設顧客一定會購買的方法。"


@pytest.mark.parametrize("text", [SIMPLIFIED, TRADITIONAL, TRADITIONAL[:10] + SIMPLIFIED[10:]])
def test_either_script_and_both_mixed_become_one(text):
    assert in_script(text, "simplified") == SIMPLIFIED
    assert in_script(text, "traditional") == TRADITIONAL


@given(st.text("aZ é1,.?!\u3002\uff0c-", max_size=20))
def test_what_is_not_chinese_stays(text):
    assert in_script(text, "simplified") == in_script(text, "traditional") == text
