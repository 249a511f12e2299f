"""A reconstruction is judged by what was recorded, and by nothing else."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from seisvision.base.sample_ids import SampleIds
from seisvision.errors import ConfigurationError, DataError
from seisvision.outputs.averaging import average_predictions
from seisvision.outputs.reconstruction.output import ReconstructionOutput
from seisvision.outputs.reconstruction.predictions import ReconstructionPredictions

SHAPE = (3, 20)


class Halves(nn.Module):
    """Gives back half of the picture, and one in channels that were not recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(0.5))

    def reconstruct(self, picture: torch.Tensor) -> torch.Tensor:
        return torch.where(picture == 0, 1.0, picture) * self.factor


def made(loss: str = "mse") -> ReconstructionOutput:
    output = ReconstructionOutput("again", loss)
    output.build_for(Halves(), SimpleNamespace(image_shape=SHAPE))
    return output


def pictures() -> torch.Tensor:
    """Three channels, one, none."""
    found = torch.randn(3, *SHAPE, generator=torch.Generator().manual_seed(0))
    found[1, 1:] = 0
    found[2] = 0
    return found


def test_channels_that_were_not_recorded_do_not_count() -> None:
    output, network, seen = made(), Halves(), pictures()
    output.fit_pictures([seen])
    raw = output.look(seen, network)
    truth = output.truth_seen(raw)
    assert truth[:2].tolist() == [0, 0] and truth[2].isnan() and output.known_weight(truth) == 2
    errors = output.decode(raw)
    # Half a picture is half of its root mean square away, however large it is.
    torch.testing.assert_close(errors[:2, 0], torch.tensor([0.5, 0.5]))
    assert errors[2].isnan().all()
    expected = (seen[0].square().mean() + seen[1, 0].square().mean()) / 4 / 2
    loss = output.loss(raw, truth)
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert network.factor.grad is not None and network.factor.grad.isfinite()
    torch.testing.assert_close(output.loss(raw[2:], truth[2:]), torch.tensor(0.0))
    metrics = output.running_metrics(errors, truth)
    assert metrics["rmse_normalised"] == pytest.approx(0.5) and metrics["explained_variance"] == pytest.approx(0.75)


def test_the_mean_picture_is_that_of_recorded_channels_and_travels_with_the_weights() -> None:
    output, seen = made(), pictures()
    output.fit_pictures([seen[:1], seen[1:]])
    torch.testing.assert_close(output.mean_picture[0], seen[:2, 0].mean(0))
    torch.testing.assert_close(output.mean_picture[1:], seen[0, 1:])
    other = made()
    other.load_state_dict(output.state_dict())
    torch.testing.assert_close(other.mean_picture, output.mean_picture)
    # It has the second and third channel of the one sample that shows them.
    error = output.decode(output.look(seen, Halves()))[0, 1]
    torch.testing.assert_close(error, (seen[0] - output.mean_picture).norm() / seen[0].norm())
    with pytest.raises(DataError, match="No training picture shows anything"):
        made().fit_pictures([torch.zeros(2, *SHAPE)])


def test_a_network_that_has_diverged_has_no_error() -> None:
    output, seen = made("huber"), pictures()
    raw = output.look(seen, Halves())
    raw = torch.stack([torch.full_like(raw[:, 0], torch.nan), raw[:, 1]], 1)
    assert output.decode(raw)[:2, 0].isnan().all() and output.loss(raw, output.truth_seen(raw)).isnan()


def test_networks_that_cannot_give_the_picture_back_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"'again' needs a network .* and Linear does not\. .*model=janbakhsh"):
        ReconstructionOutput("again").build_for(nn.Linear(3, 3), SimpleNamespace(image_shape=SHAPE))
    cut = Halves()
    cut.reconstruct = lambda picture: picture[..., 1:]  # type: ignore[method-assign]
    with pytest.raises(ConfigurationError, match=r"makes 3 x 19 values of 3 x 20"):
        ReconstructionOutput("again").build_for(cut, SimpleNamespace(image_shape=SHAPE))
    with pytest.raises(ConfigurationError, match="about the picture and not about features"):
        made()(torch.zeros(1, 8))


def said(names: str, error: list[float]) -> ReconstructionPredictions:
    decoded = np.stack([error, np.ones(len(error))], axis=1)
    ids = SampleIds.of_events(list(names))
    return ReconstructionPredictions.from_decoded(made().describe(), ids, np.zeros(len(error)), decoded)


def test_errors_are_averaged_only_where_there_is_nothing_to_average() -> None:
    one, other = said("ab", [0.2, 0.4]), said("cd", [0.6, 0.8])
    together = average_predictions([one, other])
    np.testing.assert_allclose(together.decoded[:, 0], [0.2, 0.4, 0.6, 0.8])
    with pytest.raises(DataError, match="'again' by several networks cannot be averaged"):
        average_predictions([one, one])


def test_baselines_come_with_what_the_network_saw() -> None:
    beside = said("ab", [0.2, 0.4]).asked_beside()
    assert {name: one.error.tolist() for name, (_, one) in beside.items()} == {"zeros": [1, 1], "mean_picture": [1, 1]}


@pytest.mark.parametrize("shape", [(3, 20), (2, 8, 9)])
def test_pictures_are_drawn_beside_their_reconstruction(shape: tuple[int, ...], tmp_path: Path) -> None:
    output, seen = ReconstructionOutput("again"), torch.randn(2, *shape)
    output.build_for(Halves(), SimpleNamespace(image_shape=shape))
    seen[0, 0] = 0
    output.draw_answers(
        tmp_path / "a.png", output.look(seen, Halves()).detach(), ["one", "two"], list("ZNE"[: shape[0]])
    )
    assert (tmp_path / "a.png").stat().st_size > 1000
