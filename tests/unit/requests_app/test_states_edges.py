"""Every edge that the request table declares, taken once."""

import pytest

from mozpool_site.statemachine.graph import Edge, edges
from requests_app.states import REQUEST
from tests.unit.statemachine.every_edge import check_edge, name_of

EDGES = edges(REQUEST)


@pytest.mark.parametrize("edge", EDGES, ids=name_of)
def test_the_declared_edge_is_what_the_step_does(edge: Edge) -> None:
    check_edge(REQUEST, edge)


def test_no_two_edges_are_declared_for_the_same_case() -> None:
    assert len({name_of(edge) for edge in EDGES}) == len(EDGES)
