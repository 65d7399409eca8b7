import ast
import errno
import os
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.dedup import pairs as module
from pipeline.dedup.buckets import NOTHING
from pipeline.dedup.pairs import PAIRS, in_threads, scratch_folder
from pipeline.storage import Workspace
from schemas.errors import StoreError
from schemas.recipe import Dedup


def as_dict(pairs) -> dict[tuple[int, int], float]:
    assert pairs.schema == PAIRS
    rows = pairs.to_pydict()
    return dict(zip(zip(rows["left"], rows["right"], strict=True), rows["jaccard"], strict=True))


@pytest.mark.parametrize("threshold", [0.6, 0.8, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_pairs_are_those_of_brute_force(tmp_path, search, planted, brute_jaccards, definition, seed, threshold):
    texts = [*planted(seed), "", "", "一", "一。", "一二三四"]
    # 42 bands of 3 miss one pair in 30,000 at Jaccard 0.6.
    dedup = Dedup(threshold=threshold, bands=42, rows=3)
    found = search(texts, dedup, ends=(10, 40))
    groups, pairs = found.groups, found.pairs
    forms = [definition(text) for text in texts]
    assert groups.tolist() == [forms.index(form) if form else NOTHING for form in forms]
    representatives = set(groups.tolist())
    expected = {
        pair: value
        for pair, value in brute_jaccards(texts).items()
        if value >= threshold and representatives.issuperset(pair)
    }
    assert as_dict(pairs) == expected
    assert list(as_dict(pairs)) == sorted(expected)
    assert not list((tmp_path / "scratch").iterdir())


def test_pairs_do_not_depend_on_parts_runs_or_memory(search, planted):
    texts = planted(7)
    results = []
    for ends, run, memory in [((), None, 1 << 30), ((1, 30, 30), map, 64_000), (range(0, 70, 9), in_threads, 70_000)]:
        found = search(texts, ends=ends, run=run, memory=memory)
        results.append((found.groups.tolist(), found.pairs))
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("cuts", [(), (11,), (3, 4, 20)])
def test_what_stays_is_searched_and_its_own_pairs_are_left_out(search, segment, planted, cuts):
    texts = planted(8)
    borders = [0, *cuts, 30]
    stay = [segment(texts[a:b]) for a, b in pairwise(borders)]
    groups, pairs = search(texts[30:], against=stay).among(30)
    whole = search(texts)
    of_group: dict[int, set[int]] = {}
    for row, group in enumerate(whole.groups.tolist()):
        of_group.setdefault(group, set()).add(row)
    expected = {}
    for (a, b), value in as_dict(whole.pairs).items():
        if max(of_group[a]) >= 30 or max(of_group[b]) >= 30:
            expected[frozenset((a, b))] = value
    # A document that stays stands for its group only where a new one has its match form.
    found = {frozenset((int(whole.groups[a]), int(whole.groups[b]))): value for (a, b), value in as_dict(pairs).items()}
    assert 0 < len(found) <= len(expected)
    assert {pair: expected[pair] for pair in found} == found
    new = [frozenset(pair) for pair in as_dict(whole.pairs) if min(pair) >= 30 or max(of_group[pair[1]]) >= 30]
    assert {pair for pair in new if min(pair) >= 30} <= set(found)
    for row in range(30, len(texts)):
        twins = [other for other in of_group[whole.groups[row]] if other < 30]
        assert groups[row] == (min(twins) if twins else whole.groups[row])


def test_without_near_there_are_groups_and_no_pairs(search, segment, planted):
    texts = planted(9)
    found = search([*texts, texts[0]], Dedup(near=False))
    assert found.groups[-1] == 0
    assert found.pairs == PAIRS.empty_table()
    found = search([*texts, texts[0]], Dedup(near=False), against=[segment([texts[0]])])
    assert found.staying.tolist() == [0]
    assert found.groups[-1] == 0


def test_an_empty_corpus_has_no_pairs(search, segment):
    for against in ([], [segment(["甲乙丙丁戊己"]), segment([])]):
        found = search([], against=against)
        groups, pairs = found.among(sum(map(len, against)))
        assert len(found.groups) == pairs.num_rows == 0
        assert (groups == -1).all()


def test_more_candidates_than_memory_are_refused_with_a_remedy(search, planted):
    with pytest.raises(StoreError, match="candidate pairs of 72 documents need about .* raise --memory"):
        search(planted(4), memory=5_000)


def test_progress_is_told_for_every_stage(search, planted):
    seen: dict[str, list[tuple[int, int]]] = {}
    search(planted(1), ends=(20,), progress=lambda stage, *done: seen.setdefault(stage, []).append(done))
    assert seen["buckets"] == [(i, 25) for i in range(1, 26)]
    assert seen["texts"] == [(1, 2), (2, 2)]
    assert seen["pairs"] == [(1, 1)]


def test_threads_keep_the_order_and_take_few_items_ahead():
    taken = []

    def items():
        for item in range(100):
            taken.append(item)
            yield item

    results = in_threads(lambda item: item * 2, items())
    assert next(results) == 0
    assert len(taken) < 100
    rest = list(results)
    assert rest == [2 * item for item in range(1, 100)]
    assert all(a < b for a, b in pairwise(rest))


def test_an_error_in_a_thread_reaches_the_caller():
    with pytest.raises(ZeroDivisionError):
        list(in_threads(lambda item: 1 // item, [1, 0]))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_named_with_the_folder_and_a_remedy(tmp_path, search, planted, monkeypatch, code):
    def refuse(*_: object) -> None:
        raise OSError(code, "no room")

    monkeypatch.setattr(module, "deal", refuse)
    with pytest.raises(StoreError, match=r"scratch: the disk is full .*; free some space and run again"):
        search(planted(2))
    assert not list((tmp_path / "scratch").iterdir())


def test_other_faults_of_the_disk_are_not_called_a_full_one(tmp_path, search):
    (tmp_path / "scratch").write_bytes(b"")
    with pytest.raises(FileExistsError):
        search(["甲"])


def test_what_a_killed_search_left_is_swept(tmp_path):
    workspace = Workspace(tmp_path / "workspace")
    with scratch_folder(workspace.pairs("0" * 64), "pairs") as folder:
        # The folder as a process that is no more would have left it.
        dead = folder.with_name(folder.name.replace(f".{os.getpid()}.", ".99999999."))
        assert dead != folder
        dead.mkdir()
        (dead / "hashes").write_bytes(b"left")
        workspace.sweep()
        assert folder.exists()
        assert not dead.exists()


def test_the_revision_of_pairs_is_said_once():
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    names = [target.id for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    assert names.count("PAIRS_REVISION") == 1
