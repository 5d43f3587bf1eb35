"""Who we are to the pool: `login`, `logout`, `whoami`."""

from __future__ import annotations

import getpass
import socket
import sys

import click

from mozpool_client import config
from mozpool_client.cli.options import Context, Duration, json_option
from mozpool_client.cli.output import local, out, show_facts, show_json
from mozpool_client.sync import Mozpool


@click.command()
@click.option("--name", "username", help="Your name at the pool (default: asks).")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option(
    "--expires-in", type=Duration(), metavar="DURATION", help="How long the token is good, such as 30d."
)
@click.option("--token-name", help="What the token is called in lists (default: user@host).")
@click.pass_obj
def login(
    context: Context,
    /,
    username: str | None,
    password_stdin: bool,
    expires_in: int | None,
    token_name: str | None,
) -> None:
    """Exchange a password for a token, and store that."""
    settings = context.config
    config.check_can_store(settings.folder)
    with Mozpool(settings.servers, patience=context.patience) as pool:
        username = username or click.prompt("Name", default=_user(), err=True)
        if password_stdin:
            password = sys.stdin.readline().rstrip("\r\n")
        else:
            password = click.prompt("Password", hide_input=True, err=True)
        name = token_name or f"{_user()}@{socket.gethostname()}"
        made = pool.login(username, password, token_name=name, expires_in=expires_in)
    tokens = config.read_tokens(settings.folder)
    path = config.store_tokens(settings.folder, {**tokens, **dict.fromkeys(settings.servers, made.token)})
    until = f", good until {local(made.expires)}" if made.expires else ""
    out().print(f"You are {made.name} ({made.role}){until}. The token is in {path}", markup=False)


@click.command()
@click.pass_obj
def logout(context: Context, /) -> None:
    """Forget the stored token.

    It stays good until it expires, or is deleted on the server.
    """
    # A token that is given keeps the stored one from being read: it may be unreadable.
    settings = config.load(
        context.servers,
        token="-",  # noqa: S106 -- none
        folder=context.folder,
    )
    if config.forget_tokens(settings.folder, settings.servers):
        out().print("The token is forgotten.")
    else:
        out().print("There was no token.")


@click.command()
@json_option
@click.pass_obj
def whoami(context: Context, /, as_json: bool) -> None:
    """Show who the pool takes you for."""
    with context.pool() as pool:
        me = pool.whoami()
    if as_json:
        show_json(me.raw)
        return
    show_facts(
        {
            "name": me.name,
            "role": me.role,
            "known by": me.by,
            "token": me.token_name or "",
            "expires": local(me.token_expires),
        }
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user may have no name.
        return "user"
