"""The pool of the lab: web, worker, pulse and TFTP server, as on an imaging server, and the machines' power."""

import shutil
import sys
import tempfile
from pathlib import Path

from reallab.network import Network
from reallab.plan import RACK
from simlab.pool import Pool, PoolPlan


class RealPool(Pool):
    """A pool with one rack, whose hardware is played by QEMU. Its rows come from `rows_file`."""

    def __init__(self, database_url: str, broker_url: str, network: Network, folder: Path) -> None:
        self.network = network
        # The TFTP server gives root up, and must still come here.
        self.tftp_root = Path(tempfile.mkdtemp(prefix="mozpool-reallab-"))
        self.tftp_root.chmod(0o755)
        super().__init__(
            PoolPlan(
                database_url=database_url, broker_url=broker_url, racks=1, lab=False,
                web_processes=1, worker_threads=8,
            ),
            folder,
        )  # fmt: skip
        self.rows_file = self.folder / "rows.json"
        self.service_file = self.folder / "service.json"

    @property
    def url(self) -> str:
        """Where the web process answers."""
        return f"http://{self.network.bind}:{self.port}"

    @property
    def variables(self) -> dict[str, str]:
        """The environment of every process of this pool."""
        here, called = self.network.bind, self.network.web_host
        return {
            **super().variables,
            "MOZPOOL_ALLOWED_HOSTS": f"{here},{called},localhost,127.0.0.1",
            "MOZPOOL_TFTP_ROOT": str(self.tftp_root),
            "MOZPOOL_BOOT_LOADERS": "ipxe,grub",
            "MOZPOOL_TRUSTED_NETWORKS": f"127.0.0.0/8,{here}/32",
            "MOZPOOL_TRUSTED_OPERATOR_NETWORKS": f"127.0.0.1/32,{here}/32",
            "MOZPOOL_IMAGE_HOSTS": f"{here},{called}",
        }

    def racks(self) -> list[str]:
        """Name the one rack."""
        return [RACK]

    def seed(self) -> None:
        """Create the tables and the rows."""
        for folder in ("ipxe", "grub"):
            (self.tftp_root / folder).mkdir(exist_ok=True)
        self.manage("migrate", "-v", "0")
        self.python(f"from reallab.rows import seed; seed({str(self.rows_file)!r})")

    def python(self, code: str) -> str:
        """Run Python with the pool's models; give what it printed."""
        return self.manage("shell", "--no-imports", "-v", "0", "-c", code).stdout

    def start_web(self) -> None:
        """Serve pages and API, boot files, the power of the machines, and what else the network needs."""
        self._spawn("service", [sys.executable, "-m", "reallab.service", str(self.service_file)])
        self._spawn(
            "web",
            [sys.executable, "-m", "mozpool_site.serve", "--bind", f"{self.network.bind}:{self.port}"],
        )

    def stop(self) -> None:
        """End every process."""
        super().stop()
        shutil.rmtree(self.tftp_root, ignore_errors=True)
