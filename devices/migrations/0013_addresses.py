"""Checks of addresses; no column changes."""

from django.db import migrations, models

from devices.addresses import validate_address, validate_card, validate_fqdn, validate_url
from devices.names import validate_hostname, validate_mac


class Migration(migrations.Migration):
    dependencies = (("devices", "0012_fill_device_kinds"),)

    operations = (
        migrations.AlterField(
            "device",
            "address",
            models.GenericIPAddressField(
                blank=True,
                help_text="Fixed IPv4 address; empty: the FQDN is looked up.",
                null=True,
                validators=[validate_address],
            ),
        ),
        migrations.AlterField(
            "device",
            "mac",
            models.CharField(max_length=12, unique=True, validators=[validate_mac, validate_card]),
        ),
        migrations.AlterField(
            "device",
            "fqdn",
            models.CharField(max_length=253, validators=[validate_hostname, validate_fqdn]),
        ),
        migrations.AlterField(
            "rack",
            "address",
            models.GenericIPAddressField(
                help_text=(
                    "IPv4 address of the imaging server in the rack's VLAN; boot configs know it as %IPADDRESS%."
                ),
                validators=[validate_address],
            ),
        ),
        migrations.AlterField(
            "rack",
            "base_url",
            models.URLField(
                blank=True,
                help_text=(
                    "Where this rack's devices find the web server, without a slash at the end; empty: the pool's own."
                ),
                validators=[validate_url],
            ),
        ),
    )
