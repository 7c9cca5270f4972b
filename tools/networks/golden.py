"""Known answers of a network, for other implementations of it.

Two kinds of input: test images, named by their place in the data set (with a digest of the decoded
pixels, since JPEG decoders differ by a level here and there), and patterns that need no data.
"""

import hashlib
from typing import Any

import torch
from torch import Tensor

from networks.data import Preparation, Split
from networks.fold import Folded


def pattern(index: int, shape: tuple[int, int, int]) -> Tensor:
    """uint8 ``[channels, height, width]``: (40 index + 5 c + 3 y + 4 x + x y / 4, rounded down) mod 256."""
    channels, height, width = shape
    c, y, x = (torch.arange(n).view(v) for n, v in ((channels, (-1, 1, 1)), (height, (1, -1, 1)), (width, (1, 1, -1))))
    return ((40 * index + 5 * c + 3 * y + 4 * x + x * y // 4) % 256).to(torch.uint8)


@torch.no_grad()
def vectors(folded: Folded, prepare: Preparation, test: Split | None, patterns: int = 2) -> dict[str, Any]:
    """Features and logits, computed in float64, of 8 test images spread over ``test`` and of patterns."""
    cases, images = [], []
    for index in range(patterns):
        images.append(pattern(index, folded.architecture.shape))
        cases.append({"pattern": index})
    if test is not None:
        for row in ((2 * i + 1) * len(test) // 16 for i in range(8)):
            images.append(test.images[row])
            pixels = hashlib.sha256(test.images[row].contiguous().numpy().tobytes()).hexdigest()
            cases.append({"test_row": row, "label": test.labels[row].item(), "pixels_sha256": pixels})
    inputs = prepare(torch.stack(images)).double()
    values = folded.double().values(inputs)
    if inputs[0].numel() <= 256:
        cases[0]["input"] = _rounded(inputs[0].flatten())
    output = folded.architecture.layers[-1].name
    for i, case in enumerate(cases):
        case["features"] = _rounded(values["pool"][i])
        case["logits"] = _rounded(values[output][i])
    return {
        "about": "Logits and pooled features in float64 from float32 weights. test_row counts test images by class in "
        "alphabetical order, then by file name. pattern: pixel(c,y,x) = (40 pattern + 5c + 3y + 4x + floor(xy/4)) mod 256. "
        "pixels_sha256: of the uint8 pixels in the order channel, row, column.",
        "cases": cases,
    }


@torch.no_grad()
def largest_error(folded: Folded, prepare: Preparation, golden: dict[str, Any]) -> float:
    """Largest difference to the logits of the cases that need no data."""
    cases = [case for case in golden["cases"] if "pattern" in case]
    images = torch.stack([pattern(case["pattern"], folded.architecture.shape) for case in cases])
    expected = torch.tensor([case["logits"] for case in cases], dtype=torch.float64)
    return (folded.double()(prepare(images).double()) - expected).abs().max().item()


def _rounded(values: Tensor) -> list[float]:
    return [round(value, 6) for value in values.tolist()]
