import json

import pytest
import torch

from networks import card, export, fixture
from networks.architecture import INPUT, Architecture, levels, resnet, shapes
from networks.fold import fold, monic
from networks.network import Network


def trained(placement="branch", kind="quadratic"):
    """A small network whose statistics and coefficients are not the initial ones."""
    torch.manual_seed(3)
    network = Network(resnet(8, 5, (3, 16, 16), (8, 16, 24), kind=kind, placement=placement)).train()
    with torch.no_grad():
        for p in network.parameters():
            p += 0.1 * p.abs().mean() * torch.randn_like(p)
        for _ in range(60):
            network(torch.randn(32, 3, 16, 16))
    return network.eval()


@pytest.mark.parametrize("placement, kind", [("branch", "quadratic"), ("sum", "quadratic"), ("sum", "relu")])
def test_the_folded_network_computes_the_same(placement, kind):
    network = trained(placement, kind)
    x = torch.randn(16, 3, 16, 16)
    torch.testing.assert_close(fold(network)(x), network(x), rtol=1e-3, atol=1e-3)


def test_the_monic_form_computes_the_same_with_leading_coefficients_of_one():
    folded = fold(trained())
    form = monic(folded)
    assert all(bool((t.abs() == 1).all()) for name, t in form.tensors.items() if name.endswith(".a"))
    x = torch.randn(8, 3, 16, 16)
    torch.testing.assert_close(form(x), folded(x), rtol=1e-3, atol=1e-3)


def test_preactivations_of_the_standard_form_have_deviation_one():
    values = fold(trained()).values(torch.randn(64, 3, 16, 16))
    for name, value in values.items():
        if name.endswith(("conv1", "conv2")):
            assert 0.7 < value.std().item() < 1.4, name


def test_a_resnet20_has_the_levels_that_the_design_says():
    architecture = resnet(20, 10)
    assert levels(architecture) == 1 + 1 + 9 * 4 + 1
    assert levels(resnet(20, 10, placement="sum")) == levels(architecture)
    assert shapes(architecture)["pool"] == (64,)
    assert Architecture.from_json(architecture.to_json()) == architecture


def test_wrong_architectures_are_refused():
    value = resnet(8, 10).to_json()
    value["layers"][0]["in"] = 4
    with pytest.raises(ValueError, match="stem.conv"):
        Architecture.from_json(value)
    value["layers"][0]["op"] = "softmax"
    with pytest.raises(ValueError, match="unknown op"):
        Architecture.from_json(value)


def test_a_model_folder_is_read_back_and_its_damage_found(tmp_path):
    fixture.write(tmp_path, 6)
    content, folded, golden = card.read(tmp_path)
    assert content["weights"]["bytes"] < 8000
    case = golden["cases"][1]
    image = fixture.PREPARATION(fixture.pattern(1, folded.architecture.shape)[None])
    torch.testing.assert_close(folded(image)[0], torch.tensor(case["logits"]), rtol=1e-4, atol=1e-4)
    assert set(content["ranges"]["bound"]) == {INPUT, *(layer.name for layer in folded.architecture.layers)}
    raw = bytearray((tmp_path / card.WEIGHTS).read_bytes())
    raw[-1] ^= 1
    (tmp_path / card.WEIGHTS).write_bytes(raw)
    with pytest.raises(ValueError, match="sha256"):
        card.read(tmp_path)


def test_a_card_tells_of_the_relu_network_where_its_run_is_gone(tmp_path):
    assert export.measured(tmp_path, "accuracy") is None
    (tmp_path / card.CARD).write_text(json.dumps({"accuracy": {"relu_baseline": {"test": 0.9}}}))
    assert export.measured(tmp_path, "accuracy") == {"test": 0.9}
