"""Convolutions in bfloat16 by AMX tiles (convolution.cpp), about four times faster than oneDNN's at these widths.

Used under autocast to bfloat16 where the processor has AMX and the shape suits; everywhere else the layer is torch's.
"""

import torch
from torch import Tensor, nn

from networks import compiled

WIDTH = 32


def _kernels():
    kernels = compiled.kernels("convolution", "-mamx-tile", "-mamx-bf16", "-mavx512bf16")
    return kernels if kernels is not None and kernels.available() else None


def prepare() -> None:
    """Compiles the kernels, so that workers find them compiled."""
    _kernels()


class Convolution(nn.Conv2d):
    """A square convolution without bias; ``[batch, in, height, width]`` to ``[batch, out, height', width']``."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, pad: int):
        super().__init__(inputs, outputs, kernel, stride, pad, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.branch(x)[0]

    def branch(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The convolution and ``x`` again: who reads ``x`` there spares a pass for the sum of the gradients."""
        if not usable(x, self):
            return super().forward(x), x
        if not x.requires_grad or x.dtype != torch.bfloat16:
            return _Convolution.apply(x, self.weight, self.stride[0], self.padding[0], False)[0], x
        return _Convolution.apply(x, self.weight, self.stride[0], self.padding[0], True)


def usable(x: Tensor, part: nn.Conv2d) -> bool:
    """Rows of outputs, and of inputs where they have a gradient, must fill tiles, alone or with other images."""
    if x.device.type != "cpu" or not torch.is_autocast_enabled("cpu") or torch.get_autocast_dtype("cpu") != torch.bfloat16:
        return False
    fits = lambda channels: channels == 16 or channels % 32 == 0
    width = (x.shape[3] + 2 * part.padding[0] - part.kernel_size[0]) // part.stride[0] + 1
    wide = [width] + [x.shape[3]] * x.requires_grad
    good = fits(part.out_channels) and (fits(part.in_channels) or part.in_channels <= 8 and not x.requires_grad)
    return good and all(w > 0 and (WIDTH % w == 0 or w % WIDTH == 0) for w in wide) and _kernels() is not None


def _inner(x: Tensor) -> Tensor:
    """``[batch, height, width, channels]``, without a copy if it is channels_last."""
    return x.permute(0, 2, 3, 1).contiguous()


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, stride, pad, branches):
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.pad = stride, pad
        ctx.set_materialize_grads(False)
        y = _kernels().forward(_inner(x), weight, stride, pad).permute(0, 3, 1, 2)
        return y, x.view_as(x) if branches else None

    @staticmethod
    def backward(ctx, g, g_branch):
        x, weight = ctx.saved_tensors
        if g is None:
            return g_branch, None, None, None, None
        g = _inner(g.to(torch.bfloat16))
        g_x = g_weight = None
        if ctx.needs_input_grad[0]:
            added = None if g_branch is None else _inner(g_branch)
            g_x = _kernels().backward_input(g, weight, x.shape[2], x.shape[3], ctx.stride, ctx.pad, added)
            g_x = g_x.permute(0, 3, 1, 2).to(x.dtype)
        if ctx.needs_input_grad[1]:
            g_weight = _kernels().backward_weight(_inner(x), g, weight, ctx.stride, ctx.pad)
        return g_x, g_weight, None, None, None
