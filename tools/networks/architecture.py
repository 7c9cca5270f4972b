"""Networks as data: a list of layers that names its inputs.

The same list is trained, folded, written to a card, and read by the Rust evaluator, so another depth
or width needs no new code. Tensors are ``[batch, channels, height, width]`` until ``pool``, then
``[batch, channels]``.

=============  ===========================================  =====================================
op             attributes                                   meaning
=============  ===========================================  =====================================
``conv``       in, out, kernel, stride, pad                 2-d convolution, zero padding
``norm``       channels                                     batch norm; training only, folded away
``activation`` channels, kind (``quadratic`` or ``relu``)   per channel a x^2 + b x + c, or ReLU
``add``        (two inputs)                                 sum of two tensors of one shape
``max``        size                                         maximum of each size x size square; teachers only
``pool``                                                    mean over height and width
``dense``      in, out                                      matrix product and bias
=============  ===========================================  =====================================
"""

from dataclasses import dataclass, field
from typing import Any

INPUT = "input"
ATTRIBUTES = {
    "conv": ("in", "out", "kernel", "stride", "pad"),
    "norm": ("channels",),
    "activation": ("channels", "kind"),
    "add": (),
    "max": ("size",),
    "pool": (),
    "dense": ("in", "out"),
}
# Multiplicative levels of CKKS that a layer consumes: a product with plain weights, or one squaring.
# The mean's 1/(h w) goes into the dense layer; batch norm goes into its convolution.
LEVELS = {"conv": 1, "norm": 0, "activation": 1, "add": 0, "pool": 0, "dense": 1}


@dataclass(frozen=True)
class Layer:
    """One layer: its unique name, its operation, the names it reads, and its attributes."""

    name: str
    op: str
    inputs: tuple[str, ...]
    attributes: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "op": self.op, "inputs": list(self.inputs), **self.attributes}

    @staticmethod
    def from_json(value: dict[str, Any]) -> "Layer":
        op = value["op"]
        if op not in ATTRIBUTES:
            raise ValueError(f"layer {value['name']}: unknown op {op!r}, known are {sorted(ATTRIBUTES)}")
        return Layer(value["name"], op, tuple(value["inputs"]), {key: value[key] for key in ATTRIBUTES[op]})


@dataclass(frozen=True)
class Architecture:
    """Layers in an order in which each reads only earlier ones; the last one is the output.

    ``shape`` is that of one input: (channels, height, width).
    """

    shape: tuple[int, int, int]
    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        shapes(self)

    def to_json(self) -> dict[str, Any]:
        return {"input": list(self.shape), "layers": [layer.to_json() for layer in self.layers]}

    @staticmethod
    def from_json(value: dict[str, Any]) -> "Architecture":
        return Architecture(tuple(value["input"]), tuple(map(Layer.from_json, value["layers"])))


