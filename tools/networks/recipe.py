"""What one training run is: data, architecture, schedule, seed. A JSON file, quoted in the card."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from networks.architecture import Architecture, convnet, resnet


@dataclass(frozen=True)
class Recipe:
    """Defaults suit CIFAR-10. Times are in epochs; ``learning_rate`` is the peak of one cycle."""

    name: str
    dataset: str
    activation: str
    family: str = "resnet"  # or "convnet", a teacher with ReLU, of which depth, stem_stride and placement say nothing
    depth: int = 20
    widths: tuple[int, ...] = (16, 32, 64)
    stem_stride: int = 1
    placement: str = "branch"
    shape: tuple[int, int, int] = (3, 32, 32)
    # The classes trained on, in the order of the outputs; empty means all of the data set.
    classes: tuple[str, ...] = ()
    epochs: int = 30
    batch: int = 128
    learning_rate: float = 0.2
    # Peak of Muon for the convolutions, in radians a step (see networks.optimiser); 0 for SGD.
    muon: float = 0.0
    warm_up: float = 0.2  # fraction of the run in which the rate rises
    momentum: float = 0.9
    weight_decay: float = 5e-4
    clip: float = 2.0  # largest norm of a gradient
    label_smoothing: float = 0.0
    shift: int = 4
    flip: bool = True
    cut: int = 0
    # Every image to the same contrast; see networks.data.Preparation. 0 for none.
    floor: float = 0.5
    # Range penalty: weight at the beginning (0: as at the end) and at the end, and the deviations from which it counts.
    first_penalty: float = 0.0
    penalty: float = 0.03
    limit: float = 4.5
    # Last epochs, in which activations use fixed statistics: what is trained is what is exported.
    settle: int = 3
    # Decay per step of an exponential moving average of the weights, which is what is evaluated and exported; 0 for none.
    average: float = 0.0
    # Run of the same architecture whose weights this one begins with.
    first: str = ""
    # Distillation: runs that teach, weight beside the labels, temperature, augmented views of an image that logits average, and
    # mixtures of two images for each image of the training set, of which the teachers alone say what they are, and variants of it
    # (turned, scaled, of other colour), which have its label.
    teachers: tuple[str, ...] = ()
    distil: float = 0.0
    temperature: float = 4.0
    views: int = 4
    mixtures: int = 0
    variants: int = 0
    seed: int = 1

    def penalty_at(self, epoch: float) -> float:
        """Weight of the range penalty: a geometric rise, so that tails are cut when the rate is small already."""
        if self.first_penalty <= 0:
            return self.penalty
        share = min(1.0, epoch / max(1, self.epochs - self.settle))
        return self.first_penalty * (self.penalty / self.first_penalty) ** share

    def architecture(self, classes: int) -> Architecture:
        if self.family == "convnet":
            return convnet(classes, tuple(self.shape), tuple(self.widths))
        return resnet(
            self.depth, classes, tuple(self.shape), tuple(self.widths), self.stem_stride, self.activation, self.placement
        )

    def to_json(self) -> dict:
        return asdict(self)

    @staticmethod
    def from_json(value: dict) -> "Recipe":
        lists = {key: tuple(item) if isinstance(item, list) else item for key, item in value.items()}
        return Recipe(**lists)

    @staticmethod
    def read(path: Path) -> "Recipe":
        return Recipe.from_json(json.loads(path.read_text()))
