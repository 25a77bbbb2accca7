"""Attention inside of windows, and how tokens are sorted by windows.

Legend: B batch, N tokens, C channels, S spatial shape, W windows of all samples, n
tokens of a window, D number of axes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from autoseg.blueprints._windows import attended_at_once, padded_to, window_of
from autoseg.blueprints.tensors import Layer


class WindowAttention(nn.Module):
    """Attention of each window's tokens, with a learned number for each offset.

    Parameters
    ----------
    layer : Layer
        Of a drawing.
    """

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        options = layer.options
        self.window, self.shift = options["window"], options["shift"]
        self.heads, self.dim = options["heads"], options["dim"]
        offsets = (2 * self.window - 1) ** self.dim
        self.weight = nn.Parameter(torch.empty(offsets, self.heads))
        nn.init.trunc_normal_(self.weight, std=0.02)

    def forward(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        """Return (W, n, C) for queries, keys and values (W, n, 3 C) and S."""
        edges, by = window_of(shape, self.window, self.shift)
        regions = _regions(shape, edges, by, x.device) if any(by) else None
        attend: Any = _Attended.apply
        found: Tensor = attend(x, self.weight, edges, regions, self.heads)
        return found


def _regions(
    shape: Sequence[int], edges: Sequence[int], by: Sequence[int], device: Any
) -> Tensor:
    """Return a number for each token of a sample, (W, n): equals were neighbors.

    Along a rolled axis the last window has tokens of the grid's end and of its begin.
    """
    padded = padded_to(shape, edges)
    number = torch.zeros(padded, dtype=torch.int16, device=device)
    for axis, (size, edge, roll) in enumerate(zip(padded, edges, by, strict=True)):
        along = torch.zeros(size, dtype=torch.int16, device=device)
        if roll:
            along[size - edge :] = 1
            along[size - roll :] = 2
        number = number * 3 + along.view(
            [-1 if a == axis else 1 for a in range(len(by))]
        )
    return _cut(number[None, ..., None], edges)[..., 0]


class _Attended(torch.autograd.Function):
    """Attention that keeps queries, keys and values alone for its gradient.

    What is compared, n numbers for each token and head, is computed once more in the
    backward pass, for some windows at once.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        table: Tensor,
        edges: tuple[int, ...],
        regions: Tensor | None,
        heads: int,
    ) -> Tensor:
        ctx.save_for_backward(x, table)
        ctx.settings = edges, regions, heads
        bias = _bias(table.detach(), edges)
        found = x.new_empty(*x.shape[:2], x.shape[2] // 3)
        for part in _parts(x, heads):
            query, key, value = _split(x[part], heads)
            seen = _seen(query, key, bias, regions, part)
            found[part] = _joined(torch.bmm(seen, value), heads)
        return found

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        x, table = ctx.saved_tensors
        edges, regions, heads = ctx.settings
        with torch.enable_grad():
            leaf = table.detach().requires_grad_()
            bias = _bias(leaf, edges)
        of_bias, of_x = torch.zeros_like(bias), torch.empty_like(x)
        for part in _parts(x, heads):
            query, key, value = _split(x[part], heads)
            seen = _seen(query, key, bias.detach(), regions, part)
            given = _cut_heads(gradients[0][part], heads)
            of_value = torch.bmm(seen.transpose(1, 2), given)
            of_seen = torch.bmm(given, value.transpose(1, 2)).to(seen.dtype)
            of_seen -= (of_seen * seen).sum(-1, keepdim=True)
            of_seen *= seen
            of_bias += of_seen.view(-1, *of_bias.shape).sum(0)
            scale = query.shape[-1] ** -0.5
            of_query = torch.bmm(of_seen, key).mul_(scale)
            of_key = torch.bmm(of_seen.transpose(1, 2), query).mul_(scale)
            rows = (_joined(y, heads) for y in (of_query, of_key, of_value))
            torch.cat(tuple(rows), dim=2, out=of_x[part])
        bias.backward(of_bias)
        return of_x, leaf.grad, None, None, None


def _parts(x: Tensor, heads: int) -> list[slice]:
    """Return the windows that are computed at once."""
    most = attended_at_once(heads, x.shape[1])
    return [slice(start, start + most) for start in range(0, len(x), most)]


def _split(x: Tensor, heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return query, key and value of windows, each (W heads, n, C / heads)."""
    query, key, value = (_cut_heads(y, heads) for y in x.chunk(3, dim=2))
    return query, key, value


def _cut_heads(x: Tensor, heads: int) -> Tensor:
    count, tokens, channels = x.shape
    x = x.view(count, tokens, heads, channels // heads).transpose(1, 2)
    return x.reshape(count * heads, tokens, -1)


def _joined(x: Tensor, heads: int) -> Tensor:
    count, tokens, channels = x.shape
    x = x.view(count // heads, heads, tokens, channels).transpose(1, 2)
    return x.reshape(count // heads, tokens, heads * channels)


def _seen(
    query: Tensor, key: Tensor, bias: Tensor, regions: Tensor | None, part: slice
) -> Tensor:
    """Return how much each token sees of each other one, (W heads, n, n)."""
    scale = query.shape[-1] ** -0.5
    seen = torch.bmm(query * scale, key.transpose(1, 2))
    seen.view(-1, *bias.shape).add_(bias)
    if regions is not None:
        numbers = torch.arange(part.start, part.start + len(seen) // len(bias))
        here = regions[numbers.to(regions.device) % len(regions)]
        apart = here[:, None, :] != here[:, :, None]
        seen.view(-1, *bias.shape).masked_fill_(apart[:, None], -torch.inf)
    return seen.softmax(-1)


def _bias(table: Tensor, edges: Sequence[int]) -> Tensor:
    """Return (heads, n, n) of learned numbers for offsets along each axis.

    The table has them for windows of 2 w - 1 offsets along each of D axes, the last
    axis first to change; of shorter windows those in the middle are used.
    """
    dim, heads = len(edges), table.shape[1]
    window = (round(table.shape[0] ** (1 / dim)) + 1) // 2
    found = table.t().view(heads, *(2 * window - 1,) * dim)
    for axis, edge in enumerate(edges, 1):
        found = found.narrow(axis, window - edge, 2 * edge - 1)
    for axis, edge in enumerate(edges, 1):
        # What an offset of j - i belongs to: a row for i, and a column for j.
        found = found.unfold(axis, edge, 1)
    found = found.flip(tuple(range(dim + 1, 2 * dim + 1)))
    tokens = math.prod(edges)
    return found.reshape(heads, tokens, tokens)


def _routed(inputs: list[Tensor], options: Any, shape: Any) -> Tensor:
    asked, value = inputs
    edges, _ = window_of(shape, options["window"], False)
    count = math.prod(padded_to(shape, edges)) // math.prod(edges)
    query, key = asked.chunk(2, dim=2)
    rows = _chosen(query, key, count, min(options["most"], count))
    key, value = (x.index_select(0, rows) for x in (key, value))
    key, value = (x.view(len(query), -1, x.shape[2]) for x in (key, value))
    query, key, value = (
        x.unflatten(2, (options["heads"], -1)).transpose(1, 2)
        for x in (query, key, value)
    )
    found = functional.scaled_dot_product_attention(query, key, value)
    return found.transpose(1, 2).flatten(2)


def _chosen(query: Tensor, key: Tensor, count: int, most: int) -> Tensor:
    """Return the numbers of the windows that each one looks at, (W most,)."""
    with torch.no_grad():
        asks, says = (x.mean(1).view(-1, count, x.shape[2]) for x in (query, key))
        # Windows are few: all products at once, and no matrix units.
        alike = (asks[:, :, None] * says[:, None]).sum(3)
        places = alike.topk(most, dim=2).indices
        first = torch.arange(len(places), device=places.device) * count
        return (places + first[:, None, None]).flatten()


# Sorting ------------------------------------------------------------------------------


def _cut(x: Tensor, edges: Sequence[int]) -> Tensor:
    """Return (W, n, C) of (B, *S, C)."""
    pairs = [(n // e, e) for n, e in zip(x.shape[1:-1], edges, strict=True)]
    x = x.reshape(len(x), *itertools.chain(*pairs), x.shape[-1])
    dim = len(edges)
    order = [0, *range(1, 2 * dim, 2), *range(2, 2 * dim + 1, 2), 2 * dim + 1]
    return x.permute(order).reshape(-1, math.prod(edges), x.shape[-1])


def _glued(x: Tensor, shape: Sequence[int], edges: Sequence[int]) -> Tensor:
    """Undo `_cut`: return (B, *S, C) of (W, n, C)."""
    dim, counts = len(edges), [n // e for n, e in zip(shape, edges, strict=True)]
    x = x.view(-1, *counts, *edges, x.shape[-1])
    order = itertools.chain(
        *zip(range(1, dim + 1), range(dim + 1, 2 * dim + 1), strict=True)
    )
    x = x.permute(0, *order, 2 * dim + 1)
    return x.reshape(-1, *shape, x.shape[-1])


def _windows(inputs: list[Tensor], options: Any, shape: Any) -> Tensor:
    x = inputs[0]
    edges, by = window_of(shape, options["window"], options["shift"])
    x = x.view(len(x), *shape, -1)
    more = [p - n for n, p in zip(shape, padded_to(shape, edges), strict=True)]
    if any(more):
        x = functional.pad(x, [0, 0, *itertools.chain(*((0, m) for m in more[::-1]))])
    if any(by):
        x = x.roll([-n for n in by], tuple(range(1, len(by) + 1)))
    return _cut(x, edges)


def _unwindows(inputs: list[Tensor], options: Any, shape: Any) -> Tensor:
    edges, by = window_of(shape, options["window"], options["shift"])
    x = _glued(inputs[0], padded_to(shape, edges), edges)
    if any(by):
        x = x.roll(by, tuple(range(1, len(by) + 1)))
    for axis, size in enumerate(shape, 1):
        x = x.narrow(axis, 0, size)
    return x.reshape(len(x), -1, x.shape[-1])


def _merge(inputs: list[Tensor], options: Any, shape: Any) -> Tensor:
    x, stride = inputs[0], options["stride"]
    dim, pairs = len(stride), zip(x.shape[2:], stride, strict=True)
    x = x.reshape(*x.shape[:2], *itertools.chain(*((n // s, s) for n, s in pairs)))
    order = [0, *range(3, 2 * dim + 2, 2), 1, *range(2, 2 * dim + 1, 2)]
    found: Tensor = x.permute(order).flatten(1, dim + 1)
    return found


def _expand(inputs: list[Tensor], options: Any, shape: Any) -> Tensor:
    x, stride = inputs[0], options["stride"]
    dim = len(stride)
    x = x.unflatten(1, (*stride, -1))
    order = itertools.chain(*((dim + 2 + axis, 1 + axis) for axis in range(dim)))
    x = x.permute(0, dim + 1, *order)
    sizes = [x.shape[2 + 2 * a] * stride[a] for a in range(dim)]
    found: Tensor = x.reshape(*x.shape[:2], *sizes)
    return found


MODULES: dict[str, Callable[[Layer], nn.Module]] = {"window_attention": WindowAttention}
SHAPED: dict[str, Callable[[list[Tensor], Any, Any], Tensor]] = {
    "routed": _routed,
    "windows": _windows,
    "unwindows": _unwindows,
    "merge": _merge,
    "expand": _expand,
}
