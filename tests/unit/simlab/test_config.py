"""LAB.json: what is accepted, and how each mistake is named."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from simlab import config
from simlab.config import DEFAULT_TIMING, ImageSpec, Span, parse, split
from simlab.fields import ConfigError
from tests.unit.simlab.lab import Description

Change = Callable[[Description], object]


def test_the_documented_example_is_valid() -> None:
    assert config.__doc__ is not None
    example = config.__doc__[config.__doc__.index("{") : config.__doc__.rindex("}") + 1]
    lab = parse(example)
    assert lab.tftp_root == Path("/srv/tftp")
    assert lab.images == {"b2g": ImageSpec(agent_port=20701), "android": ImageSpec(tcp=(5555,))}
    assert lab.devices[0].faults == {"hang_at_boot": 0.5}
    assert lab.devices[0].script == ("ok", "hang_in_install", "ok")
    assert lab.timing == DEFAULT_TIMING


def test_a_device_inherits_the_labs_faults_and_overrides_them(described: Description) -> None:
    described["faults"] = {"lose_image": 0.25, "agent_silent": 0.5}
    described["devices"][0]["faults"] = {"agent_silent": 0}
    assert parse(json.dumps(described)).devices[0].faults == {"lose_image": 0.25, "agent_silent": 0}


def test_steps_that_are_left_out_take_their_usual_time(described: Description) -> None:
    described["timing"] = {"install": [1, 0.5]}
    assert parse(json.dumps(described)).timing == {**DEFAULT_TIMING, "install": Span(1, 0.5)}


MISTAKES: dict[str, Change] = {
    "tftp_root: missing": lambda lab: lab.pop("tftp_root"),
    "tftp_root: an absolute path expected, got 'here'": lambda lab: lab.update(tftp_root="here"),
    "control: a path of at most 107 bytes expected (a Unix socket's limit)": lambda lab: lab.update(
        control="/" + "x" * 107
    ),
    "speed: a number from 0.001 to 10000 expected, got 'fast'": lambda lab: lab.update(speed="fast"),
    "workers: a whole number from 1 to 64 expected, got 0": lambda lab: lab.update(workers=0),
    "workers: a whole number from 1 to 64 expected, got True": lambda lab: lab.update(workers=True),
    "sped: unknown field": lambda lab: lab.update(sped=2),
    "timing.install: [mean, spread] in seconds expected, got 3": lambda lab: lab["timing"].update(install=3),
    "timing.instal: unknown step; known are bootloader, live_boot, download, install, image_boot, self_test, call": (
        lambda lab: lab["timing"].update(instal=[1, 1])
    ),
    "images.b2g.agent: true or false expected, got 'yes'": lambda lab: lab["images"]["b2g"].update(
        agent="yes"
    ),
    "images.b2g.tcp: port 20701 is the agent's": lambda lab: lab["images"]["b2g"].update(tcp=[20701]),
    "images.b2g.tcp[1]: a whole number from 1 to 65535 expected, got 0": lambda lab: lab["images"][
        "b2g"
    ].update(tcp=[5555, 0]),
    "faults.hang_at_boot: a number from 0 to 1 expected, got 2": lambda lab: lab.update(
        faults={"hang_at_boot": 2}
    ),
    "relay_boards: missing": lambda lab: lab.pop("relay_boards"),
    "relay_boards[0].host: an IPv4 address expected, got 'relay'": lambda lab: lab["relay_boards"][0].update(
        host="relay"
    ),
    "relay_boards[1]: same name as relay_boards[0]: 'relay-1'": lambda lab: lab["relay_boards"].append(
        lab["relay_boards"][0]
    ),
    "devices[0].mac: 12 lower-case hex digits expected, got '02:00:00:00:00:01'": lambda lab: lab["devices"][
        0
    ].update(mac="02:00:00:00:00:01"),
    "devices[0].outlet: an outlet bank<1-4>:relay<1-8> expected, got 'bank9:relay1'": (
        lambda lab: lab["devices"][0].update(outlet="bank9:relay1")
    ),
    "devices[0].relay_board: no relay board 'relay-2'": lambda lab: lab["devices"][0].update(
        relay_board="relay-2"
    ),
    "devices[0].image: 'b3g' is not among `images`": lambda lab: lab["devices"][0].update(image="b3g"),
    "devices[1]: same name as devices[0]: 'panda-0001'": lambda lab: lab["devices"].append(lab["devices"][0]),
    "devices[1]: same outlet as devices[0]: ('relay-1', 'bank1:relay1')": lambda lab: lab["devices"].append(
        {**lab["devices"][0], "name": "panda-0002", "mac": "020000000002", "address": "127.64.9.9"}
    ),
    "devices[0].script[1]: one of ok, no_network_boot, hang_at_boot, install_fails, hang_in_install, "
    "storage_fails, storage_fails_later, lose_image, agent_silent expected, got 'explode'": (
        lambda lab: lab["devices"][0].update(script=["ok", "explode"])
    ),
}


@pytest.mark.parametrize("complaint", MISTAKES)
def test_a_mistake_is_named_by_its_field(described: Description, complaint: str) -> None:
    MISTAKES[complaint](described)
    with pytest.raises(ConfigError, match=f"^{re.escape(complaint)}$"):
        parse(json.dumps(described))


def test_an_unknown_fault_is_refused_with_the_known_ones(described: Description) -> None:
    described["faults"] = {"hangs": 1}
    with pytest.raises(
        ConfigError, match=r"faults\.hangs: unknown fault; known are no_network_boot, hang_at_boot"
    ):
        parse(json.dumps(described))


def test_what_is_no_json_object_is_refused() -> None:
    with pytest.raises(ConfigError, match="is no JSON"):
        parse("{")
    with pytest.raises(ConfigError, match="an object expected, got 1"):
        parse("1")


def test_parts_keep_a_relay_board_with_its_devices_and_are_of_equal_size(described: Description) -> None:
    pattern = described["devices"][0]
    described["relay_boards"] = [{"name": f"relay-{n}", "host": f"127.64.0.{n}"} for n in range(1, 6)]
    described["devices"] = [
        pattern
        | {
            "name": f"panda-{n}",
            "mac": f"0200000000{n:02x}",
            "address": f"127.64.1.{n}",
            "relay_board": f"relay-{n % 4 + 1}",
            "outlet": f"bank{n // 4 // 8 + 1}:relay{n // 4 % 8 + 1}",
        }
        for n in range(80)
    ]
    first, second = split(parse(json.dumps(described)))
    assert {len(first.devices), len(second.devices)} == {40}
    assert {len(first.relay_boards), len(second.relay_boards)} == {2, 3}
    for part in (first, second):
        assert {device.relay_board for device in part.devices} <= {board.name for board in part.relay_boards}


def test_there_are_never_more_workers_than_relay_boards(described: Description) -> None:
    described["workers"] = 8
    assert len(split(parse(json.dumps(described)))) == 1
