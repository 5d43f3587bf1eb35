"""A rack's boards, each with its boot loader's habits, over a line that loses, doubles and delays what they send."""

import pytest

from tests.fuzz.tftp import serve_a_rack

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("seed", [20261201, 20261202])
def test_every_board_gets_every_file_whatever_its_loader_does(seed: int) -> None:
    assert serve_a_rack(seed) == []
