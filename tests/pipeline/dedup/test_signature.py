import datasketch
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.dedup import signature
from pipeline.dedup.signature import (
    SCHEME,
    SHINGLE,
    SIGNATURES,
    fingerprints,
    shingle_hash,
    sign,
    signatures_schema,
)
from pipeline.text import CodePoints

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.text("甲乙丙丁國a，", max_size=60)


def minima(batch: pa.RecordBatch) -> np.ndarray:
    rows = [np.frombuffer(row, "<u4") for row in batch.column("signature").to_pylist()]
    return np.array(rows)


def datasketched(form: str, permutations: int, seed: int) -> datasketch.MinHash:
    sketch = datasketch.MinHash(permutations, seed, scheme=SCHEME, hashfunc=shingle_hash)
    for start in range(max(len(form) - SHINGLE + 1, min(len(form), 1))):
        sketch.update(form[start : start + SHINGLE])
    return sketch


@settings(max_examples=150, deadline=None)
@given(texts, st.sampled_from([16, 37, 128]), st.integers(0, 2**32 - 1))
def test_signature_equals_datasketch_bit_for_bit(definition, text, permutations, seed):
    form = definition(text)
    if not form:
        text = form = "一"
    batch = sign(pa.array(["前文", text]), permutations=permutations, seed=seed)
    np.testing.assert_array_equal(minima(batch)[1], datasketched(form, permutations, seed).hashvalues)


@pytest.mark.parametrize("length", [1, 4, 5, 6, 12, 13, 1027, 1028, 1029, 3000])
def test_signature_equals_datasketch_at_the_kernels_borders(definition, length):
    text = definition("".join(chr(0x4E00 + i * i % 2999) for i in range(length)))
    assert len(text) == length
    np.testing.assert_array_equal(minima(sign(pa.array([text])))[0], datasketched(text, 128, 1).hashvalues)


def test_a_datasketch_index_filled_with_our_signatures_answers_queries():
    one = "中华人民共和国的一切权力属于人民。人民行使国家权力的机关是全国人民代表大会和地方各级人民代表大会。"
    index = datasketch.MinHashLSH(threshold=0.7, num_perm=128)
    for key, row in zip("ab", minima(sign(pa.array([one, "完全不同的另外一段文字，说的是天气。"]))), strict=True):
        index.insert(key, datasketch.MinHash(hashvalues=row, seed=1, scheme=SCHEME))
    query = one.replace("，", "").replace("。", "")[:-1]
    assert index.query(datasketched(query, 128, 1)) == ["a"]


def test_the_element_hash_takes_utf8_and_refuses_what_is_no_shingle():
    assert shingle_hash("中华人民共") == shingle_hash("中华人民共".encode())
    assert 0 <= shingle_hash("中") < 2**32
    for wrong in ("", "中华人民共和"):
        with pytest.raises(ValueError, match="1 to 5 characters"):
            shingle_hash(wrong)


@settings(max_examples=40, deadline=None)
@given(st.lists(texts, max_size=6), st.integers(0, 6))
def test_signing_is_independent_of_batch_borders(rows, cut):
    whole = sign(pa.array(rows, pa.string()))
    parts = [sign(pa.array(part, pa.large_string())) for part in (rows[:cut], rows[cut:])]
    assert pa.Table.from_batches([whole]) == pa.Table.from_batches(parts).combine_chunks()
    assert sign(pa.array(["前", *rows], pa.string()).slice(1)).equals(whole)


def test_schema_and_blank_texts():
    batch = sign(pa.array(["", "\u3000\n", "字", "——"]))
    assert batch.schema == SIGNATURES == signatures_schema(128)
    assert batch.column("match_hash").is_null().to_pylist() == [True, True, False, False]
    assert (minima(batch)[:2] == 2**32 - 1).all()
    assert sign(pa.array([], pa.string()), permutations=16).schema == signatures_schema(16)


def test_equal_match_forms_have_equal_hashes_and_others_do_not():
    same = ["《中華人民共和國》，ＡＢＣ", "中华人民共和国abc", "中华 人民\u200b共和国ABC。"]
    hashes = sign(pa.array([*same, "中华人民共和国abd"])).column("match_hash").to_pylist()
    assert len(set(hashes[:3])) == 1
    assert hashes[3] != hashes[0]


def test_a_signature_sees_no_more_than_the_cap(monkeypatch):
    monkeypatch.setattr(signature, "CAP", 2000)
    text = "".join(chr(0x4E00 + i * i % 4001) for i in range(5000))
    long, cut = minima(sign(pa.array([text, text[:2000]])))
    np.testing.assert_array_equal(long, cut)
    hashes = sign(pa.array([text, text[:2000]])).column("match_hash").to_pylist()
    assert hashes[0] != hashes[1]


@settings(max_examples=100, deadline=None)
@given(st.text("甲乙\0", min_size=0, max_size=6), st.text("甲乙\0", max_size=6), st.sampled_from([0, 1020, 1024, 2046]))
def test_fingerprints_differ_in_both_halves_where_texts_differ(one, other, before):
    points = CodePoints.of(pa.array(["丙" * before + one, "丙" * before + other]))
    first, second = fingerprints(points)
    assert ((first == second) == (one == other)).all()


def test_fingerprints_of_many_texts_are_distinct():
    rows = pa.array([chr(0x4E00 + i % 200) * (i // 200 + 1) for i in range(20_000)])
    hashes = fingerprints(CodePoints.of(rows))
    assert len(np.unique(hashes[:, 0])) == len(np.unique(hashes[:, 1])) == len(rows)
