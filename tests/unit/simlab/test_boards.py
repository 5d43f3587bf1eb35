"""Whole stories of a simulated board: relay, boot file, calls to a real server, image."""

import socket
import time

import pytest

from simlab.fields import LabError
from tests.unit.simlab.agent_client import AgentClient
from tests.unit.simlab.lab import MAC, Description, Lab, running, wait_until
from tests.unit.simlab.web import Web

INSTALL = [
    "image_up",
    "power_off",
    "power_on",
    "netboot",
    "live_up",
    "event:mobile_init_started",
    "event:b2g_downloading",
    "event:b2g_extracting",
    "installed",
    "event:b2g_rebooting",
    "warm_reset",
    "storage_boot",
    "image_up",
]


def boot_from_network(lab: Lab, web: Web) -> None:
    web.write_boot_file("panda-0001", MAC)
    lab.cycle()


def view(lab: Lab) -> dict[str, object]:
    return lab.ask("board", name="panda-0001")


def test_a_board_installs_an_image_and_comes_up_with_it(described: Description, web: Web) -> None:
    described["devices"][0]["image"] = "android"
    with running(described) as lab:
        boot_from_network(lab, web)
        lab.wait_for("image_up", times=2)
        assert lab.story() == INSTALL
        assert web.heard() == [
            "POST event/mobile_init_started",
            "GET second-stage",
            "GET config",
            "POST event/b2g_downloading",
            "POST event/b2g_extracting",
            "POST event/b2g_rebooting",
        ]
        assert {call.source for call in web.calls} == {lab.device_address}
        board = view(lab)
        assert (board["phase"], board["image"]) == ("up", "b2g")
        assert board["boot_config"] == {"b2gbase": "http://127.0.0.1/build"}
        assert lab.ask("stats")["calls"] == {"answered": 6, "tried_again": 0, "failed": 0}
        with AgentClient(lab.device_address) as client:
            assert client.greeting() == b""


def test_without_a_boot_file_a_board_boots_its_own_image(described: Description, web: Web) -> None:
    with running(described) as lab:
        lab.cycle()
        lab.wait_for("image_up", times=2)
        assert lab.story() == ["image_up", "power_off", "power_on", "storage_boot", "image_up"]
        assert web.calls == []


def test_the_history_gives_the_wall_time_of_each_step(described: Description) -> None:
    described["timing"]["bootloader"] = [0.1, 0]
    described["timing"]["image_boot"] = [0.1, 0]
    with running(described) as lab:
        before = time.time()
        lab.cycle()
        lab.wait_for("image_up", times=2)
        moments = [moment for moment, _ in lab.ask("history")["panda-0001"]][1:]
        assert before <= moments[0]
        assert moments == sorted(moments)
        assert 0.2 <= moments[-1] - moments[1] < 1


def test_speed_divides_a_boards_own_times(described: Description) -> None:
    described["speed"] = 100
    described["timing"]["image_boot"] = [20, 0]
    with running(described) as lab:
        lab.cycle()
        lab.wait_for("image_up", times=2)
        moments = [moment for moment, _ in lab.ask("history")["panda-0001"]]
        assert 0.2 <= moments[-1] - moments[-2] < 1


def test_maintenance_stays_in_the_live_image(described: Description, web: Web) -> None:
    web.action = "maintenance"
    with running(described) as lab:
        boot_from_network(lab, web)
        lab.wait_for("event:maint_mode")
        board = view(lab)
        assert (board["phase"], board["image"]) == ("maintenance", "b2g")
        assert web.heard()[-1] == "POST event/maint_mode"


@pytest.mark.parametrize(
    ("script", "result"), [("ok", "self_test_ok"), ("storage_fails", "failed_self_test")]
)
def test_a_self_test_reports_what_it_found(
    described: Description, web: Web, script: str, result: str
) -> None:
    web.action, web.image = "self-test", "self-test"
    described["devices"][0]["script"] = [script]
    with running(described) as lab:
        boot_from_network(lab, web)
        lab.wait_for(f"event:{result}")
        assert web.heard()[2:] == ["POST event/self_test_running", f"POST event/{result}"]
        assert view(lab)["phase"] == "self_test"


def test_power_off_silences_a_board_at_once(described: Description) -> None:
    with running(described) as lab, AgentClient(lab.device_address) as client, lab.relay() as relay:
        client.greeting()
        relay.ask(254, 108, 1)
        with pytest.raises(ConnectionResetError):
            client.socket.recv(64)
        with pytest.raises(ConnectionRefusedError):
            AgentClient(lab.device_address)
        assert view(lab)["power"] is False


def test_power_off_in_the_middle_of_an_install_leaves_no_image(described: Description, web: Web) -> None:
    described["timing"]["install"] = [30, 0]
    with running(described) as lab:
        boot_from_network(lab, web)
        lab.wait_for("event:b2g_extracting")
        lab.cycle()
        lab.wait_for("no_image")
        assert view(lab)["phase"] == "no_image"
        assert "installed" not in lab.story()


