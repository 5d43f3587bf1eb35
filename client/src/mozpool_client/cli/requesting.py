"""Requests: `request`, `list`, `show`, `renew`, `return`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from mozpool_client.cli.options import DEFAULT_REQUEST_SECONDS, Context, Duration, json_option, wishes
from mozpool_client.cli.output import (
    Column,
    complain,
    local,
    out,
    show_facts,
    show_json,
    show_table,
    told,
    why,
)
from mozpool_client.cli.progress import Progress
from mozpool_client.cli.signals import signals_raised
from mozpool_client.durations import format_duration
from mozpool_client.errors import RequestEnded
from mozpool_client.models import Request
from mozpool_client.plans import Order, wait_for


@click.command()
@click.argument("image")
@wishes
@click.option(
    "--duration",
    type=Duration(),
    metavar="DURATION",
    help="How long you want it, once it is ready: 45m, 2h30m (default: 1h).",
)
@click.option("--wait", is_flag=True, help="Wait until the device is ready.")
@click.option(
    "--timeout",
    type=Duration(),
    metavar="DURATION",
    help="With --wait: give up, and the request back, after this.",
)
@json_option
@click.pass_obj
def request(
    context: Context,
    /,
    image: str,
    values: Sequence[tuple[str, str]],
    duration: int | None,
    wait: bool,
    timeout: int | None,
    max_wait: int | None,
    as_json: bool,
    **wanted: Any,
) -> None:
    """File a request for a device with IMAGE on it."""
    if timeout is not None and not wait:
        raise click.UsageError("--timeout is for --wait")
    seconds = duration or context.config.duration or DEFAULT_REQUEST_SECONDS
    with context.pool() as pool:
        order = Order(
            image,
            boot_config=dict(values),
            duration=seconds,
            max_wait=wait_for(timeout, max_wait),
            **wanted,
        )
        found = pool.file(order)
        if wait:
            try:
                with signals_raised(), Progress() as progress:
                    found = pool.wait_ready(found, timeout=timeout, progress=progress.show)
            except RequestEnded:
                raise
            except BaseException:
                # Nobody waits any more: a device that is prepared for nobody is lost to others.
                pool.return_(found.id, patience=10)
                complain(f"request {found.id} is given back")
                raise
    _show_one(found, as_json=as_json)


@click.command("list")
@click.option("--mine", is_flag=True, help="Your own only.")
@click.option("--all", "ended_too", is_flag=True, help="Those that have ended, too.")
@click.option("--state", help="Those in this state.")
@click.option("--image", help="Those for this image.")
@click.option("--device", help="Those for this device.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="How many at most.")
@json_option
@click.pass_obj
def list_(
    context: Context, /, mine: bool, ended_too: bool, limit: int, as_json: bool, **filters: Any
) -> None:
    """List requests, the latest first."""
    filters["open"] = None if ended_too or filters["state"] else True
    filters["owner"] = "me" if mine else None
    with context.pool() as pool:
        found = pool.requests(limit=limit, ordering="-id", **filters)
    if as_json:
        show_json([entry.raw for entry in found])
        return
    columns = [Column(title) for title in ("Id", "State", "Image", "Device", "Assignee", "Left")]
    rows = [
        [
            str(entry.id),
            entry.state,
            entry.image,
            _device_name(entry),
            entry.assignee,
            _left(entry, "", ""),
            why(entry),
        ]
        for entry in found
    ]
    show_table([*columns, Column("Waits", gives_way=True)], rows, "There are no such requests.")


@click.command()
@click.argument("request_id", metavar="REQUEST", type=click.IntRange(1))
@json_option
@click.pass_obj
def show(context: Context, /, request_id: int, as_json: bool) -> None:
    """Show a request."""
    with context.pool() as pool:
        _show_one(pool.get(request_id), as_json=as_json)


@click.command()
@click.argument("request_id", metavar="REQUEST", type=click.IntRange(1))
@click.option(
    "--duration",
    type=Duration(),
    metavar="DURATION",
    help="Time left, counted from now, or from when it is ready (default: 1h).",
)
@json_option
@click.pass_obj
def renew(context: Context, /, request_id: int, duration: int | None, as_json: bool) -> None:
    """Keep a device longer."""
    seconds = duration or context.config.duration or DEFAULT_REQUEST_SECONDS
    with context.pool() as pool:
        found = pool.renew(request_id, seconds)
    if as_json:
        show_json(found.raw)
    else:
        out().print(f"request {found.id} has {_left(found)}")


@click.command("return")
@click.argument("request_ids", metavar="REQUEST...", type=click.IntRange(1), nargs=-1, required=True)
@json_option
@click.pass_obj
def return_(context: Context, /, request_ids: Sequence[int], as_json: bool) -> None:
    """Give devices back. Doing it again is fine."""
    with context.pool() as pool:
        found = [pool.return_(number) for number in request_ids]
    if as_json:
        show_json([entry.raw for entry in found])
        return
    for entry in found:
        out().print(f"request {entry.id} is {entry.state}")


def _show_one(request: Request, *, as_json: bool) -> None:
    if as_json:
        show_json(request.raw)
        return
    device = request.device
    show_facts(
        {
            "request": str(request.id),
            "state": request.state,
            "device": device.name if device else "",
            "fqdn": device.fqdn if device else "",
            "address": (device.address or "") if device else "",
            "device state": device.state if device else "",
            "waits": why(request),
            "image": request.image,
            "boot config": told(request.boot_config),
            "wanted": request.requested_device or "any device",
            "environment": request.environment,
            "hardware": request.hardware or "",
            "tags": told(request.tags),
            "had": "" if device else (request.last_device or ""),
            "assignee": request.assignee,
            "owner": request.owner,
            "left": _left(request, ""),
            "expires": "" if request.has_ended else local(request.expires),
            "filed": local(request.created),
            "ready since": local(request.ready_at),
            "ended": local(request.ended),
            "url": request.url,
        }
    )


def _left(request: Request, running: str = " left", ahead: str = " from when it is ready") -> str:
    """Write the time that a request has; nothing of one that has ended."""
    if request.has_ended:
        return ""
    return format_duration(request.seconds_left) + (running if request.expires else ahead)


def _device_name(request: Request) -> str:
    if request.device is not None:
        return request.device.name
    return request.last_device or request.requested_device or ""
