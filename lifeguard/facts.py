"""Loads what the device table may ask: two small queries, one more while an image is being installed."""

import hashlib
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q

from devices.models import Device, Image, ImageBootConfig
from devices.models.image import SELF_TEST
from lifeguard.models import Install
from lifeguard.states import DEVICE, DeviceFacts

# A device that fails so many tasks in a row passes self-tests that tell nothing; a human must look.
HOPELESS_FAILURES = 3
# How long the failure of an image on another device is evidence.
_EVIDENCE_FOR = timedelta(hours=2)


def config_digest(boot_config: str) -> str:
    """Tell builds of one image apart: SHA-256 of the boot config as stored, hex."""
    return hashlib.sha256(boot_config.encode()).hexdigest()


def load(device: Device, now: datetime) -> DeviceFacts:
    """Give the facts about a device as its locked row says."""
    in_play = device.next_image_id or device.image_id
    fits = ImageBootConfig.objects.filter(image=OuterRef("pk"), hardware_type=device.hardware_type_id)
    images = {
        image.pk: image
        for image in Image.objects.filter(Q(pk=in_play) | Q(name=SELF_TEST)).annotate(fits=Exists(fits))
    }
    self_test = any(image.name == SELF_TEST and image.fits for image in images.values())
    image = images.get(in_play) if in_play else None
    common = DeviceFacts(
        held=device.held_by is not None,
        self_test_available=self_test,
        self_test_may_help=self_test and device.failures + 1 < HOPELESS_FAILURES,
        image_suspect=image_is_suspect(device, now),
    )
    if image is None:
        return common
    return DeviceFacts(
        held=common.held,
        verification=image.verification,
        download_timeout=image.download_timeout,
        download_limit=image.download_limit,
        install_timeout=image.install_timeout,
        install_limit=image.install_limit,
        verify_timeout=image.verify_timeout,
        verify_limit=image.verify_limit,
        settle_seconds=image.settle_seconds,
        self_test_available=common.self_test_available,
        self_test_may_help=common.self_test_may_help,
        image_suspect=common.image_suspect,
    )


def image_is_suspect(device: Device, now: datetime) -> bool:
    """Whether the image being installed lately failed on another healthy device, and succeeded on none since."""
    if device.next_image_id is None or "installing" not in DEVICE[device.state].tags:
        return False
    digest = config_digest(device.next_boot_config)
    evidence = Install.objects.filter(
        image=device.next_image_id, config_digest=digest, finished__gte=now - _EVIDENCE_FOR
    )
    last = evidence.exclude(device=device.pk).order_by("-finished", "-pk")
    newest_success = (
        evidence.filter(succeeded=True).order_by("-finished").values_list("finished", flat=True).first()
    )
    failure = last.filter(succeeded=False, healthy_before=True).values_list("finished", flat=True).first()
    return failure is not None and (newest_success is None or failure > newest_success)
