"""Every shipped spec reads, and has what it expects of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from netcalc import catalog, check
from tests.shipped import ALL, IDS, net_of


@pytest.mark.parametrize("name, variant", ALL, ids=IDS)
def test_expect_holds(name, variant):
    net = net_of(name, variant)
    assert "params" in check.met(net.graph), "a shipped spec has a published or counted number"
    assert net.check() == []


@pytest.mark.parametrize("name", catalog.names())
def test_the_catalog_sees_the_variants_that_the_language_sees(name):
    """The catalog finds variants by a pattern, without reading the spec."""
    net = net_of(name, None)
    assert catalog.variants(name) == net.variants
    for variant in net.variants:
        path, found = catalog.find(variant)
        assert (Path(path).stem, found) == (name, variant)


def test_names_of_specs_and_variants_are_unique():
    names = catalog.everything()
    assert len(set(names)) == len(names)


#: what each shipped spec may warn of: tiny shows the unnamed layer of the language's first page
WARNS = {"tiny": ["W404"]}


@pytest.mark.parametrize("name, variant", ALL, ids=IDS)
def test_no_unexplained_warnings(name, variant):
    assert [warning.code for warning in net_of(name, variant).warnings] == WARNS.get(name, [])
