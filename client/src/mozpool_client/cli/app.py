"""The group of commands, and what is said before their names."""

from __future__ import annotations

from pathlib import Path

import click

from mozpool_client.cli import access, looking, requesting, running
from mozpool_client.cli.options import Context, Group
from mozpool_client.transport import version

_EPILOG = """\b
Servers and token: options, else MOZPOOL_SERVERS and MOZPOOL_TOKEN, else ~/.config/mozpool/config.toml
and what `mozpool login` stored. Completion in bash: eval "$(_MOZPOOL_COMPLETE=bash_source mozpool)"
Exit status: 0 done, 1 refused or failed, 2 the call is wrong, 3 no server can answer, 130 interrupted.
"""


@click.group(cls=Group, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--server",
    "servers",
    metavar="URL",
    multiple=True,
    help="A server of the pool; may be repeated: they are tried until one answers.",
)
@click.option(
    "--token", metavar="TOKEN", help="A token; others on this machine can see it: prefer MOZPOOL_TOKEN."
)
@click.option(
    "--config",
    "folder",
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where config.toml and tokens.json are (also MOZPOOL_CONFIG).",
)
@click.option(
    "--patience",
    metavar="SECONDS",
    type=click.FloatRange(0, 3600),
    default=60.0,
    show_default=True,
    help="How long a call is tried while no server answers.",
)
@click.version_option(version(), prog_name="mozpool")
@click.pass_context
def main(
    context: click.Context, servers: tuple[str, ...], token: str | None, folder: Path | None, patience: float
) -> None:
    """Ask a Mozpool for devices, use them, and give them back."""
    context.obj = Context(servers, token, folder, patience)


for _command in (
    requesting.request,
    running.run,
    requesting.list_,
    requesting.show,
    requesting.renew,
    requesting.return_,
    looking.devices,
    looking.images,
    looking.log,
    looking.power_cycle,
    access.login,
    access.logout,
    access.whoami,
):
    main.add_command(_command)
