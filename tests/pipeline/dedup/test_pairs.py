import ast
import errno
import os
import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from pipeline.dedup import pairs as module
from pipeline.dedup.pairs import PAIRS, find_pairs, in_threads
from pipeline.dedup.survivors import survivors
from pipeline.storage import Workspace
from schemas.errors import StoreError
from schemas.recipe import Dedup


def as_dict(pairs) -> dict[tuple[int, int], float]:
    assert pairs.schema == PAIRS
    rows = pairs.to_pydict()
    return dict(zip(zip(rows["left"], rows["right"], strict=True), rows["jaccard"], strict=True))


@pytest.mark.parametrize("threshold", [0.6, 0.8, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_pairs_are_those_of_brute_force(tmp_path, written, planted, brute_jaccards, definition, seed, threshold):
    texts = [*planted(seed), "", "", "一", "一。", "一二三四"]
    signatures, parts = written(texts, ends=(10, 40))
    # 42 bands of 3 miss one pair in 30,000 at Jaccard 0.6.
    dedup = Dedup(threshold=threshold, bands=42, rows=3)
    groups, pairs = find_pairs(signatures, parts, dedup, scratch=tmp_path / "scratch")
    forms = [definition(text) for text in texts]
    assert groups.tolist() == [forms.index(form) if form else -1 for form in forms]
    representatives = set(groups.tolist())
    expected = {
        pair: value
        for pair, value in brute_jaccards(texts).items()
        if value >= threshold and representatives.issuperset(pair)
    }
    assert as_dict(pairs) == expected
    assert list(as_dict(pairs)) == sorted(expected)
    assert not list((tmp_path / "scratch").iterdir())


def test_pairs_do_not_depend_on_how_rows_are_cut_into_parts_or_run(tmp_path, written, planted):
    texts = planted(7)
    results = []
    for ends, run in [((), None), ((1, 30, 30), map), (tuple(range(0, 70, 9)), in_threads)]:
        groups, pairs = find_pairs(*written(texts, ends=ends), Dedup(), scratch=tmp_path, run=run)
        results.append((groups.tolist(), pairs))
    assert results[0] == results[1] == results[2]


def test_pairs_among_published_documents_are_left_out(tmp_path, written, planted):
    texts = planted(8)
    files = written(texts)
    _, every = find_pairs(*files, Dedup(), scratch=tmp_path)
    _, some = find_pairs(*files, Dedup(), scratch=tmp_path, published=30)
    expected = {pair: value for pair, value in as_dict(every).items() if pair[1] >= 30}
    assert 0 < len(expected) < every.num_rows
    assert as_dict(some) == expected


def test_without_near_there_are_groups_and_no_pairs(tmp_path, written, planted):
    texts = planted(9)
    files = written([*texts, texts[0]])
    groups, pairs = find_pairs(*files, Dedup(near=False), scratch=tmp_path)
    assert groups[-1] == 0
    assert pairs == PAIRS.empty_table()


def test_an_empty_corpus_has_no_pairs(tmp_path, written):
    groups, pairs = find_pairs(*written([]), Dedup(), scratch=tmp_path)
    assert len(groups) == pairs.num_rows == 0
    groups, pairs = find_pairs([], [], Dedup(), scratch=tmp_path)
    assert len(groups) == pairs.num_rows == 0


def test_parts_that_do_not_match_are_refused(tmp_path, written):
    signatures, _ = written(["甲", "乙"])
    _, parts = written(["甲"])
    with pytest.raises(StoreError, match=r"end at rows \[2\], 1 text parts at \[1\].*sign the texts again"):
        find_pairs(signatures, parts, Dedup(), scratch=tmp_path)


def test_progress_is_told_for_every_stage(tmp_path, written, planted):
    seen: dict[str, list[tuple[int, int]]] = {}
    files = written(planted(1), ends=(20,))
    find_pairs(*files, Dedup(), scratch=tmp_path, progress=lambda stage, *done: seen.setdefault(stage, []).append(done))
    assert seen["buckets"] == [(i, 25) for i in range(1, 26)]
    assert seen["texts"] == [(1, 2), (2, 2)]
    assert seen["pairs"] == [(1, 1)]


def test_templates_give_pairs_in_proportion_to_documents_and_few_survive(tmp_path, written):
    dice = random.Random(5)
    template = [chr(dice.randrange(0x4E00, 0x5400)) for _ in range(200)]
    counts = []
    for documents in (1000, 2000):
        texts = []
        for number in range(documents):
            chars = list(template)
            for _ in range(2):
                chars[dice.randrange(200)] = chr(0x6000 + number)
            texts.append("".join(chars))
        groups, pairs = find_pairs(*written(texts), Dedup(), scratch=tmp_path)
        counts.append(pairs.num_rows)
        rows = np.arange(documents)
        survivor, _, _ = survivors(rows, rows >= 0, rows, groups, pairs)
        assert (survivor < 0).sum() <= documents / 200
    # All pairs would be four times as many.
    assert counts[1] < 2.6 * counts[0] < 0.4 * 1000 * 999 / 2


def test_leaders_of_templates_follow_the_order_given(tmp_path, written):
    dice = random.Random(6)
    texts = []
    for number in range(300):
        chars = [chr(0x4E00 + i) for i in range(150)]
        chars[dice.randrange(150)] = chr(0x6000 + number)
        texts.append("".join(chars))
    order = np.arange(300)[::-1].copy()
    _, pairs = find_pairs(*written(texts), Dedup(), scratch=tmp_path, order=order)
    tied = set(as_dict(pairs))
    # The first in the order ties down every other one, so it alone stays.
    assert {(row, 299) for row in range(299)} <= tied


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
def test_a_full_disk_is_named_with_the_folder_and_a_remedy(tmp_path, written, planted, monkeypatch, code):
    def refuse(*_: int) -> None:
        raise OSError(code, "no room")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    scratch = tmp_path / "scratch"
    with pytest.raises(StoreError, match=r"scratch: the disk is full .*; free some space and run again"):
        find_pairs(*written(planted(2)), Dedup(), scratch=scratch)
    assert not list(scratch.iterdir())


def test_other_faults_of_the_disk_are_not_called_a_full_one(tmp_path, written):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        find_pairs(*written(["甲"]), Dedup(), scratch=tmp_path / "file" / "scratch")


def test_what_a_killed_search_left_is_swept(tmp_path, written, planted):
    workspace = Workspace(tmp_path / "workspace")
    scratch = workspace.pairs("0" * 64) / "scratch"
    left: list[Path] = []

    def killed(*_: object) -> None:
        left.extend(scratch.iterdir())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        find_pairs(*written(planted(3)), Dedup(), scratch=scratch, progress=killed)
    (folder,) = left
    # The folder as a process that is no more would have left it.
    dead = folder.with_name(folder.name.replace(f".{os.getpid()}.", ".99999999."))
    assert dead != folder
    dead.mkdir()
    (dead / "keys.u64").write_bytes(b"left")
    workspace.sweep()
    assert not dead.exists()


def test_the_revision_of_pairs_is_said_once():
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    names = [target.id for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    assert names.count("PAIRS_REVISION") == 1
