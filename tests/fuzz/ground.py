"""A web process to be called: a pool of 20 devices on SQLite in a folder of its own, and an admin's token.

Nothing else runs: what the calls store is never worked on, so each answer depends on the calls alone.
"""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from simlab.pool import Pool, PoolPlan

_ADMIN = (
    "from django.contrib.auth.models import Group, User; "
    "User.objects.create(username='fuzz').groups.add(Group.objects.get(name='admin'))"
)
# Not in debug mode, in which Django would answer faults with pages of its own.
_PRODUCTION = {
    "MOZPOOL_DEBUG": "false",
    "MOZPOOL_HTTPS": "false",
    "MOZPOOL_SECRET_KEY": secrets.token_hex(40),
    "MOZPOOL_WEBHOOK_HOSTS": "127.0.0.1",
}
# For v2 only the token counts; old clients have no credentials.
_NETWORKS = {
    "v2": {"MOZPOOL_TRUSTED_NETWORKS": "", "MOZPOOL_TRUSTED_OPERATOR_NETWORKS": ""},
    "legacy": {},
}


@dataclass(frozen=True)
class Ground:
    """Where to call, and with which token; `pool` has the web process's log."""

    pool: Pool
    token: str
    token_id: int


@contextmanager
def ground(api: str, folder: Path) -> Iterator[Ground]:
    """Start a web process over a new pool, for `v2` or `legacy`."""
    plan = PoolPlan(
        database_url=f"sqlite:///{folder / 'pool.sqlite3'}",
        # A port that nothing listens on: there is no worker to ring for.
        broker_url="redis://127.0.0.1:1/0",
        racks=2,
        devices=20,
        lab=False,
        seed=("--network", "127.96.0.0/12"),
        environment=_PRODUCTION | _NETWORKS[api],
    )
    pool = Pool(plan, folder)
    try:
        pool.seed()
        pool.manage("shell", "-v", "0", "-c", _ADMIN)
        made = json.loads(pool.manage("token", "create", "--user", "fuzz", "--name", "fuzz", "--json").stdout)
        pool.start_web()
        pool.wait_for_web()
        yield Ground(pool, made["token"], made["id"])
    finally:
        pool.stop()
