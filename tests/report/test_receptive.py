"""Receptive fields: against published ones, and against where torch's gradients reach."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
import torch

import netcalc
from netcalc.report.receptive import WHOLE, field

SPECS = Path(__file__).parent.parent.parent / "specs"


def of(net, name: str):
    node = next(node for node in net.graph.nodes if node.path == name)
    return field(net.graph, node)


def last_windowed(net):
    return [node.path for node in net.graph.nodes if node.layer.windows() is not None][-1]


@pytest.mark.parametrize(("name", "size", "step"), [("alexnet", 195, 32), ("vgg16", 212, 32)])
def test_published_fields(name, size, step):
    """Araujo, Norris, Sim (2019), table 1: alexnet_v2 195, vgg_16 212, both with a stride of 32."""
    net = netcalc.load(name)
    sides = of(net, last_windowed(net))
    assert [(side.size, side.step) for side in sides] == [(size, step)] * 2


def test_resnet50_of_the_published_table_and_that_of_torchvision():
    """Their resnet_v1_50 strides in the last block of a stage (as TF-slim does) and sees 483 positions. torchvision strides
    in the first of the next one, so that fewer 3x3 windows are taken at the larger step: 427."""
    text = (SPECS / "resnet.yaml").read_text(encoding="utf-8")
    for stage in (2, 3, 4):
        old = f"{{Block: {{planes: {64 << (stage - 1)}, stride: 2 if i == 0 else 1}}}}"
        assert old in text
        where = f'stride: "2 if i == depths[{stage - 1}] - 1 else 1"' if stage < 4 else "stride: 1"
        text = text.replace(old, f"{{Block: {{planes: {64 << (stage - 1)}, {where}}}}}")
    first = '{Block: {planes: 64, stride: "2 if i == depths[0] - 1 else 1"}}'
    text = text.replace("{Block: {planes: 64}}", first)
    slim = netcalc.load(text).variant("resnet50")
    assert [side.size for side in of(slim, "layer4.2.conv3")] == [483, 483]
    ours = of(netcalc.load("resnet50"), "layer4.2.conv3")
    assert [(side.size, side.step) for side in ours] == [(427, 32)] * 2


def ones(net):
    """The module with all parameters 1, so that no gradient that arrives is 0."""
    module = net.to_torch()
    for parameter in module.parameters():
        torch.nn.init.ones_(parameter)
    return module


NETS = {
    "windows": "[{Conv2d: {out_channels: 2, kernel_size: [3, 5], stride: [2, 1], padding: 1}}, {AvgPool2d: 2}, {Conv2d: {out_channels: 1, kernel_size: 3, dilation: 2}}]",
    "residual": "[{Conv2d: {out_channels: 1, kernel_size: 3, padding: 1}}, {Residual: [{Conv2d: {out_channels: 1, kernel_size: 5, padding: 2}}]}, {AvgPool2d: 3}]",
    "padded": "[{ZeroPad2d: {padding: [1, 2, 0, 3]}}, {Conv2d: {out_channels: 1, kernel_size: 4, stride: 2}}, {Conv2d: {out_channels: 1, kernel_size: 2, padding: same}}]",
}


@pytest.mark.parametrize("layers", NETS.values(), ids=list(NETS))
def test_a_field_is_where_the_gradient_reaches(layers):
    net = netcalc.load(f"netcalc: 1\ninput: [N, 1, 48, 48]\nlayers: {layers}\n")
    module = ones(net)
    x = torch.ones(1, 1, 48, 48, requires_grad=True)
    y = module(x)
    place = [size // 2 for size in y.shape[2:]]
    y[0, 0, place[0], place[1]].backward()
    reached = x.grad[0, 0].nonzero()
    sides = field(net.graph, net.graph.nodes[-1])
    for number, side in enumerate(sides):
        first, last = int(reached[:, number].min()), int(reached[:, number].max())
        assert (first, last) == (place[number] * side.step - side.before, place[number] * side.step + side.after)


LARGER = {
    "transposed": "[{Conv1d: {out_channels: 1, kernel_size: 3, stride: 2, padding: 1}}, {ConvTranspose1d: {out_channels: 1, kernel_size: 4, stride: 2, padding: 1}}]",
    "with gaps": "[{ConvTranspose1d: {out_channels: 1, kernel_size: 2, stride: 3}}, {Conv1d: {out_channels: 1, kernel_size: 2}}]",
    "dilated": "[{ConvTranspose1d: {out_channels: 1, kernel_size: 3, stride: 2, dilation: 2}}, {AvgPool1d: 3}]",
    "nearest": "[{Conv1d: {out_channels: 1, kernel_size: 3}}, {Upsample: {scale_factor: 3}}, {Conv1d: {out_channels: 1, kernel_size: 2, stride: 2}}]",
    "nearest-exact": "[{Upsample: {scale_factor: 2.5, mode: nearest-exact}}, {AvgPool1d: 2}]",
    "linear": "[{Upsample: {scale_factor: 2, mode: linear}}, {Conv1d: {out_channels: 1, kernel_size: 3}}]",
    "by 3/2": "[{AvgPool1d: 2}, {Upsample: {scale_factor: 1.5, mode: linear}}]",
    "to a size": "[{Upsample: {size: 72}}, {Conv1d: {out_channels: 1, kernel_size: 3}}]",
    "skip": "[{a: {Conv1d: {out_channels: 1, kernel_size: 3, padding: 1}}}, {MaxPool1d: 2}, {Conv1d: {out_channels: 1, kernel_size: 3, padding: 1}}, {ConvTranspose1d: {out_channels: 1, kernel_size: 2, stride: 2}}, {Add: [a, prev]}, {Conv1d: {out_channels: 1, kernel_size: 3, padding: 1}}]",
}  # fmt: skip


@pytest.mark.parametrize("layers", LARGER.values(), ids=list(LARGER))
def test_fields_of_what_was_made_larger_are_where_the_gradient_reaches(layers):
    """Every output far from the edges, as the field depends on where it stands."""
    net = netcalc.load(f"netcalc: 1\ninput: [N, 1, 48]\nlayers: {layers}\n".replace("MaxPool", "AvgPool"))
    module = ones(net)
    x = torch.ones(1, 1, 48, requires_grad=True)
    y = module(x)[0, 0]
    [side] = field(net.graph, net.graph.nodes[-1])
    for place in range(len(y) // 3, 2 * len(y) // 3):
        [gradient] = torch.autograd.grad(y[place], x, retain_graph=True)
        reached = gradient[0, 0].nonzero()
        assert side.at(place) == ((int(reached.min()), int(reached.max())) if len(reached) else None)


@pytest.mark.parametrize(
    "layers",
    [
        "[{Conv2d: {out_channels: 4, kernel_size: 3}}, {PixelShuffle: 2}, {Conv2d: {out_channels: 1, kernel_size: 3}}]",
        "[{PixelUnshuffle: {downscale_factor: 2}}, {Conv2d: {out_channels: 1, kernel_size: 3}}]",
        "[{Upsample: {scale_factor: 2, mode: bicubic}}, {Conv2d: {out_channels: 1, kernel_size: 2}}]",
        "[{Upsample: {scale_factor: [2, 3], mode: bilinear}}, {Conv2d: {out_channels: 1, kernel_size: 2}}]",
    ],
)
def test_fields_of_pictures_that_were_made_larger(layers):
    net = netcalc.load(f"netcalc: 1\ninput: [N, 1, 24, 24]\nlayers: {layers}\n")
    module = ones(net)
    x = torch.ones(1, 1, 24, 24, requires_grad=True)
    y = module(x)[0, 0]
    sides = field(net.graph, net.graph.nodes[-1])
    for row, column in [(h // 2 - 3 + i, w // 2 + j) for h, w in [y.shape] for i in range(6) for j in (0, 1, 2, 3)]:
        reached = torch.autograd.grad(y[row, column], x, retain_graph=True)[0][0, 0].nonzero()
        for side, place, found in zip(sides, (row, column), reached.T, strict=True):
            assert side.at(place) == (int(found.min()), int(found.max()))


def test_the_field_of_a_u_net():
    """By sets of positions: two 3x3 windows at each of five levels, halvings, doublings, and what is joined beside."""

    def convolved(level: int, position: int, inner) -> set:
        return set().union(*(inner(level, position + far) for far in range(-2, 3)))

    def down(level: int, position: int) -> set:
        """The positions of the picture behind the two convolutions of a level, on the way down."""
        return convolved(level, position, pooled)

    def pooled(level: int, position: int) -> set:
        return down(level - 1, 2 * position) | down(level - 1, 2 * position + 1) if level else {position}

    def up(level: int, position: int) -> set:
        return convolved(level, position, lambda at, place: down(at, place) | enlarged(at, place))

    def enlarged(level: int, position: int) -> set:
        return up(level + 1, position // 2) if level < 3 else down(4, position // 2)

    down, up = functools.cache(down), functools.cache(up)
    net = netcalc.load("unet")
    for path, place in [
        ("down4.maxpool_conv.1.double_conv.3", lambda i: down(4, i)),
        ("up4.conv.double_conv.3", lambda i: up(0, i)),
    ]:
        [side, _] = of(net, path)
        for i in range(16):
            assert side.at(i) == (min(place(i)), max(place(i)))
    assert of(net, "down4.maxpool_conv.1.double_conv.3")[0].size == 140
    assert "depending on where it stands" in str(net.explain("up4.conv.double_conv.3"))


def test_what_has_no_field_of_a_fixed_size_is_said():
    resnet = netcalc.load("resnet50")
    assert of(resnet, "avgpool") == WHOLE
    assert "depends on the whole input" in str(resnet.explain("avgpool"))
    assert "Receptive field" not in str(netcalc.load("alexnet").explain("fc1"))
    attention = netcalc.load("vit").explain("encoder.layers.encoder_layer_0.self_attention")
    assert "depends on its whole sequence" in str(attention)
    assert "Receptive field" not in str(netcalc.load("mlp").explain(netcalc.load("mlp").graph.nodes[-1].path))


def test_a_field_larger_than_the_picture_is_said():
    assert "more than the input has (224 x 224)" in str(netcalc.load("resnet50").explain("layer4.2.conv3"))
