"""What device_status tells, and what force_state changes."""

from django.db import connection
from pytest_django import DjangoAssertNumQueries

from bmm.models import Operation
from devices.models import Journal
from tests.integration.commands.conftest import Pool


def test_one_device_is_told_in_full(rows: Pool) -> None:
    rows.run("power_cycle", "panda-0001", "--no-wait")
    ran = rows.run("device_status", "panda-0001")
    assert (ran.status, ran.err) == (0, "")
    assert f"{'state':18} pc_power_cycling" in ran.out.splitlines()
    assert "power cycle queued for " in ran.out
    assert "relay-1-1 (" in ran.out
    assert "entering state pc_power_cycling" in ran.out
    assert "Power off and on again, to boot from the device's own storage." in ran.out


def test_one_device_as_json_carries_its_journal(rows: Pool) -> None:
    rows.put(2, held_by=7, idle_since=None)
    rows.run("power_cycle", "panda-0002", "--no-wait")
    ran = rows.run("device_status", "panda-0002", "--json", "--log", "1")
    assert (ran.json["name"], ran.json["state"], ran.json["held_by"]) == (
        "panda-0002",
        "pc_power_cycling",
        "request 7",
    )
    assert [line["to_state"] for line in ran.json["log"]] == ["pc_power_cycling"]
    assert ran.json["log"][0]["source"] == "user"


def test_several_are_a_table_and_filters_choose(rows: Pool) -> None:
    rows.put(3, state="failed_pxe_booting", deadline=None, idle_since=None, quarantine_reason="no call")
    rows.put(4, state="failed_self_test", deadline=None, idle_since=None)
    ran = rows.run("device_status", "--state", "failed_*", "--rack", "p1")
    assert ran.out.splitlines()[-1] == "2 devices"
    assert "failed_pxe_booting" in ran.out
    assert "no call" in ran.out
    one = rows.run("device_status", "--state", "failed_self_test", "--json")
    assert [row["name"] for row in one.json] == ["panda-0004"]
    whole = rows.run("device_status", "--json")
    assert len(whole.json) == 34


def test_an_unknown_state_is_told_with_those_that_there_are(rows: Pool) -> None:
    ran = rows.run("device_status", "--state", "broken")
    assert ran.status == 2
    assert ran.complaint.startswith(
        "device_status: there is no state 'broken'; there are: new, unknown, locked_out"
    )
    assert rows.run("device_status", "--state", "broken*").status == 2


def test_control_characters_in_a_comment_do_not_reach_the_terminal(rows: Pool) -> None:
    rows.put(5, comments="\x1b[2Jgone\nstate  ready")
    ran = rows.run("device_status", "panda-0005")
    assert "\x1b" not in ran.out
    assert "\\x1b[2Jgone\\nstate  ready" in ran.out


def test_a_reader_that_leaves_early_breaks_nothing(pool: Pool) -> None:
    with pool.start("device_status", "--json") as process:
        assert process.stdout is not None
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert process.returncode in (0, 1)


def test_a_state_is_forced_with_a_reason_that_the_journal_keeps(rows: Pool) -> None:
    ran = rows.run("force_state", "panda-0006", "ready", "troubleshooting", "--reason", "loose cable")
    assert (ran.status, ran.out) == (0, "panda-0006 was ready, is troubleshooting\n")
    device = rows.device(6)
    assert (device.state, device.idle_since) == ("troubleshooting", None)
    line = Journal.objects.filter(device_id=device.pk, event="forced").latest("pk")
    assert line.message.startswith("forced from ready to troubleshooting by ")
    assert line.message.endswith(": loose cable")


def test_a_state_is_not_forced_when_the_device_is_elsewhere(rows: Pool) -> None:
    ran = rows.run("force_state", "panda-0007", "troubleshooting", "ready", "--reason", "x")
    assert (ran.status, ran.complaint) == (
        1,
        "force_state: panda-0007 is in state ready, not troubleshooting",
    )
    unknown = rows.run("force_state", "panda-0007", "ready", "start_pxe_boot", "--reason", "x")
    assert unknown.status == 2
    assert unknown.complaint.startswith("force_state: 'start_pxe_boot' is no state; there are: new, ")
    assert not Operation.objects.exists()


def test_a_list_costs_the_same_few_queries_however_many_devices_there_are(
    rows: Pool, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    # Devices and operations; SQLite's clock is this machine's and needs no question.
    with django_assert_num_queries(2 if connection.vendor == "sqlite" else 3):
        listed = rows.run("device_status", "--json")
    assert len(listed.json) == 34


def test_a_terminal_without_umlauts_gets_them_escaped(pool: Pool) -> None:
    pool.put(8, comments="Kühlung prüfen")
    pool.environment["PYTHONIOENCODING"] = "ascii"
    ran = pool.shell("device_status", "panda-0008")
    assert (ran.status, ran.err) == (0, "")
    assert "K\\xfchlung pr\\xfcfen" in ran.out
