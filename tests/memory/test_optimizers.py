"""Steps of the optimizers of torch.optim on the CPU, storage by storage, beside the simulation."""

from __future__ import annotations

from itertools import accumulate

import pytest

from netcalc.errors import NetcalcError
from netcalc.memory.optimizers import OPTIMIZERS, Optimizer, settled
from netcalc.memory.tape import Rules, Tape
from netcalc.oracle import loop
from netcalc.oracle.storages import Storages, dispatch_mode

SHAPES = ((512, 64), (7,), (64, 64, 3, 3))
ORDERS = (SHAPES, SHAPES[::-1], ((64, 64, 3, 3), (64, 64, 3, 3), (7,), (512, 64), ()))
WAYS = {"for-loop": {"foreach": False}, "foreach": {"foreach": True}, "fused": {"fused": True}}
PLAIN = ({}, {"weight_decay": 0.1}, {"maximize": True}, {"weight_decay": 0.1, "maximize": True})
MORE = {
    "sgd": ({"momentum": 0.5}, {"momentum": 0.5, "weight_decay": 0.1}),
    "sgd-momentum": ({"momentum": 0.0},),
    "rmsprop": ({"momentum": 0.9}, {"centered": True}, {"momentum": 0.9, "centered": True, "weight_decay": 0.1}),
}
FUSED = ("sgd", "sgd-momentum", "nesterov", "adam", "adamw", "amsgrad", "adagrad")
CASES = [
    (name, way, options)
    for name in OPTIMIZERS
    for way in WAYS
    if way != "fused" or name in FUSED
    for options in PLAIN + MORE.get(name, ())
]


def totals(changes) -> list:
    """After each allocation: its bytes, and the bytes that are alive beyond those at the start. The order in which several
    storages are given back at once does not show."""
    return [(size, now) for size, now in zip(changes, accumulate(changes), strict=True) if size > 0]


def measured(shapes, name: str, way: str, options: dict, steps: int, dtype: str = "float32", late: int = 0) -> list:
    """Of each step: what was allocated in it, and the bytes alive after it; first of the optimizer's construction.

    late: so many parameters have no gradient before the second step."""
    torch = pytest.importorskip("torch")
    parameters = [torch.nn.Parameter(torch.randn(shape, dtype=getattr(torch, dtype))) for shape in shapes]
    grads = [torch.randn_like(parameter, requires_grad=False) for parameter in parameters]
    optimizer, found, live = None, [], Storages()
    live.hold([*parameters, *grads])
    with dispatch_mode()(live):
        for number in range(steps + 1):
            for parameter, grad in list(zip(parameters, grads, strict=True))[late if number < 2 else 0 :]:
                parameter.grad = grad
            live.events.clear()
            if optimizer:
                optimizer.step()
            else:
                optimizer = loop.optimizer(name, parameters, **options, **WAYS[way])
            changes = [size for _, size, _ in live.events]
            found.append((totals(changes), sum(changes)))
    return found


def simulated(shapes, name: str, options: dict, steps: int, cuda=False, dtype: str = "float32", late: int = 0) -> list:
    tape = Tape(Rules(cuda=cuda))
    leaves = [tape.make(shape, dtype, kind="parameters") for shape in shapes]
    for leaf in leaves:
        leaf.leaf, leaf.grad = True, tape.make(leaf.shape, dtype, kind="gradients")
    optimizer, found = None, []
    for number in range(steps + 1):
        start = len(tape.events)
        if optimizer:
            optimizer.step(leaves[late if number < 2 else 0 :])
        else:
            optimizer = Optimizer(tape, name, options, leaves)
        changes = [tape.storages[index].bytes * sign for index, sign in tape.events[start:]]
        found.append((totals(changes), sum(changes)))
    return found


@pytest.mark.parametrize("name, way, options", CASES)
def test_steps_allocate_what_torch_allocates(name, way, options):
    """Allocation by allocation, the first steps and one of those that are alike."""
    steps = settled(name, {"implementation": way}, cuda=False) + 1
    for shapes in ORDERS:
        assert simulated(shapes, name, {"implementation": way, **options}, steps) == measured(
            shapes, name, way, options, steps
        )


