"""What the stories of the simulated lab start from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.simlab.lab import Description, description
from tests.unit.simlab.web import Web


@pytest.fixture
def described(tmp_path: Path) -> Description:
    """One relay board and one quick device with b2g installed and up."""
    return description(tmp_path)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    """A server that answers the device's calls and wants an install of b2g."""
    with Web(tmp_path) as server:
        yield server
