"""Virtual machines behind libvirt, through its program virsh."""

import re
from typing import ClassVar
from urllib.parse import parse_qsl, urlsplit

from bmm.deadline import Deadline
from bmm.drivers.address import check_host, check_port
from bmm.drivers.power.base import OFF_SECONDS, PowerDriver
from bmm.drivers.program import Ended, run
from bmm.drivers.settings import SettingSpec
from bmm.errors import Garbled, Misconfigured, Refused, Unreachable

# libvirt.org/uri.html. Left out are the ways to have another program run: the transports ext and libssh, and the
# parameters command, netcat, sshauth and their like.
_SCHEME = re.compile(r"(qemu|xen|lxc|bhyve|test)(\+(unix|tls|tcp|ssh))?")
_PATH = re.compile(r"/[A-Za-z0-9._/-]{0,100}")
_PARAMETERS = {"socket", "keyfile"}
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_OFF, _ON = {"shut off", "crashed"}, {"running", "idle", "paused", "in shutdown", "dying", "pmsuspended"}


class LibvirtDriver(PowerDriver):
    """One libvirt; its address is a connection URI as virsh takes it, and its outlets are domains."""

    outlet_pattern = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}", re.ASCII)
    outlet_grammar = "the name of a domain: letters, digits, and . _ + - inside"
    address_help = "a libvirt URI, such as qemu:///system or qemu+ssh://root@vmhost/system"
    settings: ClassVar[tuple[SettingSpec, ...]] = (OFF_SECONDS,)
    answer_seconds = 6.0
    settle_seconds = 2.0

    @classmethod
    def check_address(cls, address: str) -> str:
        """Take a URI that makes virsh connect and do nothing else."""
        try:
            parts = urlsplit(address)
            host, port, user = parts.hostname, parts.port, parts.username
            given = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
        except ValueError as error:
            raise Misconfigured(f"{address!r} is no libvirt URI: {error}") from error
        sound = (
            _SCHEME.fullmatch(parts.scheme)
            and _PATH.fullmatch(parts.path)
            and given.keys() <= _PARAMETERS
            and all(_PATH.fullmatch(value) for value in given.values())
            and (user is None or _USER.fullmatch(user))
            and parts.password is None
            and not parts.fragment
        )
        if not sound:
            raise Misconfigured(
                f"{address!r}: {cls.address_help} expected; of parameters: socket and keyfile"
            )
        if host:
            check_host(host)
        check_port(port or 1)
        return address

    def set(self, outlet: str, on: bool, deadline: Deadline) -> None:
        """Start the domain, or destroy it, which pulls its plug and leaves its disk; no error if it is so already."""
        if self.get(outlet, deadline) is not on:
            ended = self._virsh(deadline, "start" if on else "destroy", "--domain", outlet)
            if ended.status:
                raise Refused(f"{outlet} of {self.address}: {ended.complaint}")

    def get(self, outlet: str, deadline: Deadline) -> bool:
        """Ask for the domain's state; one that pauses or hangs still has its power."""
        ended = self._virsh(deadline, "domstate", "--domain", self.check_outlet(outlet))
        if ended.status:
            if "failed to get domain" in ended.err:
                raise Misconfigured(f"{self.address} has no domain {outlet}")
            raise Unreachable(f"{self.address}: {ended.complaint}")
        state = ended.out.strip()
        if state not in _ON | _OFF:
            raise Garbled(f"{outlet} of {self.address} is {state!r:.60}, which is neither on nor off")
        return state in _ON

    def answers(self, deadline: Deadline) -> bool:
        """Ask for its version."""
        ended = self._virsh(deadline, "version")
        if ended.status:
            raise Unreachable(f"{self.address}: {ended.complaint}")
        return True

    def _virsh(self, deadline: Deadline, *words: str) -> Ended:
        self.check_address(self.address)
        return run(["virsh", "--quiet", "--connect", self.address, *words], deadline)
