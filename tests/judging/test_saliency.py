"""Grad-CAM: right on a network whose answer is known, and different where the weights are random."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from seisvision.errors import ConfigurationError, DataError
from seisvision.experiments.supervised.explaining import check_explain
from seisvision.judging import figures_lines
from seisvision.judging.figures_lines import SeenLines, weight_by_phase, weighted_lines_figure
from seisvision.judging.saliency import OutputValue, find_layer, grad_cam, rank_correlations, upsample
from seisvision.models import EarlyWarningFCN, FCNLocator, StationTransformer
from seisvision.models.alexnet import AlexNet
from seisvision.models.backbone import Backbone
from seisvision.models.timm_backbone import TimmBackbone
from seisvision.models.waveforms.convnetquake import ConvNetQuake
from seisvision.models.waveforms.tcn import TCN
from seisvision.outputs.angles.output import AngleOutput
from seisvision.outputs.classes.output import ClassOutput
from seisvision.outputs.numbers.output import ScalarOutput
from seisvision.outputs.places.output import PlaceOutput
from seisvision.outputs.volumes.output import VolumeOutput
from seisvision.tasks.supervised import SupervisedTask
from seisvision.views.view import View


class TwoMaps(Backbone):
    """Feature 0 is the mean of the picture's first channel, feature 1 that of the second."""

    num_features = 2

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 1, bias=False)
        self.conv.weight.data = torch.eye(2)[:, :, None, None]

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.conv(image).mean((2, 3))


def task_of(model: Backbone, *outputs: nn.Module) -> SupervisedTask:
    return SupervisedTask(model, View(), outputs, torch.optim.SGD).eval()  # type: ignore[arg-type]


def blobs() -> torch.Tensor:
    """One picture (1, 2, 8, 8): the first channel is bright above left, the second below right."""
    image = torch.zeros(1, 2, 8, 8)
    image[0, 0, :4, :4] = 3.0
    image[0, 1, 4:, 4:] = 1.0
    return image


def test_the_map_of_a_class_is_where_its_evidence_lies() -> None:
    pytest.importorskip("captum", reason="explain=gradcam is an extra")
    output = ClassOutput("type", "type", ["left", "right"])
    task = task_of(TwoMaps(), output)
    output.head.weight.data, output.head.bias.data = torch.eye(2), torch.zeros(2)
    (heat,) = grad_cam(task, output, blobs(), find_layer(task.model, blobs())[1])
    # By hand: the gradient of the mean of 64 places is 1/64, so the map is a 64th of the channel of the class.
    assert np.allclose(heat[:4, :4], 3 / 64) and np.allclose(heat[4:], 0) and np.allclose(heat[:, 4:], 0)
    output.head.weight.data = torch.tensor([[0.0, 0.0], [0.0, 1.0]])
    (heat,) = grad_cam(task, output, blobs(), task.model.conv)
    assert heat[4:, 4:].min() > 0 and np.allclose(heat[:4], 0), "the predicted class is explained, now the second"


def test_the_map_of_a_number_is_positive_where_it_rises_and_negative_where_it_falls() -> None:
    pytest.importorskip("captum", reason="explain=gradcam is an extra")
    output = ScalarOutput("offset", "path_ep_distance_km", "km")
    task = task_of(TwoMaps(), output)
    output.head.weight.data, output.head.bias.data = torch.tensor([[2.0, -1.0]]), torch.zeros(1)
    (heat,) = grad_cam(task, output, blobs(), task.model.conv)
    assert heat[:4, :4].min() > 0 and heat[4:, 4:].max() < 0 and output.map_is_signed


