"""Data-parallel training on CPU cores: one process a core, gradients averaged once a step.

On a machine that is shared with other work this is several times faster than one process with several
threads, whose every small kernel waits for the slowest thread.
"""

import os
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


# Tensors of a few MiB on large pages that stay with the process: a step is a quarter faster.
TUNABLES = "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=4294967296"


def use_large_pages() -> None:
    """Starts the program again with the allocator's settings, unless the environment has some."""
    if sys.platform == "linux" and "GLIBC_TUNABLES" not in os.environ:
        os.execve(sys.executable, sys.orig_argv, os.environ | {"GLIBC_TUNABLES": TUNABLES})


def launch(count: int, function: Callable[..., None], *arguments: Any) -> None:
    """Calls ``function(*arguments)`` in ``count`` forked processes of one thread each."""
    torch.set_num_threads(1)  # before the fork: a child cannot use its parent's thread pool
    if count == 1:
        return function(*arguments)
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.start_processes(
            _start, (count, f"file://{folder}/rendezvous", function, arguments), count, start_method="fork"
        )


def _start(rank: int, count: int, meeting: str, function: Callable[..., None], arguments: tuple) -> None:
    dist.init_process_group("gloo", meeting, rank=rank, world_size=count)
    function(*arguments)
    dist.destroy_process_group()


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def count() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def average(tensors: list[Tensor]) -> None:
    """Replaces floating-point tensors by their mean over the workers, in one exchange."""
    if count() == 1 or not tensors:
        return
    flat = torch.cat([tensor.reshape(-1).float() for tensor in tensors])
    dist.all_reduce(flat)
    flat /= count()
    for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors])):
        tensor.copy_(part.view_as(tensor))


def average_gradients(module: nn.Module) -> None:
    average([p.grad for p in module.parameters() if p.grad is not None])


def average_statistics(module: nn.Module) -> None:
    average([b for b in module.buffers() if b.is_floating_point()])
