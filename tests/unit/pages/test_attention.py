from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pages.attention import findings as kinds
from pages.attention import rules
from pages.attention.findings import KINDS

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def device_row(**columns: Any) -> dict[str, Any]:
    """A device that failed to boot, an hour ago."""
    return {
        "pk": 1, "name": "panda-0001", "outlet": "bank1:relay1", "state": "failed_pxe_booting",
        "state_since": ago(hours=1), "held_by": None,
        "environment": "production", "rack__name": "p1", "health": "bad", "failures": 1, "comments": None,
        "quarantine_reason": "pxe_booting gave up after timeout", "quarantine_by": "", "quarantine_bug": "",
        "quarantine_since": ago(hours=1), **columns,
    }  # fmt: skip


def request_row(**columns: Any) -> dict[str, Any]:
    """A request that has waited for an hour."""
    return {
        "pk": 7, "state": "finding_device", "assignee": "kim", "created": ago(hours=1), "matched_at": None,
        "ready_at": None, "expires": NOW + timedelta(minutes=40), "environment": "any", "image__name": "android",
        "last_device__name": None, "last_device__state": None, "requested_device__name": None,
        "requested_device__state": None, **columns,
    }  # fmt: skip


def controller_row(**columns: Any) -> dict[str, Any]:
    """A controller that has not answered for half an hour."""
    return {
        "pk": 3, "name": "relay-1", "rack__name": "p1", "suspect_until": None, "last_contact": ago(minutes=30),
        "last_error": "connection refused", "last_error_at": ago(minutes=1), "hanging": 1, **columns,
    }  # fmt: skip


def test_the_most_urgent_kinds_come_first_and_each_has_a_name_of_its_own() -> None:
    assert [kind.urgency for kind in KINDS] == sorted(kind.urgency for kind in KINDS)
    assert len({kind.name for kind in KINDS}) == len(KINDS)


def test_a_failed_device_says_why_since_when_and_what_to_do() -> None:
    found = rules.of_device(device_row(failures=3))
    assert (found.kind, found.subject, found.since) == (kinds.FAILED, "panda-0001", ago(hours=1))
    assert found.why == "pxe_booting gave up after timeout. 3 tasks failed in a row."
    assert [(act.label, act.href) for act in found.acts] == [
        ("Self-test", "/bulk/confirm/?verb=please_self_test&device=panda-0001")
    ]


def test_a_failed_device_without_an_outlet_is_sent_where_it_gets_one_and_to_no_test() -> None:
    found = rules.of_device(device_row(outlet=""))
    assert found.why == (
        "pxe_booting gave up after timeout. It has no outlet, so nothing can switch its power: no test can end well "
        "before it has one."
    )
    assert [(act.label, act.href) for act in found.acts] == [
        ("Give it an outlet", "/admin/devices/device/1/change/")
    ]


def test_what_a_person_said_of_a_device_comes_before_what_it_did() -> None:
    row = device_row(
        quarantine_by="ada", quarantine_reason="smells of smoke", quarantine_bug="https://bugs.example.com/1",
        quarantine_since=ago(days=2),
    )  # fmt: skip
    found = rules.of_device(row)
    assert (found.kind, found.why, found.since) == (kinds.QUARANTINED, "ada: smells of smoke", ago(days=2))
    assert found.evidence == "https://bugs.example.com/1"
    assert "nobody gets it until it has passed a self-test" in rules.of_device(row | {"state": "ready"}).why


@pytest.mark.parametrize(
    ("comments", "why"),
    [
        ("waits for a cable\nordered", "Troubleshooting: waits for a cable"),
        ("  ", "Troubleshooting, no comment."),
        (None, "Troubleshooting, no comment."),
    ],
)
def test_a_device_out_of_the_pool_shows_what_was_noted_about_it(comments: str | None, why: str) -> None:
    found = rules.of_device(device_row(state="troubleshooting", health="good", comments=comments))
    assert (found.kind, found.why) == (kinds.OUT, why)


