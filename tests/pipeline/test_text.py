import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.text import looks

# The bytes at which the rules of UTF-8 change, so that most cases are near one.
EDGES = bytes.fromhex("00 0d 41 7f 80 8f 90 9f a0 bf c0 c1 c2 df e0 e1 ec ed ee ef f0 f1 f3 f4 f5 ff")


@settings(deadline=None)
@given(st.lists(st.sampled_from(EDGES), max_size=12).map(bytes) | st.binary() | st.text().map(str.encode))
@example(b"")
@example("𠀀".encode())
@example("表".encode()[:2])
@example(("中文" * 100).encode()[:-1])
def test_bytes_are_judged_as_python_does(data):
    try:
        data.decode("utf-8")
        valid = True
    except UnicodeDecodeError:
        valid = False
    assert looks(np.frombuffer(data, np.uint8)) == (valid, b"\0" in data or b"\r" in data)
