"""FCN: scores of coarse features, enlarged and added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autoseg.blueprints.declaration import Declaration, Shapes
from autoseg.blueprints.drawing import Drawing
from autoseg.blueprints.parts import Layers
from autoseg.blueprints.rows.row import doubled
from autoseg.errors import PlanError
from autoseg.networks import NETWORKS

WIDE = 512  # channels behind the last pool; 4,096 in the network of its authors


@NETWORKS.register
class FCN(Declaration):
    """Pooled stages of convolutions, two wide layers, and scores of some resolutions.

    ``scores`` 1, 2 and 3 are the FCN-32s, 16s and 8s. The image is padded as any other
    is, and not by 100 voxels; scores are interpolated.

    References
    ----------
    .. [1] Long, Shelhamer, Darrell, "Fully convolutional networks for semantic
       segmentation", CVPR 2015. arXiv:1411.4038
    """

    @classmethod
    def draw(
        cls,
        drawing: Drawing,
        *,
        features: Sequence[int],
        kernels: Sequence[Sequence[int]],
        strides: Sequence[Sequence[int]],
        convs_encoder: Sequence[int],
        wide: int = WIDE,
        scores: int = 3,
        **layers: Any,
    ) -> None:
        """Draw stages, each pooled, and scores of the last ones.

        Parameters
        ----------
        drawing : Drawing
            Drawn on.
        features : sequence of int, length n
            Channels of each stage, finest first.
        kernels, strides : sequence of sequence of int, shapes (n, D), (n + 1, D)
            Of the stages; the first stride is all 1, each other that of a pool behind a
            stage.
        convs_encoder : sequence of int, length n
            Convolutions of each stage.
        wide : int
            Channels of the two layers behind the last pool.
        scores : int
            From how many resolutions there are scores.
        **layers
            Fields of `Layers`.
        """
        net, kind, x = drawing, Layers(**layers), drawing.image
        pooled = []
        for number, count in enumerate(convs_encoder):
            with net.scope(f"encoder.stages.{number}"):
                for place in range(count):
                    with net.scope(f"convs.{place}"):
                        x = kind.block(net, x, features[number], kernels[number])
            x, _ = net.max_pool(x, strides[number + 1])
            pooled.append(x)
        last = [2 * k + 1 for k in kernels[-1]], [1] * net.dim
        for number, kernel in enumerate(last):
            with net.scope(f"encoder.wide.{number}"):
                x = kind.block(net, x, wide, kernel)
        said = None
        for number, here in enumerate([x, *pooled[-2 : -scores - 1 : -1]]):
            name = f"decoder.said.{number}"
            if said is not None:
                said = net.resize(said, here)
            if number == scores - 1:
                net.head(here, plus=said, like=net.image, name=name)
                break
            score = net.conv(here, net.outputs, 1, name=name)
            said = score if said is None else net.add(score, said)

    @classmethod
    def plan(cls, shapes: Shapes, fixed: Mapping[str, Any]) -> dict[str, Any]:
        stages = len(shapes.strides) - 1
        options = {
            "dim": len(shapes.patch_size),
            "features": doubled(len(shapes.patch_size), stages),
            "kernels": list(map(list, shapes.kernels[:-1])),
            "strides": list(map(list, shapes.strides)),
            "convs_encoder": [2] * stages,
            "scores": min(3, stages),
        }
        return {**options, **fixed}

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> None:
        super().check_options(options)
        stages, scores = len(options["features"]), options.get("scores", 3)
        wanted = {"kernels": stages, "strides": stages + 1, "convs_encoder": stages}
        for name, count in wanted.items():
            if len(options[name]) != count:
                raise PlanError(
                    f"options of the network: {name} has {len(options[name])} entries; "
                    f"with {stages} features it must have {count}."
                )
        if not 1 <= scores <= stages:
            raise PlanError(
                f"options of the network: scores is {scores}; with {stages} stages it "
                f"can be 1 to {stages}."
            )

    @classmethod
    def example(cls, dim: int) -> tuple[dict[str, Any], tuple[int, ...]]:
        options = {
            "dim": dim,
            "features": [4, 6],
            "kernels": [[1] + [3] * (dim - 1), [3] * dim],
            "strides": [[1] * dim, [1] + [2] * (dim - 1), [2] * dim],
            "convs_encoder": [1, 2],
            "wide": 6,
            "scores": 2,
        }
        return options, (4,) + (8,) * (dim - 1)
