"""A trained run as a model folder: folds, measures accuracy and ranges, writes weights, golden vectors, card."""

import json
import math
from pathlib import Path
from typing import Any

import torch

from networks import card, ranges, train
from networks.data import Dataset, Preparation
from networks.evaluate import accuracy, logits
from networks.features import whitened
from networks.fold import Folded, fold, monic
from networks.golden import vectors
from networks.transfer import head_accuracy

TITLES = {"cifar10": "Small colour photographs", "mednist": "Kinds of medical scan"}


def export(run: Path, data: Dataset, folder: Path, baseline: Path | None) -> dict[str, Any]:
    """``data`` holds all classes; a recipe that names some gets a transfer result for the others."""
    recipe, network, state = train.restore(run)
    if state["epoch"] != recipe.epochs:
        raise ValueError(f"{run} stands at epoch {state['epoch']} of {recipe.epochs}: finish it first")
    own = data.only(recipe.classes) if recipe.classes else data
    prepare = Preparation.from_json(state["preparation"])
    folded = fold(network)
    right = accuracy(folded, own.test, prepare)
    sample = own.test.images[:1000]
    apart = (logits(folded, sample, prepare) - logits(network, sample, prepare)).abs().max().item()
    seen = {name: round(value, 4) for name, value in ranges.largest(folded, own.train.images, prepare).items()}
    test = {name: round(value, 4) for name, value in ranges.largest(folded, own.test.images, prepare).items()}
    if not all(map(math.isfinite, seen.values())):
        count = ranges.overflowing(folded, own.train.images, prepare)
        raise ValueError(
            f"{count} of {len(own.train)} training images overflow: no bound can be promised. "
            "Train with a larger penalty, or a smaller limit, in the recipe"
        )
    seen["input"] = prepare.bound()
    bounds = ranges.promise(seen, folded.architecture)
    broken = ranges.broken(test, bounds)
    if broken:
        raise ValueError(f"values beyond their bounds on the test set: {broken}")
    mirrored = ranges.beyond(folded, own.train.images.flip(3), prepare, bounds) if recipe.flip else 0
    worst = max((name for name in test if name != "input"), key=lambda name: test[name] / bounds[name])
    content = {
        "name": recipe.name,
        "about": f"{TITLES[recipe.dataset]}: ResNet-{recipe.depth} with {recipe.activation} activations, "
        f"trained on {len(own.classes)} classes of {recipe.dataset}.",
        "licence": "Apache-2.0 OR MIT",
        "classes": list(own.classes),
        "input": {
            "shape": list(folded.architecture.shape), "order": "channel, row, column",
            "channels": "RGB" if folded.architecture.shape[0] == 3 else "grey",
            "resize": "bilinear to the shape, where the size differs",
            **prepare.to_json(),
        },
        "accuracy": {
            "test": right, "test_images": len(own.test), "precision": "float32, folded network",
            "largest_difference_of_logits_to_unfolded": float(f"{apart:.2g}"),
        },
        "activation": _activation(folded, recipe.activation),
        "ranges": {
            "about": "Largest |value| of each layer's output. bound is promised: 1.25 times the largest in training, rounded up; "
            "twice the largest from the last activation on, as nothing is squared after it.",
            "test_closest_to_bound": {"layer": worst, "ratio": round(test[worst] / bounds[worst], 3)},
            "mirrored_training_images_beyond": mirrored,
            "bound": bounds, "train": seen, "test": test,
        },
        "features": whitened(folded, own, prepare),
        "training": {
            "data": card.DATA_NOTES[recipe.dataset] | {"train_images": len(own.train)},
            "recipe": recipe.to_json(), "software": f"torch {torch.__version__}, bfloat16 autocast on a CPU",
            "log": _log(run),
        },
    }
    if baseline is not None:
        content["accuracy"]["relu_baseline"] = measured(baseline, "accuracy") or _baseline(baseline, own)
    if recipe.classes:
        content["transfer"] = _transfer(folded, data, recipe.classes, prepare, baseline)
    card.write(folder, folded, content, vectors(folded, prepare, own.test))
    return content


def _activation(folded: Folded, kind: str) -> dict[str, Any]:
    if kind != "quadratic":
        return {"kind": kind}
    a = torch.cat([tensor.abs() for name, tensor in folded.tensors.items() if name.endswith(".a")])
    described = {
        "kind": kind, "form": "standard",
        "about": "a x^2 + b x + c per channel; x has mean 0 and deviation 1 over the training images as training augments them.",
        "smallest_a": float(f"{a.min().item():.3g}"), "largest_a": float(f"{a.max().item():.3g}"),
    }
    try:
        form = monic(folded)
        b = torch.cat([tensor.abs() for name, tensor in form.tensors.items() if name.endswith(".b")])
        described["monic_form"] = {
            "about": "x' = sqrt|a| x: scale the convolution's weights and bias by sqrt|a|; then sign(a) x'^2 + b / sqrt|a| x' + c.",
            "largest_b": round(b.max().item(), 3),
        }
    except ValueError:
        pass
    return described


def measured(folder: Path, part: str) -> Any:
    """What a part of a model folder's card says of its ReLU network; nothing where the folder is that of a run."""
    path = folder / card.CARD
    return json.loads(path.read_text())[part]["relu_baseline"] if path.exists() else None


def _baseline(run: Path, data: Dataset) -> dict[str, Any]:
    recipe, network, state = train.restore(run)
    right = accuracy(network, data.test, Preparation.from_json(state["preparation"]))
    return {"name": recipe.name, "test": right, "epochs": state["epoch"], "of_epochs": recipe.epochs,
            "placement": recipe.placement, "distil": recipe.distil}


def _transfer(folded: Folded, data: Dataset, trained: tuple[str, ...], prepare: Preparation, baseline: Path | None) -> dict[str, Any]:
    others = data.only(tuple(name for name in data.classes if name not in trained))
    result = {
        "about": "Softmax regression in the clear on standardised pooled features, classes that the backbone has not seen.",
        "classes": list(others.classes), "train_images": len(others.train), "test_images": len(others.test),
        "accuracy": head_accuracy(folded, others, prepare),
    }
    if baseline is not None:
        result["relu_baseline"] = measured(baseline, "transfer") or _head(baseline, others)
    return result


def _head(run: Path, others: Dataset) -> dict[str, float]:
    _, network, state = train.restore(run)
    return head_accuracy(network, others, Preparation.from_json(state["preparation"]))


def _log(run: Path) -> dict[str, Any]:
    records = {record["epoch"]: record for record in map(json.loads, (run / "log.jsonl").read_text().splitlines())}
    seconds = sorted(record["seconds"] for record in records.values())
    cpu = sorted(record["cpu_seconds"] for record in records.values())
    return {
        "epochs": len(records), "median_seconds_per_epoch": seconds[len(seconds) // 2],
        "median_cpu_seconds_per_epoch_and_worker": cpu[len(cpu) // 2],
        "note": "Wall seconds are those of a shared machine.",
    }
