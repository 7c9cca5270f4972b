"""Writes a tiny network with random weights as a model folder: ``python -m networks.fixture FOLDER [DEPTH]``.

It has every kind of layer and no training behind it, for tests that must not need large weights. Its name is the folder's.
``crates/model/tests/deep`` has a depth of 14, more levels than there are between bootstraps.
"""

import sys
from pathlib import Path

import torch

from networks import card, ranges
from networks.architecture import resnet
from networks.data import Preparation
from networks.fold import fold
from networks.golden import pattern, vectors
from networks.network import Network

PREPARATION = Preparation((0.5, 0.5), (0.25, 0.25), 0.5)


def write(folder: Path, depth: int) -> None:
    torch.manual_seed(1)
    shape = (2, 8, 8)
    network = Network(resnet(depth, 3, shape, widths=(4, 6))).train()
    images = torch.stack([pattern(index, shape) for index in range(64)])
    with torch.no_grad():
        for _ in range(50):
            network(PREPARATION(images))
    folded = fold(network.eval())
    seen = ranges.largest(folded, images, PREPARATION)
    seen["input"] = PREPARATION.bound()
    content = {
        "name": folder.name,
        "about": "Random weights: a fixture for tests, good for nothing else.",
        "licence": "Apache-2.0 OR MIT",
        "classes": ["a", "b", "c"],
        "input": {"shape": list(shape), **PREPARATION.to_json()},
        "ranges": {
            "bound": ranges.promise(seen, folded.architecture), "train": {name: round(value, 4) for name, value in seen.items()},
        },
    }
    card.write(folder, folded, content, vectors(folded, PREPARATION, None, patterns=4))


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 6)