def test_a_boot_file_that_stays_makes_the_board_install_again(described: Description, web: Web) -> None:
    web.removes_boot_files = False
    with running(described) as lab:
        boot_from_network(lab, web)
        lab.wait_for("netboot", times=2)
        assert "storage_boot" not in lab.story()


def test_an_image_with_a_tcp_port_listens_there_and_has_no_agent(described: Description) -> None:
    described["devices"][0]["image"] = "android"
    with running(described) as lab:
        with AgentClient(lab.device_address, 5555) as client:
            assert client.says_nothing()
        with pytest.raises(ConnectionRefusedError):
            AgentClient(lab.device_address)


def test_a_board_may_start_without_power_or_without_an_image(described: Description) -> None:
    described["devices"][0] |= {"power": False, "image": None}
    with running(described) as lab:
        assert lab.ask("relay_board", name="relay-1")["off"] == ["bank1:relay1"]
        assert view(lab)["phase"] == "off"
        with lab.relay() as relay:
            relay.ask(254, 100, 1)
        lab.wait_for("no_image")


def test_hang_at_boot_never_calls_home_and_a_power_cycle_cures_it(described: Description, web: Web) -> None:
    described["devices"][0]["script"] = ["hang_at_boot"]
    with running(described) as lab:
        boot_from_network(lab, web)
        lab.wait_for("hung")
        assert view(lab)["hung"] is True
        assert web.calls == []
        lab.cycle()
        lab.wait_for("event:b2g_rebooting")
        assert view(lab)["hung"] is False


def test_hang_in_install_stands_still_after_extracting(described: Description, web: Web) -> None:
    described["devices"][0]["script"] = ["hang_in_install"]
    with running(described) as lab:
        boot_from_network(lab, web)
        lab.wait_for("hung")
        assert web.heard()[-1] == "POST event/b2g_extracting"
        assert view(lab)["phase"] == "installing"


@pytest.mark.parametrize("name", ["install_fails", "storage_fails"])
def test_an_install_that_fails_stops_and_leaves_no_image(described: Description, web: Web, name: str) -> None:
    described["devices"][0]["script"] = [name]
    with running(described) as lab:
        boot_from_network(lab, web)
        lab.wait_for("stopped:the image could not be written")
        assert (view(lab)["phase"], view(lab)["image"]) == ("stopped", None)
        assert web.heard()[-1] == "POST event/b2g_extracting"


def test_no_network_boot_goes_on_from_storage(described: Description, web: Web) -> None:
    described["devices"][0]["script"] = ["no_network_boot"]
    with running(described) as lab:
        boot_from_network(lab, web)
        lab.wait_for("image_up", times=2)
        assert "netboot" not in lab.story()
        assert web.boot_file(MAC).exists()


def test_an_image_that_is_lost_in_a_power_cycle_never_comes_up(described: Description) -> None:
    described["devices"][0]["faults"] = {"lose_image": 1}
    with running(described) as lab:
        lab.cycle()
        lab.wait_for("no_image")
        assert lab.story()[-2:] == ["image_lost", "no_image"]
        with pytest.raises(ConnectionRefusedError):
            AgentClient(lab.device_address)


def test_losing_an_image_by_hand_shows_after_the_next_power_cycle(described: Description) -> None:
    with running(described) as lab:
        lab.ask("lose_image", name="panda-0001")
        with AgentClient(lab.device_address) as client:
            assert client.greeting() == b""
        lab.cycle()
        lab.wait_for("no_image")


def test_a_silent_agent_takes_the_connection_and_says_nothing(described: Description, web: Web) -> None:
    described["devices"][0]["script"] = ["agent_silent"]
    with running(described) as lab:
        boot_from_network(lab, web)
        lab.wait_for("image_up", times=2)
        with AgentClient(lab.device_address) as client:
            client.socket.sendall(b"testroot\n")
            assert client.says_nothing()


def test_storage_that_fails_later_lets_the_agent_fail_to_write(described: Description, web: Web) -> None:
    described["devices"][0]["script"] = ["storage_fails_later"]
    with running(described) as lab:
        boot_from_network(lab, web)
        lab.wait_for("image_up", times=2)
        with AgentClient(lab.device_address) as client:
            client.greeting()
            refused = b"##AGENT-WARNING## Could not create the directory /mnt/sdcard/x: input/output error\n"
            assert client.ask(b"mkdr /mnt/sdcard/x\n") == refused
            refused = b"##AGENT-WARNING## Could not write the file /mnt/sdcard/f: input/output error\n"
            assert client.ask(b"push /mnt/sdcard/f 2\nhi") == refused
            assert client.ask(b"testroot\n") == b"/mnt/sdcard\n"


def test_probabilities_set_while_it_runs_count_from_the_next_boot(described: Description) -> None:
    with running(described) as lab:
        lab.ask("set_faults", name="panda-0001", faults={"agent_silent": 1})
        lab.cycle()
        lab.wait_for("image_up", times=2)
        with AgentClient(lab.device_address) as client:
            assert client.says_nothing()


