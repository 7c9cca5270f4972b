"""What moves the weights: SGD, or Muon for the convolutions and SGD for the rest."""

import torch
from torch import Tensor, nn

from networks.network import Network
from networks.recipe import Recipe


class Optimiser:
    """One or two of torch's optimisers under one rate, which :meth:`set_rate` gives as a share of the recipe's peaks."""

    def __init__(self, network: Network, recipe: Recipe):
        convolutions = [part.weight for part in network.modules() if isinstance(part, nn.Conv2d)] if recipe.muon > 0 else []
        turned = set(map(id, convolutions))
        others = [p for p in network.parameters() if id(p) not in turned and p.requires_grad]
        # What a clipped gradient is for: Muon takes of a gradient its directions alone.
        self.clipped = others
        # Weight decay on matrices only: the activations' coefficients have a meaning of their own.
        groups = [
            {"params": [p for p in others if p.ndim > 1], "weight_decay": recipe.weight_decay},
            {"params": [p for p in others if p.ndim == 1], "weight_decay": 0.0},
        ]
        peak = recipe.learning_rate
        self.parts: list[tuple[torch.optim.Optimizer, float]] = [
            (torch.optim.SGD(groups, lr=peak, momentum=recipe.momentum, nesterov=True, fused=True), peak)
        ]
        self.turns = _Turns(convolutions, recipe.muon, recipe.momentum) if convolutions else None
        if self.turns:
            self.parts.append((self.turns.muon, recipe.muon))

    def set_rate(self, share: float) -> None:
        for part, peak in self.parts:
            for group in part.param_groups:
                group["lr"] = peak * share

    def step(self) -> None:
        if self.turns:
            self.turns.take_gradients()
        for part, _ in self.parts:
            part.step()
        if self.turns:
            self.turns.hold()

    def state_dict(self) -> list[dict]:
        return [part.state_dict() for part, _ in self.parts]

    def load_state_dict(self, states: list[dict]) -> None:
        for (part, _), state in zip(self.parts, states, strict=True):
            part.load_state_dict(state)


class _Turns:
    """Muon on convolutions whose size is held: a step turns a matrix by ``rate`` radians, about, and does nothing else.

    A normalisation follows, so only directions count. Weight decay would shrink a weight until the floor of the variance is all
    that is left of its channel; a gradient that is made orthogonal moves every channel alike, and none is lost.
    (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/)
    """

    def __init__(self, weights: list[Tensor], rate: float, momentum: float):
        self.weights = weights
        # [out, height width in], the order that channels_last weights have in memory: a view.
        self.matrices = [nn.Parameter(self._matrix(weight.detach())) for weight in weights]
        self.muon = torch.optim.Muon(self.matrices, lr=rate, momentum=momentum, weight_decay=0.0)
        self.hold()

    @staticmethod
    def _matrix(weight: Tensor) -> Tensor:
        return weight.permute(0, 2, 3, 1).view(len(weight), -1)

    def take_gradients(self) -> None:
        for weight, matrix in zip(self.weights, self.matrices):
            matrix.grad = weight.grad.permute(0, 2, 3, 1).reshape(matrix.shape)

    @torch.no_grad()
    def hold(self) -> None:
        """Every row gets the size 1, which is that of a step's rows on average."""
        for matrix in self.matrices:
            matrix.div_(matrix.norm(dim=1, keepdim=True))