def shapes(architecture: Architecture) -> dict[str, tuple[int, ...]]:
    """Shape of each tensor without the batch; a ``ValueError`` names the layer that does not fit."""
    found: dict[str, tuple[int, ...]] = {INPUT: architecture.shape}
    for layer in architecture.layers:
        if layer.name in found:
            raise ValueError(f"layer {layer.name}: the name is used twice")
        missing = [name for name in layer.inputs if name not in found]
        if missing or len(layer.inputs) != (2 if layer.op == "add" else 1):
            raise ValueError(f"layer {layer.name}: wrong inputs {layer.inputs}")
        first, a = found[layer.inputs[0]], layer.attributes
        expected = a.get("in", a.get("channels", first[0]))
        if first[0] != expected:
            raise ValueError(f"layer {layer.name}: needs {expected} channels, has {first[0]}")
        if layer.op == "conv":
            size = [(n + 2 * a["pad"] - a["kernel"]) // a["stride"] + 1 for n in first[1:]]
            found[layer.name] = (a["out"], *size)
        elif layer.op == "add":
            if found[layer.inputs[1]] != first:
                raise ValueError(f"layer {layer.name}: adds {first} and {found[layer.inputs[1]]}")
            found[layer.name] = first
        elif layer.op == "max":
            found[layer.name] = (first[0], *(n // a["size"] for n in first[1:]))
        elif layer.op == "pool":
            found[layer.name] = first[:1]
        else:
            found[layer.name] = (a["out"],) if layer.op == "dense" else first
    return found


def levels(architecture: Architecture) -> int:
    """Multiplicative levels from the input to the output along the deepest path."""
    depth = {INPUT: 0}
    for layer in architecture.layers:
        depth[layer.name] = max(depth[name] for name in layer.inputs) + LEVELS[layer.op]
    return depth[architecture.layers[-1].name]


def multiplications(architecture: Architecture) -> int:
    """Multiply-adds of one image in convolutions and dense layers."""
    total, found = 0, shapes(architecture)
    for layer in architecture.layers:
        a = layer.attributes
        if layer.op == "conv":
            _, height, width = found[layer.name]
            total += a["in"] * a["out"] * a["kernel"] ** 2 * height * width
        elif layer.op == "dense":
            total += a["in"] * a["out"]
    return total


class Builder:
    """Appends layers, each to the one before unless told otherwise."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self.last = INPUT

    def add(self, name: str, op: str, *inputs: str, **attributes: Any) -> str:
        self.layers.append(Layer(name, op, inputs or (self.last,), attributes))
        self.last = name
        return name


def resnet(
    depth: int,
    classes: int,
    shape: tuple[int, int, int] = (3, 32, 32),
    widths: tuple[int, ...] = (16, 32, 64),
    stem_stride: int = 1,
    kind: str = "quadratic",
    placement: str = "branch",
) -> Architecture:
    """The CIFAR ResNet (He et al. 2016, section 4.2) with 1x1 projections where the shape changes.

    ``placement`` says where a block's second activation stands:

    * ``branch``: before the addition. No activation then lies on the path of the shortcuts, so the
      degree in which a large value grows stays low, every activation reads exactly one convolution
      (its leading coefficient folds into that convolution), and the addition needs no scale of its own.
    * ``sum``: after the addition, as in the original network; the ReLU baselines use it.

    Either way a block costs 2 convolutions and 2 activations, one level each.
    """
    blocks, rest = divmod(depth - 2, 2 * len(widths))
    if rest or blocks < 1:
        raise ValueError(f"depth {depth} is not 2 + 2 * {len(widths)} * blocks")
    b = Builder()

    def conv(name: str, source: str, inner: int, outer: int, kernel: int, stride: int) -> None:
        b.add(name, "conv", source, **{"in": inner, "out": outer}, kernel=kernel, stride=stride, pad=kernel // 2)

    def activate(name: str, channels: int, norm: bool = True) -> None:
        # A quadratic activation normalises its own input (see networks.activation).
        if norm and kind == "relu":
            b.add(f"{name}.norm", "norm", channels=channels)
        b.add(name, "activation", channels=channels, kind=kind)

    conv("stem.conv", INPUT, shape[0], widths[0], 3, stem_stride)
    activate("stem.act", widths[0])
    channels = widths[0]
    for stage, width in enumerate(widths, 1):
        for block in range(1, blocks + 1):
            name, source = f"stage{stage}.block{block}", b.last
            stride = 2 if stage > 1 and block == 1 else 1
            conv(f"{name}.conv1", source, channels, width, 3, stride)
            activate(f"{name}.act1", width)
            conv(f"{name}.conv2", b.last, width, width, 3, 1)
            if placement == "branch":
                activate(f"{name}.act2", width)
            elif kind == "relu":
                b.add(f"{name}.norm2", "norm", channels=width)
            branch = b.last
            if stride != 1 or channels != width:
                conv(f"{name}.project", source, channels, width, 1, stride)
                source = b.add(f"{name}.project.norm", "norm", channels=width)
            b.add(f"{name}.add", "add", branch, source)
            if placement == "sum":
                activate(f"{name}.act2", width, norm=False)
            channels = width
    b.add("pool", "pool")
    b.add("dense", "dense", **{"in": channels}, out=classes)
    return Architecture(shape, tuple(b.layers))


def convnet(classes: int, shape: tuple[int, int, int] = (3, 32, 32), widths: tuple[int, ...] = (64, 256, 256), stem: int = 32) -> Architecture:
    """A teacher: the network of Jordan's airbench94 (2024, arXiv 2404.00498), with a plain stem and ReLU.

    A block is two 3x3 convolutions with a maximum over 2x2 after the first: wide layers on small images, so that ten epochs
    on two cores learn more than a ResNet-20 ever holds. Its maxima have no place in an encrypted network.
    """
    b = Builder()
    b.add("stem.conv", "conv", INPUT, **{"in": shape[0], "out": stem}, kernel=3, stride=1, pad=1)
    b.add("stem.norm", "norm", channels=stem)
    b.add("stem.act", "activation", channels=stem, kind="relu")
    channels = stem
    for block, width in enumerate(widths, 1):
        for half, inner in ((1, channels), (2, width)):
            name = f"block{block}.conv{half}"
            b.add(name, "conv", **{"in": inner, "out": width}, kernel=3, stride=1, pad=1)
            if half == 1:
                b.add(f"{name}.max", "max", size=2)
            b.add(f"{name}.norm", "norm", channels=width)
            b.add(f"{name}.act", "activation", channels=width, kind="relu")
        channels = width
    b.add("pool", "pool")
    b.add("dense", "dense", **{"in": channels}, out=classes)
    return Architecture(shape, tuple(b.layers))
