"""Image sets from a folder, and augmentation of whole batches.

Three forms are read: CIFAR-10's original binary batches (``data_batch_1.bin`` ... ``test_batch.bin``),
a folder ``train/<class>/*`` with ``test/<class>/*``, and a folder ``<class>/*`` that is split here.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

CIFAR_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png"}


@dataclass(frozen=True)
class Split:
    """``images``: uint8 [n, channels, height, width]; ``labels``: int64 [n]."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: Tensor) -> "Split":
        return Split(self.images[index], self.labels[index])


@dataclass(frozen=True)
class Dataset:
    name: str
    classes: tuple[str, ...]
    train: Split
    test: Split

    def only(self, kept: tuple[str, ...]) -> "Dataset":
        """The records of the classes in ``kept``, relabelled in that order."""
        unknown = set(kept) - set(self.classes)
        if unknown:
            raise ValueError(f"no classes {sorted(unknown)}; there are {self.classes}")
        return Dataset(self.name, kept, *(_only(s, self.classes, kept) for s in (self.train, self.test)))

    def hold_out(self, count: int, seed: int) -> "Dataset":
        """``count`` training records become the test set, for choices that must not see the real one."""
        order = torch.randperm(len(self.train), generator=torch.Generator().manual_seed(seed))
        return Dataset(self.name, self.classes, self.train.take(order[count:]), self.train.take(order[:count]))

    def statistics(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation of each channel over the training set, pixels in [0, 1]."""
        pixels = self.train.images
        mean, std = [], []
        for channel in range(pixels.shape[1]):
            counts = torch.bincount(pixels[:, channel].flatten(), minlength=256).double()
            levels = torch.arange(256, dtype=torch.float64) / 255
            average = (counts * levels).sum() / counts.sum()
            mean.append(round(average.item(), 4))
            std.append(round(((counts * (levels - average) ** 2).sum() / counts.sum()).sqrt().item(), 4))
        return tuple(mean), tuple(std)


def _only(split: Split, classes: tuple[str, ...], kept: tuple[str, ...]) -> Split:
    relabel = torch.full((len(classes),), -1)
    for new, name in enumerate(kept):
        relabel[classes.index(name)] = new
    labels = relabel[split.labels]
    return Split(split.images[labels >= 0], labels[labels >= 0])


def load(name: str, folder: Path) -> Dataset:
    """``name`` is ``cifar10`` or ``mednist``; ``folder`` holds one of the three forms."""
    if (folder / "data_batch_1.bin").exists():
        train = [_binary(folder / f"data_batch_{i}.bin") for i in range(1, 6)]
        images, labels = (torch.cat(parts) for parts in zip(*train))
        return Dataset(name, CIFAR_CLASSES, Split(images, labels), Split(*_binary(folder / "test_batch.bin")))
    shape = {"cifar10": (3, 32, 32), "mednist": (1, 64, 64)}[name]
    if (folder / "train").is_dir():
        classes = _classes(folder / "train")
        train, test = (_folder(folder / part, classes, shape) for part in ("train", "test"))
        return Dataset(name, classes, train, test)
    classes = _classes(folder)
    return Dataset(name, classes, *_split_last_fifth(_folder(folder, classes, shape)))


def _classes(folder: Path) -> tuple[str, ...]:
    found = tuple(sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name not in ("train", "test")))
    if not found:
        raise ValueError(f"{folder} has no folder per class and no CIFAR-10 batches")
    return found


def _binary(path: Path) -> tuple[Tensor, Tensor]:
    """Records of 1 label byte and 3072 pixel bytes, channel by channel (the format of cifar.html)."""
    raw = np.fromfile(path, dtype=np.uint8)
    if raw.size == 0 or raw.size % 3073:
        raise ValueError(f"{path}: {raw.size} bytes are no multiple of 3073")
    records = torch.from_numpy(raw.reshape(-1, 3073))
    return records[:, 1:].reshape(-1, 3, 32, 32).contiguous(), records[:, 0].long()


def _folder(folder: Path, classes: tuple[str, ...], shape: tuple[int, int, int]) -> Split:
    """Images in the order of class, then file name; resized (bilinear) where the size differs."""
    files = [(label, path) for label, name in enumerate(classes) for path in sorted((folder / name).iterdir())]
    files = [(label, path) for label, path in files if path.suffix.lower() in IMAGE_SUFFIXES]
    channels, height, width = shape
    images = np.empty((len(files), height, width, channels), dtype=np.uint8)
    for row, (_, path) in enumerate(files):
        image = Image.open(path).convert("RGB" if channels == 3 else "L")
        if image.size != (width, height):
            image = image.resize((width, height), Image.Resampling.BILINEAR)
        images[row] = np.asarray(image).reshape(height, width, channels)
    labels = torch.tensor([label for label, _ in files])
    return Split(torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), labels)


def _split_last_fifth(split: Split) -> tuple[Split, Split]:
    """The last fifth of each class by file name is the test set.

    Neighbouring files can come from one series of scans, so a random split would put near copies of
    training images into the test set.
    """
    test = torch.zeros(len(split), dtype=torch.bool)
    for label in split.labels.unique():
        rows = (split.labels == label).nonzero().flatten()
        test[rows[len(rows) - len(rows) // 5 :]] = True
    return split.take((~test).nonzero().flatten()), split.take(test.nonzero().flatten())


@dataclass(frozen=True)
class Preparation:
    """What the data party does to an image before it is encrypted.

    x = (pixel / 255 - mean) / std per channel, then, if ``floor`` > 0, x / max(rms(x), floor) per image.
    The division gives every image the same contrast. Each degree-2 activation squares contrast again, so
    without it a few images of high contrast reach values that no bound and no ciphertext can hold.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    floor: float = 0.0

    def __call__(self, images: Tensor) -> Tensor:
        """uint8 ``[n, channels, height, width]`` to float32 of the same shape, channels_last."""
        shift, scale = (torch.tensor(v).view(1, -1, 1, 1) for v in (self.mean, self.std))
        x = (images.float() / 255 - shift) / scale
        if self.floor > 0:
            x = x / x.square().mean((1, 2, 3), keepdim=True).sqrt().clamp_min(self.floor)
        return x.contiguous(memory_format=torch.channels_last)

    def bound(self) -> float:
        """No value of a prepared image is larger."""
        largest = max(max(m, 1 - m) / s for m, s in zip(self.mean, self.std))
        return round(largest / (self.floor or 1.0) + 5e-5, 4)

    def to_json(self) -> dict:
        rule = "x = (pixel / 255 - mean) / std"
        if self.floor > 0:
            rule += "; x / max(rms(x), rms_floor) with the root mean square over the whole image"
        return {"rule": rule, "mean": list(self.mean), "std": list(self.std), "rms_floor": self.floor}

    @staticmethod
    def from_json(value: dict) -> "Preparation":
        return Preparation(tuple(value["mean"]), tuple(value["std"]), value["rms_floor"])


def augment(images: Tensor, generator: torch.Generator, shift: int = 4, flip: bool = True, cut: int = 0) -> Tensor:
    """Random shifts by up to ``shift`` pixels (reflected borders), horizontal flips, and a ``cut`` x ``cut``
    square set to zero (cutout), drawn for each image. Images are normalised floats."""
    n, _, height, width = images.shape
    padded = torch.nn.functional.pad(images, (shift,) * 4, mode="reflect")
    dy, dx = (torch.randint(0, 2 * shift + 1, (n, 1), generator=generator) for _ in range(2))
    rows, columns = torch.arange(height) + dy, torch.arange(width) + dx
    if flip:
        flipped = torch.rand((n, 1), generator=generator) < 0.5
        columns = torch.where(flipped, columns.flip(1), columns)
    # Advanced indices around the channel slice: the result is [n, h, w, channels], which is channels_last.
    out = padded[torch.arange(n)[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    if cut:
        y, x = (torch.randint(0, size, (n, 1), generator=generator) for size in (height, width))
        in_y = (torch.arange(height) - y + cut // 2).remainder(10**6) < cut
        in_x = (torch.arange(width) - x + cut // 2).remainder(10**6) < cut
        out = out.masked_fill((in_y[:, :, None] & in_x[:, None, :]).unsqueeze(-1), 0.0)
    return out.permute(0, 3, 1, 2)


def mixtures(images: Tensor, count: int, generator: torch.Generator, batch: int = 10_000) -> Tensor:
    """``count`` mixtures ``share a + (1 - share) b`` of two of the uint8 ``images``, with shares between 1/2 and 1.

    A small network that has seen every image a hundred times knows the soft labels of those images by heart; mixtures are inputs
    that have no label but what a teacher sees in them. (Beyer et al. 2022, arXiv 2106.05237, section 3.1)
    """
    found = []
    for start in range(0, count, batch):
        size = min(batch, count - start)
        a, b = (images[torch.randint(0, len(images), (size,), generator=generator)].float() for _ in range(2))
        share = 0.5 + 0.5 * torch.rand((size, 1, 1, 1), generator=generator)
        found.append((share * a + (1 - share) * b).round().to(torch.uint8))
    return torch.cat(found)


def variants(images: Tensor, times: int, generator: torch.Generator, batch: int = 10_000) -> Tensor:
    """``times`` copies of all uint8 ``images``, one after another, each image turned by up to 15 degrees, scaled by 0.8 to 1.25 with an
    aspect of 0.9 to 1.1 (bilinear, reflected borders), with 0.7 to 1.3 of its saturation and up to 20 levels more or less brightness.

    Unlike ``mixtures`` they look like images that a user has; unlike shifts and mirroring, they are not what teachers know by heart.
    """
    found = []
    for _ in range(times):
        for part in images.split(batch):
            n = len(part)
            turn, size, aspect, colour, light = (2 * torch.rand((n, 1, 1, 1), generator=generator) - 1 for _ in range(5))
            turn, size, aspect = turn.view(n) * (math.pi / 12), 1.25 ** size.view(n), 1.05 ** aspect.view(n)
            matrix = torch.zeros(n, 2, 3)
            matrix[:, 0, 0], matrix[:, 0, 1] = turn.cos() * aspect / size, -turn.sin() / size
            matrix[:, 1, 0], matrix[:, 1, 1] = turn.sin() / size, turn.cos() / (size * aspect)
            grid = torch.nn.functional.affine_grid(matrix, list(part.shape), align_corners=False)
            seen = torch.nn.functional.grid_sample(
                part.float(), grid, mode="bilinear", padding_mode="reflection", align_corners=False
            )
            grey = seen.mean(1, keepdim=True)
            seen = grey + (1 + 0.3 * colour) * (seen - grey) + 20 * light
            found.append(seen.round().clamp(0, 255).to(torch.uint8))
    return torch.cat(found)
