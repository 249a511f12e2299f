"""The network and the front end of DeepCluster, as the original has them."""

import pytest
import torch
from scipy import ndimage

from seisvision.errors import ConfigurationError
from seisvision.models.alexnet import AlexNet
from seisvision.models.alexnet_bn import AlexNetBN
from seisvision.models.contrast import Contrast
from seisvision.models.sobel import Sobel
from seisvision.models.timm_backbone import TimmBackbone


def test_alexnet_bn_has_the_layers_of_the_original() -> None:
    network = AlexNetBN(in_channels=2)
    convolutions = [(2, 96, 11), (96, 256, 5), (256, 384, 3), (384, 384, 3), (384, 256, 3)]
    expected = sum(before * after * side**2 + 3 * after for before, after, side in convolutions)
    expected += (256 * 36 + 1) * 4096 + (4096 + 1) * 4096
    assert sum(parameter.numel() for parameter in network.parameters()) == expected == 58_272_480
    sizes = []
    for layer in network.maps:
        layer.register_forward_hook(lambda layer, _, output: sizes.append(tuple(output.shape[1:])))
    assert network(torch.zeros(2, 2, 224, 224)).shape == (2, 4096)
    assert sizes[0] == (96, 55, 55) and (96, 27, 27) in sizes and (256, 13, 13) in sizes and sizes[-1] == (256, 6, 6)


@pytest.mark.parametrize("network", [AlexNetBN(3), AlexNet(3)], ids=["alexnet_bn", "alexnet"])
def test_what_is_clustered_comes_before_the_last_relu(network: torch.nn.Module) -> None:
    image = torch.randn(2, 3, 96, 64)
    network.eval()
    before = network.unrectified(image)
    assert (before < 0).any()
    assert torch.equal(before.relu(), network(image))
    with pytest.raises(ConfigurationError, match="at least 63"):
        network(torch.zeros(1, 3, 32, 96))


def test_alexnet_is_still_that_of_torchvision() -> None:
    from torchvision.models import alexnet

    ours, image = AlexNet(3).eval(), torch.randn(2, 3, 96, 96)
    theirs = alexnet().eval()
    theirs.load_state_dict({**theirs.state_dict(), **ours.network.state_dict()})
    theirs.classifier = theirs.classifier[:-1]
    assert torch.allclose(ours(image), theirs(image))


def test_residual_networks_are_clustered_as_they_are() -> None:
    network, image = TimmBackbone("resnet18", 3).eval(), torch.randn(2, 3, 32, 32)
    assert torch.equal(network.unrectified(image), network(image))


def test_the_front_end_shows_gradients() -> None:
    image = torch.randn(1, 2, 9, 11)
    gradients = Sobel(2)(image)
    assert gradients.shape == (1, 4, 9, 11)
    for channel in range(2):
        for axis, gradient in ((1, gradients[0, 2 * channel]), (0, gradients[0, 2 * channel + 1])):
            theirs = torch.from_numpy(-ndimage.sobel(image[0, channel].numpy(), axis=axis, mode="constant"))
            assert torch.allclose(gradient[1:-1, 1:-1], theirs[1:-1, 1:-1], atol=1e-5)
    assert not list(Sobel(2).parameters()) and not Sobel(2).state_dict()


def test_contrast_takes_away_how_bright_a_picture_is_and_nothing_else() -> None:
    generator = torch.Generator().manual_seed(4)
    image = torch.rand(3, 2, 16, 32, generator=generator)
    front = Contrast(2)
    torch.testing.assert_close(front(image * 0.4), front(image))
    expected = image[1] / torch.quantile(image[1].flatten(), 0.99, interpolation="nearest")
    torch.testing.assert_close(front(image)[1], expected, rtol=0.02, atol=0)
    faint = front(image * 0.01)
    assert faint.amax() < 0.1 and front(torch.zeros(1, 2, 4, 4)).isfinite().all()
