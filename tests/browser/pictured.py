"""Fills the pool of the pictures: 800 devices with a month behind them, some failed, and requests in all stages.

It runs in the pool's own environment: `manage.py shell -c "from tests.browser.pictured import main; main()"`.
"""

import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.contrib.auth.models import Group, User

from bmm.models import HandTask, Kind, Operation, Status
from devices.models import Device, Image, Journal, PowerController
from devices.models.device import Health
from lifeguard.bulk.progress import advance
from lifeguard.bulk.services import start
from lifeguard.models import Install
from mozpool_site import clock
from mozpool_site.statemachine.runner import Actor
from requests_app.daily import add_up_next
from requests_app.models import Request
from tests.browser.people import PASSWORD

_DAYS, _A_DAY = 30, 500
_PEOPLE = ("release", "gaia-ui", "b2g-try", "ada@example.com", "mwu@example.com")
_NOTES = {
    "b2g": "Boot to Gecko, nightly builds. b2gbase is where the build's files are.",
    "android": "Android 4.0.4 with the SUT agent's watcher; brought up to date 2026-11-02.",
    "linux": "Ubuntu 12.04 for the board, for kernel work.",
}
# What some devices are doing: every nth, and since how many seconds.
_BUSY = (
    ("downloading", 31, 22), ("pxe_booting", 57, 14), ("sut_verifying", 71, 6), ("self_test_running", 83, 40),
    ("pc_pinging", 97, 9), ("extracting", 61, 45),
)  # fmt: skip
_ROAD = (
    ("please_image", "ready", "start_pxe_boot", 0), ("please_image", "start_pxe_boot", "pxe_power_cycling", 0),
    ("power_cycle_ok", "pxe_power_cycling", "pxe_booting", 4),
    ("mobile_init_started", "pxe_booting", "mobile_init_started", 31),
    ("image_downloading", "mobile_init_started", "downloading", 2),
    ("image_extracting", "downloading", "extracting", 34), ("image_rebooting", "extracting", "verifying", 71),
    ("image_rebooting", "verifying", "sut_verifying", 0),
    ("verify_agent_ok", "sut_verifying", "sut_sdcard_verifying", 18),
    ("check_storage_ok", "sut_sdcard_verifying", "operation_complete", 3),
    ("check_storage_ok", "operation_complete", "ready", 0),
)  # fmt: skip
_FAILURES = (
    ("failed_pxe_booting", "did not boot from the network 5 times in a row"),
    ("failed_self_test", "self-test: the SD card took 40 s for 1 MB"),
    ("failed_downloading", "gave up after 3 downloads"),
    ("failed_pinging", "no answer to ping after 3 power cycles"),
)
_OLGA = Actor("olga", "user")


def main() -> None:
    """Fill, and print as JSON what the pictures show: devices, a request and a bulk action."""
    chances, now = random.Random(4), clock.now()
    for name in ("olga", "ada"):
        user = User.objects.create_user(name, password=PASSWORD)
        user.groups.add(Group.objects.get(name="admin" if name == "olga" else "requester"))
        user.is_staff = name == "olga"
        user.save()
    for name, notes in _NOTES.items():
        Image.objects.filter(name=name).update(version_notes=notes)
    devices = list(Device.objects.order_by("pk"))
    _past(chances, now, devices)
    _states(chances, now, devices)
    _hardware(chances, now, devices)
    told = {"request": _requests(chances, now), "batch": _batch(now), **_stories(now)}
    print(json.dumps(told))


def _past(chances: random.Random, now: datetime, devices: list[Device]) -> None:
    """A month of requests and installations, more of them by day than by night."""
    images = list(Image.objects.filter(hidden=False).order_by("name"))
    moments = sorted(_moments(chances, now))
    requests, installs = [], []
    for filed in moments:
        image = chances.choices(images, (5, 9, 1))[0]
        device = chances.choice(devices)
        waited, took = chances.expovariate(1 / 25), chances.gauss(150, 25)
        used = chances.uniform(1800, 36_000)
        went_well = chances.random() > (0.4 if device.pk % 61 == 0 else 0.01)
        ready = filed + timedelta(seconds=waited + max(took, 60))
        who = chances.choice(_PEOPLE)
        requests.append(
            Request(
                state="closed", image=image, assignee=who, owner=who, created=filed, turn=filed, matched_at=filed
                + timedelta(seconds=waited), ready_at=ready, ended=min(now, ready + timedelta(seconds=used)),
                expires=filed + timedelta(hours=12), last_device=device, environment="any", state_since=ready,
            )
        )  # fmt: skip
        installs.append(
            Install(
                device=device, image=image, config_digest=f"{image.pk:064d}", succeeded=went_well, healthy_before=True,
                failed_in="" if went_well else "extracting", finished=ready,
            )
        )  # fmt: skip
    Request.objects.bulk_create(requests, batch_size=500)
    Install.objects.bulk_create(installs, batch_size=500)
    while add_up_next(now):
        pass


