"""Everything an installation may choose: one table of settings, read from the environment once and checked whole.

A value comes from the variable itself, or for secrets from a file named by `<NAME>_FILE`, or from the file named by
`MOZPOOL_ENV_FILE` (lines of NAME=value; the real environment wins), or from the default.
"""

import difflib
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from mozpool_site import env_kinds
from mozpool_site.env_kinds import Network

BASE_DIR = Path(__file__).resolve().parent.parent
ENV_FILE = "MOZPOOL_ENV_FILE"
_PREFIX = "MOZPOOL_"
# The client reads these, or `mozpool run` sets them for its command: one shell may hold them beside ours.
OF_THE_CLIENT = (
    "MOZPOOL_SERVERS",
    "MOZPOOL_TOKEN",
    "MOZPOOL_CONFIG",
    "MOZPOOL_DEVICE",
    "MOZPOOL_DEVICE_FQDN",
    "MOZPOOL_DEVICE_ADDRESS",
    "MOZPOOL_REQUEST_ID",
    "MOZPOOL_REQUEST_URL",
)
_DEVELOPMENT_KEY = "for development only; production refuses to start without its own key"
_DAY = 24 * 3600
_WEEK, _MONTH = 7 * _DAY, 30 * _DAY


@dataclass(frozen=True)
class Setting:
    """One line of the table: the variable, where its value goes, how it is read, and what it is for."""

    name: str
    field: str
    kind: str
    default: str
    help: str
    check: Callable[[str], Any]
    secret: bool = False
    # What the reference shows where the default is worked out from other settings (and `default` is empty).
    derived: str = ""


