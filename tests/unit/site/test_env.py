"""What the settings reader accepts, and the line that each kind of junk earns."""

import dataclasses
import ipaddress
import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from mozpool_site import env
from mozpool_site.env import SETTINGS, Environment, read

KEY = "0123456789abcdef" * 4
GOOD = {"MOZPOOL_SECRET_KEY": KEY}


def problems(**variables: str) -> list[str]:
    """Read settings that must be refused, and give the lines of the refusal."""
    with pytest.raises(ImproperlyConfigured) as refused:
        read({**GOOD, **variables})
    return str(refused.value).split("\n")


def test_a_secret_key_is_all_that_production_must_give() -> None:
    settings = read(GOOD)
    assert settings.debug is False
    assert settings.https is True
    assert settings.secret_key == KEY
    assert settings.base_url == "http://localhost:8000"
    assert settings.allowed_hosts == ("localhost", "127.0.0.1", "[::1]")
    assert settings.broker_url == "redis://localhost:6379/0"
    assert settings.database["ENGINE"] == "django.db.backends.sqlite3"
    assert settings.database["NAME"] == str(env.BASE_DIR / "var" / "mozpool.sqlite3")
    assert settings.tftp_root == env.BASE_DIR / "var" / "tftp"
    assert settings.static_root is None
    assert settings.trusted_networks == settings.trusted_operator_networks == settings.trusted_proxies == ()
    assert (settings.max_duration, settings.journal_days, settings.worker_threads) == (2592000, 14, 16)
    assert (settings.web_processes, settings.web_threads) == (2, 4)
    assert settings.log_level == "INFO"


def test_development_needs_nothing_and_serves_plain_http() -> None:
    settings = read({"MOZPOOL_DEBUG": "yes"})
    assert settings.debug is True
    assert settings.https is False
    assert settings.secret_key


def test_production_refuses_to_start_without_a_key() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^MOZPOOL_SECRET_KEY: at least 50 random .*got nothing"):
        read({})


@pytest.mark.parametrize("key", ["short", "a" * 80, "django-insecure-" + KEY, KEY[:49]])
def test_a_weak_key_is_refused_and_not_repeated(key: str) -> None:
    (line,) = problems(MOZPOOL_SECRET_KEY=key)
    assert line.startswith("MOZPOOL_SECRET_KEY: at least 50 random characters expected")
    assert key not in line


def test_every_value_given_is_read() -> None:
    settings = read(
        {
            **GOOD,
            "MOZPOOL_HTTPS": "off",
            "MOZPOOL_ALLOWED_HOSTS": "Pool.example.com, .example.org",
            "MOZPOOL_BASE_URL": "https://pool.example.com:8443/mozpool",
            "DATABASE_URL": "mysql://mozpool:p%40ss@db.example.com:3307/pool",
            "MOZPOOL_BROKER_URL": "redis+socket:///run/redis/redis.sock",
            "MOZPOOL_TFTP_ROOT": "/srv/tftp",
            "MOZPOOL_STATIC_ROOT": "/srv/static",
            "MOZPOOL_TRUSTED_NETWORKS": "10.12.0.0/16, 2001:db8::/32",
            "MOZPOOL_CORS_ORIGINS": "https://ci.example.com,http://localhost:3000",
            "MOZPOOL_IMAGE_HOSTS": "ftp.example.com,192.0.2.7",
            "MOZPOOL_BOOT_KEYS": f"{'n' * 32},{'o' * 40}",
            "MOZPOOL_MAX_DURATION": "3600",
            "MOZPOOL_LOG_LEVEL": "debug",
        }
    )
    assert settings.https is False
    assert settings.allowed_hosts == ("pool.example.com", ".example.org")
    assert settings.base_url == "https://pool.example.com:8443/mozpool"
    assert settings.database == {
        "ENGINE": "django.db.backends.mysql",
        "NAME": "pool",
        "USER": "mozpool",
        "PASSWORD": "p@ss",
        "HOST": "db.example.com",
        "PORT": 3307,
    }
    assert settings.broker_url == "redis+socket:///run/redis/redis.sock"
    assert (settings.tftp_root, settings.static_root) == (Path("/srv/tftp"), Path("/srv/static"))
    assert settings.trusted_networks == (
        ipaddress.ip_network("10.12.0.0/16"),
        ipaddress.ip_network("2001:db8::/32"),
    )
    assert settings.cors_origins == ("https://ci.example.com", "http://localhost:3000")
    assert settings.image_hosts == ("ftp.example.com", "192.0.2.7")
    assert settings.boot_keys == (b"n" * 32, b"o" * 40)
    assert settings.max_duration == 3600
    assert settings.log_level == "DEBUG"


