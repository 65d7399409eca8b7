"""Copies of templates: members are compared exactly with leaders, few survive, and pairs follow their number."""

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.dedup import templates as module
from pipeline.dedup.candidates import LEADERS
from pipeline.dedup.leaders import Tables
from pipeline.dedup.pairs import Found, in_threads
from pipeline.dedup.survivors import survivors
from pipeline.dedup.verify import DEALT, halves, pack_two
from schemas.errors import StoreError
from schemas.recipe import MatchForm


def copies(seed: int, number: int, changed: int, length: int = 200) -> list[str]:
    """Copies of one text, each with a character of its own in some places, the same in all copies."""
    dice = random.Random(seed)
    template = [chr(dice.randrange(0x4E00, 0x5400)) for _ in range(length)]
    places = [length // (changed + 1) * (k + 1) for k in range(changed)]
    texts = []
    for _ in range(number):
        for place in places:
            template[place] = chr(dice.randrange(0x6000, 0x9000))
        texts.append("".join(template))
    return texts


def removed(found: Found, order: Sequence[int]) -> set[int]:
    """The rows that go when all compete in an order."""
    rows = np.arange(len(found.groups))
    kind = survivors(np.array(order), rows >= 0, rows, found.groups.astype(np.int64), found.pairs)[1]
    return set(np.flatnonzero(kind).tolist())


def as_dict(found: Found) -> dict[tuple[int, int], float]:
    rows = found.pairs.to_pydict()
    return dict(zip(zip(rows["left"], rows["right"], strict=True), rows["jaccard"], strict=True))


@pytest.mark.parametrize(("changed", "number"), [(2, 300), (4, 300), (4, 90)])
def test_removals_are_verified_and_nearly_those_of_comparing_all(search, brute_jaccards, changed, number):
    texts = copies(changed, number, changed)
    found = search(texts)
    jaccards = brute_jaccards(texts)
    assert all(jaccards[pair] == value >= 0.8 for pair, value in as_dict(found).items())
    near: dict[int, set[int]] = {}
    for (one, other), value in jaccards.items():
        if value >= 0.8:
            near.setdefault(other, set()).add(one)
    stay: set[int] = set()
    for row in range(number):
        if not near.get(row, set()) & stay:
            stay.add(row)
    assert len(removed(found, range(number))) >= 0.95 * (number - len(stay)) > 0


def test_pairs_grow_with_the_number_of_copies_and_one_survives(search):
    counts = []
    for number in (1000, 2000):
        found = search(copies(5, number, 2))
        counts.append(found.pairs.num_rows)
        assert len(removed(found, range(number))) == number - 1
    # All pairs would be four times as many.
    assert counts[1] < 2.6 * counts[0] < 0.1 * 1000 * 999 / 2


def test_who_leads_follows_priority_so_that_the_first_survives(search):
    texts = copies(6, 800, 2)
    order = np.random.default_rng(1).permutation(800)
    place = np.argsort(order)
    found = search(texts, priority=lambda rows: np.argsort(place[rows]))
    assert removed(found, order.tolist()) == set(range(800)) - {int(order[0])}


def test_pairs_depend_on_parts_runs_and_memory_as_little_as_without_templates(search):
    texts = [*copies(7, 400, 3), *copies(8, 200, 5)]
    results = []
    for ends, run, memory in [((), map, 1 << 30), ((9, 333), in_threads, 16 << 20)]:
        found = search(texts, ends=ends, run=run, memory=memory)
        results.append((found.groups.tolist(), found.pairs))
    assert results[0] == results[1]
    assert results[0][1].num_rows > 500


def test_leaders_without_room_are_refused_with_a_remedy():
    leaders = pack_two(np.arange(2000), np.zeros(2000, np.int64))
    chars = np.array([1000], np.uint32)
    groups = module._group_of(leaders, chars, 16 << 20)
    assert groups[0] == 0
    assert (np.diff(groups) >= 0).all()
    assert np.bincount(groups).max() * 48_000 <= 2 << 20
    with pytest.raises(StoreError, match=r"2,000 large buckets .* need .* MiB at once .*raise --memory"):
        module._group_of(leaders, chars * 10_000, 16 << 20)


def file_of(folder: Path, texts: Sequence[str], batches: int) -> Path:
    """The texts as `verify.deal` leaves them, rows numbered from 100."""
    path = folder / "bin-0"
    with pa.ipc.new_stream(str(path), DEALT) as writer:
        for part in np.array_split(np.arange(len(texts)), batches):
            if len(part):
                rows = pa.array(part + 100, pa.uint32())
                writer.write_batch(
                    pa.record_batch([rows, pa.array([texts[k] for k in part], pa.large_string())], schema=DEALT)
                )
    return path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    texts=st.lists(st.text("甲乙丙丁", max_size=14), min_size=2, max_size=40),
    leading=st.integers(1, 30),
    batches=st.integers(1, 3),
    threshold=st.sampled_from([0.3, 0.8, 1.0]),
)
def test_what_a_member_shares_with_each_leader_is_counted_exactly(
    tmp_path, brute_jaccards, texts, leading, batches, threshold
):
    path = file_of(tmp_path, texts, batches)
    leading = min(leading, len(texts) - 1)
    rows = np.arange(len(texts)) + 100
    leaders = pack_two(np.full(leading, 5), rows[:leading])
    tables = Tables.of(leaders, 5, 6, path, MatchForm(), threshold)
    jaccards = brute_jaccards(texts)
    one, other = halves(tables.pairs[0])
    found = dict(
        zip(zip((one - 100).tolist(), (other - 100).tolist(), strict=True), tables.pairs[1].tolist(), strict=True)
    )
    expected = {pair: value for pair, value in jaccards.items() if max(pair) < leading and value >= threshold}
    assert found == expected
    # The chiefs are those that stay when leaders compete in their order.
    stay: list[int] = []
    for leader in range(leading):
        if not any(expected.get((chief, leader), 0) >= threshold for chief in stay):
            stay.append(leader)
    assert [k for k in range(leading) if int(tables.chiefs[0, k // 64]) >> (k % 64) & 1] == stay
    members = pack_two(rows[leading:], np.full(len(texts) - leading, 5))
    with pa.OSFile(str(path)) as file:
        pieces = [tables.compare(batch, members) for batch in pa.ipc.open_stream(file)]
    told: dict[int, list[int]] = {}
    for pairs, values in pieces:
        for leader, member, value in zip(*(side - 100 for side in halves(pairs)), values, strict=True):
            assert jaccards[int(leader), int(member)] == value >= threshold
            told.setdefault(int(member), []).append(int(leader))
    for member in range(leading, len(texts)):
        alike = [leader for leader in range(leading) if jaccards.get((leader, member), 0) >= threshold]
        chiefs, others = [k for k in alike if k in stay][:2], [k for k in alike if k not in stay][:1]
        assert sorted(told.get(member, [])) == sorted([*chiefs, *others])


def test_as_many_leaders_as_there_are_bits_are_told_apart(tmp_path):
    texts = [chr(0xAC00 + k) * 9 + "共同的部分在这里" for k in range(LEADERS)]
    path = file_of(tmp_path, [*texts, texts[-1] + "甲"], 4)
    rows = np.arange(LEADERS) + 100
    tables = Tables.of(pack_two(np.zeros(LEADERS, np.int64), rows), 0, 1, path, MatchForm(), 0.8)
    assert not len(tables.pairs[0])
    found = []
    with pa.OSFile(str(path)) as file:
        for batch in pa.ipc.open_stream(file):
            found += tables.compare(batch, pack_two(np.array([LEADERS + 100]), np.array([0])))[0].tolist()
    assert found == pack_two(rows[-1:], np.array([LEADERS + 100])).tolist()
