"""The training loop: one cycle of SGD in bfloat16, then epochs with fixed statistics.

A run is a folder with ``checkpoint.pt`` (written atomically after each epoch; training resumes from it)
and ``log.jsonl``. Every random number derives from the seed, the epoch and the worker.
"""

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from networks import workers
from networks.data import Dataset, Preparation, augment, mixtures, variants
from networks.evaluate import accuracy
from networks.network import Network
from networks.optimiser import Optimiser
from networks.recipe import Recipe

UNKNOWN = -1  # label of an image that has a soft one alone


def run(recipe: Recipe, data: Dataset, folder: Path, teachers: Sequence[nn.Module] = (), first: nn.Module | None = None) -> None:
    """Trains to the end of the recipe, from the checkpoint in ``folder`` if there is one, else from the weights of ``first``."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.seed)
    network = Network(recipe.architecture(len(data.classes)), recipe.limit).to(memory_format=torch.channels_last)
    if first is not None:
        network.load_state_dict(first.state_dict())
    optimiser = Optimiser(network, recipe)
    prepare = Preparation(*data.statistics(), recipe.floor)
    average = {name: p.detach().clone() for name, p in network.named_parameters()} if recipe.average > 0 else {}
    start, soft = 0, None
    checkpoint = folder / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        if Recipe.from_json(json.loads(state["recipe"])) != recipe:
            raise ValueError(f"{checkpoint} is of another recipe: remove it, or name another folder")
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        for name in average:
            average[name].copy_(state["average"][name])
        start, soft = state["epoch"], state["soft"]
    own = images = prepare(data.train.images)
    labels = data.train.labels
    if recipe.mixtures > 0:
        mixed = mixtures(data.train.images, recipe.mixtures * len(own), _generator(recipe.seed, -3))
        images = torch.cat([own, prepare(mixed)])
        labels = torch.cat([labels, torch.full((len(mixed),), UNKNOWN)])
    if recipe.variants > 0:
        varied = variants(data.train.images, recipe.variants, _generator(recipe.seed, -4))
        images = torch.cat([images, prepare(varied)])
        labels = torch.cat([labels, data.train.labels.repeat(recipe.variants)])
    if start == 0:
        recalibrate(network, own, recipe, batches=10)  # the range penalty starts from true deviations
        if teachers and recipe.distil > 0:
            soft = soft_labels(teachers, own, recipe, recipe.views)
            if len(images) > len(own):
                soft = torch.cat([soft, soft_labels(teachers, images[len(own) :], recipe, views=1)])
    for epoch in range(start, recipe.epochs):
        began, cpu = time.time(), time.process_time()
        frozen = epoch >= recipe.epochs - recipe.settle
        if frozen and epoch == recipe.epochs - recipe.settle:
            recalibrate(network, own, recipe)
        for part in network.activations():
            part.frozen = frozen
        sums = _epoch(network, average, soft, optimiser, images, labels, len(own) // recipe.batch, recipe, epoch)
        workers.average_statistics(network)
        last = epoch + 1 == recipe.epochs
        if last:  # what is exported
            network.load_state_dict(average, strict=False)
            if average or not frozen:
                recalibrate(network, own, recipe, batches=max(1, len(own) // (250 * workers.count())))
        record = {"epoch": epoch + 1, "frozen": frozen, **sums}
        record |= {"seconds": round(time.time() - began, 1), "cpu_seconds": round(time.process_time() - cpu, 1)}
        if (epoch + 1) % max(2, recipe.epochs // 10) == 0 or last:
            measured = network if last or not average else _averaged(network, average, recipe, own)
            record["test_accuracy"] = accuracy(measured, data.test, prepare)
        if workers.rank() == 0:
            with open(folder / "log.jsonl", "a") as log:
                log.write(json.dumps(record) + "\n")
            print(record, flush=True)
            _save(checkpoint, {
                "recipe": json.dumps(recipe.to_json()), "epoch": epoch + 1, "classes": list(data.classes),
                "preparation": prepare.to_json(), "network": network.state_dict(), "optimiser": optimiser.state_dict(),
                "average": average, "soft": soft,
            })


def _averaged(network: Network, average: dict[str, Tensor], recipe: Recipe, images: Tensor) -> Network:
    """A network of the averaged weights, with statistics of its own from some training images."""
    other = Network(network.architecture, recipe.limit).to(memory_format=torch.channels_last)
    other.load_state_dict(network.state_dict() | average)
    recalibrate(other, images, recipe, batches=20)
    return other


def _epoch(network, average, soft, optimiser, images, labels, batches, recipe, epoch) -> dict[str, float]:
    network.train()
    order = torch.randperm(len(labels), generator=_generator(recipe.seed, epoch))
    draws = _generator(recipe.seed, epoch, workers.rank() + 1)
    share = recipe.batch // workers.count()
    totals = torch.zeros(4)
    for i in range(batches):
        optimiser.set_rate(_rate(recipe, epoch + i / batches))
        first = i * recipe.batch + workers.rank() * share
        rows = order[first : first + share]
        batch = augment(images[rows], draws, recipe.shift, recipe.flip, recipe.cut)
        with torch.autocast("cpu", torch.bfloat16):
            loss, right = _loss(network, recipe, batch, labels[rows], None if soft is None else soft[rows])
        excess = network.excess()
        network.zero_grad()
        (loss + recipe.penalty_at(epoch + i / batches) * excess).backward()
        workers.average_gradients(network)
        norm = nn.utils.clip_grad_norm_(optimiser.clipped, recipe.clip)
        if not torch.isfinite(norm):
            raise FloatingPointError(f"epoch {epoch + 1}, batch {i}: gradient norm {norm}, loss {loss}")
        optimiser.step()
        if average:
            # Young averages are short: they would hold the first weights for 1 / (1 - decay) steps.
            step = epoch * batches + i
            decay = min(recipe.average, (1 + step) / (10 + step))
            with torch.no_grad():
                torch._foreach_lerp_(list(average.values()), [p.detach() for p in network.parameters()], 1 - decay)
        totals += torch.stack([loss.detach(), excess.detach(), right, norm])
        if i % 100 == 0 and workers.rank() == 0:
            print(f"  {epoch + 1}: {i}/{batches} loss {loss:.3f} excess {excess:.2f} norm {norm:.2f}", flush=True)
    workers.average([totals])
    mean = (totals / batches).tolist()
    return {key: round(value, 4) for key, value in zip(("loss", "excess", "accuracy", "gradient"), mean)}


def _loss(network, recipe: Recipe, images: Tensor, labels: Tensor, soft: Tensor | None) -> tuple[Tensor, Tensor]:
    """Loss of one batch, and the fraction of the images with labels that is classified correctly."""
    logits = network(images).float()
    known = labels != UNKNOWN
    logits_known, labels = logits[known], labels[known]
    loss = F.cross_entropy(logits_known, labels, label_smoothing=recipe.label_smoothing, reduction="sum") / max(1, len(labels))
    if soft is not None:
        apart = F.cross_entropy(logits / recipe.temperature, soft) * recipe.temperature**2
        loss = (1 - recipe.distil) * loss + recipe.distil * apart
    return loss, (logits_known.argmax(1) == labels).float().sum() / max(1, len(labels))


@torch.no_grad()
def soft_labels(teachers: Sequence[nn.Module], images: Tensor, recipe: Recipe, views: int, batch: int = 250) -> Tensor:
    """``[images, classes]`` mean probabilities of the teachers at the recipe's temperature, each from mean logits of some augmented views.

    They are found once: a teacher that was trained on shifted and mirrored images says nearly the same of each view, and asking it
    again in every step would double the time of one. (Hinton et al. 2015, arXiv 1503.02531)
    """
    for teacher in teachers:
        teacher.eval()
    mine = torch.arange(workers.rank(), len(images), workers.count())
    draws, found = _generator(recipe.seed, -1, workers.rank() + 1), []
    lost = 0
    for rows in mine.split(batch):
        with torch.autocast("cpu", torch.bfloat16):
            seen = [augment(images[rows], draws, recipe.shift, recipe.flip) for _ in range(views)]
            logits = torch.stack([torch.stack([teacher(view).float() for view in seen]).mean(0) for teacher in teachers])
        # Squares may overflow on a view that nobody promised anything of: that teacher has no say there.
        known = logits.isfinite().all(2, keepdim=True)
        if not known.any(0).all():
            raise FloatingPointError("every teacher overflows on some training image: they need a larger range penalty")
        lost += int((~known).sum())
        shares = F.softmax(logits.masked_fill(~known, 0) / recipe.temperature, 2) * known
        found.append(shares.sum(0) / known.sum(0))
    if lost:
        print(f"teachers overflowed on {lost} of {len(teachers) * len(mine)} images of worker {workers.rank()}", flush=True)
    mine_found = torch.cat(found)
    soft = torch.zeros(len(images), mine_found.shape[1])
    soft[mine] = mine_found * workers.count()
    workers.average([soft])
    return soft


def _generator(*parts: int) -> torch.Generator:
    """Random numbers of their own for each (seed, epoch, worker)."""
    seed = 0
    for part in parts:
        seed = (seed * 1_000_003 + part + 1) % (1 << 62)
    return torch.Generator().manual_seed(seed)


def _rate(recipe: Recipe, epoch: float) -> float:
    """Share of the peak: a linear rise to it, then a linear fall to a hundredth (Smith's one cycle)."""
    rise = recipe.warm_up * recipe.epochs
    return max(0.01, epoch / rise if epoch < rise else (recipe.epochs - epoch) / (recipe.epochs - rise))


@torch.no_grad()
def recalibrate(network: Network, images: Tensor, recipe: Recipe, batch: int = 250, batches: int = 40) -> None:
    """Statistics of all activations and norms as averages over training images, with today's weights.

    The images are shifted, mirrored and cut as in training: the weights are for statistics of such images.
    """
    network.train()
    draws = _generator(recipe.seed, -2, workers.rank() + 1)
    parts = [part for part in network.modules() if hasattr(part, "momentum")]
    kept = [part.momentum for part in parts]
    for i in range(batches):
        rows = (torch.arange(batch) + (i * workers.count() + workers.rank()) * batch) * 7919 % len(images)
        for part in parts:
            part.momentum, part.frozen = 1 / (i + 1), False
        with torch.autocast("cpu", torch.bfloat16):
            network(augment(images[rows], draws, recipe.shift, recipe.flip, recipe.cut))
    for part, momentum in zip(parts, kept):
        part.momentum = momentum
    workers.average_statistics(network)


def restore(folder: Path) -> tuple[Recipe, Network, dict]:
    """The network of a run with its recipe and the rest of its checkpoint."""
    state = torch.load(folder / "checkpoint.pt", weights_only=True)
    recipe = Recipe.from_json(json.loads(state["recipe"]))
    network = Network(recipe.architecture(len(state["classes"])), recipe.limit)
    network.load_state_dict(state["network"])
    return recipe, network.to(memory_format=torch.channels_last).eval(), state


def _save(path: Path, state: dict) -> None:
    """Atomic: a killed run leaves the previous checkpoint."""
    part = path.with_suffix(".part")
    torch.save(state, part)
    os.replace(part, path)
