"""Makes findings of rows: for each kind one pure function that says why, since when, and what to do.

Rows are mappings with the columns that reading.py names.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from devices.models.power_controller import ControllerHealth, controller_health
from devices.models.rack import pulse_is_silent
from lifeguard.quarantine import is_quarantined
from lifeguard.states import DEVICE
from mozpool_site.access.roles import Role
from pages.attention import findings as kinds
from pages.attention.findings import Act, Finding
from pages.charts.scale import duration_text
from pages.families import words

Row = Mapping[str, Any]

# Clocks further apart than this make people misread what is shown as ago, and tokens expire at the wrong time.
_CLOCKS_APART = timedelta(seconds=2)
_SENTENCE = 300


def of_lease(row: Row) -> Finding:
    """The pool's lease ran out: nobody looks after the pool."""
    held = f"The last was {row['owner']}." if row["owner"] else "None has ever held it."
    return Finding(kinds.NO_PULSE, "The pool", "", f"No pulse holds its lease. {held}", row["until"])


def of_parked(row: Row) -> Finding:
    """Something that a loop of the pulse passes over, since it fails."""
    subject = f"{row['loop']} {row['key']}".rstrip()
    why = f"Failed {row['times']} time{'s' if row['times'] > 1 else ''}: {row['error']}"
    return Finding(kinds.PARKED, subject, "", why[:_SENTENCE], row["first"])


def of_clocks(ours: datetime, theirs: datetime) -> Iterator[Finding]:
    """Our clock and the database's, read at once."""
    apart = ours - theirs
    if abs(apart) > _CLOCKS_APART:
        seconds = abs(apart).total_seconds()
        way = "ahead of" if apart > timedelta(0) else "behind"
        yield Finding(
            kinds.CLOCK, "This web server", "", f"Its clock is {seconds:.0f} s {way} the database's.", None
        )


def of_rack(row: Row, now: datetime) -> Finding:
    """A rack for which nobody works; `unheard` and `overdue` count what is left undone there."""
    seen, why = row["pulse_seen"], []
    silent = pulse_is_silent(seen, now)
    if silent:
        why.append(f"Its pulse on {row['imaging_server']} stopped, and its devices are offered to nobody.")
    if row["unheard"]:
        why.append(f"{_things(row['unheard'], 'operation waits', 'operations wait')} for a worker.")
    if row["overdue"]:
        why.append(f"The time of {_things(row['overdue'], 'device', 'devices')} is over, and nobody noticed.")
    href = reverse("pages:rack", args=[row["name"]])
    return Finding(
        kinds.RACK_SILENT, f"Rack {row['name']}", href, " ".join(why), seen if silent else None,
        (Act("See the rack", href),),
    )  # fmt: skip


def of_controller(row: Row, now: datetime) -> Finding:
    """A power controller that is suspect or silent; `hanging` counts the devices on it."""
    health = controller_health(row["suspect_until"], row["last_contact"], row["last_error_at"], now)
    suspect = health is ControllerHealth.SUSPECT
    why = "It was silent, or several of its devices failed at once." if suspect else "It does not answer."
    if row["last_error"]:
        why = f"{why} Last error: {row['last_error'].rstrip('.')}."
    why = (
        f"{why} {_things(row['hanging'], 'device hangs', 'devices hang')} on it, in rack {row['rack__name']}."
    )
    since = row["last_contact"] if not suspect and row["last_contact"] else row["last_error_at"]
    acts = (
        Act(
            "Test it", reverse("admin:devices_powercontroller_change", args=[row["pk"]]), least=Role.OPERATOR
        ),
    )
    href = f"{reverse('pages:bmm')}?{urlencode({'controller': row['name']})}"
    return Finding(kinds.CONTROLLER, row["name"], href, why, since, acts)


def of_hand_task(row: Row) -> Finding:
    """Something that a person is to switch."""
    outlet = f"{row['outlet']} of {row['controller__name']}"
    what = {"power_off": "off"}.get(row["kind"], "off, count to ten, on again")
    return Finding(
        kinds.HAND_TASK, row["device__name"], _device(row["device__name"]),
        f"Switch {outlet}: {what}. {row['asked_by'] or 'Lifeguard'} asks for it.", row["asked_at"],
        (Act("Done", hand_task=row["pk"], least=Role.OPERATOR),),
    )  # fmt: skip


def of_builds(rows: Iterable[Row]) -> Iterator[Finding]:
    """Builds that fail, grouped: one finding for each image."""
    by_image: dict[str, list[Row]] = {}
    for row in rows:
        by_image.setdefault(row["image__name"], []).append(row)
    for name, builds in by_image.items():
        most = max(build["devices"] for build in builds)
        one = len(builds) == 1
        which = "One build" if one else f"{len(builds)} builds"
        worst = " on" if one else ", the worst on"
        tried = any(build["last_success"] for build in builds)
        since = "since it last succeeded" if tried and one else "and succeeded on none lately"
        yield Finding(
            kinds.IMAGE, name, reverse("pages:images"), f"{which} failed{worst} {most} healthy devices {since}.",
            min(build["first_failure"] for build in builds), (Act("See the images", reverse("pages:images")),),
        )  # fmt: skip