def test_what_is_explained_of_an_angle_is_the_angle() -> None:
    output = AngleOutput("azimuth", "azimuth", loss="von_mises")
    model = TwoMaps()
    task = task_of(model, output)
    image = torch.rand(3, 2, 8, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    value = OutputValue(task, output)(image).sum()
    (gradient,) = torch.autograd.grad(value, image)
    raw = output(model(image))
    (wanted,) = torch.autograd.grad(torch.atan2(raw[:, 1], raw[:, 0]).sum(), image)
    assert torch.allclose(gradient, wanted, atol=1e-6) and gradient.abs().max() > 1e-4


@pytest.mark.parametrize(
    ("build", "size", "wanted"),
    [
        (lambda: TimmBackbone("resnet18", 3), 128, "network.layer4"),
        (lambda: TimmBackbone("resnet50", 3), 128, "network.layer4"),
        (lambda: TimmBackbone("resnet18", 3), 64, "network.layer3"),
        (lambda: TimmBackbone("resnet50", 3), 32, "network.layer2"),
        (lambda: AlexNet(3), 128, "network.features.11"),
    ],
    ids=["resnet18", "resnet50", "resnet18 of small pictures", "resnet50 of tiny pictures", "alexnet"],
)
def test_the_last_map_in_which_a_place_can_be_told_is_found(build, size: int, wanted: str) -> None:
    model = build().eval()
    image = torch.rand(1, 3, size, size)
    name, layer = find_layer(model, image)
    assert name == wanted
    kept = []
    layer.register_forward_hook(lambda module, inputs, out: kept.append(out.shape))
    model(image)
    assert min(kept[0][2:]) >= 4


def test_a_layer_can_be_named_and_a_wrong_name_is_told() -> None:
    model = TimmBackbone("resnet18", 3).eval()
    image = torch.rand(1, 3, 64, 64)
    assert find_layer(model, image, "network.layer2")[0] == "network.layer2"
    with pytest.raises(ConfigurationError, match=r"explain\.layer='network\.layr2' .*network\.layer2"):
        find_layer(model, image, "network.layr2")
    for name in ("network.global_pool", "network", "network.global_pool.pool"):
        with pytest.raises(ConfigurationError, match=rf"{name}' gives no map .*network\.layer4 \(2 x 2\)"):
            find_layer(model, image, name)
    with pytest.raises(ConfigurationError, match="no convolution, so Grad-CAM"):
        find_layer(nn.Linear(4, 4), torch.rand(1, 4))


def test_a_network_that_learnt_gives_other_maps_than_random_weights() -> None:
    pytest.importorskip("captum", reason="explain=gradcam is an extra")
    torch.manual_seed(0)
    image, target = torch.rand(32, 3, 64, 64) * 0.2, torch.arange(32) % 2
    rows = torch.randint(0, 48, (32,))
    for i in range(32):
        image[i, target[i], rows[i] : rows[i] + 16, 16:32] += 1.0
    outputs = [ClassOutput("type", "type", ["red", "green"]) for _ in range(2)]
    trained, random = (task_of(TimmBackbone("resnet18", 3), output) for output in outputs)
    optimizer = torch.optim.AdamW(trained.parameters(), lr=1e-3)
    trained.train()
    for _ in range(12):
        loss = outputs[0].loss(outputs[0](trained.model(image)), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    trained.eval()
    maps, others = (
        grad_cam(task, output, image, find_layer(task.model, image[:1])[1])
        for task, output in zip((trained, random), outputs, strict=True)
    )
    again = grad_cam(trained, outputs[0], image, find_layer(trained.model, image[:1])[1])
    assert np.allclose(rank_correlations(maps, again), 1.0)
    assert abs(np.nanmedian(rank_correlations(maps, others))) < 0.5


class TwoLines(Backbone):
    """Feature 0 is the mean of the first line, feature 1 that of the second."""

    num_features = 2

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(2, 2, 1, bias=False)
        self.conv.weight.data = torch.eye(2)[:, :, None]

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.conv(image).mean(2)


def test_the_map_of_lines_lies_along_time() -> None:
    pytest.importorskip("captum", reason="explain=gradcam is an extra")
    output = ScalarOutput("offset", "path_ep_distance_km", "km")
    task = task_of(TwoLines(), output)
    output.head.weight.data, output.head.bias.data = torch.tensor([[2.0, -1.0]]), torch.zeros(1)
    lines = torch.zeros(1, 2, 32)
    lines[0, 0, 4:8], lines[0, 1, 20:24] = 1.0, 1.0
    (heat,) = grad_cam(task, output, lines, find_layer(task.model, lines)[1])
    # By hand: the gradient of the mean of 32 places is 1/32, times the weight of the head.
    assert heat.shape == (32,) and np.allclose(heat[4:8], 2 / 32) and np.allclose(heat[20:24], -1 / 32)
    assert np.allclose(np.delete(heat, [*range(4, 8), *range(20, 24)]), 0)
    assert np.allclose(upsample(heat[None], 64)[0, 9:15], 2 / 32)


def test_along_time_a_layer_with_sixteen_places_is_found() -> None:
    model = ConvNetQuake(3, 1001).eval()
    name, layer = find_layer(model, torch.rand(1, 3, 1001))
    kept: list[torch.Size] = []
    layer.register_forward_hook(lambda module, inputs, out: kept.append(out.shape))
    model(torch.rand(1, 3, 1001))
    assert kept[0][2:] == (16,), name
    # Where all layers have as many places, not the first of them.
    assert find_layer(TCN(3, 200), torch.rand(1, 3, 200))[0] != "first"


def seen_lines(**changes: Any) -> SeenLines:
    about: dict[str, Any] = {"channels": "ZNE", "sample_s": 0.1, "arrivals_s": np.array([[2.0, 6.0], [np.nan, 3.0]])}
    return SeenLines(**{"lines": np.random.default_rng(0).normal(size=(2, 3, 100)), **about, **changes})


def test_weight_is_told_by_phase() -> None:
    maps = np.zeros((2, 100))
    maps[0, :20], maps[0, 20:60], maps[0, 60:] = 1.0, -1.0, 0.0
    signed = weight_by_phase(maps, seen_lines(), signed=True)
    assert {name: one["share_of_weight"] for name, one in signed.items()} == pytest.approx(
        {"before_p": 1 / 3, "p_to_s": 2 / 3, "after_s": 0.0}
    )
    assert {name: one["share_of_time"] for name, one in signed.items()} == pytest.approx(
        {"before_p": 0.2, "p_to_s": 0.4, "after_s": 0.4}
    )
    assert weight_by_phase(maps, seen_lines(), signed=False)["before_p"]["share_of_weight"] == 1.0
    assert weight_by_phase(maps, seen_lines(arrivals_s=np.full((2, 2), np.nan)), signed=True) == {}


def test_lines_are_drawn_over_their_map_with_seconds_and_phases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(figures_lines, "save_figure", lambda figure, path: drawn.append(figure) or path)
    maps = np.zeros((2, 100))
    maps[0, 50:60] = 1.0
    weighted_lines_figure(tmp_path / "x.png", seen_lines(), maps, ["one", "two"], signed=True)
    first, second = drawn[0].axes[:2]
    assert first.get_xlim() == (0.0, 10.0) and "(s)" in first.get_xlabel()
    assert [label.get_text() for label in first.get_yticklabels()] == ["Z", "N", "E"]
    assert [text.get_text() for text in first.texts] == ["P", "S"] and [
        text.get_position()[0] for text in first.texts
    ] == [2.0, 6.0]
    assert [text.get_text() for text in second.texts] == ["S"], "what is not known is not marked"
    shade = first.images[0]
    assert shade.get_extent()[:2] == [0, 10.0] and np.flatnonzero(shade.get_array()[0]).tolist() == [*range(50, 60)]
    with pytest.raises(DataError, match="do not belong together"):
        weighted_lines_figure(tmp_path / "x.png", seen_lines(), maps[:, :50], ["one", "two"], signed=True)


def test_rank_correlations_are_spearmans() -> None:
    from scipy.stats import spearmanr

    a, b = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).round(1)
    wanted = [spearmanr(one.ravel(), other.ravel()).statistic for one, other in zip(a, b, strict=True)]
    assert rank_correlations(a, b) == pytest.approx(wanted)
    assert np.isnan(rank_correlations(np.zeros((1, 4, 4)), b[:1, :4, :4])).all(), "a flat map has no ranks"


def test_maps_grow_to_the_size_of_the_picture() -> None:
    maps = np.zeros((1, 4, 4), np.float32)
    maps[0, 1, 2] = 1.0
    grown = upsample(maps, 64, 32)
    assert grown.shape == (1, 64, 32)
    row, column = np.unravel_index(grown[0].argmax(), (64, 32))
    assert abs(row - 24) <= 8 and abs(column - 20) <= 4


@pytest.mark.parametrize("network", [FCNLocator, EarlyWarningFCN, StationTransformer])
def test_networks_of_many_stations_are_explained_or_refused_before_the_training(network: Any) -> None:
    pytest.importorskip("captum")
    settings = {"method": "gradcam", "samples": 2, "layer": None}
    view: Any = nn.Identity()
    if network is StationTransformer:
        view.image_shape = (6, 8, 64)
        model, output = network(6, 64, width=16, depth=1, heads=2, filters=4), PlaceOutput("place")
        output.build_head(16)
    else:
        view.image_shape = (3, 6, 256)
        model, output = network(3, 6, 256, width=0.06), VolumeOutput("place", n_depths=4, extent_km=[[-1, 1]] * 3)
        output.build_for(model, view)
    task: Any = nn.Module()
    task.model, task.view, task.outputs = model, view, (output,)
    if network is StationTransformer:
        with pytest.raises(ConfigurationError, match="a line a station"):
            check_explain(settings, task)
        return
    check_explain(settings, task)
    assert task.training
    image = torch.randn(2, *view.image_shape)
    heat = grad_cam(task.eval(), output, image, find_layer(model, image[:1])[1])
    assert heat.shape[0] == 2 and np.isfinite(heat).all()
