"""`mozpool run`: a command with a device beside it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from mozpool_client.cli.options import Context, Duration, wishes
from mozpool_client.cli.output import complain
from mozpool_client.cli.progress import Progress
from mozpool_client.cli.session import NOT_EXECUTABLE, NOT_FOUND, Rules, Session
from mozpool_client.models import Request
from mozpool_client.plans import Order, wait_for

# A device is free again this long after whatever held it has died without a word.
_HOLD_SECONDS = 600
# GitHub Actions kills ten seconds after its first signal: the device is to be given back by then.
_GRACE_SECONDS = 5


@click.command(context_settings={"ignore_unknown_options": False, "allow_interspersed_args": False})
@click.option("--image", required=True, metavar="NAME", help="What is to be on the device.")
@wishes
@click.option(
    "--duration",
    type=Duration(),
    metavar="DURATION",
    default=_HOLD_SECONDS,
    help="Renewed for this long again and again; the device is free so long after a crash (default: 10m).",
)
@click.option(
    "--timeout",
    type=Duration(),
    metavar="DURATION",
    help="Give up when no device is ready by then (default: when --max-wait is over).",
)
@click.option(
    "--grace",
    type=Duration(),
    metavar="DURATION",
    default=_GRACE_SECONDS,
    help="What is left of the command so long after a signal is killed (default: 5s).",
)
@click.option(
    "--abort-on-loss/--no-abort-on-loss",
    default=True,
    help="End the command when its device is taken away (default: yes).",
)
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but warnings.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_obj
def run(
    context: Context,
    /,
    image: str,
    values: Sequence[tuple[str, str]],
    duration: int,
    timeout: int | None,
    max_wait: int | None,
    grace: int,
    abort_on_loss: bool,
    quiet: bool,
    command: Sequence[str],
    **wanted: Any,
) -> int:
    """Run a command with a device beside it.

    The device is requested, waited for, renewed meanwhile, and given back at the end, whatever happens.

    The command finds MOZPOOL_DEVICE, MOZPOOL_DEVICE_FQDN, MOZPOOL_DEVICE_ADDRESS, MOZPOOL_REQUEST_ID and
    MOZPOOL_REQUEST_URL in its environment. The exit status is the command's, 128 and the signal's number when
    a signal ended it; 1 also when the device was lost. Signals are passed on to the command and its children.
    """
    if (status := _unstartable(command[0])) is not None:
        return status
    order = Order(
        image,
        boot_config=dict(values),
        duration=duration,
        max_wait=wait_for(timeout, max_wait),
        **wanted,
    )
    with context.pool() as pool, Progress(quiet=quiet) as progress:
        session = Session(pool, order, Rules(timeout, grace, abort_on_loss), progress.show, progress.warn)

        def ready(request: Request) -> None:
            progress.stop()

        return session.run(command, ready)


def _unstartable(program: str) -> int | None:
    """Give the status for a program that can't be started, before a device is asked for in vain."""
    if shutil.which(program) is not None:
        return None
    found = os.sep in program and Path(program).exists()
    what = "is not executable" if found else "is not there"
    complain(f"mozpool: {program} {what}", "red")
    return NOT_EXECUTABLE if found else NOT_FOUND