def of_device(row: Row) -> Finding:
    """A device that is out of the pool, or distrusted by a person."""
    if is_quarantined(row["health"], row["quarantine_by"]):
        return _quarantined(row)
    if "failed" in DEVICE[row["state"]].tags:
        why = row["quarantine_reason"] or words(row["state"])
        if row["failures"] > 1:
            why = f"{why}. {row['failures']} tasks failed in a row"
        found = _of(row, kinds.FAILED, f"{why}.", row["state_since"])
        return found if row["outlet"] else _without_outlet(row, found)
    note = _first_line(row["comments"])
    why = (
        f"{words(row['state']).capitalize()}: {note}"
        if note
        else f"{words(row['state']).capitalize()}, no comment."
    )
    return _of(row, kinds.OUT, why, row["state_since"])


def _without_outlet(row: Row, found: Finding) -> Finding:
    """Say of a device what keeps any test from helping it, and where that is mended."""
    why = f"{found.why} It has no outlet, so nothing can switch its power: no test can end well before it has one."
    href = reverse("admin:devices_device_change", args=[row["pk"]])
    return replace(found, why=why, acts=(Act("Give it an outlet", href, least=Role.ADMIN),))


def _quarantined(row: Row) -> Finding:
    why = f"{row['quarantine_by']}: {row['quarantine_reason']}"
    if row["state"] == "ready":
        why = f"{why} (it is ready, but nobody gets it until it has passed a self-test)"
    return _of(row, kinds.QUARANTINED, why, row["quarantine_since"], row["quarantine_bug"])


def of_flapping(row: Row) -> Finding:
    """A device that is ready, and `failed` so often in a week."""
    why = f"Ready, but it failed {row['failed']} times in the last seven days."
    return _of(row, kinds.FLAPPING, why, None)


def of_request(row: Row, now: datetime) -> Finding:
    """A request that waits for long, or ends soon."""
    subject = f"Request {row['pk']} of {row['assignee']}"
    href = reverse("pages:request", args=[row["pk"]])
    if row["state"] == "ready":
        had = (
            duration_text((now - row["ready_at"]).total_seconds() // 3600 * 3600)
            if row["ready_at"]
            else "a while"
        )
        why = f"It has had {row['last_device__name']} with {row['image__name']} for {had}."
        return Finding(kinds.EXPIRING, subject, href, why, row["expires"], (Act("Renew it", href),))
    acts = (Act("See why", href),)
    if row["state"] == "pending":
        device = f"{row['last_device__name']} ({words(row['last_device__state'])})"
        why = f"{device} is still being prepared with {row['image__name']}."
        return Finding(kinds.WAITING, subject, href, why, row["matched_at"], acts)
    return Finding(kinds.WAITING, subject, href, _lack(row), row["created"], acts)


def of_webhook(row: Row) -> Finding:
    """A webhook that was given up."""
    href = reverse("admin:requests_app_webhook_change", args=[row["pk"]])
    of = f" of request {row['request_id']}" if row["request_id"] else ""
    why = row["dead_reason"] or "Its receiver did not answer for long."
    acts = (Act("Revive it", href, least=Role.ADMIN),)
    return Finding(kinds.WEBHOOK, f"Webhook {row['pk']}{of}", href, why, row["dead_since"], acts)


def _lack(row: Row) -> str:
    """Say what a request without a device lacks."""
    if row["requested_device__name"]:
        named = f"{row['requested_device__name']} ({words(row['requested_device__state'])})"
        return f"It wants {named} with {row['image__name']}, which is not free."
    where = "" if row["environment"] == "any" else f" in {row['environment']}"
    return f"No device{where} has come free for {row['image__name']}."


def _of(row: Row, kind: kinds.Kind, why: str, since: datetime | None, evidence: str = "") -> Finding:
    """Make a finding of a device; what is done to it is its kind's."""
    name = row["name"]
    verb, label = kind.verbs[0]
    query = urlencode({"verb": verb, "device": name})
    act = Act(label, f"{reverse('pages:bulk_confirm')}?{query}", least=Role.OPERATOR)
    place = f"rack {row['rack__name']}, {row['environment']}"
    return Finding(
        kind, name, _device(name), why, since, (act,), place=place,
        device=name, state=row["state"], held=row["held_by"] is not None, evidence=evidence,
    )  # fmt: skip


def _device(name: str) -> str:
    return reverse("pages:device", args=[name])


def _things(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _first_line(text: str | None) -> str:
    return ((text or "").strip().splitlines() or [""])[0][:_SENTENCE]