@dataclass(frozen=True)
class Environment:
    """The settings as read: complete, typed, and consistent with each other."""

    debug: bool
    secret_key: str
    https: bool
    allowed_hosts: tuple[str, ...]
    base_url: str
    database: dict[str, Any]
    broker_url: str
    tftp_root: Path
    boot_loaders: tuple[str, ...]
    static_root: Path | None
    trusted_networks: tuple[Network, ...]
    trusted_operator_networks: tuple[Network, ...]
    device_networks: tuple[Network, ...]
    trusted_proxies: tuple[Network, ...]
    cors_origins: tuple[str, ...]
    image_hosts: tuple[str, ...]
    webhook_hosts: tuple[str, ...]
    power_commands: dict[str, dict[str, list[str]]]
    inventory: Path | None
    boot_keys: tuple[bytes, ...]
    encryption_keys: tuple[bytes, ...]
    max_duration: int
    max_wait: int
    journal_days: int
    audit_days: int
    max_token_days: int
    max_open_requests: int
    max_waiting: int
    web_processes: int
    web_threads: int
    worker_threads: int
    log_level: str


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "MOZPOOL_DEBUG", "debug", "true or false", "false",
        "Development mode: tracebacks in the browser, a built-in secret key. Never on a server.",
        env_kinds.boolean,
    ),
    Setting(
        "MOZPOOL_SECRET_KEY", "secret_key", "text of at least 50 characters", "",
        "Signs sessions and, unless `MOZPOOL_BOOT_KEYS` is given, device tokens.",
        env_kinds.secret_key, secret=True, derived="required (a built-in one in development mode)",
    ),
    Setting(
        "MOZPOOL_HTTPS", "https", "true or false", "",
        "People reach the web pages by HTTPS only: secure cookies, HSTS, and a redirect from HTTP for all but "
        "devices and the API. Behind a proxy that ends TLS, list it in `MOZPOOL_TRUSTED_PROXIES` too.",
        env_kinds.boolean, derived="true, or false in development mode",
    ),
    Setting(
        "MOZPOOL_ALLOWED_HOSTS", "allowed_hosts", "host names", "",
        "Host headers that the web process answers; a leading dot includes subdomains.",
        env_kinds.hosts, derived="the host of `MOZPOOL_BASE_URL`, localhost, 127.0.0.1 and [::1]",
    ),
    Setting(
        "MOZPOOL_BASE_URL", "base_url", "http or https URL, no slash at its end", "http://localhost:8000",
        "Where clients and booting devices reach the web process; goes into answers and boot files. Boards use an "
        "https one without a port by plain HTTP, which /boot/ answers, unless their rack has a base URL of its own.",
        env_kinds.base_url,
    ),
    Setting(
        "DATABASE_URL", "database", "database URL", f"sqlite:///{BASE_DIR / 'var' / 'mozpool.sqlite3'}",
        "`mysql://user:password@host:port/name` (MySQL or MariaDB) or `sqlite:////absolute/path`.",
        env_kinds.database, secret=True,
    ),
    Setting(
        "MOZPOOL_BROKER_URL", "broker_url", "redis URL", "redis://localhost:6379/0",
        "Redis or Valkey, which carries doorbells: `redis://`, `rediss://` or `redis+socket:///path`.",
        env_kinds.broker_url, secret=True,
    ),
    Setting(
        "MOZPOOL_TFTP_ROOT", "tftp_root", "absolute path", str(BASE_DIR / "var" / "tftp"),
        "The folder that this host's TFTP server serves; boot files go below it, into `pxelinux.cfg/`.",
        env_kinds.absolute_path,
    ),
    Setting(
        "MOZPOOL_BOOT_LOADERS", "boot_loaders", "words", "",
        "Loaders besides PXELINUX and U-Boot that boot files are written for: `ipxe`, `grub`.",
        env_kinds.any_of("ipxe", "grub"),
    ),
    Setting(
        "MOZPOOL_STATIC_ROOT", "static_root", "absolute path", "",
        "Where `manage.py collectstatic` puts compressed, hashed copies for the pages.",
        env_kinds.absolute_path, derived="none: files are served from where they are installed",
    ),
    Setting(
        "MOZPOOL_TRUSTED_NETWORKS", "trusted_networks", "networks", "",
        "Legacy mode: requests without credentials from here act as requester. Empty: off.",
        env_kinds.networks,
    ),
    Setting(
        "MOZPOOL_TRUSTED_OPERATOR_NETWORKS", "trusted_operator_networks", "networks", "",
        "Legacy mode: requests without credentials from here act as operator. Empty: off.",
        env_kinds.networks,
    ),
    Setting(
        "MOZPOOL_DEVICE_NETWORKS", "device_networks", "networks", "",
        "Legacy mode: devices with old boot scripts call from here without credentials. Each may tell its own events "
        "and read its own boot config, nothing else, whatever other networks say. Empty: off.",
        env_kinds.networks,
    ),
    Setting(
        "MOZPOOL_TRUSTED_PROXIES", "trusted_proxies", "networks", "",
        "Proxies whose X-Forwarded-For and X-Forwarded-Proto count; they must overwrite both.",
        env_kinds.networks,
    ),
    Setting(
        "MOZPOOL_CORS_ORIGINS", "cors_origins", "origins", "",
        "Web origins whose scripts may call the API.",
        env_kinds.origins,
    ),
    Setting(
        "MOZPOOL_IMAGE_HOSTS", "image_hosts", "host names", "",
        "Hosts that image and build URLs may point at. Empty: no URL is accepted.",
        env_kinds.hosts,
    ),
    Setting(
        "MOZPOOL_WEBHOOK_HOSTS", "webhook_hosts", "host names", "",
        "Hosts that webhooks may be sent to; one that only a leading dot covers must have a public address. Empty: "
        "no webhooks.",
        env_kinds.hosts,
    ),
    Setting(
        "MOZPOOL_POWER_COMMANDS", "power_commands", "JSON", "",
        "Programs of your own that power controllers with the driver `command` may run, by name: argument lists for "
        "`on`, `off` and perhaps `state`, which prints on or off. `{outlet}` and `{address}` are filled in. "
        "Empty: none.",
        env_kinds.power_commands,
    ),
    Setting(
        "MOZPOOL_INVENTORY", "inventory", "absolute path", "",
        "A TOML or YAML file that declares where `manage.py inventory_sync NAME` finds the devices of an inventory.",
        env_kinds.absolute_path, derived="none: sources are named on the command line",
    ),
    Setting(
        "MOZPOOL_BOOT_KEYS", "boot_keys", "keys of at least 32 characters", "",
        "Keys of the devices' own tokens, for rotation: the first signs, all are accepted.",
        env_kinds.keys, secret=True, derived="derived from `MOZPOOL_SECRET_KEY`",
    ),
    Setting(
        "MOZPOOL_ENCRYPTION_KEYS", "encryption_keys", "keys of at least 32 characters", "",
        "Keys of power passwords and webhook secrets in the database: the first encrypts, all decrypt. "
        "docs/operators/backup.md says how to change them.",
        env_kinds.keys, secret=True, derived="`MOZPOOL_SECRET_KEY`",
    ),
    Setting(
        "MOZPOOL_MAX_DURATION", "max_duration", "seconds", str(_MONTH),
        "The longest time that a request may ask for or be renewed by.",
        env_kinds.whole_number(60, _MONTH, "seconds"),
    ),
    Setting(
        "MOZPOOL_MAX_WAIT", "max_wait", "seconds", str(_WEEK),
        "The longest time that a request may wait for a device; a day unless its owner asks otherwise.",
        env_kinds.whole_number(_DAY, _MONTH, "seconds"),
    ),
    Setting(
        "MOZPOOL_JOURNAL_DAYS", "journal_days", "days", "14",
        "How long the journal is kept.",
        env_kinds.whole_number(1, 3650, "days"),
    ),
    Setting(
        "MOZPOOL_AUDIT_DAYS", "audit_days", "days", "365",
        "How long the audit trail is kept.",
        env_kinds.whole_number(1, 3650, "days"),
    ),
    Setting(
        "MOZPOOL_MAX_TOKEN_DAYS", "max_token_days", "days", "365",
        "The longest life of a personal token; 90 days, or this if it is less, unless its owner asks otherwise.",
        env_kinds.whole_number(1, 3650, "days"),
    ),
    Setting(
        "MOZPOOL_MAX_OPEN_REQUESTS", "max_open_requests", "number", "100",
        "Open requests that one owner may have at a time; 0 for no limit. The admin can set another for a user.",
        env_kinds.whole_number(0, 1_000_000, "requests"),
    ),
    Setting(
        "MOZPOOL_MAX_WAITING", "max_waiting", "number", "500",
        "Streams of events and long polls that one caller may have open at a time in each process of the web server.",
        env_kinds.whole_number(1, 1_000_000, "calls"),
    ),
    Setting(
        "MOZPOOL_WEB_PROCESSES", "web_processes", "number", "2",
        "Processes that the web server runs; one for each processor that it may have.",
        env_kinds.whole_number(1, 64, "processes"),
    ),
    Setting(
        "MOZPOOL_WEB_THREADS", "web_threads", "number", "4",
        "Calls that one web process works on at a time, each with a database connection; waiting ones are free.",
        env_kinds.whole_number(1, 64, "threads"),
    ),
    Setting(
        "MOZPOOL_WORKER_THREADS", "worker_threads", "number", "16",
        "Tasks that one worker process runs at a time.",
        env_kinds.whole_number(1, 256, "threads"),
    ),
    Setting(
        "MOZPOOL_LOG_LEVEL", "log_level", "word", "INFO",
        "The least severe messages that are logged: DEBUG, INFO, WARNING or ERROR.",
        env_kinds.one_of("DEBUG", "INFO", "WARNING", "ERROR"),
    ),
)  # fmt: skip


