"""A command that waits outlives a restart of the database."""

import json
import time
from pathlib import Path

import pytest

from tests.integration.commands.conftest import Pool
from tests.servers.mariadb import MariaDB


@pytest.mark.slow
def test_a_database_that_restarts_does_not_end_the_waiting(
    pool: Pool, private_mariadb: MariaDB, tmp_path: Path
) -> None:
    pool.environment["DATABASE_URL"] = private_mariadb.url
    assert pool.shell("migrate", "--verbosity", "0").status == 0
    # Another test of this process may have left its lab there.
    assert pool.shell("flush", "--no-input").status == 0
    network = str(pool.lab.network)
    seeded = pool.shell("seed_lab", "--racks", "1", "--devices", "34", "--network", network)
    assert (seeded.status, seeded.err) == (0, "")
    # It comes up only when the database is there again.
    pool.lab.control.hang("panda-0027", for_good=True)
    out = tmp_path / "out"
    with (
        out.open("w") as file,
        pool.start("power_cycle", "panda-0027", "--here", "--json", stdout=file) as process,
    ):
        assert process.stderr is not None
        for line in process.stderr:
            if line.endswith("  port_verifying\n"):
                break
        private_mariadb.kill9()
        time.sleep(2)
        private_mariadb.start()
        pool.lab.control.unhang("panda-0027")
        err = process.stderr.read()
    assert process.returncode == 0
    assert "the database does not answer, still trying: " in err
    (ending,) = json.loads(out.read_text())
    assert (ending["device"], ending["ok"], ending["state"]) == ("panda-0027", True, "ready")