def test_a_rack_tells_all_that_is_left_undone_there() -> None:
    row = {
        "name": "p4",
        "imaging_server": "imaging4",
        "pulse_seen": ago(minutes=5),
        "unheard": 1,
        "overdue": 12,
    }
    found = rules.of_rack(row, NOW)
    assert found.since == ago(minutes=5)
    assert found.why == (
        "Its pulse on imaging4 stopped, and its devices are offered to nobody. 1 operation waits for a worker. "
        "The time of 12 devices is over, and nobody noticed."
    )
    alive = rules.of_rack(row | {"pulse_seen": NOW, "overdue": 0}, NOW)
    assert (alive.since, alive.why) == (None, "1 operation waits for a worker.")


def test_a_silent_controller_is_told_from_a_suspect_one() -> None:
    silent = rules.of_controller(controller_row(), NOW)
    assert (
        silent.why == "It does not answer. Last error: connection refused. 1 device hangs on it, in rack p1."
    )
    assert silent.since == ago(minutes=30)
    suspect = rules.of_controller(controller_row(suspect_until=NOW + timedelta(minutes=9), hanging=32), NOW)
    assert suspect.why.startswith(
        "It was silent, or several of its devices failed at once. Last error: connection refused. 32 devices"
    )
    assert suspect.since == ago(minutes=1)


def test_builds_of_one_image_are_one_finding() -> None:
    build = {
        "image__name": "b2g", "devices": 3, "first_failure": ago(hours=2), "last_success": None,
    }  # fmt: skip
    (one,) = rules.of_builds([build])
    assert (one.subject, one.why) == (
        "b2g",
        "One build failed on 3 healthy devices and succeeded on none lately.",
    )
    (once_well,) = rules.of_builds([build | {"last_success": ago(hours=5)}])
    assert once_well.why == "One build failed on 3 healthy devices since it last succeeded."
    (both,) = rules.of_builds([build, build | {"devices": 5, "first_failure": ago(hours=9)}])
    assert (both.why.split(" and ")[0], both.since) == (
        "2 builds failed, the worst on 5 healthy devices",
        ago(hours=9),
    )


def test_a_request_says_what_it_lacks() -> None:
    searching = rules.of_request(request_row(environment="staging"), NOW)
    assert (searching.kind, searching.why) == (
        kinds.WAITING,
        "No device in staging has come free for android.",
    )
    named = rules.of_request(
        request_row(requested_device__name="panda-0002", requested_device__state="failed_self_test"), NOW
    )
    assert named.why == "It wants panda-0002 (failed self test) with android, which is not free."
    slow = {"state": "pending", "matched_at": ago(minutes=45), "last_device__name": "panda-0003"}
    preparing = rules.of_request(request_row(**slow, last_device__state="extracting"), NOW)
    assert preparing.why == "panda-0003 (extracting) is still being prepared with android."
    assert preparing.since == ago(minutes=45)


def test_a_request_that_ends_soon_says_when_and_how_long_it_lasted() -> None:
    row = request_row(state="ready", ready_at=ago(hours=5, minutes=20), last_device__name="panda-0003")
    found = rules.of_request(row, NOW)
    assert (found.kind, found.why) == (kinds.EXPIRING, "It has had panda-0003 with android for 5 h.")
    assert found.since == NOW + timedelta(minutes=40)


@pytest.mark.parametrize(
    ("seconds", "why"),
    [
        (1.5, []),
        (-1.5, []),
        (90, ["Its clock is 90 s ahead of the database's."]),
        (-90, ["Its clock is 90 s behind the database's."]),
    ],
)
def test_clocks_that_disagree_are_a_finding(seconds: float, why: list[str]) -> None:
    assert [found.why for found in rules.of_clocks(NOW + timedelta(seconds=seconds), NOW)] == why
