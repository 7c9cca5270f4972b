"""Logits and accuracy in float32, shared between the workers where there are several."""

import torch
from torch import Tensor, nn

from networks import workers
from networks.data import Split, normalise


@torch.no_grad()
def logits(network: nn.Module, images: Tensor, mean: list[float], std: list[float], batch: int = 250) -> Tensor:
    """float32 logits of uint8 images."""
    network.eval()
    return torch.cat([network(normalise(part, mean, std)).float() for part in images.split(batch)])


def accuracy(network: nn.Module, split: Split, mean: list[float], std: list[float]) -> float:
    """Fraction of ``split`` that is classified correctly."""
    mine = slice(workers.rank(), None, workers.count())
    right = (logits(network, split.images[mine], mean, std).argmax(1) == split.labels[mine]).sum()
    total = torch.tensor([right.item() * workers.count() / len(split)], dtype=torch.float64)
    workers.average([total])
    return round(total.item(), 6)
