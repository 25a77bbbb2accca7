"""Muon: steps along the nearest orthogonal matrix of the mean gradient.

Legend: m rows, n columns of a layer's weights as a matrix.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from autoseg.train.loop._eager import Eager

# Newton and Schulz's iteration for the polar factor, with the coefficients of [1]: they
# bring all singular values to between 0.7 and 1.2 in five rounds.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ROUNDS = 5
# An orthogonal m x n matrix has entries of a root mean square of max(m, n) ** -0.5.
# Adam's steps have about 0.2, so a learning rate means the same for both [2].
ADAM_SIZE = 0.2


class Muon(Eager):
    """Muon for the weights of hidden layers, AdamW for everything else.

    The gradient of a layer is dominated by a few directions. Muon brings all
    directions of its running mean to the same length, so that the rare ones are
    learned too. Weights of a convolution count as a matrix of one row for each channel
    along their first axis.

    Parameters
    ----------
    hidden : iterable of Tensor
        Weights of two or more axes, of all layers but the last.
    others : iterable of Tensor
        Biases, norms and the last layer.
    lr : float
        Learning rate of both.
    momentum : float
        Of the running mean of gradients, in both.
    second_momentum : float
        Of AdamW's running mean of squares.
    weight_decay : float
        Decoupled, on all parameters.

    References
    ----------
    .. [1] Jordan et al., "Muon: an optimizer for hidden layers in neural networks",
       2024. https://kellerjordan.github.io/posts/muon
    .. [2] Liu et al., "Muon is scalable for LLM training", 2025. arXiv:2502.16982
    """

    def __init__(
        self,
        hidden: Iterable[Tensor],
        others: Iterable[Tensor],
        *,
        lr: float,
        momentum: float,
        second_momentum: float,
        weight_decay: float,
    ) -> None:
        groups = [
            {"params": list(params), "orthogonal": orthogonal}
            for params, orthogonal in ((hidden, True), (others, False))
        ]
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "second_momentum": second_momentum,
            "weight_decay": weight_decay,
            "eps": 1e-8,
        }
        super().__init__([group for group in groups if group["params"]], defaults)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Change all parameters that have a gradient."""
        for group in self.param_groups:
            move = self._orthogonal if group["orthogonal"] else self._adam
            for weights in group["params"]:
                if weights.grad is not None:
                    weights.mul_(1 - group["lr"] * group["weight_decay"])
                    move(weights, weights.grad, group)

    def _orthogonal(
        self, weights: Tensor, slope: Tensor, group: dict[str, Any]
    ) -> None:
        state = self.state[weights]
        if not state:
            state["mean"] = torch.zeros_like(weights)
        state["mean"].lerp_(slope, 1 - group["momentum"])
        ahead = slope.lerp(state["mean"], group["momentum"])  # Nesterov's
        matrix = ahead.reshape(len(ahead), -1)
        size = ADAM_SIZE * max(matrix.shape) ** 0.5
        step = orthogonalized(matrix).reshape(weights.shape)
        weights.add_(step, alpha=-group["lr"] * size)

    def _adam(self, weights: Tensor, slope: Tensor, group: dict[str, Any]) -> None:
        state = self.state[weights]
        if not state:
            state["step"] = 0
            state["mean"] = torch.zeros_like(weights)
            state["square"] = torch.zeros_like(weights)
        state["step"] += 1
        first, second = group["momentum"], group["second_momentum"]
        state["mean"].lerp_(slope, 1 - first)
        state["square"].lerp_(slope.square(), 1 - second)
        mean = state["mean"] / (1 - first ** state["step"])
        square = state["square"] / (1 - second ** state["step"])
        weights.addcdiv_(mean, square.sqrt_().add_(group["eps"]), value=-group["lr"])


def orthogonalized(matrix: Tensor) -> Tensor:
    """Return nearly the orthogonal matrix that is nearest to one.

    Parameters
    ----------
    matrix : Tensor, shape (m, n)
        Any matrix; all zeros stay zeros.

    Returns
    -------
    Tensor, shape (m, n)
        Of the same singular vectors, with singular values of about 1.

    Examples
    --------
    >>> turned = orthogonalized(torch.diag(torch.tensor([8.0, 2.0, 1.0])))
    >>> bool(((turned.diag() > 0.6) & (turned.diag() < 1.3)).all())
    True
    """
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x if x.dtype == torch.float64 else x.float()
    x = x / (torch.linalg.vector_norm(x) + 1e-12)
    a, b, c = COEFFICIENTS
    # Each round takes x to p(x x^T) x. All that is made of x x^T commutes, so the
    # rounds go on with that small square matrix, and x itself is multiplied once. Not
    # in bfloat16: the products of few large directions have to cancel.
    square = x @ x.T
    whole = torch.eye(len(square), dtype=x.dtype, device=x.device)
    for _ in range(ROUNDS):
        factor = torch.addmm(square, square, square, beta=b, alpha=c)
        factor.diagonal().add_(a)
        square = factor @ square @ factor
        whole = factor @ whole
    x = whole @ x
    result: Tensor = (x.T if tall else x).to(matrix.dtype)
    return result
