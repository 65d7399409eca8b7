"""What a lexicon file says, and how its faults are told."""

from pathlib import Path

import pytest

from pipeline.lexicon.files import parse, read
from schemas.errors import RecipeError

HEAD = "---\nname: 花\nversion: 2.1\nlicense: CC0-1.0\nlanguage: zh\n---\n"


def test_reads_header_and_terms(tmp_path: Path) -> None:
    path = tmp_path / "花.tsv"
    path.write_bytes(
        f"\ufeff{HEAD}# a remark\nterm\tcategory\tweight\tflags\n牡丹\t花\t2.5\n\n牡丹江\t\t\tallow\n梅\r\n".encode()
    )
    found = read(path)
    assert (found.name, found.version, found.license, found.language) == ("花", "2.1", "CC0-1.0", "zh")
    assert [(term.text, term.category, term.weight, set(term.flags)) for term in found.terms] == [
        ("牡丹", "花", 2.5, set()),
        ("牡丹江", "other", 1.0, {"allow"}),
        ("梅", "other", 1.0, set()),
    ]
    assert found.categories == ("花", "other")
    assert found.resource.license == "CC0-1.0"
    assert len(found.hash) == 64


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("term\n牡丹\n", "line 1: a header between two lines `---` is missing"),
        ("---\nname: 花\n---\nterm\n牡丹\n", "the header has name; it needs name, version, license, language"),
        ("---\nname: [\n---\nterm\n牡丹\n", "the header is no YAML"),
        (HEAD, "holds no term"),
        (HEAD + "牡丹\t花\n", "line 7: the first line after the header names the columns"),
        (HEAD + "term\tcolour\n牡丹\t红\n", "line 7: the first line after the header names the columns"),
        (HEAD + "term\n牡丹\t花\n", "line 8: 2 cells for 1 columns"),
        (HEAD + "term\n" + "花" * 65 + "\n", "line 8: a term has 1 to 64 characters, this one has 65"),
        (HEAD + "term\tcategory\n牡丹\t红 花\n", "line 8: category '红 花'"),
        (HEAD + "term\tflags\n牡丹\tmaybe\n", "line 8: unknown flag 'maybe'; known are allow, anywhere, exact, word"),
        (HEAD + "term\tweight\n牡丹\tnan\n", "line 8: weight 'nan' is no number from 0 to 1000"),
    ],
)
def test_names_the_line_that_is_wrong(text: str, said: str) -> None:
    with pytest.raises(RecipeError) as error:
        parse(text.encode(), "花.tsv")
    assert str(error.value).startswith("lexicon 花.tsv")
    assert said in str(error.value)


def test_other_encodings_and_absent_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="byte 10 is not UTF-8; save the file as UTF-8"):
        parse("---\nname: 花".encode("gb18030"), "花.tsv")
    with pytest.raises(RecipeError, match="No such file"):
        read(tmp_path / "无.tsv")