def read(variables: Mapping[str, str]) -> Environment:
    """Read and check every setting in `variables`.

    Raises ImproperlyConfigured with one line for each thing that is wrong, so that one restart is enough.
    """
    problems: list[str] = []
    merged = _with_env_file(variables, problems)
    problems += _unknown(merged)
    values = {setting.field: _value(setting, merged, problems) for setting in SETTINGS}
    _derive(values, problems)
    if problems:
        raise ImproperlyConfigured("\n".join(problems))
    return Environment(**values)


def _with_env_file(variables: Mapping[str, str], problems: list[str]) -> dict[str, str]:
    """Add the lines of the file named by MOZPOOL_ENV_FILE below the real environment."""
    merged = dict(variables)
    name = merged.get(ENV_FILE, "")
    if not name:
        return merged
    if not Path(name).is_file():
        problems.append(f"{ENV_FILE}: a readable file expected, got {name!r}")
        return merged

    class FileReader(environ.Env):  # type: ignore[misc]  # django-environ has no types
        """Collects the file's lines here instead of in the process's environment."""

        ENVIRON = merged

    FileReader.read_env(name)
    return merged


def _unknown(variables: Mapping[str, str]) -> list[str]:
    """Complain of variables that look like ours and are not: a typing error would otherwise be silent."""
    known = [ENV_FILE, *OF_THE_CLIENT]
    for setting in SETTINGS:
        known += [setting.name, f"{setting.name}_FILE"] if setting.secret else [setting.name]
    found = []
    for name in sorted(variables):
        if name.startswith(_PREFIX) and name not in known:
            bare = name.removeprefix(_PREFIX)
            near = bare if bare in known else difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
            found.append(f"{name}: no such setting; the nearest is {near} (docs/settings.md lists all)")
    return found


