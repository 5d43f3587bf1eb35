"""What an operation does to one device, through the drivers: hardware errors become outcomes here."""

from collections.abc import Callable

from bmm.deadline import Deadline
from bmm.drivers import agent, reach
from bmm.drivers.guard import guarded
from bmm.errors import HardwareError, Misconfigured
from bmm.models import Kind, Operation
from bmm.operations import Answer, Outcome
from devices.models import Device
from devices.models.image import AGENT_PORT, Verification


def perform(operation: Operation, device: Device, deadline: Deadline) -> Outcome:
    """Carry out anything but power work; what fails is an outcome."""
    try:
        with guarded(f"{operation.kind} of {device.name}"):
            return Outcome(Answer.OK, _ACTIONS[Kind(operation.kind)](device, deadline))
    except Misconfigured as error:
        return Outcome(Answer.MISCONFIGURED, str(error))
    except HardwareError as error:
        return Outcome(Answer.FAILED, str(error))


def outcome_of(error: HardwareError | None, *, suspect: bool) -> Outcome:
    """Read what a power driver reports for one outlet; a suspect controller takes the blame."""
    if error is None:
        return Outcome(Answer.OK)
    if isinstance(error, Misconfigured):
        return Outcome(Answer.MISCONFIGURED, str(error))
    if error.retry or suspect:
        return Outcome(Answer.UNREACHABLE, str(error))
    return Outcome(Answer.FAILED, str(error))


def _ping(device: Device, deadline: Deadline) -> str:
    if not reach.ping(device.host, deadline):
        raise HardwareError(f"{device.name} does not answer ping")
    return f"{device.name} answers ping"


def _port(device: Device, deadline: Deadline) -> str:
    port = _verify_port(device)
    if port is None:
        raise Misconfigured(f"the image of {device.name} is verified by TCP but names no port")
    if not reach.tcp_answers(device.host, port, deadline):
        raise HardwareError(f"port {port} of {device.name} does not accept")
    return f"port {port} of {device.name} accepts"


def _agent(device: Device, deadline: Deadline) -> str:
    root = agent.verify(device.host, _verify_port(device) or AGENT_PORT, deadline)
    return f"the agent's test root is {root}"


def _storage(device: Device, deadline: Deadline) -> str:
    agent.check_storage(device.host, _verify_port(device) or AGENT_PORT, deadline)
    return "a file was written, read back and removed"


def _health(device: Device, deadline: Deadline) -> str:
    image = device.image
    check = {Verification.AGENT: _agent, Verification.TCP: _port}.get(
        Verification(image.verification) if image else Verification.PING, _ping
    )
    try:
        return check(device, deadline.sooner(deadline.remaining() / 2))
    except HardwareError:
        # One lost packet must not send a healthy device into its self-test.
        return check(device, deadline)


def _verify_port(device: Device) -> int | None:
    image = device.next_image or device.image
    return image.verify_port if image else None


def _no_controller(device: Device, _: Deadline) -> str:
    raise Misconfigured(f"{device.name} has no power controller")


_ACTIONS: dict[Kind, Callable[[Device, Deadline], str]] = {
    Kind.POWER_CYCLE: _no_controller,
    Kind.POWER_OFF: _no_controller,
    Kind.PING: _ping,
    Kind.VERIFY_PORT: _port,
    Kind.VERIFY_AGENT: _agent,
    Kind.CHECK_STORAGE: _storage,
    Kind.CHECK_HEALTH: _health,
}
