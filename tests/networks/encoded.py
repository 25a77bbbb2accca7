"""Options of decoders on encoders, as segmentation_models.pytorch has them."""


def options(strided, reductions=5, **more):
    """2-D; strides of 2, then dilations 2, 4, ...; batch norm, ReLU."""
    dilated = reductions - strided
    return {
        "dim": 2,
        "strides": [[2, 2]] * strided + [[1, 1]] * dilated,
        "dilations": [1] * strided + [2 ** (n + 1) for n in range(dilated)],
        "norm": "batch",
        "act": "relu",
        "bias": False,
        **more,
    }
