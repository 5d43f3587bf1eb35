"""Whose fault it is that an image does not come up: the image's, when it fails on several healthy devices."""

import hashlib
from datetime import datetime

from django.db.models import QuerySet

from devices.models import Device, Image
from devices.models.device import Health
from devices.models.image import OWN_IMAGES
from lifeguard.models import Install
from lifeguard.states import DEVICE, EVIDENCE_FOR


def config_digest(boot_config: str) -> str:
    """Tell builds of one image apart: SHA-256 of the boot config as stored, hex."""
    return hashlib.sha256(boot_config.encode()).hexdigest()


def image_is_suspect(device: Device, now: datetime) -> bool:
    """Whether the image being installed lately failed on another healthy device, and succeeded on none since."""
    if "installing" not in DEVICE[device.state].tags:
        return False
    if device.next_image is None or device.next_image.name in OWN_IMAGES:
        return False
    evidence = _evidence(device.next_image, config_digest(device.next_boot_config), now)
    newest_success = (
        evidence.filter(succeeded=True).order_by("-finished").values_list("finished", flat=True).first()
    )
    witnesses = evidence.exclude(device=device.pk).filter(succeeded=False, healthy_before=True)
    failure = witnesses.order_by("-finished", "-pk").values_list("finished", flat=True).first()
    return failure is not None and (newest_success is None or failure > newest_success)


def acquit(device: Device, now: datetime) -> int:
    """Take back what was held against the healthy devices on which a bad image failed first; return how many.

    `device` is one on which it has failed since, so that the image is to blame. Outside of its transaction: many rows
    of other devices are changed. What a person has found out about them stands.
    """
    last = device.installs.select_related("image").order_by("-finished", "-pk").first()
    if last is None:
        return 0
    evidence = _evidence(last.image, last.config_digest, now).exclude(device=device.pk)
    witnesses = evidence.filter(succeeded=False, healthy_before=True).values_list("device", flat=True)
    blamed = Device.objects.filter(pk__in=list(witnesses), failures=1)
    cleared = {"health": Health.UNKNOWN, "quarantine_reason": "", "quarantine_since": None}
    blamed.filter(quarantine_by="", health=Health.BAD).update(**cleared)
    return blamed.update(failures=0)


def _evidence(image: Image, digest: str, now: datetime) -> QuerySet[Install]:
    """Select what lately became of a build of an image, on whatever device."""
    return Install.objects.filter(image=image, config_digest=digest, finished__gte=now - EVIDENCE_FOR)
