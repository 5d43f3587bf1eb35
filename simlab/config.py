"""The lab's description, LAB.json, as typed and checked data.

An example; `timing`, `images`, `faults` and everything with a default may be left out:

    {"seed": 1, "speed": 1.0, "workers": 2, "tftp_root": "/srv/tftp", "control": "/run/lab/control.sock",
     "timing": {"bootloader": [2, 0.2], "live_boot": [10, 1], "download": [30, 5], "install": [60, 10],
                "image_boot": [15, 2], "self_test": [20, 2], "call": [0.05, 0.02]},
     "images": {"b2g": {"agent": true, "agent_port": 20701}, "android": {"tcp": [5555]}},
     "faults": {"hang_at_boot": 0.01},
     "relay_boards": [{"name": "relay-1", "host": "127.64.0.1", "port": 2101, "rest": 1.0, "latency": 0.01}],
     "devices": [{"name": "panda-0001", "mac": "0200000000ff", "address": "127.64.1.1",
                  "relay_board": "relay-1", "outlet": "bank1:relay1", "image": "b2g", "power": true,
                  "faults": {"hang_at_boot": 0.5}, "script": ["ok", "hang_in_install", "ok"]}]}

Times are [mean, spread] in seconds; `speed` divides the boards' own times (the timing table), never a relay
board's rest and latency nor the waits between a board's tries to call the server, which meet a real clock.
"""

import ipaddress
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from simlab.faults import BrokenImages, read_rates, read_script
from simlab.fields import ConfigError, Fields, check_number, check_whole, shown

AGENT_PORT = 20701
PROXR_PORT = 2101
# sun_path of a Unix socket holds 108 bytes, the last of them the closing zero.
LONGEST_SOCKET_PATH = 107
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
OUTLET = r"bank[1-4]:relay[1-8]"


@dataclass(frozen=True)
class Span:
    """How long a step takes: mean and spread (standard deviation, cut off at twice itself) in seconds."""

    mean: float
    spread: float


DEFAULT_TIMING: dict[str, Span] = {
    "bootloader": Span(2, 0.2),
    "live_boot": Span(10, 1),
    "download": Span(30, 5),
    "install": Span(60, 10),
    "image_boot": Span(15, 2),
    "self_test": Span(20, 2),
    "call": Span(0.05, 0.02),
}
"""The steps of a board's life that take time; `call` is spent before each call to the server."""


@dataclass(frozen=True)
class ImageSpec:
    """What an installed image listens on, at the device's own address."""

    agent_port: int | None = None
    tcp: tuple[int, ...] = ()


@dataclass(frozen=True)
class RelayBoardSpec:
    """One relay board: where it listens, its rest between connections and latency per command in seconds."""

    name: str
    host: str
    port: int = PROXR_PORT
    rest: float = 1.0
    latency: float = 0.01


@dataclass(frozen=True)
class DeviceSpec:
    """One board: who it is, what feeds it, what it starts with and how it fails."""

    name: str
    mac: str
    address: str
    relay_board: str
    outlet: str
    image: str | None = None
    power: bool = True
    faults: Mapping[str, float] = field(default_factory=dict)
    script: tuple[str, ...] = ()


@dataclass(frozen=True)
class LabConfig:
    """The whole lab, checked."""

    tftp_root: Path
    control: Path
    seed: int = 1
    speed: float = 1.0
    workers: int = 2
    timing: Mapping[str, Span] = field(default_factory=lambda: dict(DEFAULT_TIMING))
    images: Mapping[str, ImageSpec] = field(default_factory=dict)
    relay_boards: tuple[RelayBoardSpec, ...] = ()
    devices: tuple[DeviceSpec, ...] = ()
    # Not described, but set while the lab runs.
    broken_images: BrokenImages = field(default_factory=BrokenImages, compare=False)


def parse(text: str) -> LabConfig:
    """The lab from JSON text; ConfigError names the field that is wrong."""
    try:
        decoded = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"the lab's description is no JSON: {error}") from error
    top = Fields(decoded, "")
    faults = read_rates(top.table("faults", {}), "faults")
    config = LabConfig(
        tftp_root=_absolute(top, "tftp_root"),
        control=_absolute(top, "control"),
        seed=top.whole("seed", 0, 2**63, 1),
        speed=top.number("speed", 0.001, 10_000, 1.0),
        workers=top.whole("workers", 1, 64, 2),
        timing=_timing(top.table("timing", {})),
        images={name: _image(name, value) for name, value in top.table("images", {}).items()},
        relay_boards=tuple(_relay_board(item, where) for where, item in top.items("relay_boards")),
        devices=tuple(_device(item, where, faults) for where, item in top.items("devices")),
    )
    top.finish()
    _check_whole(config)
    return config


