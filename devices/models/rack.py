"""A rack: devices that share an imaging server, a VLAN, and the worker that can reach them."""

from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q

from devices.addresses import validate_address, validate_url
from devices.names import check_case, validate_hostname, validate_slug

# A pulse looks each second: one that has not for so long is gone, and nobody does the work of its rack.
SILENT_AFTER = timedelta(seconds=30)


def pulse_is_silent(pulse_seen: datetime | None, now: datetime) -> bool:
    """Whether the pulse of a rack has stopped; a rack that never had one of its own is looked after by another's."""
    return pulse_seen is not None and pulse_seen < now - SILENT_AFTER


def pulse_silent(now: datetime) -> Q:
    """Return the condition of the racks whose pulse has stopped, as `pulse_is_silent` says."""
    return Q(pulse_seen__lt=now - SILENT_AFTER)


class Rack(models.Model):
    """One rack and its imaging server; its worker listens on `queue_name`, its pulse keeps `pulse_seen`."""

    name = models.CharField(max_length=64, unique=True, validators=[validate_slug])
    imaging_server = models.CharField(
        max_length=253,
        validators=[validate_hostname],
        help_text="Host name of the server that runs this rack's worker, pulse and TFTP.",
    )
    address = models.GenericIPAddressField(
        validators=[validate_address],
        help_text="IPv4 address of the imaging server in the rack's VLAN; boot configs know it as %IPADDRESS%.",
    )
    base_url = models.URLField(
        blank=True,
        validators=[validate_url],
        help_text="Where this rack's devices find the web server, without a slash at the end; empty: the pool's own.",
    )
    vlan_note = models.CharField(max_length=200, blank=True)
    pulse_seen = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When a pulse of this rack last looked."
    )

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse a name that another rack has but for its case."""
        check_case(self)

    @property
    def queue_name(self) -> str:
        """The Celery queue that this rack's workers listen on."""
        return f"rack.{self.name}"