def test_a_base_url_that_no_device_could_reach_is_refused() -> None:
    (problem,) = problems(MOZPOOL_BASE_URL="http://[fd00::1]:8000")
    assert problem.startswith(
        "MOZPOOL_BASE_URL: a URL with a host name or an IPv4 address, since devices do not speak IPv6, expected"
    )


def test_the_host_of_the_base_url_is_an_allowed_host() -> None:
    assert "pool.example.com" in read({**GOOD, "MOZPOOL_BASE_URL": "https://pool.example.com"}).allowed_hosts


def test_boot_keys_come_from_the_secret_key_and_change_with_it() -> None:
    first, again = read(GOOD).boot_keys, read(GOOD).boot_keys
    other = read({"MOZPOOL_SECRET_KEY": KEY[::-1]}).boot_keys
    assert first == again
    assert first != other
    assert [len(key) for key in (*first, *other)] == [32, 32]


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("MOZPOOL_MAX_DURATION", "abc", "whole seconds from 60 to 2592000 expected, got 'abc'"),
        ("MOZPOOL_MAX_DURATION", "59", "whole seconds from 60 to 2592000 expected, got '59'"),
        ("MOZPOOL_MAX_DURATION", "2592001", "whole seconds from 60 to 2592000 expected, got '2592001'"),
        ("MOZPOOL_MAX_DURATION", "1e3", "whole seconds from 60 to 2592000 expected, got '1e3'"),
        ("MOZPOOL_MAX_DURATION", "-60", "whole seconds from 60 to 2592000 expected, got '-60'"),
        ("MOZPOOL_MAX_DURATION", "٣٦٠٠", "whole seconds from 60 to 2592000 expected, got '٣٦٠٠'"),
        ("MOZPOOL_JOURNAL_DAYS", "0", "whole days from 1 to 3650 expected, got '0'"),
        ("MOZPOOL_WORKER_THREADS", "many", "whole threads from 1 to 256 expected, got 'many'"),
        ("MOZPOOL_DEBUG", "maybe", "true or false expected, got 'maybe'"),
        ("MOZPOOL_HTTPS", "2", "true or false expected, got '2'"),
        ("MOZPOOL_LOG_LEVEL", "loud", "one of DEBUG, INFO, WARNING, ERROR expected, got 'loud'"),
        ("MOZPOOL_TFTP_ROOT", "srv/tftp", "an absolute path expected, got 'srv/tftp'"),
        ("MOZPOOL_STATIC_ROOT", "static", "an absolute path expected, got 'static'"),
        (
            "MOZPOOL_TRUSTED_NETWORKS",
            "10.0.0.1/8",
            "networks such as 10.12.0.0/16 or 2001:db8::/32, separated by commas, expected, got '10.0.0.1/8'",
        ),
        (
            "MOZPOOL_TRUSTED_PROXIES",
            "proxy",
            "networks such as 10.12.0.0/16 or 2001:db8::/32, separated by commas, expected, got 'proxy'",
        ),
        (
            "MOZPOOL_BASE_URL",
            "https://pool/",
            "a URL without a slash at its end expected, got 'https://pool/'",
        ),
        ("MOZPOOL_IMAGE_HOSTS", "a_b", "host names or addresses, separated by commas, expected, got 'a_b'"),
        ("MOZPOOL_ALLOWED_HOSTS", "*", "host names or addresses, separated by commas, expected, got '*'"),
    ],
)
def test_junk_is_refused_by_name(name: str, text: str, line: str) -> None:
    assert problems(**{name: text}) == [f"{name}: {line}"]


@pytest.mark.parametrize(
    "url",
    [
        "pool.example.com",
        "ftp://pool",
        "file:///etc/passwd",
        "http://",
        "http://user@pool",
        "http://pool?x=1",
        "http://pool#x",
        "http://pool:99999",
        "http://pool:0",
        "http://po ol",
        "http://pool/%TOKEN%",
        "http://pool/'x",
    ],
)
def test_a_base_url_that_could_not_go_into_a_boot_file_is_refused(url: str) -> None:
    assert problems(MOZPOOL_BASE_URL=url) == [
        f"MOZPOOL_BASE_URL: an http or https URL without user, query or fragment expected, got {url!r}"
    ]


