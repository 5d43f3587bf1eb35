"""A rack: devices that share an imaging server, a VLAN, and the worker that can reach them."""

from django.db import models

from devices.names import validate_hostname, validate_slug


class Rack(models.Model):
    """One rack and its imaging server; its worker listens on `queue_name`, its pulse keeps `pulse_seen`."""

    name = models.CharField(max_length=64, unique=True, validators=[validate_slug])
    imaging_server = models.CharField(
        max_length=253,
        validators=[validate_hostname],
        help_text="Host name of the server that runs this rack's worker, pulse and TFTP.",
    )
    address = models.GenericIPAddressField(
        help_text="Address of the imaging server in the rack's VLAN; boot configs know it as %IPADDRESS%."
    )
    base_url = models.URLField(
        blank=True,
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

    @property
    def queue_name(self) -> str:
        """The Celery queue that this rack's workers listen on."""
        return f"rack.{self.name}"
