"""Operators cycle and cut power while everything else is dead."""

import signal
import socket
import time
from datetime import timedelta

import pytest

from bmm import services
from bmm.models import Operation, Status
from bmm.netboot import boot_file_path
from devices.models import BootConfig, Journal, PowerController, Rack
from lifeguard.attend import Attendant
from mozpool_site import clock
from mozpool_site.statemachine.runner import Actor
from tests.integration.commands.conftest import Pool

BY = Actor("tester", "user")


def test_a_power_cycle_works_while_worker_and_pulse_and_redis_are_dead(pool: Pool) -> None:
    cycles = pool.cycles(1)
    ran = pool.shell("power_cycle", "panda-0001")
    assert (ran.status, ran.err) == (0, "")
    states = [line.split()[-1] for line in ran.out.splitlines()[:-1]]
    assert states == [
        "start_power_cycle",
        "pc_power_cycling",
        "verifying",
        "port_verifying",
        "operation_complete",
        "ready",
    ]
    assert ran.out.splitlines()[-1].startswith("panda-0001 is ready after ")
    assert pool.cycles(1) == cycles + 1
    device = pool.device(1)
    assert (device.state, device.result, device.health) == ("ready", "complete", "good")


def test_a_frozen_redis_delays_a_power_cycle_by_no_more_than_a_second_or_two(pool: Pool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        pool.environment["MOZPOOL_BROKER_URL"] = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        began = time.monotonic()
        ran = pool.shell("power_cycle", "panda-0002")
        assert (ran.status, ran.err) == (0, "")
        assert time.monotonic() - began < 40


def test_all_32_relays_of_a_board_are_cycled_in_one_connection(pool: Pool) -> None:
    names = [f"panda-{number:04d}" for number in range(1, 33)]
    before = pool.lab.control.relay_board("relay-1-1").counters
    ran = pool.run("power_cycle", *names, "--raw", "--here", "--json")
    assert ran.status == 0
    assert [(end["device"], end["ok"]) for end in ran.json] == [(name, True) for name in names]
    assert max(end["seconds"] for end in ran.json) < 20
    after = pool.lab.control.relay_board("relay-1-1").counters
    assert after.connections - before.connections == 1
    assert after.switches - before.switches == 64


def test_a_bulk_of_32_devices_is_asked_for_together_and_shown_in_a_table(pool: Pool) -> None:
    names = [f"panda-{number:04d}" for number in range(1, 33)]
    ran = pool.run("power_cycle", *names, "--here")
    assert (ran.status, ran.err) == (0, "")
    for name in names:
        (row,) = [line for line in ran.out.splitlines() if line.strip().startswith(name)]
        assert row.split()[1:3] == ["ok", "ready"]
    assert pool.device(32).result == "complete"


def test_raw_cycles_a_device_that_lifeguard_would_not_touch(pool: Pool) -> None:
    pool.put(3, state="locked_out", deadline=None, idle_since=None)
    cycles = pool.cycles(3)
    ran = pool.run("power_cycle", "panda-0003", "--raw", "--here")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith("panda-0003 is locked_out after ")
    assert ran.out.rstrip().endswith(": power cycle done")
    assert pool.cycles(3) == cycles + 1
    assert (pool.device(3).state, pool.device(3).state_seq) == ("locked_out", 0)


def test_without_waiting_the_work_is_left_in_the_queue(pool: Pool) -> None:
    ran = pool.run("power_cycle", "panda-0004", "--no-wait")
    assert (ran.status, ran.err) == (0, "")
    assert pool.device(4).state == "pc_power_cycling"
    assert Operation.objects.get(device=pool.device(4)).status == Status.QUEUED


def test_a_board_that_never_comes_up_is_not_waited_for_longer_than_told(pool: Pool) -> None:
    pool.lab.control.hang("panda-0005", for_good=True)
    try:
        ran = pool.run("power_cycle", "panda-0005", "--here", "--timeout", "6")
    finally:
        pool.lab.control.unhang("panda-0005")
    assert ran.status == 1
    assert ran.complaint == (
        "power_cycle: panda-0005 is in state port_verifying: not there after 6 s; it goes on by itself, "
        "`device_status panda-0005` shows it"
    )


def test_a_silent_relay_board_is_retried_and_not_held_against_the_device(pool: Pool) -> None:
    pool.lab.control.fault_relay_board("relay-1-2", "refused")
    try:
        ran = pool.run("power_cycle", "panda-0033", "--raw", "--here")
    finally:
        pool.lab.control.heal_relay_board("relay-1-2")
    assert ran.status == 1
    assert ran.complaint.startswith("power_cycle: panda-0033 is in state ready: ")
    assert "was not reached" in ran.complaint
    assert pool.device(33).failures == 0


def test_work_is_left_to_the_racks_own_server_unless_told_otherwise(pool: Pool) -> None:
    Rack.objects.update(address="192.0.2.7", imaging_server="imaging1.example.com")
    ran = pool.run("power_cycle", "panda-0006", "--timeout", "3")
    assert ran.status == 1
    assert "this host is not its imaging server imaging1.example.com (192.0.2.7)" in ran.out
    assert Operation.objects.get(device=pool.device(6)).status == Status.QUEUED
    with Attendant(here=True) as attendant:
        assert attendant.not_ours([pool.device(6).pk]) == []


def test_an_operation_whose_runner_died_is_reported_and_done_again(pool: Pool) -> None:
    pool.run("power_cycle", "panda-0007", "--no-wait")
    now = clock.now()
    Operation.objects.filter(device=pool.device(7)).update(
        status=Status.RUNNING,
        runner="gone:1:abc:1",
        running_on=pool.device(7).pk,
        attempts=1,
        begun=now - timedelta(seconds=40),
        lease_until=now - timedelta(seconds=10),
    )
    device = pool.device(7)
    deadline = time.monotonic() + 20
    with Attendant(here=True) as attendant:
        while device.state != "ready" and time.monotonic() < deadline:
            attendant.look([device.pk])
            time.sleep(0.2)
            device = pool.device(7)
    assert (device.state, device.result, device.counters.get("pc_power_cycling", 0)) == (
        "ready",
        "complete",
        0,
    )
    assert Operation.objects.filter(device=device, status=Status.LOST).count() == 1


def test_power_off_is_refused_while_a_request_holds_the_device(pool: Pool) -> None:
    pool.put(8, held_by=42, idle_since=None)
    ran = pool.run("power_off", "panda-0008", "panda-0009", "--reason", "smoke")
    assert ran.status == 1
    assert ran.complaint == (
        "power_off: held: panda-0008 by request 42; --force switches it off under its user's hands"
    )
    assert not Operation.objects.exists()


def test_power_off_takes_the_power_and_remembers_who_and_why(pool: Pool) -> None:
    pool.put(10, state="troubleshooting", deadline=None, idle_since=None)
    ran = pool.run("power_off", "panda-0010", "--reason", "smells burnt", "--here")
    assert (ran.status, ran.err) == (0, "")
    assert "bank2:relay2" in pool.lab.control.relay_board("relay-1-1").off
    lines = list(
        Journal.objects.filter(device_id=pool.device(10).pk).order_by("pk").values_list("message", "source")
    )
    assert lines[0][0].startswith("power off asked for by ")
    assert lines[0][0].endswith(": smells burnt")
    assert lines[0][1] == "user"
    pool.run("relay", "on", "relay-1-1", "2", "2")


def test_a_device_that_stays_ready_while_it_is_off_is_warned_of(pool: Pool) -> None:
    ran = pool.run("power_off", "panda-0011", "--reason", "night", "--here")
    assert ran.status == 0
    assert "still in state ready, so a request may get and switch on: panda-0011" in ran.out
    pool.run("relay", "on", "relay-1-1", "bank2:relay3")


def test_a_device_without_an_outlet_is_refused(pool: Pool) -> None:
    pool.put(12, power_controller=None, outlet="")
    for words in (["power_off", "panda-0012", "--reason", "x"], ["power_cycle", "panda-0012", "--raw"]):
        ran = pool.run(*words)
        assert (ran.status, ran.complaint) == (
            1,
            f"{words[0]}: plugged into no power outlet that we know: panda-0012",
        )


def test_ctrl_c_leaves_the_work_and_says_so(pool: Pool) -> None:
    pool.put(13, power_controller=PowerController.objects.get(name="relay-1-2"), outlet="bank4:relay8")
    Rack.objects.update(address="192.0.2.7")
    with pool.start("power_cycle", "panda-0013") as process:
        while pool.device(13).state != "pc_power_cycling":
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert err == "power_cycle: interrupted; what was asked for goes on, `device_status` shows it\n"
    assert pool.device(13).state == "pc_power_cycling"


def test_a_manual_network_boot_changes_row_and_queue_together(pool: Pool) -> None:
    device = pool.device(14)
    boot_config = BootConfig.objects.get(name="panda-b2g")
    operation = services.power_cycle(
        device.pk, by=BY, boot_config=boot_config, boot_config_values='{"b2gbase": "x"}'
    )
    device.refresh_from_db()
    assert (device.netboot, device.boot_seq, device.next_boot_config) == (boot_config, 1, '{"b2gbase": "x"}')
    assert (operation.state_seq, operation.boot_seq, operation.arguments) == (None, 1, {"netboot": True})
    assert operation.actor == "tester"


def test_clearing_the_network_boot_removes_the_boot_file(pool: Pool) -> None:
    device = pool.put(15, netboot=BootConfig.objects.get(name="panda-b2g"))
    file = boot_file_path(pool.lab.tftp_root, device.mac)
    with Attendant(here=True, timers=False) as attendant:
        attendant.look([device.pk])
    assert file.exists()
    assert services.clear_netboot(device.pk, by=BY)
    assert not services.clear_netboot(device.pk, by=BY)
    with Attendant(here=True, timers=False) as attendant:
        attendant.look([device.pk])
    assert not file.exists()


def test_a_device_that_the_next_request_takes_at_once_has_still_arrived(pool: Pool) -> None:
    waiting = pool.run("request_device", "android", "--device", "panda-0026", "--no-wait", "--json")
    assert waiting.json["state"] == "pending"
    holder = pool.device(26).held_by
    # The one after it wants the same device, and gets it the moment that it is ready.
    pool.put(26, held_by=None, state="maintenance_mode", deadline=None, idle_since=None)
    pool.run("return_device", str(holder))
    pool.run("request_device", "android", "--device", "panda-0026", "--no-wait")
    ran = pool.run("power_cycle", "panda-0026", "--here")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.splitlines()[-1].startswith("panda-0026 is ready after ")
    assert pool.device(26).held_by is not None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_whoever_is_cut_off_in_the_middle_of_a_power_cycle_gives_the_power_back(
    pool: Pool, number: int
) -> None:
    with pool.start("power_cycle", "panda-0034", "--raw", "--here") as process:
        while "bank1:relay2" not in pool.lab.control.relay_board("relay-1-2").off:
            time.sleep(0.02)
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (130, "power_cycle: interrupted\n")
    assert pool.lab.control.relay_board("relay-1-2").off == ()
    assert Operation.objects.get().status == Status.DONE


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_so_does_whoever_is_cut_off_at_the_relay_board_itself(pool: Pool, number: int) -> None:
    with pool.start("relay", "cycle", "relay-1-2", "1", "2") as process:
        while "bank1:relay2" not in pool.lab.control.relay_board("relay-1-2").off:
            time.sleep(0.02)
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (130, "relay: interrupted\n")
    assert pool.lab.control.relay_board("relay-1-2").off == ()
    assert PowerController.objects.get(name="relay-1-2").lease_owner == "resting"
