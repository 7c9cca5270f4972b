"""An architecture as a trainable module: interprets the list of layers."""

from collections import Counter

import torch
from torch import Tensor, nn

from networks.activation import QuadraticActivation
from networks.architecture import INPUT, Architecture, Layer
from networks.convolution import Convolution
from networks.fused import Norm


def _module(layer: Layer, limit: float) -> nn.Module | None:
    a = layer.attributes
    match layer.op:
        case "conv":
            return Convolution(a["in"], a["out"], a["kernel"], a["stride"], a["pad"])
        case "norm":
            return Norm(a["channels"])
        case "activation":
            return QuadraticActivation(a["channels"], limit) if a["kind"] == "quadratic" else nn.ReLU()
        case "max":
            return nn.MaxPool2d(a["size"])
        case "dense":
            return nn.Linear(a["in"], a["out"])
    return None


def _summands(architecture: Architecture) -> dict[str, str]:
    """The quadratic activation that only one addition reads, by that addition: both are one pass in training."""
    readers = Counter(name for layer in architecture.layers for name in layer.inputs)
    alone = {
        layer.name
        for layer in architecture.layers
        if layer.op == "activation" and layer.attributes["kind"] == "quadratic" and readers[layer.name] == 1
    }
    return {layer.name: layer.inputs[0] for layer in architecture.layers if layer.op == "add" and layer.inputs[0] in alone}


class Network(nn.Module):
    """``[batch, channels, height, width]`` images to ``[batch, classes]`` logits.

    ``limit`` is where the range penalty of quadratic activations starts, in standard deviations.
    """

    def __init__(self, architecture: Architecture, limit: float = 6.0):
        super().__init__()
        self.architecture = architecture
        self.layers = {layer.name: layer for layer in architecture.layers}
        self.summands = _summands(architecture)
        self.parts = nn.ModuleDict()
        for layer in architecture.layers:
            part = _module(layer, limit)
            if part is not None:
                self.parts[layer.name.replace(".", "/")] = part
        quadratic = bool(self.activations())
        for part in self.parts.values():
            if isinstance(part, Norm) and quadratic:
                # No constants among squares, see networks.activation: a bias on a shortcut is one for all blocks after it.
                part.bias.requires_grad_(False)
            if isinstance(part, nn.Conv2d):
                nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")

    def part(self, name: str) -> nn.Module:
        return self.parts[name.replace(".", "/")]

    def activations(self) -> list[QuadraticActivation]:
        return [part for part in self.parts.values() if isinstance(part, QuadraticActivation)]

    def forward(self, images: Tensor) -> Tensor:
        return self.tensors(images)[self.architecture.layers[-1].name]

    def features(self, images: Tensor) -> Tensor:
        """``[batch, channels]`` after pooling, what a transferred head is trained on."""
        return self.tensors(images)["pool"]

    def tensors(self, images: Tensor) -> dict[str, Tensor]:
        """Every tensor by the name of the layer that makes it; in training without those that exist in sums only."""
        values = {INPUT: images}
        fused = self.summands if self.training else {}
        for layer in self.architecture.layers:
            if layer.name in fused.values():
                continue
            inputs = [values[name] for name in layer.inputs if name not in fused.values()]
            if layer.name in fused:
                source = self.layers[fused[layer.name]].inputs[0]
                values[layer.name] = self.part(fused[layer.name])(values[source], inputs[0])
            elif layer.op == "add":
                values[layer.name] = inputs[0] + inputs[1]
            elif layer.op == "pool":
                values[layer.name] = inputs[0].mean((2, 3))
            elif layer.op == "conv":
                values[layer.name], values[layer.inputs[0]] = self.part(layer.name).branch(inputs[0])
            else:
                values[layer.name] = self.part(layer.name)(inputs[0])
        return values

    def excess(self) -> Tensor:
        """Range penalty of the last forward pass in training; zero for a network without quadratics.

        The sum over activations of log(1 + excess): with the excess itself, one burst of large values makes
        a gradient that throws the weights far enough to cause the next.
        """
        parts = [part.excess for part in self.activations() if part.excess is not None]
        return torch.stack(parts).log1p().sum() if parts else torch.zeros(())
