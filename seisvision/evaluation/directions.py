"""Which way is better, by the name of a measure."""

LESS_IS_BETTER = ("median_ae", "mae", "rmse", "cross_entropy", "ece", "brier", "flips_", "loss", "nll", "crps")
"""Beginnings of the names of measures whose best value is the smallest."""
MORE_IS_BETTER = (
    "accuracy",
    "balanced_accuracy",
    "within",
    "recall",
    "precision",
    "f1",
    "roc_auc",
    "r2",
    "pearson",
    "explained_",
)


def direction(name: str, outputs: tuple[str, ...] | list[str] = ()) -> int:
    """1 where more is better, -1 where less is, 0 where it is not known.

    Args:
        name: such as ``val/offset_mae_km``.
        outputs: names of the outputs, which may stand before that of the measure.
    """
    bare = name.rpartition("/")[2]
    for output in outputs:
        bare = bare.removeprefix(f"{output}_")
    return -1 if bare.startswith(LESS_IS_BETTER) else 1 if bare.startswith(MORE_IS_BETTER) else 0
