import pytest

from flows.progress import progress, showing


def test_a_stage_says_what_it_did_in_one_plain_line(capsys: pytest.CaptureFixture[str]) -> None:
    with showing(True), progress().stage("read", total=3) as bar:
        bar.advance()
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("read: 3 done in ")


def test_nothing_is_shown_unasked(capsys: pytest.CaptureFixture[str]) -> None:
    with progress().stage("read", total=3) as bar:
        bar.advance()
    with showing(False), progress().stage("read"):
        pass
    assert capsys.readouterr() == ("", "")
