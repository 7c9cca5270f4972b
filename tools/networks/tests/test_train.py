import json
import math

import pytest
import torch

from networks import card, ranges, train, workers
from networks.cli import finished
from networks.data import Dataset, Preparation, Split, mixtures, variants
from networks.export import export
from networks.recipe import Recipe


def stripes(count, seed):
    """Grey images with stripes in one of three directions, and noise."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 3
    y, x = torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij")
    waves = torch.stack([torch.sin(0.9 * v) for v in (x, y, x + y)])
    images = 128 + 70 * waves[labels] + 10 * torch.randn((count, 16, 16), generator=generator)
    return Split(images.clamp(0, 255).to(torch.uint8)[:, None], labels)


DATA = Dataset("mednist", ("across", "along", "slanted"), stripes(240, 1), stripes(60, 2))
RECIPE = Recipe("test", "mednist", "quadratic", depth=4, widths=(16,), shape=(1, 16, 16), epochs=6, batch=24,
                learning_rate=0.1, settle=2, shift=1, flip=False)


def interrupt(recipe, folder, epoch, teachers=()):
    """A run that is interrupted when so many epochs are behind it."""
    original = train._epoch

    def interrupted(*arguments):
        if arguments[-1] == epoch:
            raise KeyboardInterrupt
        return original(*arguments)

    train._epoch = interrupted
    try:
        with pytest.raises(KeyboardInterrupt):
            train.run(recipe, DATA, folder, teachers)
    finally:
        train._epoch = original


@pytest.mark.parametrize("muon", [0.0, 0.02])
def test_a_run_resumes_where_it_stopped_and_exports_a_model_that_checks(tmp_path, muon):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    recipe = Recipe.from_json(RECIPE.to_json() | {"muon": muon})
    train.run(recipe, DATA, whole)
    interrupt(recipe, parts, 3)
    train.run(recipe, DATA, parts)
    a, b = (torch.load(folder / "checkpoint.pt", weights_only=True)["network"] for folder in (whole, parts))
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=0, atol=0)

    content = export(whole, DATA, tmp_path / "model", parts)
    assert content["accuracy"]["test"] > 0.9
    assert content["accuracy"]["largest_difference_of_logits_to_unfolded"] < 1e-3
    assert content["ranges"]["test_closest_to_bound"]["ratio"] <= 1
    read, folded, golden = card.read(tmp_path / "model")
    assert read["levels"] == 1 + 1 + 4 + 1 and len(golden["cases"]) == 10
    prepare = Preparation.from_json(read["input"])
    bounds = content["ranges"]["bound"]
    assert ranges.beyond(folded, DATA.train.images, prepare, bounds) == 0
    assert ranges.beyond(folded, DATA.train.images, prepare, {name: 0.0 for name in bounds}) == len(DATA.train)
    assert json.dumps(read["architecture"]) == json.dumps(folded.architecture.to_json())


def test_an_unfinished_run_or_another_recipe_is_refused(tmp_path):
    train.run(Recipe.from_json(RECIPE.to_json() | {"epochs": 1, "settle": 0}), DATA, tmp_path)
    with pytest.raises(ValueError, match="another recipe"):
        train.run(RECIPE, DATA, tmp_path)
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    torch.save(state | {"epoch": 0}, tmp_path / "checkpoint.pt")
    with pytest.raises(ValueError, match="finish it"):
        export(tmp_path, DATA, tmp_path / "model", None)


def test_a_run_with_averaged_weights_resumes_with_another_number_of_workers(tmp_path):
    recipe = Recipe.from_json(RECIPE.to_json() | {"average": 0.9, "settle": 0, "epochs": 4})
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train.run(recipe, DATA, whole)
    interrupt(recipe, parts, 2)
    state = torch.load(parts / "checkpoint.pt", weights_only=True)
    assert state["epoch"] == 2 and not torch.equal(state["average"]["parts.dense.weight"], state["network"]["parts.dense.weight"])
    workers.launch(2, train.run, recipe, DATA, parts)
    for folder in (whole, parts):
        state = torch.load(folder / "checkpoint.pt", weights_only=True)
        assert state["epoch"] == 4
        for name, value in state["average"].items():  # what was averaged is what is exported
            torch.testing.assert_close(state["network"][name], value, rtol=0, atol=0)
        assert json.loads((folder / "log.jsonl").read_text().splitlines()[-1])["test_accuracy"] > 0.8


def test_a_student_learns_from_the_soft_labels_of_a_teacher_alone(tmp_path):
    teacher = Recipe.from_json(RECIPE.to_json() | {"activation": "relu", "family": "convnet", "widths": [16, 16], "settle": 0})
    train.run(teacher, DATA, tmp_path / "teacher")
    network = train.restore(tmp_path / "teacher")[1]
    images = Preparation(*DATA.statistics(), RECIPE.floor)(DATA.train.images)
    soft = train.soft_labels([network, network], images, RECIPE, 4)
    torch.testing.assert_close(soft.sum(1), torch.ones(len(images)))
    assert (soft.argmax(1) == DATA.train.labels).float().mean() > 0.9
    # The labels that the student gets are wrong: what it knows, it has from the teacher.
    wrong = Dataset(DATA.name, DATA.classes, Split(DATA.train.images, (DATA.train.labels + 1) % 3), DATA.test)
    student = Recipe.from_json(RECIPE.to_json() | {"distil": 1.0, "settle": 0})
    train.run(student, wrong, tmp_path / "student", [network])
    last = json.loads((tmp_path / "student" / "log.jsonl").read_text().splitlines()[-1])
    assert last["test_accuracy"] > 0.8 and last["accuracy"] < 0.4


def test_mixtures_and_variants_are_learnt_from_a_teacher(tmp_path):
    teacher = Recipe.from_json(RECIPE.to_json() | {"activation": "relu", "family": "convnet", "widths": [16, 16], "settle": 0})
    train.run(teacher, DATA, tmp_path / "teacher")
    student = Recipe.from_json(RECIPE.to_json() | {"distil": 0.9, "settle": 0, "mixtures": 2, "variants": 3, "views": 1, "epochs": 12})
    interrupt(student, tmp_path / "student", 1, [train.restore(tmp_path / "teacher")[1]])
    train.run(student, DATA, tmp_path / "student")  # goes on with the soft labels of its checkpoint, without a teacher
    soft = train.restore(tmp_path / "student")[2]["soft"]
    assert len(soft) == 6 * len(DATA.train)
    right = (soft.argmax(1)[3 * len(DATA.train) :] == DATA.train.labels.repeat(3)).float().mean()
    assert right > 0.6  # stripes that are turned may be those of another class
    last = json.loads((tmp_path / "student" / "log.jsonl").read_text().splitlines()[-1])
    assert last["test_accuracy"] > 0.8


def test_mixtures_lie_between_two_images():
    images = torch.tensor([0, 200], dtype=torch.uint8).view(2, 1, 1, 1)
    values, counts = mixtures(images, 4000, torch.Generator().manual_seed(1), batch=999).flatten().unique(return_counts=True)
    assert values.dtype == torch.uint8 and counts.sum() == 4000
    pure = counts[values == 0].item() / 4000, counts[values == 200].item() / 4000  # the same image twice, each in one of four
    assert all(abs(share - 0.25) < 0.03 for share in pure) and len(values) > 190


def test_variants_are_turned_and_scaled_about_the_middle_and_of_other_colour():
    dot = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    dot[:, :, 23:25, 15:17] = 240
    flat = torch.tensor([160, 100, 100], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 32, 32)
    found = variants(torch.cat([dot, flat]), 200, torch.Generator().manual_seed(1))
    assert found.shape == (400, 3, 32, 32) and found.dtype == torch.uint8
    again = variants(torch.cat([dot, flat]), 200, torch.Generator().manual_seed(1))
    assert torch.equal(found, again)

    grey = found[::2].float().mean(1)
    weight = (grey - grey.amin((1, 2), keepdim=True)).clamp_min(30) - 30
    at = torch.arange(32) - 15.5
    y, x = ((weight * v).sum((1, 2)) / weight.sum((1, 2)) for v in (at[:, None], at[None, :]))
    distance, angle = torch.hypot(x, y) / 8, torch.rad2deg(torch.atan2(x, y))
    assert 0.72 < distance.min() < 0.85 and 1.2 < distance.max() < 1.38
    assert -18 < angle.min() < -12 and 12 < angle.max() < 18

    red, green = found[1::2, 0].float().flatten(1), found[1::2, 1].float().flatten(1)
    assert red.std(1).max() < 1  # reflected borders: nothing black comes in
    colour, light = (red - green).mean(1) / 60, (red + 2 * green).mean(1) / 3 - 120
    assert 0.69 < colour.min() < 0.75 and 1.25 < colour.max() < 1.31
    assert -20.5 < light.min() < -17 and 17 < light.max() < 20.5


def test_a_teacher_that_overflows_on_an_image_has_no_say_there():
    images = torch.ones(4, 1, 16, 16)
    images[1] = 2.0

    class Fixed(torch.nn.Module):
        def __init__(self, logits, fails=0.0):
            super().__init__()
            self.logits, self.fails = torch.tensor(logits), fails

        def forward(self, x):
            return torch.where(x.mean((1, 2, 3), keepdim=True)[:, :, 0, 0] == self.fails, math.nan, self.logits)

    sure, unsure = Fixed([9.0, 0.0, 0.0], fails=2.0), Fixed([0.0, 0.0, 0.0])
    soft = train.soft_labels([sure, unsure], images, RECIPE, 2)
    torch.testing.assert_close(soft[1], torch.full((3,), 1 / 3))
    assert (soft[[0, 2, 3], 0] > 0.5).all()
    torch.testing.assert_close(soft.sum(1), torch.ones(4))
    with pytest.raises(FloatingPointError, match="every teacher"):
        train.soft_labels([sure, sure], images, RECIPE, 2)


def test_a_run_begins_with_the_weights_of_another_that_is_finished(tmp_path):
    train.run(RECIPE, DATA, tmp_path / "first")
    one = Recipe.from_json(RECIPE.to_json() | {"epochs": 1, "settle": 0, "learning_rate": 1e-6, "first": "first"})
    train.run(one, DATA, tmp_path / "second", (), finished(tmp_path / "first"))
    first, second = (train.restore(tmp_path / name)[1].state_dict()["parts.dense.weight"] for name in ("first", "second"))
    torch.testing.assert_close(first, second, rtol=0, atol=1e-4)
    with pytest.raises(SystemExit, match="train that first"):
        finished(tmp_path / "none")
    state = torch.load(tmp_path / "first" / "checkpoint.pt", weights_only=True)
    torch.save(state | {"epoch": 1}, tmp_path / "first" / "checkpoint.pt")
    with pytest.raises(SystemExit, match="epoch 1 of 6"):
        finished(tmp_path / "first")


def test_twice_the_range_is_promised_from_the_last_activation_on():
    architecture = RECIPE.architecture(3)
    bounds = ranges.promise({"input": 3.14159} | {layer.name: 1.0 for layer in architecture.layers}, architecture)
    last = [name for name, bound in bounds.items() if bound == 2.0]
    assert last == ["stage1.block1.act2", "stage1.block1.add", "pool", "dense"]
    assert {bound for name, bound in bounds.items() if name not in last} == {3.14159, 1.3}  # 1.25, rounded up


def test_images_that_overflow_are_counted_by_an_export(tmp_path):
    train.run(Recipe.from_json(RECIPE.to_json() | {"epochs": 1, "settle": 0}), DATA, tmp_path)
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    for wrong in (math.inf, math.nan):
        state["network"]["parts.dense.weight"].fill_(wrong)
        torch.save(state, tmp_path / "checkpoint.pt")
        with pytest.raises(ValueError, match="240 of 240 training images overflow.*penalty"):
            export(tmp_path, DATA, tmp_path / "model", None)
        assert not (tmp_path / "model").exists()
