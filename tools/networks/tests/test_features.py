import csv

import torch

from networks import features
from networks.data import Dataset, Preparation, Split
from networks.fold import fold
from networks.network import Network
from networks.architecture import resnet


def case():
    torch.manual_seed(4)
    folded = fold(Network(resnet(8, 3, (3, 16, 16), (4, 6, 8))).eval())
    images = torch.randint(0, 256, (200, 3, 16, 16), dtype=torch.uint8)
    split = Split(images, torch.arange(200) % 3)
    return folded, Dataset("made up", ("a", "b", "c"), split, split.take(torch.arange(7))), Preparation((0.5,) * 3, (0.25,) * 3)


def test_whitened_features_are_uncorrelated_and_within_their_bound():
    folded, data, prepare = case()
    found = features.whitened(folded, data, prepare)
    pooled = folded.values(prepare(data.train.images))["pool"].flatten(1).double()
    whitened = (pooled - torch.tensor(found["mean"]).double()) @ torch.tensor(found["rows"]).double().T
    moments = whitened.T @ whitened / len(whitened)
    variances = moments.diagonal()
    assert (moments - variances.diag()).abs().max() < 1e-3
    # eigenvalue / (eigenvalue + softness), falling, and the eigenvalues of a correlation matrix add up to its size.
    assert (variances.diff() < 1e-3).all() and variances[0] < 1
    assert abs((features.SOFTNESS * variances / (1 - variances)).sum() - len(variances)) < 0.1
    assert 2 * whitened.abs().max() <= found["bound"] < 2.3 * whitened.abs().max()


def test_a_table_names_the_class_of_every_row(tmp_path):
    folded, data, prepare = case()
    features.table(folded, data.test, data.classes, prepare, tmp_path / "t.csv")
    rows = list(csv.DictReader((tmp_path / "t.csv").open()))
    assert [row["label"] for row in rows] == ["a", "b", "c", "a", "b", "c", "a"]
    pooled = folded.values(prepare(data.test.images))["pool"].flatten(1)
    assert abs(float(rows[3]["c5"]) - pooled[3, 5].item()) < 1e-4
