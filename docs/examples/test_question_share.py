"""What the example signal promises beyond the contract of every step."""

import pytest

from pipeline.signals import question_share


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("你是谁？我是张三。", 0.5),
        ("真的吗？！是的。好。", 1 / 3),
        ("Who? 谁?", 1.0),
        ("第一条　为了规范管理，制定本条例。", 0.0),
        ("没有句末标点", 0.0),
        ("", 0.0),
    ],
)
def test_counts_sentences_that_ask(text: str, share: float) -> None:
    """Each row is a text and the share of its sentences that ask."""
    assert question_share.QuestionShare().score(text) == pytest.approx(share)
