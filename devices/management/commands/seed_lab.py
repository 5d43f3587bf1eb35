"""`manage.py seed_lab`: rows of a simulated lab, and its description for `python -m simlab`."""

import json
from argparse import ArgumentParser
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from devices.lab import LabPlan, describe, seed
from mozpool_site.errors import InvalidInputError, MozpoolError

_FAULTS = (
    "hang_at_boot",
    "hang_in_install",
    "lose_image",
    "storage_fails",
    "install_fails",
    "no_network_boot",
    "agent_silent",
)


class Command(BaseCommand):
    """Fills an empty pool with simulated racks; `python -m simlab LAB.json` then plays the hardware."""

    help = "Fill an empty pool with racks of simulated Pandaboards, and describe them for `python -m simlab LAB.json`."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take size, place and habits of the lab."""
        parser.add_argument("--racks", type=int, default=2, help="how many racks (default: 2)")
        parser.add_argument("--devices", type=int, default=20, help="how many devices in all (default: 20)")
        parser.add_argument(
            "--network", default="127.64.0.0/12", help="loopback addresses to use (default: %(default)s)"
        )
        parser.add_argument(
            "--lab-file", type=Path, help="where to write LAB.json (default: none is written)"
        )
        parser.add_argument("--control", help="control socket of the lab (default: beside LAB.json)")
        parser.add_argument(
            "--speed", type=float, default=1.0, help="how much faster than real boards (default: 1)"
        )
        parser.add_argument("--seed", type=int, default=1, help="of the lab's random numbers (default: 1)")
        parser.add_argument(
            "--new", action="store_true", help="devices start in `new`, so each tests itself first"
        )
        parser.add_argument("--blank", action="store_true", help="devices start with nothing installed")
        for fault in _FAULTS:
            flag = f"--{fault.replace('_', '-')}"
            parser.add_argument(
                flag, type=float, default=0.0, metavar="P", help="probability, 0 to 1 (default: 0)"
            )

    def handle(self, **options: Any) -> None:
        """Seed and describe."""
        try:
            plan = LabPlan(
                racks=options["racks"],
                devices=options["devices"],
                network=_network(options["network"]),
                start_new=options["new"],
                installed=None if options["blank"] else "android",
            )
            devices = seed(plan)
        except MozpoolError as error:
            self.stderr.write(f"seed_lab: {error}")
            raise SystemExit(error.exit_status) from error
        self.stdout.write(f"seeded {plan.racks} racks with {len(devices)} devices")
        if options["lab_file"]:
            self._describe(options["lab_file"].absolute(), options)

    def _describe(self, path: Path, options: dict[str, Any]) -> None:
        control = options["control"] or str(path.with_name("control.sock"))
        faults = {fault: options[fault] for fault in _FAULTS}
        description = describe(options["speed"], control, faults, options["seed"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(description, indent=1) + "\n")
        self.stdout.write(f"wrote {path}; play it with: python -m simlab {path}")


def _network(text: str) -> IPv4Network:
    try:
        return IPv4Network(text)
    except ValueError as error:
        raise InvalidInputError(f"{text!r} is no network: {error}", field="network") from error
