from hypothesis import given
from hypothesis import strategies as st

from pipeline.readers.lines import TooLong, byte_lines, text_lines


def cut(text, places):
    places = sorted({place % (len(text) + 1) for place in places})
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]


@given(st.text("文a\n", max_size=60), st.lists(st.integers(0, 100), max_size=9))
def test_lines_do_not_depend_on_block_borders(text, places):
    wanted = text.split("\n")[: -1 if text.endswith("\n") or not text else None]
    assert list(text_lines(cut(text, places), 1000)) == wanted
    assert [line.decode() for line in byte_lines(text.encode(), 0, 1000)] == wanted


def test_carriage_returns_alone_end_lines_and_before_a_line_feed_they_vanish():
    assert list(text_lines(["a\rb\rc"], 10)) == ["a", "b", "c"]
    assert list(text_lines(["a\r\nb\r", "\nc"], 10)) == ["a", "b", "c"]


def test_a_line_over_the_limit_gives_its_size_and_head():
    assert list(byte_lines(b"ab\n" + b"x" * 9000 + b"\ncd", 0, 50)) == [b"ab", TooLong(9000, b"x" * 800), b"cd"]
    found = list(text_lines(["ab\n", *["x" * 1000] * 9, "\ncd"], 50))
    assert found == ["ab", TooLong(9000, "x" * 800), "cd"]
    assert "limits.record_bytes 50" in found[1].reason(50)


def test_the_limit_counts_bytes_of_the_encoding():
    assert list(text_lines(["长" * 40 + "\n"], 80, "gb18030")) == ["长" * 40]
    assert list(text_lines(["长" * 40 + "\n"], 80, "utf-8")) == [TooLong(120, "长" * 40)]
