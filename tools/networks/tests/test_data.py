import numpy as np
import pytest
import torch
from PIL import Image

from networks.data import Dataset, Split, Preparation, augment, load


def test_the_binary_batches_of_cifar10_are_read(tmp_path):
    rng = np.random.default_rng(0)
    for name in [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]:
        records = rng.integers(0, 256, (4, 3073), dtype=np.uint8)
        records[:, 0] = [0, 1, 2, 9]
        records.tofile(tmp_path / f"{name}.bin")
    data = load("cifar10", tmp_path)
    assert len(data.train) == 20 and len(data.test) == 4
    assert data.test.images[3, 2, 31, 31] == records[3, 3072] and data.test.labels[3] == 9
    (tmp_path / "test_batch.bin").write_bytes(b"123")
    with pytest.raises(ValueError, match="3073"):
        load("cifar10", tmp_path)


def test_a_folder_of_classes_is_split_by_file_name_and_resized(tmp_path):
    for name in ("Hand", "CXR"):
        (tmp_path / name).mkdir()
        for i in range(10):
            Image.new("L", (32, 32), i).save(tmp_path / name / f"{i:04}.png")
    data = load("mednist", tmp_path)
    assert data.classes == ("CXR", "Hand") and data.train.images.shape == (16, 1, 64, 64)
    assert data.test.images[:, 0, 0, 0].tolist() == [8, 9, 8, 9]
    only = data.only(("Hand",))
    assert len(only.test) == 2 and only.test.labels.tolist() == [0, 0]


def test_statistics_normalise_to_mean_zero_and_deviation_one():
    torch.manual_seed(0)
    images = torch.randint(0, 256, (200, 3, 8, 8), dtype=torch.uint8)
    split = Split(images, torch.zeros(200, dtype=torch.long))
    mean, std = Dataset("x", ("a",), split, split).statistics()
    normal = Preparation(mean, std)(images)
    assert normal.mean().abs() < 1e-3 and abs(normal.std() - 1) < 1e-3
    prepare = Preparation(mean, std, 0.5)
    rms = prepare(images).square().mean((1, 2, 3)).sqrt()
    torch.testing.assert_close(rms, torch.ones(200))
    flat = prepare(torch.full((1, 3, 8, 8), 130, dtype=torch.uint8))
    assert flat.abs().max() < 0.2 and prepare(images).abs().max() <= prepare.bound()
    assert Preparation.from_json(prepare.to_json()) == prepare


def test_augmentation_shifts_and_flips_within_the_reflected_image():
    image = torch.arange(64.0).view(1, 1, 8, 8).repeat(50, 1, 1, 1)
    out = augment(image, torch.Generator().manual_seed(1), shift=2)
    assert out.shape == image.shape and out.is_contiguous(memory_format=torch.channels_last)
    same = [any(torch.equal(o, c) for c in _candidates(image[:1])) for o in out]
    assert all(same) and len({o.flatten()[0].item() for o in out}) > 5
    assert torch.equal(augment(image, torch.Generator(), shift=0, flip=False), image)
    assert (augment(image + 1, torch.Generator(), shift=0, flip=False, cut=4) == 0).any()


def _candidates(image):
    padded = torch.nn.functional.pad(image, (2,) * 4, mode="reflect")[0]
    shifted = [padded[:, y : y + 8, x : x + 8] for y in range(5) for x in range(5)]
    return shifted + [s.flip(2) for s in shifted]
