"""Optimizers of torch that begin without its compiler.

torch marks methods of optimizers as nothing to compile by importing ``torch._dynamo``
when they are called first. That takes as long as importing torch, in each process that
trains, and nothing here compiles a step. So the marks are left out: what is called, and
each number, is the same.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch


class Eager(torch.optim.Optimizer):
    """An optimizer whose methods are not marked."""

    add_param_group = inspect.unwrap(torch.optim.Optimizer.add_param_group)
    load_state_dict = inspect.unwrap(torch.optim.Optimizer.load_state_dict)
    state_dict = inspect.unwrap(torch.optim.Optimizer.state_dict)
    zero_grad = inspect.unwrap(torch.optim.Optimizer.zero_grad)


class SGD(Eager, torch.optim.SGD):
    """Stochastic gradient descent."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Change all parameters that have a gradient."""
        return inspect.unwrap(torch.optim.SGD.step)(self, closure)


class AdamW(Eager, torch.optim.AdamW):
    """Adam with decoupled weight decay."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Change all parameters that have a gradient."""
        return inspect.unwrap(torch.optim.AdamW.step)(self, closure)
