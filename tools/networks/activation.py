"""The quadratic activation in its trainable, basis-normalised form.

AESPA (Park et al. 2022, arXiv 2201.06699) expands ReLU in Hermite polynomials, keeps degrees 0 to 2,
and normalises *each basis polynomial* over the batch. Here the input is normalised first, so that the
basis is centred, and both normalisations come from one pass over the input:

    z = (x - mean) / std,    y = w2 (z^2 - 1) / std(z^2) + w1 z      per channel.

There is no constant term: outputs have the mean 0, which is what convolutions pad with. With ReLU's constant, trained, means grew to many
deviations, pixels at the border stood out by 13 deviations in every image, and the variances were those of the border.

``w`` starts at the Hermite coefficients of ReLU, the quadratic one halved (at full size the values of an
untrained deep network already have tails that the range penalty spends an epoch on), and is trained. Dividing by the measured std(z^2) rather
than by that of a Gaussian is what keeps degree-2 networks from diverging: a channel with heavy tails
gets a smaller quadratic term.
"""

import math

import torch
from torch import Tensor, nn

from networks import fused

# Far below the variances that occur: where it is not, z is too small, its mean is not 0 after the square, and a channel may vanish.
EPSILON = 1e-5
# E[relu(z) h_k(z)] for z ~ N(0,1) and the normalised Hermite polynomials h_1, h_2.
RELU_HERMITE = (0.5, 1 / (2 * math.sqrt(math.pi)))
START = (RELU_HERMITE[0], RELU_HERMITE[1] / 2)


class QuadraticActivation(nn.Module):
    """``[batch, channels, height, width]`` to the same shape.

    After a forward pass in training, ``self.excess`` holds the penalty of the inputs beyond ``limit``
    standard deviations: the sum over a record's values of (|z| - limit)_+^2, mean over the batch.
    In training alone, inputs are held to ``hold`` deviations, so that a value which is too large counts once,
    in the layer where it arises, instead of being squared by every layer after it. Once the penalty has
    done its work nothing is held, and the polynomial is what was trained.
    ``frozen`` makes training use the running statistics, as evaluation does.
    """

    def __init__(self, channels: int, limit: float, hold: float = 8.0, momentum: float = 0.05):
        super().__init__()
        self.limit, self.hold, self.momentum = limit, hold, momentum
        self.frozen = False
        for degree, value in enumerate(START, 1):
            self.register_parameter(f"w{degree}", nn.Parameter(torch.full((channels,), value)))
        self.register_buffer("w0", torch.zeros(channels))  # not trained; networks of an earlier form have one
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))
        self.register_buffer("spread", torch.full((channels,), 2.0))  # variance of z^2; 2 for a Gaussian
        self.excess: Tensor | None = None

    def polynomial(self) -> tuple[Tensor, Tensor, Tensor]:
        """(a, b, c), each [channels], of a z^2 + b z + c under the running statistics."""
        a = self.w2 * torch.rsqrt(self.spread + EPSILON)
        return a, self.w1, self.w0 - a

    def forward(self, x: Tensor, added: Tensor | None = None) -> Tensor:
        """The activation of ``x``, plus ``added`` of the same shape, which spares a pass of its own."""
        fixed = fixed_statistics(self.mean, self.variance, self.spread)
        if not self.training:
            y = evaluate(x, self.mean, coefficients(fixed, self.weights()))
            return y if added is None else y + added
        exact = self.variance.clamp_min(1e-7)
        reach, wide = self.limit * torch.sqrt(exact), self.hold * torch.sqrt(exact)
        run = fused.activation if fused.usable(x) else plain
        # The running mean changes below, before the backward pass: it gets a copy.
        y, excess, stats = run(x, self.weights(), self.mean.clone(), reach, wide, fixed if self.frozen else None, added)
        self.excess = (excess / exact).sum() / x.shape[0]
        if not self.frozen:
            with torch.no_grad():
                shift, variance, spread = stats
                self.mean.add_(shift, alpha=self.momentum)
                self.variance.lerp_(variance, self.momentum)
                self.spread.lerp_(spread, self.momentum)
        return y

    def weights(self) -> Tensor:
        return torch.stack([self.w0, self.w1, self.w2])


def fixed_statistics(mean: Tensor, variance: Tensor, spread: Tensor) -> Tensor:
    """Running statistics in the form of :func:`statistics`, for d = x - mean."""
    return torch.stack([torch.zeros_like(mean), variance, spread])


def statistics(moments: Tensor) -> Tensor:
    """Mean and variance of d, and variance of z^2, ``[3, channels]``, from the means of d ... d^4."""
    m1, m2, m3, m4 = moments
    variance = (m2 - m1 * m1).clamp_min(0)
    fourth = m4 - 4 * m1 * m3 + 6 * m1 * m1 * m2 - 3 * m1**4
    spread = (fourth / (variance + EPSILON) ** 2 - 1).clamp_min(0.1)
    return torch.stack([m1, variance, spread])


def coefficients(stats: Tensor, weights: Tensor) -> Tensor:
    """``[3, channels]``: the activation as k0 + k1 d + k2 d^2."""
    mean, variance, spread = stats
    w0, w1, w2 = weights
    scale = torch.rsqrt(variance + EPSILON)
    shift = -mean * scale  # z = scale d + shift
    a = w2 * torch.rsqrt(spread + EPSILON)
    return torch.stack([(a * shift + w1) * shift + w0 - a, (2 * a * shift + w1) * scale, a * scale * scale])


def evaluate(x: Tensor, mean: Tensor, k: Tensor) -> Tensor:
    k0, k1, k2, mean = (v.view(1, -1, 1, 1) for v in (*k, mean))
    d = x.float() - mean
    return ((k2 * d + k1) * d + k0).to(x.dtype)


def plain(
    x: Tensor, weights: Tensor, mean: Tensor, reach: Tensor, wide: Tensor, fixed: Tensor | None, added: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """The activation in training, its excess per channel, and the :func:`statistics` that it used.

    The reference of ``fused.activation``, and what runs where there is no C++ compiler. Statistics are
    those of the batch unless ``fixed`` are given.

    Where they are the batch's, ``reach`` follows its deviation, and the excess is measured in it, as far as gradients go: a channel's
    size changes nothing that comes after it, and the penalty has no part in it either. A ``reach`` that is a constant for the gradient
    pushes all sizes towards 0, since smaller values are within a reach that follows them only later.
    """
    raw = d = x.float() - mean.view(1, -1, 1, 1)
    d = torch.minimum(torch.maximum(d, -wide.view(1, -1, 1, 1)), wide.view(1, -1, 1, 1))
    moments = torch.stack([(d**power).mean((0, 2, 3)) for power in (1, 2, 3, 4)])
    stats = statistics(moments) if fixed is None else fixed
    size = torch.ones_like(mean)
    if fixed is None:
        deviation = torch.sqrt(stats[1] + EPSILON)
        size = deviation / deviation.detach()
    excess = torch.relu(raw.abs() - (reach * size).view(1, -1, 1, 1)).square().sum((0, 2, 3)) / size.square()
    k = coefficients(stats, weights)
    y = evaluate(d, torch.zeros_like(mean), k)
    return (y if added is None else y + added).to(x.dtype), excess, stats.detach()