@pytest.mark.parametrize("name, way, options", [case for case in CASES if not case[2]])
def test_in_bfloat16_only_the_counters_are_float32(name, way, options):
    found = simulated(SHAPES, name, {"implementation": way}, 2, dtype="bfloat16")
    assert found == measured(SHAPES, name, way, {}, 2, dtype="bfloat16")


@pytest.mark.parametrize(
    "name, way", [(n, w) for n, w, o in CASES if not o and (n not in ("sgd-momentum", "nesterov") or w != "fused")]
)
def test_a_parameter_that_gets_its_gradient_later(name, way):
    """Its state is made then, adagrad's before; fused sgd takes momentum of all or of none."""
    steps = settled(name, {"implementation": way}, cuda=False) + 1
    found = simulated(SHAPES, name, {"implementation": way}, steps, late=1)
    assert found == measured(SHAPES, name, way, {}, steps, late=1)


def resnet18(*order: str) -> list:
    """The shapes of its parameters, with those of a block's two convolutions and norms in an order."""
    found, before = [(64, 3, 7, 7), (64,), (64,)], 64
    for width in (64, 128, 256, 512):
        for number in range(2):
            block = {
                "conv1": [(width, before, 3, 3)],
                "conv2": [(width, width, 3, 3)],
                "bn1": [(width,)] * 2,
                "bn2": [(width,)] * 2,
            }
            found += [shape for name in order for shape in block[name]]
            if width != before and not number:
                found += [(width, before, 1, 1), (width,), (width,)]
            before = width
    return [*found, (1000, 512), (1000,)]


def test_the_order_of_parameters_decides_how_much_a_loop_needs():
    """ResNet-18 with adamw. Torchvision's modules are in the order conv1, bn1, conv2, bn2: beside sqrt and quotient of a
    512 x 512 x 3 x 3 there is the denominator of a norm's bias. The published 215,988,676 bytes of batch 1 on the CPU are
    those of a module that lists both convolutions first: beside sqrt and quotient there is a third of that size."""
    largest, bias = 4 * 512 * 512 * 9, 4 * 512
    modules, adjacent = resnet18("conv1", "bn1", "conv2", "bn2"), resnet18("conv1", "conv2", "bn1", "bn2")
    for shapes, expected in (modules, 2 * largest + bias), (adjacent, 3 * largest):
        for steps in (simulated(shapes, "adamw", {}, 2), measured(shapes, "adamw", "for-loop", {}, 2)):
            assert max(now for _, now in steps[2][0]) == expected
    tensors = 4 * 4 * 11_689_512 + 4 * 62  # parameters, gradients, two averages, counters
    others = 4 * 9_600 + 8 * 20 + 4 * 3 * 224 * 224 + 8 + 4 * 1000 + 4  # buffers, image, target, output, loss
    assert tensors + others + 3 * largest == 215_988_676


@pytest.mark.parametrize("way", WAYS)
def test_all_optimizers_are_measured(way):
    assert set(loop.OPTIMIZERS) == set(OPTIMIZERS)
    assert {name for name, other, _ in CASES if other == way} == set(FUSED if way == "fused" else OPTIMIZERS)


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name not in FUSED])
def test_what_torch_has_not_fused(name):
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match="fused"):
        loop.optimizer(name, [torch.nn.Parameter(torch.ones(2))], fused=True)
    with pytest.raises(NetcalcError, match=f"PyTorch has no fused {name}\n  help: "):
        Optimizer(Tape(Rules()), name, {"implementation": "fused"})


# -- on CUDA, where counters are on the CPU but for fused: by hand from torch/optim of 2.13; P: bytes of the parameters

