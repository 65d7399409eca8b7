import importlib.util
import subprocess
import sys

import numpy as np
from numba import njit
from numba.core.registry import cpu_target

from flows.starting import NOT_NEEDED, kernels_loading

ALONE = """
import sys
from flows.starting import kernels_loading
with kernels_loading():
    pass
print(sorted(name for name in sys.modules if name in NAMES))
""".replace("NAMES", repr(NOT_NEEDED))


def test_what_is_compiled_meanwhile_has_all_of_numba_and_afterwards_everything_is_as_before():
    context = cpu_target.target_context
    before = importlib.util.find_spec("pandas")
    with kernels_loading():
        # The habit of this Numba that the saving needs; where it has gone, this says so.
        assert "load_additional_registries" in vars(context)

        @njit
        def sorted_words(numbers):
            return [f"{number}" for number in sorted(set(numbers))], np.sort(numbers).sum()

        assert sorted_words(np.array([3, 1, 3])) == (["1", "3"], 7)
        assert "load_additional_registries" not in vars(context)
    assert "load_additional_registries" not in vars(context)
    assert (importlib.util.find_spec("pandas") is None) == (before is None)


def test_nothing_that_is_not_needed_is_imported():
    # In a process of its own, since this one has imported them.
    said = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n", said.stderr


def test_arrow_alone_is_loaded_without_pandas():
    script = """
import sys
from flows.starting import load_arrow
load_arrow()
import pyarrow as pa
from pipeline.storage import row_bytes
row_bytes(pa.table({"a": [1.0], "b": ["x"]}))
pa.Table.from_pylist([{"a": 1}])
print("pandas" in sys.modules)
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout == "False\n", said.stderr