def test_a_hung_image_answers_nothing_until_it_is_thawed(described: Description) -> None:
    with running(described) as lab, AgentClient(lab.device_address) as client:
        client.greeting()
        lab.ask("hang", name="panda-0001")
        client.socket.sendall(b"testroot\n")
        assert client.says_nothing()
        lab.ask("unhang", name="panda-0001")
        client.socket.settimeout(3)
        assert client.ask(b"") == b"/mnt/sdcard\n"
        assert lab.story() == ["image_up", "hung", "unhung"]


def test_a_board_hung_for_good_hangs_after_each_power_cycle_until_it_is_thawed(
    described: Description,
) -> None:
    with running(described) as lab:
        lab.ask("hang", name="panda-0001", for_good=True)
        lab.cycle()
        lab.wait_for("hung", times=2)
        time.sleep(0.1)
        assert view(lab)["phase"] == "bootloader"
        lab.ask("unhang", name="panda-0001")
        lab.wait_for("image_up", times=2)


def test_a_board_that_is_off_cannot_hang_for_the_moment(described: Description) -> None:
    described["devices"][0]["power"] = False
    with running(described) as lab, pytest.raises(LabError, match=r"^panda-0001 is off"):
        lab.ask("hang", name="panda-0001")


def test_a_dead_token_stops_the_board(described: Description, web: Web) -> None:
    web.refusals = [(403, {})]
    with running(described) as lab:
        boot_from_network(lab, web)
        lab.wait_for("stopped:POST mobile_init_started: status 403")
        assert len(web.calls) == 1
        assert lab.ask("stats")["calls"] == {"answered": 0, "tried_again": 0, "failed": 1}


def test_an_outage_of_the_database_is_waited_out(described: Description, web: Web) -> None:
    web.refusals = [(503, {"Retry-After": "1"})]
    with running(described) as lab:
        started = time.monotonic()
        boot_from_network(lab, web)
        lab.wait_for("event:mobile_init_started")
        assert time.monotonic() - started >= 1
        assert web.heard()[:2] == ["POST event/mobile_init_started"] * 2


@pytest.mark.parametrize(
    ("config", "reason"),
    [("nonsense", "the boot config is no JSON"), ("[]", "the boot config is no JSON object")],
)
def test_a_boot_config_that_is_no_object_stops_the_board(
    described: Description, web: Web, config: str, reason: str
) -> None:
    web.config = config
    with running(described) as lab:
        boot_from_network(lab, web)
        wait_until(lambda: view(lab)["phase"] == "stopped", lambda: str(lab.story()))
        assert lab.story()[-1].startswith(f"stopped:{reason}")
        assert view(lab)["image"] == "b2g"


def test_an_unknown_action_stops_the_board(described: Description, web: Web) -> None:
    web.action = "dance"
    with running(described) as lab:
        boot_from_network(lab, web)
        lab.wait_for("stopped:unknown action 'dance'")


def test_a_boot_file_without_a_url_stops_the_live_image(described: Description, web: Web) -> None:
    with running(described) as lab:
        web.write_boot_file("panda-0001", MAC)
        web.boot_file(MAC).write_text("DEFAULT a\nLABEL a\n  APPEND quiet\n", encoding="utf-8")
        lab.cycle()
        lab.wait_for("stopped:no mobile-imaging-url= on the kernel line")


def test_a_port_that_is_taken_is_named(described: Description) -> None:
    address = described["devices"][0]["address"]
    with socket.create_server((address, 20701)), pytest.raises(LabError) as raised, running(described):
        raise AssertionError("the lab started")
    assert str(raised.value) == f"cannot listen on {address}:20701: Address already in use"


def test_eighty_boards_install_at_once(described: Description, web: Web) -> None:
    pattern = described["devices"][0]
    host, _, _ = pattern["address"].rpartition(".")
    described["relay_boards"] = [
        described["relay_boards"][0] | {"name": f"relay-{n}", "host": f"{host}.{n + 1}"} for n in range(3)
    ]
    described["devices"] = [
        pattern
        | {
            "name": f"panda-{n}",
            "mac": f"0200000001{n:02x}",
            "address": f"{host}.{n + 100}",
            "relay_board": f"relay-{n // 32}",
            "outlet": f"bank{n % 32 // 8 + 1}:relay{n % 8 + 1}",
            "power": False,
        }
        for n in range(80)
    ]
    web.removes_boot_files = False
    for device in described["devices"]:
        web.write_boot_file(device["name"], device["mac"])
    with running(described) as lab:
        for board in described["relay_boards"]:
            with socket.create_connection((board["host"], 2101)) as relays:
                for bank in range(1, 5):
                    relays.sendall(b"".join(bytes([254, code, bank]) for code in range(100, 108)))
                answers = b""
                while len(answers) < 32:
                    answers += relays.recv(64)
                assert answers == b"\x55" * 32
        wait_until(
            lambda: all(
                "event:b2g_rebooting" in [what for _, what in story] for story in lab.ask("history").values()
            ),
            lambda: str(lab.ask("stats")["phases"]),
        )
