"""What values a network's tensors take: measured on the training set, promised with a margin, checked.

CKKS errors are relative to the largest value that a ciphertext holds, so the bounds fix the precision
that an evaluator needs; a value beyond its bound may decrypt to something else entirely.
"""

import math

import torch
from torch import Tensor

from networks.architecture import INPUT, Architecture
from networks.data import Preparation
from networks.fold import Folded

MARGIN = 1.25
# What no activation reads is not squared again: room for an unseen image costs two thirds of a bit there, and only there.
LAST_MARGIN = 2.0


@torch.no_grad()
def largest(folded: Folded, images: Tensor, prepare: Preparation, batch: int = 250) -> dict[str, float]:
    """Largest |value| of every layer's output, and of the input, over uint8 ``images``; infinite where one is not a number."""
    found: dict[str, float] = {}
    for part in images.split(batch):
        for name, value in folded.values(prepare(part)).items():
            largest = value.abs().max().item()
            found[name] = max(found.get(name, 0.0), math.inf if math.isnan(largest) else largest)
    return found


@torch.no_grad()
def beyond(folded: Folded, images: Tensor, prepare: Preparation, bounds: dict[str, float], batch: int = 250) -> int:
    """How many of uint8 ``images`` have a value beyond its bound, in any layer."""
    count = 0
    for part in images.split(batch):
        out = torch.zeros(len(part), dtype=torch.bool)
        for name, value in folded.values(prepare(part)).items():
            out |= ~(value.abs().flatten(1).amax(1) <= bounds[name] * (1 + 1e-6))  # not a number is beyond
        count += int(out.sum())
    return count


@torch.no_grad()
def overflowing(folded: Folded, images: Tensor, prepare: Preparation, batch: int = 250) -> int:
    """How many of uint8 ``images`` have logits that are no numbers."""
    return sum(int((~folded(prepare(part)).isfinite().all(1)).sum()) for part in images.split(batch))


def promise(train: dict[str, float], architecture: Architecture) -> dict[str, float]:
    """Bounds: the largest value of training with a margin, rounded up to two digits.

    The input's bound needs no margin: it is what pixels of 0 and 255 become, and is passed in as it is.
    """
    names = [layer.name for layer in architecture.layers]
    last = max(place for place, layer in enumerate(architecture.layers) if layer.op == "activation")
    margin = {name: MARGIN if place < last else LAST_MARGIN for place, name in enumerate(names)}
    return {name: value if name == INPUT else round_up(margin[name] * value) for name, value in train.items()}


def broken(found: dict[str, float], bounds: dict[str, float]) -> dict[str, float]:
    """The layers whose values exceed their bound, with the value."""
    return {name: value for name, value in found.items() if value > bounds[name] * (1 + 1e-6)}


def round_up(value: float) -> float:
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return round(math.ceil(value / step) * step, 6)