def _text(setting: Setting, variables: Mapping[str, str], problems: list[str]) -> str:
    """Fetch a setting's text: the variable, the file that holds the secret, or the default."""
    given = variables.get(setting.name, "").strip()
    file_name = variables.get(f"{setting.name}_FILE", "") if setting.secret else ""
    if not file_name:
        return given or setting.default
    if given:
        problems.append(f"{setting.name}: given twice, by itself and by {setting.name}_FILE; keep one")
        return given
    try:
        return Path(file_name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{setting.name}_FILE: a readable text file expected, got {file_name!r} ({error})")
        return setting.default


def _value(setting: Setting, variables: Mapping[str, str], problems: list[str]) -> Any:
    """Read one setting; None where the default has to be derived or the text was wrong."""
    text = _text(setting, variables, problems)
    if not text and setting.derived:
        return None
    try:
        return setting.check(text)
    except ValueError as error:
        got = "something else (not shown: it may hold a secret)" if setting.secret else repr(text)
        problems.append(f"{setting.name}: {error}, got {got}")
        return None


def _derive(values: dict[str, Any], problems: list[str]) -> None:
    """Fill the defaults that follow from other settings."""
    refused = {line.split(":", 1)[0].removesuffix("_FILE") for line in problems}
    if values["https"] is None:
        values["https"] = not values["debug"]
    if values["secret_key"] is None and "MOZPOOL_SECRET_KEY" not in refused:
        values["secret_key"] = _DEVELOPMENT_KEY
        if not values["debug"]:
            problems.append(
                "MOZPOOL_SECRET_KEY: at least 50 random characters expected, got nothing "
                "(openssl rand -hex 40 makes some; MOZPOOL_DEBUG=true does without, for development)"
            )
    if values["allowed_hosts"] is None and values["base_url"] is not None:
        own = urlsplit(values["base_url"]).hostname or "localhost"
        values["allowed_hosts"] = tuple(dict.fromkeys((own, "localhost", "127.0.0.1", "[::1]")))
    if values["boot_keys"] is None and values["secret_key"] is not None:
        digest = hmac.new(values["secret_key"].encode(), b"mozpool device tokens", hashlib.sha256).digest()
        values["boot_keys"] = (digest,)
    if values["encryption_keys"] is None and values["secret_key"] is not None:
        values["encryption_keys"] = (values["secret_key"].encode(),)
