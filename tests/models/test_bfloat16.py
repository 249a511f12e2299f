"""Half precision on processors must not ruin a training."""

import pytest
import torch

from seisvision.models.timm_backbone import TimmBackbone


@pytest.mark.parametrize(("height", "width", "is_single"), [(96, 32, True), (64, 20, True), (32, 64, False)])
def test_maps_of_one_column_are_computed_in_single_precision(height: int, width: int, is_single: bool) -> None:
    network = TimmBackbone("resnet18", in_channels=1).eval()
    image = torch.rand(2, 1, height, width, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        plain = network(image)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = network(image)
    assert torch.equal(half, plain) == is_single and torch.allclose(half.float(), plain, atol=0.2)


def test_a_narrow_picture_trains_in_bfloat16() -> None:
    torch.manual_seed(0)
    network = TimmBackbone("resnet18", in_channels=1)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
    for _ in range(4):
        image = torch.rand(8, 1, 96, 32)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = network(image).float().square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert loss.isfinite()
