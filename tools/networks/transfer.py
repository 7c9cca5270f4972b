"""A linear head on a backbone's pooled features, trained in the clear: what the encrypted head is compared with."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from networks.data import Dataset, Preparation, Split


@torch.no_grad()
def features(backbone: nn.Module, split: Split, prepare: Preparation, batch: int = 250) -> Tensor:
    """``[n, channels]`` pooled features in float32."""
    parts = [values["pool"] for values in map(lambda p: _values(backbone, prepare(p)), split.images.split(batch))]
    return torch.cat(parts)


def _values(backbone, images: Tensor) -> dict[str, Tensor]:
    return backbone.tensors(images) if isinstance(backbone, nn.Module) else backbone.values(images)


def head_accuracy(backbone, data: Dataset, prepare: Preparation, decay: float = 1e-3) -> dict[str, float]:
    """Softmax regression on standardised features of ``data``'s training set, to convergence (L-BFGS)."""
    train, test = (features(backbone, split, prepare) for split in (data.train, data.test))
    centre, scale = train.mean(0), train.std(0) + 1e-6
    train, test = (train - centre) / scale, (test - centre) / scale
    head = nn.Linear(train.shape[1], len(data.classes))
    nn.init.zeros_(head.weight), nn.init.zeros_(head.bias)
    optimiser = torch.optim.LBFGS(head.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = F.cross_entropy(head(train), data.train.labels) + decay * head.weight.square().sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    right = [(head(x).argmax(1) == y).float().mean().item() for x, y in ((train, data.train.labels), (test, data.test.labels))]
    return {"train": round(right[0], 4), "test": round(right[1], 4)}
