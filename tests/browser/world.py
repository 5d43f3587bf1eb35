"""Fills the pool that the browser looks at: people, a script in every text, and a row of each model of the admin.

It runs in the pool's own environment: `manage.py shell -c "from tests.browser.world import main; main()"`.
"""

import json
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group, User

from bmm.models import HandTask, Kind
from bmm.syslog.models import LogPattern
from devices import services as notes
from devices.models import Device, Image
from lifeguard.bulk.services import start
from lifeguard.models import Install
from mozpool_site import clock
from mozpool_site.access import tokens
from mozpool_site.access.models import Failures
from mozpool_site.pulse.models import Parked
from mozpool_site.statemachine.runner import Actor
from requests_app.daily import add_up
from requests_app.models import PoolLease
from requests_app.services import Order, file_request
from requests_app.webhooks.models import Attempt, Delivery, Webhook
from tests.browser.people import PASSWORD, PEOPLE, SCRIPT, SCRIPTED

_OLGA = Actor("operator", "user")


def main() -> None:
    """Fill the pool, and print as JSON what is in it."""
    print(json.dumps(fill(), default=str))


def fill() -> dict[str, Any]:
    """Make them; give the `request` and `batch` to look at, and the `first` key of each of the admin's models."""
    _people()
    # Settling is the images' own time, which the lab's speed does not change.
    Image.objects.update(settle_seconds=1)
    device = Device.objects.get(name=SCRIPTED)
    notes.set_comments(device.pk, SCRIPT, by=_OLGA)
    order = Order(
        image=Image.objects.get(name="b2g"), assignee=SCRIPT, duration=3600, device=device,
        boot_config={"b2gbase": SCRIPT},
    )  # fmt: skip
    request = file_request(order, by=Actor("requester", "user"))
    batch = start("comment", {"text": SCRIPT, "mode": "append"}, [SCRIPTED], by=_OLGA, reason=SCRIPT)
    _rows(device, Image.objects.get(name="android"))
    admin.autodiscover()
    first = {
        model._meta.label_lower: model._default_manager.values_list("pk", flat=True).first()
        for model in admin.site._registry
    }
    without = [model for model, key in first.items() if key is None]
    assert not without, f"there is no row to look at of {without}: make one"
    return {"request": request.pk, "batch": batch.pk, "first": first}


def _people() -> None:
    for name in PEOPLE:
        if name == "root":
            User.objects.create_superuser(name, password=PASSWORD)
        else:
            User.objects.create_user(name, password=PASSWORD).groups.add(Group.objects.get(name=name))


def _rows(device: Device, image: Image) -> None:
    """Make a row of each model that a young pool has none of."""
    now = clock.now()
    add_up((now - timedelta(days=1)).date())
    PoolLease.objects.get_or_create(name="pulse")
    Parked.objects.get_or_create(
        loop="sweep",
        key="1",
        defaults={"times": 1, "until": now, "error": "locked", "first": now, "last": now},
    )
    Failures.objects.create(key="user:mallory", count=2, last=now)
    LogPattern.objects.create(name="fan_failed", regex="fan [0-9]+ failed", comments=SCRIPT)
    tokens.create(User.objects.get(username="requester"), SCRIPT[:64], by=_OLGA)
    Install.objects.create(
        device=device, image=image, config_digest="0" * 64, succeeded=False, healthy_before=True,
        failed_in="downloading", finished=now,
    )  # fmt: skip
    assert device.power_controller is not None
    HandTask.objects.create(
        device=device, controller=device.power_controller, outlet=device.outlet, kind=Kind.POWER_OFF,
        asked_by="operator", asked_at=now, open_for=device.pk,
    )  # fmt: skip
    # One that nobody sends to: it has been given up.
    hook = Webhook.objects.create(
        url="http://127.0.0.1:1/", events=["request.*"], active=False, dead_since=now, dead_reason=SCRIPT
    )
    delivery = Delivery.objects.create(
        webhook=hook, message_id="m-1", subject="request 0", event="request.ready", body="{}", created=now,
        status="dead", attempts=1, not_before=now, give_up=now + timedelta(hours=1), finished=now,
    )  # fmt: skip
    Attempt.objects.create(delivery=delivery, time=now, milliseconds=12, error="connection refused")
