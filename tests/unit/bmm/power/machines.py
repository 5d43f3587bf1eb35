"""Real peers of the drivers for servers and virtual machines: a BMC of OpenIPMI, a libvirt daemon, QEMU itself."""

import shutil
import socket
import subprocess
import sys
from pathlib import Path

from tests.servers.process import Server, ServerFailed

_LAN = """name "twin"
set_working_mc 0x20
  startlan 1
    addr 127.0.0.1 {port}
    priv_limit admin
    allowed_auths_admin md5 straight
    guid a123456789abcdefa123456789abcdef
  endlan
  user 1 true "" "test" user 10 none md2 md5 straight
  user 2 true "mozpool" "sesame" admin 10 none md2 md5 straight
  chassis_control "{folder}/chassis 0x20"
"""
_BMC = "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr\nmc_enable 0x20\n"
# Called by ipmi_sim as: chassis MC get power, chassis MC set power 1.
_CHASSIS = """#!/bin/sh
if [ "$2" = get ]; then
    shift 2
    for what in "$@"; do
        case $what in power) echo "power:$(cat {folder}/power)" ;; *) echo "$what:0" ;; esac
    done
elif [ "$3" = power ]; then
    echo "$4" >{folder}/power
    echo "$4" >>{folder}/told
fi
"""


def program(name: str) -> str:
    """Find a program; scripts/test-packages installs it."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        msg = f"{name} is not installed: run scripts/test-packages"
        raise ServerFailed(msg)
    return found


class Bmc(Server):
    """OpenIPMI's BMC, whose host is a file: 1 is on."""

    name = "ipmi_sim"

    @property
    def url(self) -> str:
        return f"127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        (self.folder / "lan.conf").write_text(_LAN.format(port=self.port, folder=self.folder))
        (self.folder / "bmc.emu").write_text(_BMC)
        (self.folder / "power").write_text("1\n")
        chassis = self.folder / "chassis"
        chassis.write_text(_CHASSIS.format(folder=self.folder))
        chassis.chmod(0o755)
        (self.folder / "state").mkdir(exist_ok=True)
        return [program("ipmi_sim"), "-n", "-c", "lan.conf", "-f", "bmc.emu", "-s", "state"]

    def answers(self) -> bool:
        # An RMCP "presence ping" (ASF 2.0, 3.2.4.2).
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.settimeout(0.2)
            try:
                probe.sendto(bytes.fromhex("0600ff06000011be80000000"), ("127.0.0.1", self.port))
                return bool(probe.recv(64))
            except OSError:
                return False

    @property
    def told(self) -> list[str]:
        return (self.folder / "told").read_text().split()


class SushyEmulator(Server):
    """OpenStack's Redfish service with its fake systems, which show a new state some seconds after the order.

    Left to itself it takes 1 to 11 s; here it is at most 5, so that nobody waits longer than is needed to be late.
    """

    name = "sushy-emulator"

    def __init__(self, systems: int) -> None:
        super().__init__()
        self.systems = [f"system-{number}" for number in range(systems)]

    @property
    def url(self) -> str:
        return f"127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        fakes = [
            {"uuid": name, "name": f"name of {name}", "power_state": "On", "nics": []}
            for name in self.systems
        ]
        settings = {
            "SUSHY_EMULATOR_FAKE_DRIVER": True,
            "SUSHY_EMULATOR_LISTEN_IP": "127.0.0.1",
            "SUSHY_EMULATOR_LISTEN_PORT": self.port,
            "SUSHY_EMULATOR_STATE_DIR": str(self.folder),
            "SUSHY_EMULATOR_FAKE_SYSTEMS": fakes,
        }
        lines = [f"{name} = {value!r}\n" for name, value in settings.items()]
        # Its configuration is a program that it runs.
        sooner = "import random\ndrawn = random.randint\nrandom.randint = lambda least, most: drawn(1, 5)\n"
        (self.folder / "emulator.conf").write_text(sooner + "".join(lines))
        beside = Path(sys.executable).with_name("sushy-emulator")
        return [str(beside), "--config", str(self.folder / "emulator.conf")]

    def answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Libvirt(Server):
    """A libvirt daemon with its test hypervisor, which has one domain, `test`."""

    name = "libvirtd"

    @property
    def url(self) -> str:
        return f"test+unix:///default?socket={self.folder}/libvirt-sock"

    def command(self) -> list[str]:
        (self.folder / "libvirtd.conf").write_text(
            f'listen_tls = 0\nunix_sock_dir = "{self.folder}"\nauth_unix_rw = "none"\nauth_unix_ro = "none"\n'
        )
        (self.folder / "no-drivers").mkdir(exist_ok=True)
        # Without drivers it looks for no hypervisor on this machine; the test one is built in.
        own = [f"{name}={self.folder}" for name in ("XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")]
        start = [program("libvirtd"), "-f", "libvirtd.conf", "-p", f"{self.folder}/pid"]
        return ["env", f"LIBVIRT_DRIVER_DIR={self.folder}/no-drivers", *own, *start]

    def answers(self) -> bool:
        return (self.folder / "libvirt-sock").exists()

    def stay_connected(self) -> "subprocess.Popen[bytes]":
        """Hold a connection: the test hypervisor forgets everything with its last one."""
        return subprocess.Popen(
            [program("virsh"), "--connect", self.url], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        )


class Qemu(Server):
    """A machine without anything to run, whose monitor listens."""

    name = "qemu"

    @property
    def url(self) -> str:
        return f"127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        monitor = f"tcp:127.0.0.1:{self.port},server=on,wait=off"
        machine = [program("qemu-system-arm"), "-M", "virt", "-m", "16", "-nic", "none", "-display", "none"]
        return [*machine, "-accel", "tcg", "-S", "-no-shutdown", "-qmp", monitor]

    def answers(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            try:
                probe.connect(("127.0.0.1", self.port))
                return b"QMP" in probe.recv(4096)
            except OSError:
                return False


def script(folder: Path, name: str, text: str) -> str:
    """Write a program for the shell."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)
