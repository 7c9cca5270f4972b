import torch

from networks.architecture import resnet
from networks.network import Network
from networks.optimiser import Optimiser
from networks.recipe import Recipe

RECIPE = Recipe("test", "mednist", "quadratic", muon=0.05)


def stepped(recipe, share):
    """Weights before and after one step on a random batch, by name."""
    torch.manual_seed(1)
    network = Network(resnet(6, 3, (1, 16, 16), (16, 32), 1, "quadratic", "branch")).to(memory_format=torch.channels_last)
    optimiser = Optimiser(network, recipe)
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    network.train()
    network(torch.randn(8, 1, 16, 16).to(memory_format=torch.channels_last)).square().sum().backward()
    optimiser.set_rate(share)
    optimiser.step()
    return before, dict(network.named_parameters())


def test_a_step_turns_convolutions_by_the_rate_and_keeps_their_size():
    before, after = stepped(RECIPE, 0.5)
    turned = [name for name in before if before[name].ndim == 4]
    assert len(turned) == 6
    for name in turned:
        old, new = before[name], after[name].detach()
        for one in (old, new):
            assert abs(one.square().sum() / len(one) - 1) < 1e-4, name
        # Rows of a step have sizes of 0.7 to 1.2: the Newton-Schulz iteration is stopped early.
        angle = torch.acos((old * new).sum() / (old.norm() * new.norm())).item()
        assert 0.5 * 0.025 < angle < 1.3 * 0.025 * 2**0.5, (name, angle)


def test_what_is_no_convolution_is_moved_by_sgd():
    by_muon, by_sgd = (stepped(recipe, 1.0) for recipe in (RECIPE, Recipe.from_json(RECIPE.to_json() | {"muon": 0.0})))
    for (before, after) in (by_muon, by_sgd):
        for name, old in before.items():
            # Shortcuts of squares have no constants; they stay at 0.
            assert torch.equal(old, after[name]) == name.endswith("norm.bias"), name
    # Without Muon the sizes of convolutions are those of a usual start.
    sizes = [old.square().sum() / len(old) for old in by_sgd[0].values() if old.ndim == 4]
    assert max(abs(size - 1) for size in sizes) > 0.1
