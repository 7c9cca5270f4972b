"""The activation of :mod:`networks.activation`, and batch norm, with few passes over memory (activation.cpp).

Training on a CPU spends most of its time on elementwise work; this does it many times faster than the
plain expressions.
"""

import math

import torch
from torch import Tensor, nn

from networks import compiled, convolution

LANES = 16


def _kernels():
    return compiled.kernels("activation")


def prepare() -> None:
    """Compiles the kernels, so that workers find them compiled."""
    _kernels()
    convolution.prepare()


def usable(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.shape[1] % LANES == 0 and _kernels() is not None


def activation(
    x: Tensor, weights: Tensor, mean: Tensor, reach: Tensor, wide: Tensor, fixed: Tensor | None, added: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """As :func:`networks.activation.plain`."""
    return _Activation.apply(x, weights, mean, reach, wide, fixed, None if added is None else added.to(x.dtype))


def _rows(x: Tensor) -> Tensor:
    """``[batch, channels, height, width]`` as ``[rows, channels]``, without a copy if it is channels_last."""
    return x.permute(0, 2, 3, 1).contiguous().view(-1, x.shape[1])


def _back(rows: Tensor, like: Tensor) -> Tensor:
    batch, channels, height, width = like.shape
    return rows.view(batch, height, width, channels).permute(0, 3, 1, 2)


class _Activation(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weights, mean, reach, wide, fixed, added):
        kernels, rows = _kernels(), _rows(x)
        sums, marks = kernels.moments(rows, mean, reach, wide)
        moments, excess, pull = sums[:4] / rows.shape[0], sums[4], sums[5]
        stats = kernels.statistics(moments) if fixed is None else fixed
        k = kernels.coefficients(stats, weights)
        ctx.save_for_backward(x, weights, mean, reach, wide, moments, stats, k, marks, pull)
        ctx.fixed = fixed is not None
        ctx.mark_non_differentiable(stats)
        added = None if added is None else _rows(added)
        return _back(kernels.apply(rows, mean, k, wide, marks, added), x), excess, stats

    @staticmethod
    def backward(ctx, g, g_excess, _):
        kernels = _kernels()
        x, weights, mean, reach, wide, moments, stats, k, marks, pull = ctx.saved_tensors
        g_added = g if ctx.needs_input_grad[6] else None
        rows, g = _rows(x), _rows(g.to(x.dtype))
        g_k = kernels.reduce(rows, mean, g, wide, marks)
        g_weights, g_moments = kernels.chain(moments, stats, weights, g_k, g_excess * pull, ctx.fixed)
        powers = torch.arange(1.0, 5.0).view(4, 1) / rows.shape[0]
        g_x = kernels.combine(rows, mean, g, k, g_moments * powers, reach, 2 * g_excess, wide, marks)
        return _back(g_x, x), g_weights, None, None, None, None, g_added


class Norm(nn.BatchNorm2d):
    """Batch norm, in training by the kernels of the activation: its polynomial has degree 1."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not usable(x):
            return super().forward(x)
        y, mean, variance = _Norm.apply(x, self.weight, self.bias, self.running_mean.clone(), self.eps)
        with torch.no_grad():
            count = x.numel() // x.shape[1]
            self.num_batches_tracked += 1
            self.running_mean.add_(mean, alpha=self.momentum)
            self.running_var.lerp_(variance * (count / max(1, count - 1)), self.momentum)
        return y


class _Norm(torch.autograd.Function):
    """Returns the result, the mean of d = x - ``around``, and the variance; ``around`` is near the mean."""

    @staticmethod
    def forward(ctx, x, weight, bias, around, epsilon):
        kernels, rows = _kernels(), _rows(x)
        infinite = torch.full_like(around, math.inf)
        sums, marks = kernels.moments(rows, around, infinite, infinite)
        mean = sums[0] / rows.shape[0]
        variance = (sums[1] / rows.shape[0] - mean * mean).clamp_min(0)
        scale = torch.rsqrt(variance + epsilon)
        k = torch.stack([bias - weight * scale * mean, weight * scale, torch.zeros_like(mean)])
        ctx.save_for_backward(x, around, mean, scale, k, infinite, marks)
        ctx.mark_non_differentiable(mean, variance)
        return _back(kernels.apply(rows, around, k, infinite, marks, None), x), mean, variance

    @staticmethod
    def backward(ctx, g, *_):
        kernels = _kernels()
        x, around, mean, scale, k, infinite, marks = ctx.saved_tensors
        rows, g = _rows(x), _rows(g.to(x.dtype))
        sum_g, sum_gd, _ = kernels.reduce(rows, around, g, infinite, marks)
        sum_gz = (sum_gd - mean * sum_g) * scale
        # k1 (g - mean g - z mean(g z)) with z = (d - mean) scale, as a polynomial in d.
        slope = -k[1] * scale * sum_gz / rows.shape[0]
        zero = torch.zeros_like(slope)
        m = torch.stack([-k[1] * sum_g / rows.shape[0] - slope * mean, slope, zero, zero])
        g_x = kernels.combine(rows, around, g, k, m, infinite, zero, infinite, marks)
        return _back(g_x, x), sum_gz, sum_g, None, None
