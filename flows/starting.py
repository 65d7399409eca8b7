"""Starting fast: what saves a second of a short run, since a batch of a few thousand documents takes no longer.

Trade: it knows three habits of Numba 0.6x and one of Arrow. Where another version has others, the start is slower and
nothing else: `tests/flows/test_starting.py` says so.
"""

import gc
import importlib
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

NOT_NEEDED = ("coverage", "pandas", "scipy.linalg")


class _NotNeeded(MetaPathFinder):
    """Finds none of NOT_NEEDED."""

    def find_spec(self, fullname: str, *_: Any) -> None:
        """Refuse them, and leave the others to who comes next."""
        if fullname in NOT_NEEDED:
            raise ModuleNotFoundError(f"{fullname} is not needed", name=fullname)


@contextmanager
def kernels_loading() -> Iterator[None]:
    """Load the kernels of near-duplicates while the first file is read, and nothing that no kernel needs."""
    with lightly():
        # Before the thread starts: an import that Ctrl-C breaks off may leave its lock to who waits for it.
        from pipeline.dedup.tool import dedup_documents

        loading = threading.Thread(target=_load_kernels, args=[dedup_documents], daemon=True)
        loading.start()
        gc.freeze()
        try:
            yield
        finally:
            loading.join(60)
            gc.unfreeze()


@contextmanager
def lightly(*, steps: bool = False) -> Iterator[None]:
    """Load Arrow and Numba without what no kernel needs; `steps`: with what Numba has for arrays, as those of steps do.

    Numba looks for coverage when it is imported and for SciPy's linear algebra when it loads its first kernel; none is
    used here, and finding them takes 0.3 s. Who asks for them later gets them.
    """
    usual = gc.get_threshold()
    gc.set_threshold(100_000, 20, 20)  # there are few cycles and many strings: a tenth of the time went into looking
    load_arrow()
    try:
        with ExitStack() as stack:
            with _without():
                from numba.core.registry import cpu_target

                stack.enter_context(_without_compiler(cpu_target.target_context))
                cpu_target.target_context.refresh()
                if steps:  # looks for SciPy's linear algebra when it is imported, and again for who compiles with it
                    importlib.import_module("numba.np.arraymath")
            yield
    finally:
        gc.set_threshold(*usual)


def load_arrow() -> None:
    """Load Arrow without pandas, which it looks for once, when it first makes an array: .2 s."""
    with _without():
        import numpy as np
        import pyarrow as pa

        for values in (np.zeros(0), [""]):
            pa.array(values)


@contextmanager
def _without() -> Iterator[None]:
    """Find none of NOT_NEEDED in the block."""
    finder = _NotNeeded()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


@contextmanager
def _without_compiler(context: Any) -> Iterator[None]:
    """Leave out, until something is compiled, what Numba loads for compiling with its first kernel: 0.2 s."""
    from numba.core import compiler
    from numba.core.runtime.nrt import rtsys

    compile_extra: Any = compiler.compile_extra

    def with_compiler(*args: Any, **options: Any) -> Any:
        restore()
        context.refresh()
        return compile_extra(*args, **options)

    def restore() -> None:
        vars(context).pop("load_additional_registries", None)
        compiler.compile_extra = compile_extra

    context.load_additional_registries = partial(rtsys.initialize, context)
    compiler.compile_extra = with_compiler
    try:
        yield
    finally:
        restore()


def _load_kernels(search: Callable[..., Any]) -> None:
    """Search three documents, for the kernels that it takes; what fails here fails again where it is said."""
    import pyarrow as pa

    from schemas.recipe import Dedup

    texts = ["近似重复的文本一二三四五六七八九十", "近似重复的文本一二三四五六七八九十。", "别的"]
    batch = pa.record_batch({"id": ["a", "b", "c"], "text": texts})
    with suppress(Exception), tempfile.TemporaryDirectory() as folder:
        search([batch], Path(folder), Dedup(), run=map)
