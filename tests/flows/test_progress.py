import os
import signal

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


def test_an_interrupt_that_was_swallowed_ends_the_stage_and_the_next() -> None:
    begun = []
    with pytest.raises(KeyboardInterrupt), showing(False):
        with progress().stage("one") as bar:
            try:
                os.kill(os.getpid(), signal.SIGINT)
            except KeyboardInterrupt:
                assert bar.stopped
            begun.append("rest of one")
        begun.append("two")
    assert begun == ["rest of one"]
    with progress().stage("later") as bar:
        assert not bar.stopped


def test_the_handler_of_others_comes_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with showing(False):
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before
