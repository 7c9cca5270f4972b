"""What heads of other tasks are trained on: pooled features, softly whitened with constants of the network's own training set.

The constants are public parts of the card, so an evaluator applies them to encrypted features: nothing of another task's data is
needed. Standardised features are correlated (the largest eigenvalue of their second moments is tens); a head on them needs small
steps and its logits leave any range.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from networks.data import Dataset, Preparation, Split
from networks.fold import Folded
from networks.ranges import LAST_MARGIN, round_up
from networks.transfer import features

SOFTNESS = 0.5


def whitened(folded: Folded, own: Dataset, prepare: Preparation) -> dict[str, Any]:
    """The card's ``features``: ``rows (pooled - mean)``, principal components of standardised channels divided by
    ``sqrt(eigenvalue + SOFTNESS)``, the largest eigenvalue first."""
    pooled = features(folded, own.train, prepare).double().flatten(1)
    mean, std = pooled.mean(0), pooled.std(0).clamp_min(1e-6)
    standard = (pooled - mean) / std
    values, vectors = torch.linalg.eigh(standard.T @ standard / len(standard))
    order = values.argsort(descending=True)
    rows = (vectors[:, order] / (values[order] + SOFTNESS).sqrt()).T / std
    largest = ((pooled - mean) @ rows.T).abs().max().item()
    return {
        "about": "rows (pooled - mean): principal components of standardised channels over the training images, divided by "
        f"sqrt(eigenvalue + {SOFTNESS}). bound is {LAST_MARGIN} times the largest value in training, rounded up.",
        "layer": "pool", "mean": _rounded(mean), "rows": [_rounded(row) for row in rows], "bound": round_up(LAST_MARGIN * largest),
    }


def table(folded: Folded, split: Split, classes: tuple[str, ...], prepare: Preparation, path: Path) -> None:
    """Pooled features as CSV, a row an image, and its class in the column ``label``: for studies of heads."""
    pooled = features(folded, split, prepare).flatten(1)
    with path.open("w") as file:
        file.write(",".join([f"c{i}" for i in range(pooled.shape[1])] + ["label"]) + "\n")
        for row, label in zip(pooled.tolist(), split.labels.tolist()):
            file.write(",".join([f"{value:.7g}" for value in row] + [classes[label]]) + "\n")


def _rounded(values: Tensor) -> list[float]:
    return [float(f"{value:.9g}") for value in values.tolist()]
