"""The shipped table of Unicode properties is the one that is built, and says what `unicodedata` says."""

import numpy as np
import pytest
from tests_support import same_unicode

from pipeline import properties as module
from pipeline.properties import CODE_POINTS, COMPOSES, UNICODE, UPPER, WIDE, WORD, folds, of_categories, properties
from pipeline.signals.detection import profiles


@same_unicode
def test_the_shipped_table_is_the_one_that_is_built(tmp_path):
    module.write(tmp_path / "built.npz")
    with np.load(tmp_path / "built.npz") as built:
        assert built["unicode"] == UNICODE
        for name, array in module._stored().items():
            np.testing.assert_array_equal(built[name], array, name)


@pytest.mark.parametrize(
    ("char", "category", "bits"),
    [
        ("中", "Lo", WIDE | WORD),
        ("A", "Lu", WORD | UPPER),
        ("ａ", "Ll", WIDE | WORD),
        ("，", "Po", WIDE),
        ("…", "Po", WIDE),
        ("½", "No", WIDE | WORD),
        ("三", "Lo", WIDE | WORD),
        ("\u0301", "Mn", WIDE | COMPOSES),
        ("\u212b", "Lu", WIDE | WORD | UPPER | COMPOSES),
        ("\u1161", "Lo", WORD | COMPOSES),
        ("\ud800", "Cs", 0),
        ("\u0378", "Cn", WIDE),
    ],
)
def test_properties_of_characters(char, category, bits):
    assert int(properties()[ord(char)]) & ~module.CATEGORY == bits
    assert of_categories(category)[ord(char)]
    assert of_categories(category[0])[ord(char)]
    assert not of_categories("Zs")[ord(char)]


def test_every_code_point_is_there():
    assert properties().shape == (CODE_POINTS,)
    assert np.flatnonzero(of_categories("Zl", "Zp")).tolist() == [0x2028, 0x2029]


def test_folds_and_digits():
    known = folds()
    folded = dict(zip(known.points.tolist(), known.values.tolist(), strict=True))
    assert {char: chr(folded[ord(char)]) for char in "ＡⓋＶ"} == {"Ａ": "a", "Ⓥ": "v", "Ｖ": "v"}
    digits = dict(zip(known.digits.tolist(), known.numbers.tolist(), strict=True))
    assert [digits[ord(char)] for char in "7７⑦٧"] == [7, 7, 7, 7]


def test_letters_count_as_langdetect_takes_them():
    ngram = pytest.importorskip("langdetect.utils.ngram").NGram
    for point in (*range(0xD800), *range(0xE000, 1 << 16)):
        char = ngram.normalize(chr(point))
        assert profiles().normal[point] & 0xFFFF == ord(char), hex(point)
