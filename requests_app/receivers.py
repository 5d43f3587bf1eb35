"""Listens to what happens to devices: a request hears of it at once instead of at its next timer; webhooks hear too."""

from datetime import datetime
from typing import Any

from django.dispatch import receiver

from bmm.signals import controller_suspected
from devices.models import Device
from lifeguard.signals import device_entering, device_moved
from mozpool_site import clock
from mozpool_site.contained import contained
from mozpool_site.statemachine.machine import Event
from mozpool_site.statemachine.runner import MACHINE, Actor
from requests_app.facts import is_failed, waiting_for_failed
from requests_app.free_devices import outages, stranded
from requests_app.machine import asking, request_runner
from requests_app.models import Request
from requests_app.news import news_of_device, was_asked
from requests_app.serving import let_go, match_device, match_request
from requests_app.signals import device_released
from requests_app.webhooks import outbox


@receiver(device_moved)
def on_device_moved(device: Device, old_state: str, by: Actor, event: str, **_: Any) -> None:
    """Tell the holding request what its device came to, or offer a device that came free."""
    if device.held_by is not None and by == asking(device.held_by) and old_state == "ready":
        return  # the holder knows: it asked for this itself
    if device.held_by is not None:
        _tell_holder(device.held_by, device, old_state, by, asked=was_asked(event))
    elif device.state == "ready" and old_state != "ready":
        match_device(device.pk)
    elif is_failed(device):
        for number in waiting_for_failed().filter(requested_device=device.pk).values_list("pk", flat=True):
            with contained("request %s can't be told of its device; the pulse tells it in seconds", number):
                request_runner.deliver_unless_locked(number, Event("device_failed"))


@receiver(device_entering)
def on_device_entering(device: Device, old_state: str, now: datetime, **_: Any) -> None:
    """Put what webhooks are to be told into the outbox, in the transaction of the step."""
    outbox.tell_of_device(device, old_state, now)


@receiver(device_released)
def on_device_released(device_id: int, **_: Any) -> None:
    """Offer a device that was given back to the next in turn."""
    match_device(device_id)


@receiver(controller_suspected)
def on_controller_suspected(controller_id: int, **_: Any) -> None:
    """Take those who may have any device from what hangs on a power controller that is to blame for its failures."""
    outages.forget()
    held = Device.objects.filter(power_controller=controller_id, held_by__isnull=False).values("held_by")
    there = stranded(clock.now()).filter(pk__in=held)
    for request_id, state_seq in there.values_list("pk", "state_seq"):
        with contained("request %s can't be let go; the pulse tries in seconds", request_id):
            let_go(request_id, state_seq)


def _tell_holder(request_id: int, device: Device, old_state: str, by: Actor, *, asked: bool) -> None:
    """Tell a request what concerns it; `asked` when somebody else gave its device something to do."""
    news = news_of_device(device.state, device.result, old_state, asked=asked)
    concerned = Request.objects.filter(pk=request_id, state__in=news) if news else Request.objects.none()
    for state in concerned.values_list("state", flat=True):
        told = request_runner.deliver(request_id, Event(news[state]), by=by if asked else MACHINE)
        if told.row.state == "finding_device":
            # Its device was let go: look for the next one now, not at the pulse's next beat.
            match_request(request_id)
