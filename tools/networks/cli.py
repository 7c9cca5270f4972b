"""``python -m networks``: trains networks with degree-2 activations and exports them as model folders."""

import argparse
import json
from pathlib import Path

import torch
from torch import nn

from networks import card, export, features, fused, ranges, train, workers
from networks.data import Dataset, Preparation, load
from networks.evaluate import accuracy
from networks.golden import largest_error
from networks.recipe import Recipe


def main() -> None:
    parser = argparse.ArgumentParser(prog="networks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    p = commands.add_parser("train", help="train a recipe, or go on with it from its checkpoint")
    p.add_argument("recipe", type=Path)
    p.add_argument("--run", type=Path, required=True, help="folder for checkpoint and log, beside those of runs that the recipe names")
    p.add_argument("--workers", type=int, default=2, help="processes, one thread each")
    p.add_argument("--hold-out", type=int, default=0, help="evaluate on this many training records, not on the test set")
    p.set_defaults(call=_train)

    p = commands.add_parser("export", help="fold a finished run into a model folder")
    p.add_argument("model", type=Path, help="folder to write")
    p.add_argument("--run", type=Path, required=True)
    p.add_argument("--baseline", type=Path, help="run folder of the ReLU network, or a model folder whose card tells of it")
    p.set_defaults(call=_export)

    p = commands.add_parser("check", help="checksums, shapes and bounds of a model folder; with --data its accuracy and ranges")
    p.add_argument("model", type=Path)
    p.set_defaults(call=_check)

    p = commands.add_parser("features", help="measure the features of a model folder again and write them into its card")
    p.add_argument("model", type=Path)
    p.add_argument("--table", type=Path, help="write pooled features as CSV instead, those of classes not trained on if there are any")
    p.add_argument("--images", choices=("train", "test"), default="train", help="which images of the table")
    p.set_defaults(call=_features)

    p = commands.add_parser("evaluate", help="accuracy of a run folder in float32, without folding")
    p.add_argument("--run", type=Path, required=True)
    p.set_defaults(call=_evaluate)

    for name, p in commands.choices.items():
        p.add_argument("--data", type=Path, required=name != "check", help="folder of the data set")
    arguments = parser.parse_args()
    arguments.call(arguments)


def _of(data: Dataset, classes: tuple[str, ...]) -> Dataset:
    return data.only(classes) if classes else data


def _train(arguments: argparse.Namespace) -> None:
    workers.use_large_pages()
    torch.set_num_threads(1)  # a core belongs to a worker
    recipe = Recipe.read(arguments.recipe)
    data = _of(load(recipe.dataset, arguments.data), recipe.classes)
    if arguments.hold_out:
        data = data.hold_out(arguments.hold_out, recipe.seed)
    teachers = [finished(arguments.run.parent / name) for name in recipe.teachers]
    first = finished(arguments.run.parent / recipe.first) if recipe.first else None
    fused.prepare()
    workers.launch(arguments.workers, train.run, recipe, data, arguments.run, teachers, first)


def finished(run: Path) -> nn.Module:
    """The network of a run that has ended, its weights constant."""
    if not (run / "checkpoint.pt").exists():
        raise SystemExit(f"the recipe begins with another run, or learns from it: train that first, with --run {run}")
    recipe, network, state = train.restore(run)
    if state["epoch"] != recipe.epochs:
        raise SystemExit(f"{run} stands at epoch {state['epoch']} of {recipe.epochs}: finish it first")
    return network.requires_grad_(False)


def _export(arguments: argparse.Namespace) -> None:
    recipe, _, _ = train.restore(arguments.run)
    content = export.export(arguments.run, load(recipe.dataset, arguments.data), arguments.model, arguments.baseline)
    print(json.dumps({key: content.get(key) for key in ("name", "accuracy", "transfer")}))


def _check(arguments: argparse.Namespace) -> None:
    content, folded, golden = card.read(arguments.model)
    prepare = Preparation.from_json(content["input"])
    error = largest_error(folded, prepare, golden)
    print(f"{content['name']}: checksums, shapes and bounds agree with the card; golden logits differ by {error:.1g}")
    if error > 1e-4:
        raise SystemExit("golden logits differ")
    if arguments.data is None:
        return
    recipe = content["training"]["recipe"]
    data = _of(load(recipe["dataset"], arguments.data), tuple(recipe["classes"]))
    right = accuracy(folded, data.test, prepare)
    broken = ranges.broken(ranges.largest(folded, data.test.images, prepare), content["ranges"]["bound"])
    print(f"accuracy {right:.4f} on {len(data.test)} test images; the card says {content['accuracy']['test']:.4f}")
    if broken or abs(right - content["accuracy"]["test"]) > 0.001:
        raise SystemExit(f"accuracy differs, or values are beyond their bounds: {broken}")


def _features(arguments: argparse.Namespace) -> None:
    content, folded, _ = card.read(arguments.model)
    prepare, recipe = Preparation.from_json(content["input"]), content["training"]["recipe"]
    data, trained = load(recipe["dataset"], arguments.data), tuple(recipe["classes"])
    if arguments.table is None:
        card.amend(arguments.model, features=features.whitened(folded, _of(data, trained), prepare))
        return
    others = _of(data, tuple(name for name in data.classes if name not in trained))
    features.table(folded, getattr(others, arguments.images), others.classes, prepare, arguments.table)


def _evaluate(arguments: argparse.Namespace) -> None:
    recipe, network, state = train.restore(arguments.run)
    data = _of(load(recipe.dataset, arguments.data), recipe.classes)
    right = accuracy(network, data.test, Preparation.from_json(state["preparation"]))
    print(json.dumps({"name": recipe.name, "epoch": state["epoch"], "of": recipe.epochs, "test_accuracy": right}))
