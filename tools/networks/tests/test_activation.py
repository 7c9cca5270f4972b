import pytest
import torch

from networks import fused
from networks.activation import EPSILON, QuadraticActivation, fixed_statistics, plain
from networks.fused import Norm


@pytest.mark.parametrize("frozen", [False, True])
def test_the_fused_activation_and_its_gradients_equal_the_plain_ones(frozen):
    torch.manual_seed(0)
    x = (1.5 * torch.randn(6, 32, 9, 7) + 0.3).to(memory_format=torch.channels_last)
    if not fused.usable(x):
        pytest.skip("no C++ compiler")
    weights, mean = torch.rand(3, 32), 0.2 * torch.randn(32)
    reach, wide, g = torch.full((32,), 2.0), torch.full((32,), 3.0), torch.randn_like(x)
    fixed = fixed_statistics(mean, torch.rand(32) + 0.5, torch.rand(32) + 1) if frozen else None
    found = []
    for function in (plain, fused.activation):
        leaves = x.clone().requires_grad_(), weights.clone().requires_grad_(), g.cos().requires_grad_()
        y, excess, moments = function(*leaves[:2], mean, reach, wide, fixed, leaves[2])
        ((y * g).sum() + 0.01 * excess.sum()).backward()
        found.append((y, excess, moments, *(leaf.grad for leaf in leaves)))
    for expected, actual in zip(*found):
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)


def test_training_normalises_and_evaluation_uses_the_running_statistics():
    torch.manual_seed(0)
    part = QuadraticActivation(16, limit=6.0, momentum=1.0)
    x = 3 * torch.randn(64, 16, 8, 8) + 5
    for _ in range(3):  # the first pass holds values to deviations that it does not know yet
        y = part(x)
    assert abs(part.mean.mean() - 5) < 0.05 and abs(part.variance.mean() - 9) < 0.2
    assert abs(part.spread.mean() - 2) < 0.1
    part.eval()
    torch.testing.assert_close(part(x), y, rtol=1e-3, atol=1e-3)
    a, b, c = (v.view(1, -1, 1, 1) for v in part.polynomial())
    z = (x - part.mean.view(1, -1, 1, 1)) * torch.rsqrt(part.variance + EPSILON).view(1, -1, 1, 1)
    torch.testing.assert_close(a * z * z + b * z + c, part(x), rtol=1e-3, atol=1e-3)


def test_the_penalty_counts_values_beyond_the_limit_only():
    part = QuadraticActivation(1, limit=2.0)
    x = torch.zeros(1, 1, 1, 4)
    x[0, 0, 0, 0] = 5.0
    part(x)
    assert abs(part.excess.item() - (5 - 2) ** 2) < 1e-4


@pytest.mark.parametrize("size", [1.0, 1e-2])
def test_small_inputs_have_the_penalty_of_large_ones(size):
    torch.manual_seed(0)
    part = QuadraticActivation(16, limit=2.0, momentum=1.0)
    x = torch.randn(64, 16, 8, 8)
    part(x * size)
    part(x * size)
    whole = (x.abs() - 2).relu().square().sum() / 64
    torch.testing.assert_close(part.excess, whole, rtol=2e-2, atol=0)


@pytest.mark.parametrize("fused_too", [True, False])
def test_neither_output_nor_penalty_gains_from_a_channels_size(fused_too, monkeypatch):
    torch.manual_seed(0)
    if not fused_too:
        monkeypatch.setattr(fused, "usable", lambda x: False)
    x = (torch.randn(32, 16, 8, 8) * torch.linspace(0.1, 3, 16).view(1, -1, 1, 1)).to(memory_format=torch.channels_last).requires_grad_()
    part = QuadraticActivation(16, limit=2.0, momentum=1.0)
    g = torch.randn_like(x)
    for loss in (lambda: part.excess, lambda: (part(x) * g).sum()):
        for _ in range(3):
            part(x)
        x.grad = None
        loss().backward()
        along = (x * x.grad).sum((0, 2, 3))
        sizes = [v.detach().square().sum((0, 2, 3)).sqrt() for v in (x, x.grad)]
        assert (along.abs() < 1e-2 * sizes[0] * sizes[1]).all(), along / sizes[0] / sizes[1]


def test_a_channel_without_spread_has_finite_gradients():
    x = torch.zeros(2, 16, 4, 4)
    x[:, :8] = torch.randn(2, 8, 4, 4)
    x = x.to(memory_format=torch.channels_last).requires_grad_()
    part = QuadraticActivation(16, limit=4.0)
    (part(x).square().sum() + part.excess).backward()
    assert torch.isfinite(x.grad).all() and torch.isfinite(part.w2.grad).all()


def test_the_fused_batch_norm_is_torchs():
    torch.manual_seed(0)
    x = (1.5 * torch.randn(5, 32, 7, 9) + 0.3).to(memory_format=torch.channels_last)
    if not fused.usable(x):
        pytest.skip("no C++ compiler")
    g, found = torch.randn_like(x), []
    for part in (torch.nn.BatchNorm2d(32), Norm(32)):
        with torch.no_grad():
            part.weight.copy_(torch.linspace(0.5, 2, 32)), part.bias.copy_(torch.linspace(-1, 1, 32))
        leaf = x.clone().requires_grad_()
        y = part(leaf)
        y.backward(g)
        part.eval()
        state = part.running_mean, part.running_var, part.num_batches_tracked
        found.append((y.detach(), leaf.grad, part.weight.grad, part.bias.grad, *state, part(x).detach()))
    for expected, actual in zip(*found):
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)
