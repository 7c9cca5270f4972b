import pytest
import torch
import torch.nn.functional as F

from networks import convolution
from networks.convolution import Convolution

SHAPES = [  # inputs, outputs, kernel, stride, size
    (3, 16, 3, 1, 32), (1, 16, 3, 2, 64), (16, 16, 3, 1, 32), (16, 32, 3, 2, 32), (32, 32, 3, 1, 16), (32, 64, 3, 2, 16),
    (64, 64, 3, 1, 8), (16, 32, 1, 2, 32), (32, 64, 1, 2, 16), (16, 16, 3, 1, 64), (16, 16, 1, 1, 4),
]


@pytest.mark.parametrize("batch", [1, 5, 12])
@pytest.mark.parametrize("inputs, outputs, kernel, stride, size", SHAPES)
def test_tiles_give_the_convolution_and_its_gradients(inputs, outputs, kernel, stride, size, batch):
    torch.manual_seed(0)
    part = Convolution(inputs, outputs, kernel, stride, kernel // 2).to(memory_format=torch.channels_last)
    x = torch.randn(batch, inputs, size, size).to(memory_format=torch.channels_last)
    if inputs > 3:
        x = x.bfloat16().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        if not convolution.usable(x, part):
            pytest.skip("no AMX or no C++ compiler")
        y = part(x)
    g = torch.randn_like(y)
    y.backward(g)
    # Products of bfloat16 are exact in float32: only sums and the last rounding differ.
    exact_x = x.detach().bfloat16().double().requires_grad_()
    exact_weight = part.weight.detach().bfloat16().double().requires_grad_()
    expected = F.conv2d(exact_x, exact_weight, None, stride, kernel // 2)
    expected.backward(g.double())
    close = lambda actual, wanted, rtol: torch.testing.assert_close(actual.double(), wanted, rtol=rtol, atol=1e-4 * wanted.abs().max().item())
    close(y, expected.detach(), 2**-8)
    close(part.weight.grad, exact_weight.grad, 1e-4)
    if x.requires_grad:
        close(x.grad, exact_x.grad, 2**-8)


def test_other_shapes_and_float32_are_torchs():
    odd = torch.randn(2, 16, 7, 9)
    part = Convolution(16, 16, 3, 1, 1)
    with torch.autocast("cpu", torch.bfloat16):
        assert not convolution.usable(odd, part)
        torch.testing.assert_close(part(odd), F.conv2d(odd, part.weight, padding=1))
    x = torch.randn(2, 16, 8, 8)
    assert not convolution.usable(x, part)
    torch.testing.assert_close(part(x), F.conv2d(x, part.weight, padding=1), rtol=0, atol=0)


def test_a_branch_adds_its_gradient():
    torch.manual_seed(0)
    part = Convolution(16, 16, 3, 1, 1).to(memory_format=torch.channels_last)
    x = torch.randn(3, 16, 8, 8).to(memory_format=torch.channels_last).bfloat16()
    found = []
    for branches in (False, True):
        leaf = x.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            if not convolution.usable(leaf, part):
                pytest.skip("no AMX or no C++ compiler")
            y, same = part.branch(leaf) if branches else (part(leaf), leaf)
        (y.float().sin().sum() + same.float().square().sum()).backward()
        found.append(leaf.grad)
    torch.testing.assert_close(found[1], found[0], rtol=2**-7, atol=2**-7)