def split(config: LabConfig) -> list[LabConfig]:
    """One part per worker; a relay board and its devices stay together, parts are of about equal size."""
    devices: dict[str, list[DeviceSpec]] = {board.name: [] for board in config.relay_boards}
    for device in config.devices:
        devices[device.relay_board].append(device)
    count = max(1, min(config.workers, len(config.relay_boards)))
    parts: list[list[RelayBoardSpec]] = [[] for _ in range(count)]
    loads = [0] * count
    for board in sorted(config.relay_boards, key=lambda board: -len(devices[board.name])):
        lightest = loads.index(min(loads))
        parts[lightest].append(board)
        # One for the board itself, so that boards without devices are spread as well.
        loads[lightest] += 1 + len(devices[board.name])
    return [
        replace(
            config,
            relay_boards=tuple(boards),
            devices=tuple(device for board in boards for device in devices[board.name]),
        )
        for boards in parts
    ]


def _absolute(top: Fields, name: str) -> Path:
    path = Path(top.text(name, what="an absolute path"))
    if not path.is_absolute():
        raise ConfigError(f"{name}: an absolute path expected, got {shown(str(path))}")
    if name == "control" and len(bytes(path)) > LONGEST_SOCKET_PATH:
        raise ConfigError(
            f"control: a path of at most {LONGEST_SOCKET_PATH} bytes expected (a Unix socket's limit)"
        )
    return path


def _timing(table: Mapping[str, object]) -> dict[str, Span]:
    timing = dict(DEFAULT_TIMING)
    for name, value in table.items():
        where = f"timing.{name}"
        if name not in timing:
            raise ConfigError(f"{where}: unknown step; known are {', '.join(DEFAULT_TIMING)}")
        match value:
            case [mean, spread]:
                timing[name] = Span(
                    check_number(mean, where, 0, 86400), check_number(spread, where, 0, 86400)
                )
            case _:
                raise ConfigError(f"{where}: [mean, spread] in seconds expected, got {shown(value)}")
    return timing


def _image(name: str, value: object) -> ImageSpec:
    fields = Fields(value, f"images.{name}")
    port = fields.whole("agent_port", 1, 65535, AGENT_PORT)
    agent = fields.flag("agent", default=False)
    tcp = tuple(check_whole(item, where, 1, 65535) for where, item in fields.items("tcp", []))
    fields.finish()
    if agent and port in tcp:
        raise ConfigError(f"images.{name}.tcp: port {port} is the agent's")
    return ImageSpec(agent_port=port if agent else None, tcp=tcp)


def _address(fields: Fields, name: str) -> str:
    text = fields.text(name)
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError as error:
        raise ConfigError(f"{fields.at(name)}: an IPv4 address expected, got {shown(text)}") from error


def _relay_board(value: object, where: str) -> RelayBoardSpec:
    fields = Fields(value, where)
    board = RelayBoardSpec(
        name=fields.text("name", NAME, "a name"),
        host=_address(fields, "host"),
        port=fields.whole("port", 1, 65535, PROXR_PORT),
        rest=fields.number("rest", 0, 3600, 1.0),
        latency=fields.number("latency", 0, 3600, 0.01),
    )
    fields.finish()
    return board


def _device(value: object, where: str, faults: Mapping[str, float]) -> DeviceSpec:
    fields = Fields(value, where)
    image = fields.take("image", None)
    if image is not None and not (isinstance(image, str) and image):
        raise ConfigError(f"{where}.image: an image's name or null expected, got {shown(image)}")
    device = DeviceSpec(
        name=fields.text("name", NAME, "a name"),
        mac=fields.text("mac", r"[0-9a-f]{12}", "12 lower-case hex digits"),
        address=_address(fields, "address"),
        relay_board=fields.text("relay_board", NAME, "a relay board's name"),
        outlet=fields.text("outlet", OUTLET, "an outlet bank<1-4>:relay<1-8>"),
        image=image,
        power=fields.flag("power", default=True),
        faults={**faults, **read_rates(fields.table("faults", {}), f"{where}.faults")},
        script=read_script(fields.items("script", [])),
    )
    fields.finish()
    return device


def _check_whole(config: LabConfig) -> None:
    _check_unique("relay_boards", "name", (board.name for board in config.relay_boards))
    _check_unique(
        "relay_boards", "host and port", ((board.host, board.port) for board in config.relay_boards)
    )
    _check_unique("devices", "name", (device.name for device in config.devices))
    _check_unique("devices", "mac", (device.mac for device in config.devices))
    _check_unique("devices", "address", (device.address for device in config.devices))
    _check_unique("devices", "outlet", ((device.relay_board, device.outlet) for device in config.devices))
    boards = {board.name for board in config.relay_boards}
    for number, device in enumerate(config.devices):
        if device.relay_board not in boards:
            raise ConfigError(f"devices[{number}].relay_board: no relay board {shown(device.relay_board)}")
        if device.image is not None and device.image not in config.images:
            raise ConfigError(f"devices[{number}].image: {shown(device.image)} is not among `images`")


def _check_unique(table: str, what: str, values: Iterable[object]) -> None:
    seen: dict[object, int] = {}
    for number, value in enumerate(values):
        if value in seen:
            first = seen[value]
            raise ConfigError(f"{table}[{number}]: same {what} as {table}[{first}]: {shown(value)}")
        seen[value] = number
