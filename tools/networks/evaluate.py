"""Logits and accuracy in float32, shared between the workers where there are several."""

import torch
from torch import Tensor, nn

from networks import workers
from networks.data import Preparation, Split


@torch.no_grad()
def logits(network: nn.Module, images: Tensor, prepare: Preparation, batch: int = 250) -> Tensor:
    """float32 logits of uint8 images."""
    network.eval()
    return torch.cat([network(prepare(part)).float() for part in images.split(batch)])


def accuracy(network: nn.Module, split: Split, prepare: Preparation) -> float:
    """Fraction of ``split`` that is classified correctly."""
    mine = slice(workers.rank(), None, workers.count())
    right = (logits(network, split.images[mine], prepare).argmax(1) == split.labels[mine]).sum()
    total = torch.tensor([right.item() * workers.count() / len(split)], dtype=torch.float64)
    workers.average([total])
    return round(total.item(), 6)