def _moments(chances: random.Random, now: datetime) -> Iterator[datetime]:
    for day in range(_DAYS):
        begin = now - timedelta(days=day + 1)
        busy = 0.35 if begin.weekday() > 4 else 1.0
        for _ in range(int(_A_DAY * busy * chances.uniform(0.8, 1.2))):
            yield begin + timedelta(seconds=chances.uniform(0, 86_000))


def _states(chances: random.Random, now: datetime, devices: list[Device]) -> None:
    for place, device in enumerate(devices):
        device.health, device.result = Health.GOOD, "complete"
        device.environment = "staging" if place % 9 == 4 else "production"
        device.state_since = now - timedelta(seconds=chances.uniform(60, 40_000))
        for state, every, seconds in _BUSY:
            if place % every == every - 1:
                device.state, device.idle_since, device.result = state, None, ""
                device.state_since = now - timedelta(seconds=seconds)
        if place % 43 == 17:
            state, why = _FAILURES[place // 43 % len(_FAILURES)]
            device.state, device.idle_since, device.deadline = state, None, None
            device.health, device.failures, device.result = Health.BAD, 3, "failed"
            device.quarantine_reason = why
            device.state_since = now - timedelta(hours=chances.uniform(1, 60))
        elif place % 151 == 60:
            device.state, device.idle_since, device.deadline = "locked_out", None, None
            device.comments = "SD card on order, bug 871234"
            device.state_since = now - timedelta(days=9)
        elif place % 211 == 100:
            device.state, device.idle_since, device.deadline = "maintenance_mode", None, None
            device.comments = "ada looks at its serial console"
    Device.objects.bulk_update(
        devices,
        ["environment", "state", "state_since", "idle_since", "deadline", "health", "failures", "quarantine_reason",
         "comments", "result"],
        batch_size=200,
    )  # fmt: skip


def _hardware(chances: random.Random, now: datetime, devices: list[Device]) -> None:
    """What was done to each device last, and a power controller that does not answer."""
    done = {"status": Status.DONE, "runner": "localhost", "attempts": 1, "result": "ok", "actor": ""}
    rows = []
    for device in devices:
        for kind, message, longest in (
            (Kind.POWER_CYCLE, "off for 5 s, then on", 90_000),
            (Kind.PING, "answers ping", 1800),
        ):
            when = now - timedelta(seconds=chances.uniform(60, longest))
            rows.append(
                Operation(
                    device=device, rack_id=device.rack_id, controller_id=device.power_controller_id, kind=kind,
                    message=message, created=when, not_before=when, begun=when, finished=when + timedelta(seconds=6),
                    **done,
                )
            )  # fmt: skip
    Operation.objects.bulk_create(rows, batch_size=500)
    PowerController.objects.update(last_contact=now - timedelta(seconds=20))
    PowerController.objects.filter(name="relay-7-2").update(
        last_contact=now - timedelta(minutes=31), last_error="no answer within 5 s",
        last_error_at=now - timedelta(minutes=1), suspect_until=now + timedelta(minutes=4),
    )  # fmt: skip


def _requests(chances: random.Random, now: datetime) -> int:
    """Requests that wait, are prepared and are ready; give one that is being prepared."""
    images = {image.name: image for image in Image.objects.all()}
    free = iter(Device.objects.filter(state="ready").order_by("name"))
    shown = 0
    for place in range(130):
        who, filed = chances.choice(_PEOPLE), now - timedelta(seconds=chances.uniform(400, 6000))
        device = next(free)
        for _ in range(chances.randrange(4)):
            device = next(free)
        request = Request.objects.create(
            state="ready", image=images["android" if place % 3 else "b2g"], assignee=who, owner=who, created=filed,
            turn=filed, matched_at=filed + timedelta(seconds=chances.uniform(1, 60)),
            last_device=device, ready_at=filed + timedelta(seconds=180), state_since=filed + timedelta(seconds=180),
            expires=now + timedelta(seconds=chances.uniform(200, 9000)),
        )  # fmt: skip
        Device.objects.filter(pk=device.pk).update(held_by=request.pk, idle_since=None, image=request.image)
    for device in Device.objects.filter(state__in=["downloading", "extracting", "sut_verifying"]).order_by(
        "name"
    ):
        filed = now - timedelta(seconds=chances.uniform(60, 110))
        request = Request.objects.create(
            state="pending", image=images["b2g"], assignee="release", owner="release", created=filed, turn=filed,
            matched_at=filed, last_device=device, expires=now + timedelta(hours=2), state_since=filed,
            boot_config=json.dumps({"b2gbase": "http://images.example/b2g/20261122/"}),
        )  # fmt: skip
        Device.objects.filter(pk=device.pk).update(
            held_by=request.pk, idle_since=None, next_image=request.image
        )
        if device.state == "extracting" and not shown:
            shown = request.pk
            _road(device, now - timedelta(seconds=116), 6, request.pk)
    for place in range(4):
        filed = now - timedelta(seconds=40 + 70 * place)
        Request.objects.create(
            state="finding_device", image=images["linux"], assignee="b2g-try", owner="b2g-try", created=filed,
            turn=filed, expires=now + timedelta(hours=1), environment="try", state_since=filed,
        )  # fmt: skip
    return shown


def _road(device: Device, begun: datetime, steps: int, request: int | None = None) -> datetime:
    """Write an installation's way into a device's journal; give when the last step was."""
    when, lines = begun, []
    for event, old, new, seconds in _ROAD[:steps]:
        when += timedelta(seconds=seconds)
        source = "api" if event.startswith(("image_", "mobile_")) else "machine"
        lines.append(
            Journal(
                time=when, device_id=device.pk, request_id=request, source=source, event=event, from_state=old,
                to_state=new, message=f"entering state {new}", actor=device.name if source == "api" else "",
            )
        )  # fmt: skip
    Journal.objects.bulk_create(lines)
    return when


def _stories(now: datetime) -> dict[str, str]:
    """Give a device that works and one that has failed a story each."""
    busy = Device.objects.filter(state="extracting", held_by__isnull=False).order_by("name")[0]
    for days in (3, 1):
        _road(busy, now - timedelta(days=days, minutes=17), len(_ROAD))
    failed = Device.objects.filter(state="failed_self_test").order_by("name")[0]
    since = failed.state_since
    for hours in (50, 27):
        _road(failed, since - timedelta(hours=hours), len(_ROAD))
    told = (
        (-900, "machine", "", "please_self_test", "ready", "start_self_test", ""),
        (-895, "machine", "", "power_cycle_ok", "start_self_test", "pxe_booting", ""),
        (-870, "syslog", "", "", "", "", "kernel: mmc0: Timeout waiting for hardware interrupt"),
        (-869, "syslog", "", "", "", "", "kernel: mmcblk0: error -110 transferring data, sector 2048"),
        (-860, "api", failed.name, "self_test_running", "pxe_booting", "self_test_running", ""),
        (-2, "agent", "", "", "", "", "SD card: 40 s for 1 MB"),
        (0, "api", failed.name, "self_test_failed", "self_test_running", "failed_self_test", ""),
        (1200, "user", "olga", "set_comments", "", "", "comments changed from '' to 'a new SD card is on its way'"),
    )  # fmt: skip
    Journal.objects.bulk_create(
        Journal(
            time=since + timedelta(seconds=seconds), device_id=failed.pk, source=source, actor=actor, event=event,
            from_state=old, to_state=new, message=message or f"entering state {new}",
        )
        for seconds, source, actor, event, old, new, message in told
    )  # fmt: skip
    Device.objects.filter(pk=failed.pk).update(comments="a new SD card is on its way")
    assert failed.power_controller is not None
    HandTask.objects.create(
        device=failed, controller=failed.power_controller, outlet=failed.outlet, kind=Kind.POWER_OFF,
        asked_by="olga", asked_at=now - timedelta(minutes=25), open_for=failed.pk,
    )  # fmt: skip
    return {"busy": busy.name, "failed": failed.name, "failed_id": str(failed.pk)}


def _batch(now: datetime) -> int:
    """A bulk action in the middle of its work: some devices are done, some refuse, most are on their way."""
    names = Device.objects.filter(state="ready", held_by=None, rack__name="p2").order_by("name")[:14]
    refusing = Device.objects.filter(state="locked_out").order_by("name")[:1]
    chosen = [device.name for device in (*names, *refusing)]
    batch = start("please_self_test", {}, chosen, by=_OLGA, reason="after the work on the switch")
    advance(batch.pk, budget_seconds=10)
    settled = [device.pk for device in names[:6]]
    Device.objects.filter(pk__in=settled).update(
        state="ready", result="complete", deadline=now + timedelta(minutes=9)
    )
    advance(batch.pk, budget_seconds=1)
    return batch.pk
