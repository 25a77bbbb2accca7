"""Options of U-Nets at the widths of their references."""


def options(dim, features, encoder=2, decoder=2, kernel=3, **more):
    """Strides of 2, one kernel; batch norm, ReLU."""
    stages = len(features)
    return {
        "dim": dim,
        "features": features,
        "kernels": [[kernel] * dim] * stages,
        "strides": [[1] * dim] + [[2] * dim] * (stages - 1),
        "convs_encoder": [encoder] * stages,
        "convs_decoder": [decoder] * (stages - 1),
        "norm": "batch",
        "act": "relu",
        **more,
    }


def heads(*channels, outputs=1):
    """Parameters of heads on coarser levels, which references lack."""
    return sum(outputs * (width + 1) for width in channels)
