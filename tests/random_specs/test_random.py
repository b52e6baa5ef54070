"""Random specs over all layers of the language: netcalc's figures, and the module that it exports, against torch.

Hypothesis builds a spec layer by layer, as a person would. The exported module then runs forward on the CPU, and backward
where the spec has a loss; shapes, parameters, buffers, MACs, gradients and the state_dict are compared, and the outputs
with those of the graph run layer by layer. The networks of each kind of input are trained too: the bytes that every module
saves for the backward pass and the peak of every phase of a step are compared. A spec that fails is printed as YAML.
NETCALC_RANDOM=1 searches further than the 972 specs of every run.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import warnings

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import netcalc
from netcalc.layers import REGISTRY

from .direct import differing
from .specs import KINDS, specs, specs_with
from .strategies import STRATEGIES

NETWORKS = 60  # for each kind of input: 360 in all
WITH_MEMORY = 40  # for each kind, of which memory is compared at least: 240 in all
LAYERS = 3  # for each kind of layer: 552 in all


#: draw other specs than in every run, and make one that fails as small as can be, which takes minutes
SEARCH = bool(os.environ.get("NETCALC_RANDOM"))


def examples(count: int):
    """So many specs, the same in every run: what fails then comes from a change."""
    return settings(
        max_examples=count,
        derandomize=not SEARCH,
        phases=[Phase.generate, *([Phase.shrink] if SEARCH else [])],
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(autouse=True, scope="module")
def few_objects():
    """What is there before is not looked through each time that cycles are collected, which measuring peaks does."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def proven(builder, memory: bool = False):
    """Verify a spec; what differs is said below its text. memory: of training steps too, on the mean of the outputs where
    there is no loss. Returns the names of what was compared."""
    text = builder.text()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, about sizes that a spec may well have
        net = netcalc.load(text)
        result = net.verify("cpu", train=memory or "loss" in builder.spec, memory=memory, optimizer="none")
        values = differing(net) if result.ok else []
    assert result.ok, f"\n{text}\n{result.format()}"
    assert not values, f"\n{text}\n{values}"
    return {check.name for check in result.checks}


@pytest.mark.parametrize("kind", KINDS)
def test_random_networks(kind):
    compared = []
    examples(NETWORKS)(given(specs(kind))(lambda builder: compared.append(proven(builder, memory=True))))()
    if not SEARCH:  # some have no real output, or save nothing that is modelled
        assert sum({"saved", "peak_backward"} <= names for names in compared) >= WITH_MEMORY


@pytest.mark.parametrize("layer", STRATEGIES)
def test_random_networks_with_a_layer(layer):
    """Each kind of layer, in a place that suits it."""
    there = 0

    def holds(builder):
        nonlocal there
        graph = netcalc.load(builder.text()).graph
        there += any(node.type == layer for node in (*graph.nodes, *graph.loss))
        proven(builder, memory=REGISTRY[layer].by_data)

    examples(LAYERS)(given(specs_with(layer))(holds))()
    assert there, f"{layer} is in none of the specs"


def test_every_layer_has_a_strategy():
    assert set(STRATEGIES) == set(REGISTRY)


def test_exported_code_of_random_networks_is_clean(tmp_path):
    """No unused import, nothing undefined, and the formatting that ruff gives. (Layers that nothing reads stay.)"""

    @examples(60)
    @given(st.one_of(*map(specs, KINDS)))
    def written(builder):
        text = builder.text()
        (tmp_path / f"model{len(list(tmp_path.iterdir()))}.py").write_text(netcalc.load(text).export_torch())

    written()
    for command in (
        ("check", "--isolated", "--select", "F,E7,E9", "--ignore", "F841"),
        ("format", "--isolated", "--check", "--diff"),
    ):
        done = subprocess.run([sys.executable, "-m", "ruff", *command, str(tmp_path)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