@pytest.mark.parametrize(
    "origin", ["ci.example.com", "https://ci.example.com/", "https://*", "null", "https://x:y"]
)
def test_an_origin_is_scheme_host_and_port_only(origin: str) -> None:
    assert problems(MOZPOOL_CORS_ORIGINS=origin) == [
        f"MOZPOOL_CORS_ORIGINS: origins such as https://ci.example.com, separated by commas, expected, got {origin!r}"
    ]


@pytest.mark.parametrize(
    "url",
    [
        "postgres://u:hunter2@h/n",
        "mysql://u:hunter2@h:port/n",
        "mysql://u:hunter2@h",
        "sqlite://hunter2/x",
        "hunter2",
        "sqlite://",
        "sqlite://:memory:",
        "sqlite:///var/hunter2.sqlite3",
    ],
)
def test_a_wrong_database_url_is_refused_without_showing_its_password(url: str) -> None:
    (line,) = problems(DATABASE_URL=url)
    assert line.startswith(
        "DATABASE_URL: sqlite:////absolute/path or mysql://user:password@host:port/name expected"
    )
    assert "hunter2" not in line


def test_mysql_may_be_reached_by_its_unix_socket() -> None:
    database = read({**GOOD, "DATABASE_URL": "mysql:///pool?unix_socket=/run/mysqld/mysqld.sock"}).database
    assert database["OPTIONS"] == {"unix_socket": "/run/mysqld/mysqld.sock"}


@pytest.mark.parametrize(
    "url",
    [
        "amqp://h",
        "redis://",
        "redis://h:x",
        "redis://h/zero",
        "redis+socket://h/x",
        "redis+socket:///",
        "memory://",
    ],
)
def test_a_broker_that_is_no_redis_is_refused(url: str) -> None:
    (line,) = problems(MOZPOOL_BROKER_URL=url)
    assert line.startswith(
        "MOZPOOL_BROKER_URL: redis://host:port/number, rediss://... or redis+socket:///absolute/path"
    )


def test_short_boot_keys_are_refused() -> None:
    (line,) = problems(MOZPOOL_BOOT_KEYS=f"{'n' * 32},short")
    assert line.startswith("MOZPOOL_BOOT_KEYS: keys of at least 32 characters, separated by commas, expected")
    assert "short" not in line


def test_all_problems_are_reported_at_once() -> None:
    lines = problems(MOZPOOL_MAX_DURATION="abc", MOZPOOL_DEBUG="?", MOZPOOL_TFTP_ROOT="x")
    assert [line.split(":")[0] for line in lines] == [
        "MOZPOOL_DEBUG",
        "MOZPOOL_TFTP_ROOT",
        "MOZPOOL_MAX_DURATION",
    ]


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("MOZPOOL_MAXDURATION", "MOZPOOL_MAX_DURATION"),
        ("MOZPOOL_SECRETKEY", "MOZPOOL_SECRET_KEY"),
        ("MOZPOOL_DATABASE_URL", "DATABASE_URL"),
    ],
)
def test_a_misspelt_variable_is_refused_with_the_nearest_name(name: str, nearest: str) -> None:
    assert problems(**{name: "1"}) == [
        f"{name}: no such setting; the nearest is {nearest} (docs/settings.md lists all)"
    ]


def test_variables_of_others_are_none_of_our_business() -> None:
    assert read({**GOOD, "HOME": "/root", "MOZILLA": "1", "DEBUG": "maybe"}).debug is False


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    (tmp_path / "url").write_text("mysql://u:p@h/n\n")
    settings = read(
        {"MOZPOOL_SECRET_KEY_FILE": str(tmp_path / "key"), "DATABASE_URL_FILE": str(tmp_path / "url")}
    )
    assert settings.secret_key == KEY
    assert settings.database["PASSWORD"] == "p"


def test_a_secret_given_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    assert problems(MOZPOOL_SECRET_KEY_FILE=str(tmp_path / "key")) == [
        "MOZPOOL_SECRET_KEY: given twice, by itself and by MOZPOOL_SECRET_KEY_FILE; keep one"
    ]


