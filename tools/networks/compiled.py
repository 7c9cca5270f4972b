"""C++ kernels beside the Python that calls them, compiled at the first use."""

import functools
import sys
from pathlib import Path


@functools.cache
def kernels(name: str, *flags: str):
    """The module of ``name``.cpp, or None where there is no compiler that can build it for this processor."""
    try:
        from torch.utils.cpp_extension import load

        source = Path(__file__).with_name(f"{name}.cpp")
        return load(f"confide_{name}", [str(source)], extra_cflags=["-O3", "-march=native", "-std=c++20", *flags])
    except (ImportError, OSError, RuntimeError) as error:
        print(f"no compiled {name} ({error}); the plain one is slower", file=sys.stderr)
        return None