P = sum(4 * size for size in (512 * 64, 7, 64 * 64 * 9))
CUDA = [  # name, options, multiples of P alive after a step, and at most beyond those in the second step; counters
    ("sgd", {}, 0, 0, 0),
    ("sgd", {"weight_decay": 0.1}, 0, 1, 0),
    ("sgd", {"weight_decay": 0.1, "maximize": True}, 0, 1, 0),
    ("sgd-momentum", {}, 1, 0, 0),
    ("sgd-momentum", {"weight_decay": 0.1}, 1, 1, 0),
    ("adam", {}, 2, 1, 0),
    ("adam", {"weight_decay": 0.1}, 2, 1, 0),
    ("adamw", {"weight_decay": 0.1}, 2, 1, 0),
    ("amsgrad", {}, 3, 1, 0),
    ("rmsprop", {"momentum": 0.9, "centered": True}, 3, 1, 0),
    ("rmsprop", {"weight_decay": 0.1}, 1, 2, 0),
    ("adagrad", {}, 1, 2, 0),
    ("adadelta", {}, 2, 2, 0),
    ("adamax", {}, 2, 1, 0),
    ("nadam", {"weight_decay": 0.1}, 2, 2, 0),
    ("radam", {"weight_decay": 0.1}, 2, 1, 0),
    ("adamw", {"implementation": "fused"}, 2, 0, 3),
    ("sgd-momentum", {"implementation": "fused", "maximize": True}, 1, 0, 0),
]


@pytest.mark.parametrize("name, options, kept, most, counters", CUDA)
def test_cuda(name, options, kept, most, counters):
    made, first, second = simulated(SHAPES, name, options, 2, cuda=True)
    assert made[1] + first[1] == kept * P + 4 * counters and second[1] == 0
    assert max((now for _, now in second[0]), default=0) == most * P


def test_without_options_foreach_on_cuda_and_a_loop_on_the_cpu():
    def most(cuda, **options):
        return max(now for _, now in simulated(SHAPES, "adamw", options, 2, cuda)[2][0])

    largest = 4 * 64 * 64 * 9  # the last, after one of 7 elements: sqrt and quotient, and the denominator before
    assert (most(True), most(True, foreach=True), most(True, implementation="foreach")) == (P, P, P)
    assert (most(False), most(True, foreach=False), most(False, fused=False)) == (2 * largest + 28,) * 3


def test_radam_in_a_loop_is_settled_after_six_steps():
    """Its rho exceeds 5 in the sixth step: 1999 - 2 t 0.999^t / (1 - 0.999^t)."""
    rho = [1999 - 2 * t * 0.999**t / (1 - 0.999**t) for t in range(1, 8)]
    assert next(t for t, value in enumerate(rho, 1) if value > 5) == settled("radam", {}, cuda=False) == 6
    assert settled("radam", {}, cuda=True) == settled("adam", {}, cuda=False) == 2


@pytest.mark.parametrize("name, options, part", [
    ("adamx", {}, "unknown optimizer 'adamx'\n  help: did you mean 'adam"),
    ("adam", {"implementation": "fussed"}, "unknown implementation 'fussed' of an optimizer\n  help: did you mean 'fused'"),
    ("adam", {"weightdecay": 1}, "unknown option 'weightdecay' of an optimizer\n  help: did you mean 'weight_decay'"),
    ("adam", {"foreach": True, "fused": True}, "either fused or foreach"),
    ("adam", {"momentum": 0.9}, "adam has no option momentum\n  help: those that have it are sgd, "),
    ("nesterov", {"momentum": 0}, "nesterov needs a momentum above 0"),
    ("adam", {"centered": True}, "adam cannot be centered\n  help: only rmsprop can"),
    ("sgd", {"weight_decay": -1}, "the weight decay of an optimizer is -1\n  help: a number, 0 or more"),
    ("sgd", {"momentum": "much"}, "the momentum of an optimizer is 'much'"),
])  # fmt: skip
def test_refused(name, options, part):
    with pytest.raises(NetcalcError) as caught:
        Optimizer(Tape(Rules()), name, options)
    assert str(caught.value).startswith("error: ") and part in str(caught.value)
