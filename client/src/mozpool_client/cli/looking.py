"""Devices and what happens to them: `devices`, `images`, `log`, `power-cycle`."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import click

from mozpool_client.cli.options import Context, KeyValue, json_option
from mozpool_client.cli.output import (
    Column,
    out,
    show_json,
    show_json_line,
    show_line,
    show_table,
    since,
    told,
)
from mozpool_client.errors import MozpoolError
from mozpool_client.models import JournalLine, Operation
from mozpool_client.sync import Mozpool

_POLL_SECONDS = 1.0
# Longer than a transaction that writes a line takes.
_LATE = timedelta(seconds=10)
# Operations in these states change no more.
_ENDED = frozenset({"done", "failed", "lost", "superseded"})


@click.command()
@click.option("--state", help="Those in this state.")
@click.option("--rack", help="Those of this rack.")
@click.option("--env", "environment", help="Those of this environment.")
@click.option("--hardware", "hardware_type", help="Those of this hardware type.")
@click.option("--image", help="Those with this image.")
@click.option("--tag", help="Those with this tag.")
@click.option("--health", help="Those of this health.")
@click.option("--free", is_flag=True, help="Those that nobody holds and that are ready.")
@click.option("--search", help="Those with this in their name, FQDN or comments.")
@click.option("--limit", type=click.IntRange(1), help="How many at most (default: all).")
@json_option
@click.pass_obj
def devices(context: Context, /, free: bool, limit: int | None, as_json: bool, **filters: Any) -> None:
    """List devices."""
    filters["idle"] = True if free else None
    with context.pool() as pool:
        found = pool.devices(limit=limit, **filters)
    if as_json:
        show_json([device.raw for device in found])
        return
    titles = ("Name", "State", "For", "Health", "Image", "Rack", "Env", "Request")
    rows = [
        [
            device.name,
            device.state,
            since(device.state_since),
            device.health or "",
            device.image or "",
            device.rack or "",
            device.environment,
            "" if device.request is None else str(device.request),
            device.comments,
        ]
        for device in found
    ]
    columns = [*(Column(title) for title in titles), Column("Comments", gives_way=True)]
    show_table(columns, rows, "There are no such devices.")


@click.command()
@json_option
@click.pass_obj
def images(context: Context, /, as_json: bool) -> None:
    """List images and the values that they need."""
    with context.pool() as pool:
        found = pool.images()
    if as_json:
        show_json([image.raw for image in found])
        return
    rows = [
        [image.name, told(image.boot_config_keys), "yes" if image.reusable else "no"]
        for image in found
        if not image.hidden
    ]
    show_table([Column("Name"), Column("Needs"), Column("Reusable")], rows, "There are no images.")


@click.command()
@click.argument("what", metavar="DEVICE|REQUEST")
@click.option("-f", "--follow", is_flag=True, help="Go on as things happen; a request's log ends with it.")
@click.option(
    "-n", "--lines", type=click.IntRange(0), default=50, show_default=True, help="How many old lines."
)
@json_option
@click.pass_obj
def log(context: Context, /, what: str, follow: bool, lines: int, as_json: bool) -> None:
    """Show what happened to a device or a request.

    A device is told by its name, a request by its number.
    """
    request = int(what) if what.isascii() and what.isdigit() else None
    device = what if request is None else None
    with context.pool() as pool:
        found = _last_lines(pool, device, request, lines)
        if as_json and not follow:
            show_json([line.raw for line in found])
            return
        for line in found:
            _show(line, as_json=as_json)
        if follow:
            shown = {line.id for line in found}
            for entry in pool.follow(device=device, request=request, after=_resume(found)):
                if isinstance(entry, JournalLine) and entry.id not in shown:
                    _show(entry, as_json=as_json)


@click.command("power-cycle")
@click.argument("device")
@click.option("--netboot", metavar="NAME", help="Boot from the network with this boot config.")
@click.option(
    "--set",
    "values",
    metavar="KEY=VALUE",
    type=KeyValue(),
    multiple=True,
    help="With --netboot: a value that the booting device is told; may be repeated.",
)
@click.option("--wait", is_flag=True, help="Wait until it is done.")
@json_option
@click.pass_obj
def power_cycle(
    context: Context,
    /,
    device: str,
    netboot: str | None,
    values: tuple[tuple[str, str], ...],
    wait: bool,
    as_json: bool,
) -> None:
    """Switch a device off and on.

    It has to be one that you hold, or you have to be an operator.
    """
    with context.pool() as pool:
        operation = pool.power_cycle(device, netboot=netboot, boot_config=dict(values))
        while wait and operation.status not in _ENDED:
            time.sleep(_POLL_SECONDS)
            operation = pool.operation(operation.id)
    if as_json:
        show_json(operation.raw)
    else:
        out().print(f"operation {operation.id} on {device} is {operation.status}", markup=False)
    if wait and operation.status != "done":
        raise MozpoolError(f"the power cycle is {operation.status}: {_reason(operation)}")


def _last_lines(pool: Mozpool, device: str | None, request: int | None, lines: int) -> list[JournalLine]:
    """Give the last lines, the oldest first. A request's journal comes whole: the server tells its beginning first."""
    if not lines:
        return []
    found = pool.journal(device=device, request=request, limit=None if request is not None else lines)
    return sorted(found, key=lambda line: (line.time, line.id))[-lines:]


def _resume(found: list[JournalLine]) -> int | None:
    """Give the id to follow after: a line of the last seconds may yet come in with a lower number than its like."""
    if not found:
        return None
    late = found[-1].time - _LATE
    return min(line.id for line in found if line.time >= late) - 1


def _show(line: JournalLine, *, as_json: bool) -> None:
    if as_json:
        show_json_line(line.raw)
    else:
        show_line(line)


def _reason(operation: Operation) -> str:
    return operation.message or operation.result or "the pool does not say why"
