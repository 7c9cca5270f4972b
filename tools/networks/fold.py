"""From a trained network to the one that is exported: norms folded away, activations as a x^2 + b x + c.

The result is an :class:`Architecture` without ``norm`` layers and float32 tensors by name:

==========  ==================================================================================
layer       tensors
==========  ==================================================================================
conv        ``<layer>.weight`` [out, in, kernel, kernel], ``<layer>.bias`` [out]
activation  ``<layer>.a``, ``<layer>.b``, ``<layer>.c``, each [channels]; none for ReLU
dense       ``<layer>.weight`` [out, in], ``<layer>.bias`` [out]
==========  ==================================================================================

*Standard form* (what is exported): an activation that alone reads a convolution gets that convolution's
output with mean 0 and deviation 1 over the training set, so every pre-activation has the same range.
*Monic form* (:func:`monic`): a is +1 or -1, which saves the evaluator the product with a.
"""

from collections import Counter
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from networks.activation import EPSILON, QuadraticActivation, coefficients, fixed_statistics
from networks.architecture import INPUT, Architecture, Layer, shapes
from networks.network import Network


@dataclass(frozen=True)
class Folded:
    architecture: Architecture
    tensors: dict[str, Tensor]

    def __post_init__(self) -> None:
        expected = tensor_shapes(self.architecture)
        found = {name: tuple(tensor.shape) for name, tensor in self.tensors.items()}
        if expected != found:
            wrong = sorted(set(expected.items()) ^ set(found.items()))
            raise ValueError(f"tensors do not fit the architecture: {wrong}")

    def __call__(self, images: Tensor) -> Tensor:
        return self.values(images)[self.architecture.layers[-1].name]

    def eval(self) -> "Folded":
        return self

    def double(self) -> "Folded":
        """The same network in float64, for reference values."""
        return Folded(self.architecture, {name: tensor.double() for name, tensor in self.tensors.items()})

    def values(self, images: Tensor) -> dict[str, Tensor]:
        """Every tensor by the name of the layer that makes it."""
        t, values = self.tensors, {INPUT: images}
        for layer in self.architecture.layers:
            x, a = values[layer.inputs[0]], layer.attributes
            match layer.op:
                case "conv":
                    y = F.conv2d(x, t[f"{layer.name}.weight"], t[f"{layer.name}.bias"], a["stride"], a["pad"])
                case "activation" if a["kind"] == "relu":
                    y = torch.relu(x)
                case "activation":
                    k2, k1, k0 = (t[f"{layer.name}.{key}"].view(1, -1, 1, 1) for key in "abc")
                    y = (k2 * x + k1) * x + k0
                case "add":
                    y = x + values[layer.inputs[1]]
                case "pool":
                    y = x.mean((2, 3))
                case "dense":
                    y = F.linear(x, t[f"{layer.name}.weight"], t[f"{layer.name}.bias"])
            values[layer.name] = y
        return values


def tensor_shapes(architecture: Architecture) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor of a folded network."""
    shapes(architecture)
    found: dict[str, tuple[int, ...]] = {}
    for layer in architecture.layers:
        a = layer.attributes
        if layer.op in ("norm", "max"):
            raise ValueError(f"layer {layer.name}: a folded network has no {layer.op}")
        if layer.op == "conv":
            found[f"{layer.name}.weight"] = (a["out"], a["in"], a["kernel"], a["kernel"])
            found[f"{layer.name}.bias"] = (a["out"],)
        elif layer.op == "dense":
            found[f"{layer.name}.weight"] = (a["out"], a["in"])
            found[f"{layer.name}.bias"] = (a["out"],)
        elif layer.op == "activation" and a["kind"] == "quadratic":
            found |= {f"{layer.name}.{key}": (a["channels"],) for key in "abc"}
    return found


@torch.no_grad()
def fold(network: Network) -> Folded:
    """The folded network in standard form; equal to ``network`` in evaluation up to rounding."""
    architecture = network.architecture
    readers = Counter(name for layer in architecture.layers for name in layer.inputs)
    operations = {layer.name: layer.op for layer in architecture.layers}
    renamed, layers, tensors = {}, [], {}

    def scale_conv(name: str, scale: Tensor, bias: Tensor) -> None:
        tensors[f"{name}.weight"] *= scale.view(-1, 1, 1, 1)
        tensors[f"{name}.bias"] = tensors[f"{name}.bias"] * scale + bias

    for layer in architecture.layers:
        source = renamed.get(layer.inputs[0], layer.inputs[0])
        alone = operations.get(layer.inputs[0]) == "conv" and readers[layer.inputs[0]] == 1
        part = network.part(layer.name) if layer.op not in ("add", "pool") else None
        if layer.op == "norm":
            if not alone:
                raise ValueError(f"layer {layer.name}: only the norm of a convolution can be folded")
            scale = part.weight.double() * torch.rsqrt(part.running_var.double() + part.eps)
            scale_conv(source, scale, part.bias.double() - part.running_mean.double() * scale)
            renamed[layer.name] = source
            continue
        if layer.op == "conv":
            tensors[f"{layer.name}.weight"] = part.weight.double().contiguous()
            tensors[f"{layer.name}.bias"] = torch.zeros(part.out_channels, dtype=torch.float64)
        elif layer.op == "dense":
            tensors[f"{layer.name}.weight"], tensors[f"{layer.name}.bias"] = part.weight.double(), part.bias.double()
        elif isinstance(part, QuadraticActivation):
            mean, variance = part.mean.double(), part.variance.double()
            if alone:
                scale = torch.rsqrt(variance + EPSILON)
                scale_conv(source, scale, -mean * scale)
                a, b, c = (v.double() for v in part.polynomial())
            else:
                fixed = fixed_statistics(mean, variance, part.spread.double())
                k0, b, a = coefficients(fixed, part.weights().double())
                # From d = x - mean back to x.
                a, b, c = a, b - 2 * a * mean, (a * mean - b) * mean + k0
            tensors |= {f"{layer.name}.a": a, f"{layer.name}.b": b, f"{layer.name}.c": c}
        inputs = tuple(renamed.get(name, name) for name in layer.inputs)
        layers.append(Layer(layer.name, layer.op, inputs, layer.attributes))
    tensors = {name: tensor.float().contiguous() for name, tensor in tensors.items()}
    return Folded(Architecture(architecture.shape, tuple(layers)), tensors)


def monic(folded: Folded) -> Folded:
    """The same function with every a equal to +1 or -1: x' = sqrt|a| x, taken into the convolution.

    Needs each activation to be the only reader of a convolution (placement ``branch``), and no a of 0.
    """
    tensors = dict(folded.tensors)
    readers = Counter(name for layer in folded.architecture.layers for name in layer.inputs)
    operations = {layer.name: layer.op for layer in folded.architecture.layers}
    for layer in folded.architecture.layers:
        if layer.op != "activation":
            continue
        source, a = layer.inputs[0], tensors[f"{layer.name}.a"]
        if operations.get(source) != "conv" or readers[source] != 1 or bool((a == 0).any()):
            raise ValueError(f"layer {layer.name}: has no monic form")
        root = a.abs().sqrt()
        tensors[f"{source}.weight"] = tensors[f"{source}.weight"] * root.view(-1, 1, 1, 1)
        tensors[f"{source}.bias"] = tensors[f"{source}.bias"] * root
        tensors[f"{layer.name}.a"] = a.sign()
        tensors[f"{layer.name}.b"] = tensors[f"{layer.name}.b"] / root
    return Folded(folded.architecture, tensors)
