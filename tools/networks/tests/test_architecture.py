import pytest
import torch

from networks.architecture import convnet, levels, resnet, shapes
from networks.fold import tensor_shapes
from networks.network import Network


def test_a_teacher_halves_its_images_in_each_block_and_has_no_folded_form():
    teacher = convnet(7, (1, 16, 16), (32, 48), stem=16)
    found = shapes(teacher)
    assert found["block1.conv1.max"] == (32, 8, 8) and found["block2.conv2.act"] == (48, 4, 4) and found["dense"] == (7,)
    assert Network(teacher)(torch.randn(2, 1, 16, 16)).shape == (2, 7)
    with pytest.raises(ValueError, match="stem.norm: a folded network has no norm"):
        tensor_shapes(teacher)


def test_a_resnet_of_twenty_layers_has_thirty_nine_levels():
    assert levels(resnet(20, 10)) == 39
