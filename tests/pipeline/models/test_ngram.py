"""The language model: chances add to one, order matters, any text has finite bits."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.models.file import read_model, write_model
from pipeline.models.form import REVISION, Folded
from pipeline.models.ngram import KIND, Counting, Ngram, train
from pipeline.text import CodePoints
from schemas.errors import RecipeError

SMALL = Counting(listed=200, bigram_bits=12, trigram_bits=14)
LINES = [
    "为了加强城市道路管理，保障城市道路完好，充分发挥城市道路功能，制定本条例。",
    "本条例所称城市道路，是指城市供车辆、行人通行的，具备一定技术条件的道路。",
    "城市道路管理实行统一规划、配套建设、协调发展和建设、养护、管理并重的原则。",
    "国家鼓励和支持城市道路科学技术研究，推广先进技术，提高城市道路管理的科学技术水平。",
]


def folded(texts: list[str]) -> Folded:
    return Folded.of(CodePoints.of(pa.array(texts, pa.string())))


MODEL = train(folded(LINES * 6), SMALL)


def test_real_order_costs_less_than_another_and_one_by_one_the_same() -> None:
    text = "城市道路管理实行统一规划，制定本条例。"
    other = "".join(text[i] for i in np.random.default_rng(1).permutation(len(text)))
    ordered, alone = MODEL.bits(folded([text, other]))
    assert ordered[0] + 2 < ordered[1]
    assert alone[0] == pytest.approx(alone[1])


@pytest.mark.parametrize("context", ["", "城", "城市", "市道", "道国", "国国", "A", "城1"])
def test_chances_of_what_may_follow_add_to_one(context: str) -> None:
    # What follows: each listed character, Latin or digits (unless they stand there already), one that is not listed.
    follow = [chr(point) for point in MODEL.listed]
    follow += [c for c in "a7" if not (context and context[-1].isalnum() and context[-1].isascii())] + ["\U00020000"]
    before = MODEL.bits(folded([context]))[0][0] * len(context)
    bits = MODEL.bits(folded([context + char for char in follow]))[0] * (len(context) + 1) - before
    bits[-1] -= 14
    runs = 0.02 if len(follow) < len(MODEL.listed) + 3 else 0
    # Bits are stored in sixteenths: up to 2 % on each chance.
    assert 0.97 - runs <= np.exp2(-bits).sum() <= 1.03


def test_runs_of_latin_or_digits_count_once_and_unlisted_characters_cost_more() -> None:
    bits = MODEL.bits(folded(["城市ab道路12", "城市abcdef道路12345", "城市道𠮷"]))[0]
    assert bits[0] == bits[1]
    assert bits[2] > bits[0] + 2


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=60), max_size=6))
def test_any_text_has_finite_bits_that_depend_on_it_alone(texts: list[str]) -> None:
    bits = MODEL.bits(folded(texts))
    assert bits.shape == (2, len(texts))
    assert (np.isfinite(bits) & (bits >= 0)).all()
    for place, text in enumerate(texts):
        assert MODEL.bits(folded([text]))[:, 0].tolist() == bits[:, place].tolist()


def test_an_empty_text_costs_nothing_and_a_huge_one_no_more_than_its_beginning() -> None:
    bits = MODEL.bits(folded(["", "道" * 10_000_000, "道" * 10_000]))
    assert bits[:, 0].tolist() == [0, 0]
    assert bits[:, 1].tolist() == bits[:, 2].tolist()


def test_the_same_texts_give_the_same_file_which_gives_the_model_back(tmp_path: Path) -> None:
    for name in "ab":
        write_model(
            tmp_path / name, {"kind": KIND, "parameters": {"form": REVISION}}, train(folded(LINES), SMALL).arrays
        )
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    again = Ngram.of(read_model(str(tmp_path / "a"), "", KIND, "perplexity"))
    texts = folded(["城市道路", "另一段文字"])
    assert (again.bits(texts) == train(folded(LINES), SMALL).bits(texts)).all()


def test_hardly_any_text_is_refused() -> None:
    with pytest.raises(RecipeError, match="2 characters were given; give more files"):
        train(folded(["道路"]), SMALL)