def test_a_secret_file_that_is_missing_is_named_once(tmp_path: Path) -> None:
    missing = str(tmp_path / "none")
    with pytest.raises(ImproperlyConfigured) as refused:
        read({"MOZPOOL_SECRET_KEY_FILE": missing})
    (line,) = str(refused.value).split("\n")
    assert line.startswith(f"MOZPOOL_SECRET_KEY_FILE: a readable text file expected, got {missing!r}")


def test_an_open_value_has_no_file() -> None:
    (line,) = problems(MOZPOOL_MAX_DURATION_FILE="/x")
    assert line.startswith("MOZPOOL_MAX_DURATION_FILE: no such setting")


def test_an_environment_file_fills_what_the_environment_leaves_open(tmp_path: Path) -> None:
    file = tmp_path / "mozpool.env"
    file.write_text(
        f"# a comment\nMOZPOOL_SECRET_KEY={KEY}\nMOZPOOL_MAX_DURATION=60\nMOZPOOL_JOURNAL_DAYS=7\n"
    )
    settings = read({"MOZPOOL_ENV_FILE": str(file), "MOZPOOL_JOURNAL_DAYS": "3"})
    assert (settings.secret_key, settings.max_duration, settings.journal_days) == (KEY, 60, 3)


def test_a_misspelt_variable_in_the_environment_file_is_refused_too(tmp_path: Path) -> None:
    file = tmp_path / "mozpool.env"
    file.write_text("MOZPOOL_DEBUGG=1\n")
    assert problems(MOZPOOL_ENV_FILE=str(file)) == [
        "MOZPOOL_DEBUGG: no such setting; the nearest is MOZPOOL_DEBUG (docs/settings.md lists all)"
    ]


def test_an_environment_file_that_is_missing_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "none.env")
    assert problems(MOZPOOL_ENV_FILE=missing) == [
        f"MOZPOOL_ENV_FILE: a readable file expected, got {missing!r}"
    ]


def test_every_setting_has_its_field_and_every_field_its_setting() -> None:
    assert sorted(setting.field for setting in SETTINGS) == sorted(
        field.name for field in dataclasses.fields(Environment)
    )


def test_every_default_passes_its_own_check() -> None:
    checked: dict[str, Any] = {s.name: s.check(s.default) for s in SETTINGS if not s.derived}
    assert len(checked) >= 10


def test_power_commands_are_argument_lists_by_name_and_verb() -> None:
    lists = {"usbrelay": {"on": ["usbrelay", "{outlet}=1"], "off": ["usbrelay", "{outlet}=0"]}}
    assert read({**GOOD, "MOZPOOL_POWER_COMMANDS": json.dumps(lists)}).power_commands == lists
    assert read(GOOD).power_commands == {}


@pytest.mark.parametrize(
    "text",
    [
        "usbrelay",
        "[]",
        '{"a": ["usbrelay"]}',
        '{"a": {"on": ["x"]}}',
        '{"a": {"on": ["x"], "off": []}}',
        '{"a": {"on": ["x"], "off": "x off"}}',
        '{"a": {"on": ["x"], "off": [1]}}',
        '{"a": {"on": ["x"], "off": ["x\\u0000"]}}',
        '{"a": {"on": ["x"], "off": ["x"], "reboot": ["x"]}}',
    ],
)
def test_power_commands_of_any_other_form_are_refused(text: str) -> None:
    (line,) = problems(MOZPOOL_POWER_COMMANDS=text)
    assert line.startswith("MOZPOOL_POWER_COMMANDS: JSON such as ")


def test_what_the_client_reads_or_sets_is_passed_over_by_the_server() -> None:
    client = Path(env.BASE_DIR / "client" / "src")
    named = {
        name
        for path in client.rglob("*.py")
        for name in re.findall(r"(?<!_)MOZPOOL_[A-Z_]+", path.read_text())
    }
    assert named == set(env.OF_THE_CLIENT)
    assert read({**GOOD, **dict.fromkeys(named, "anything")}) == read(GOOD)
    assert problems(MOZPOOL_SERVER="http://a") == [
        "MOZPOOL_SERVER: no such setting; the nearest is MOZPOOL_SERVERS (docs/settings.md lists all)"
    ]
