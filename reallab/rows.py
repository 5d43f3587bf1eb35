"""The rows of the lab's pool, as an administrator would make them: one rack, its controller, images and machines."""

from datetime import timedelta
from pathlib import Path

from django.db import transaction

from bmm.live import kit
from devices.models import BootConfig, Device, HardwareType, Image, ImageBootConfig, PowerController, Rack
from devices.models.image import MAINTENANCE, SELF_TEST, Verification
from mozpool_site import clock
from reallab.kinds import KERNEL_OPTIONS
from reallab.plan import HASTY, IMAGE, RACK, KindRows, Rows, read

_IDLE_CHECK = timedelta(seconds=600)
_PXELINUX = """DEFAULT live
LABEL live
  KERNEL {kind}/vmlinuz
  INITRD {kind}/live.gz
  APPEND console={console} {options} mobile-imaging-url=%BASEURL%/boot/%DEVICE%/%TOKEN%/second-stage
"""
# Seconds for one step, and how many failures of it are still retried. `hasty` gives up at once.
_LIMITS: dict[str, dict[str, int]] = {
    IMAGE: {
        "download_timeout": 60, "download_limit": 2, "install_timeout": 120, "install_limit": 2,
        "verify_timeout": 60, "verify_limit": 3,
    },
    HASTY: {
        "download_timeout": 30, "download_limit": 0, "install_timeout": 30, "install_limit": 0,
        "verify_timeout": 40, "verify_limit": 0,
    },
}  # fmt: skip


@transaction.atomic
def seed(path: str) -> None:
    """Make the rows that a file describes; a process of the lab's pool calls it, after `migrate`."""
    rows = read(Path(path))
    rack = Rack.objects.create(
        name=RACK,
        imaging_server="localhost",
        address=rows.tftp_server,
        base_url=rows.base_url,
        vlan_note="QEMU",
    )
    controller = PowerController.objects.create(
        name="qemu", rack=rack, driver="webhook", address=rows.power, settings=_switch()
    )
    images = {name: _image(name) for name in (IMAGE, HASTY, SELF_TEST, MAINTENANCE)}
    hardware = {kind.name: _kind(kind, rows, images) for kind in rows.kinds}
    now = clock.now()
    for number, machine in enumerate(rows.machines, 1):
        Device.objects.create(
            name=machine.name,
            fqdn=f"{machine.name}.{RACK}.lab.example",
            address=machine.address,
            mac=machine.mac,
            inventory_id=number,
            rack=rack,
            hardware_type=hardware[machine.kind],
            power_controller=controller,
            outlet=machine.name,
            environment="lab",
            state="ready",
            idle_since=now,
            deadline=now + _IDLE_CHECK,
        )


def _switch() -> dict[str, object]:
    return {
        "on_url": "http://{address}/{outlet}/on",
        "off_url": "http://{address}/{outlet}/off",
        "query_url": "http://{address}/{outlet}",
        "on_pattern": '"power": "on"',
        "off_pattern": '"power": "off"',
        # A killed process has no capacitors.
        "off_seconds": 0.2,
    }


def _image(name: str) -> Image:
    own = name in (SELF_TEST, MAINTENANCE)
    return Image.objects.create(
        name=name,
        verification=Verification.NONE if own else Verification.AGENT,
        reusable=not own,
        hidden=own,
        settle_seconds=5,
        version_notes="" if own else "Busybox and an agent, on a kernel of Debian.",
        **_LIMITS.get(name, {}),
    )


def second_stages(kind: KindRows, rows: Rows) -> dict[str, tuple[str, dict[str, object]]]:
    """Give, by image, the kit's script that a kind of machine runs for it, and its settings."""
    disk = "/dev/vda"
    install: dict[str, object] = {
        "disk": disk,
        "image_url": kind.image_url,
        "image_sha256": kind.image_sha256,
    }
    return {
        IMAGE: ("install", install),
        HASTY: ("install", install),
        SELF_TEST: (
            "self-test",
            {
                "storage": {"disk": disk, "at_least_mb": rows.disk_mb, "sample_mb": 2, "samples": 3},
                "scan": {"disk": disk, "samples": 8},
                "memory": {"at_least_mb": 64, "sample_mb": 8},
                "network": {"url": kind.image_url, "sha256": kind.image_sha256},
            },
        ),
        MAINTENANCE: ("maintenance", {"authorized_keys": [rows.authorized_key], "ssh_port": rows.ssh_port}),
    }


def _kind(kind: KindRows, rows: Rows, images: dict[str, Image]) -> HardwareType:
    hardware = HardwareType.objects.create(kind=kind.name, model=kind.model)
    for name, (action, settings) in second_stages(kind, rows).items():
        config = BootConfig(
            name=f"{kind.name}-{name}",
            description=f"{name} on a machine of QEMU",
            contents=_PXELINUX.format(kind=kind.name, console=kind.console, options=KERNEL_OPTIONS),
            second_stage=kit.second_stage(action, name, settings),
        )
        config.full_clean()
        config.save()
        ImageBootConfig.objects.create(image=images[name], hardware_type=hardware, boot_config=config)
    return hardware
