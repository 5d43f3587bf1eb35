"""Whatever the environment is, the command does its work, or says in one line what it can't use."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from certificates import vouched_for
from command import environment, mozpool
from contract_server import ContractServer, serving

# Nobody listens there: whoever asked it would be refused.
NOBODY = "http://127.0.0.1:9"
OLD_SCRIPT = """
import sys
from mozpool_client import legacy
legacy._PAUSE = 0.001
try:
    print(legacy.MozpoolHandler(sys.argv[1]).partial_url_get("/api/v2/whoami/")[1])
except legacy.MozpoolException as error:
    print(error)
"""


@pytest.fixture
def private(tmp_path: Path) -> Iterator[tuple[ContractServer, Path]]:
    """Give a server by HTTPS, and the file of the authority that vouches for it."""
    context, authority = vouched_for(tmp_path)
    with serving(context) as running:
        yield running, authority


def whoami(url: str, **variables: str) -> tuple[int, str]:
    """Ask who we are; give the status, and what was said on standard error."""
    done = mozpool("whoami", url=url, variables=variables)
    assert (done.returncode == 0) == ("name\ttester" in done.stdout)
    return done.returncode, done.stderr


def old_script(url: str, **variables: str) -> str:
    """Ask by the old client's names; give what came of it."""
    words = [sys.executable, "-c", OLD_SCRIPT, url]
    return subprocess.run(
        words, env=environment(**variables), capture_output=True, text=True, check=True, timeout=60
    ).stdout


def in_a_shell(redirections: str, *words: str, url: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a shell does, with what it redirects."""
    shell = ["sh", "-c", f'exec "$@" {redirections}', "sh", sys.executable, "-m", "mozpool_client", *words]
    return subprocess.run(
        shell, env=environment(url), capture_output=True, text=True, check=False, timeout=60
    )


UNUSABLE = [
    ("ALL_PROXY", "socks4://127.0.0.1:9", "ALL_PROXY: proxies of the kind 'socks4' can't be used"),
    ("all_proxy", "ftp://127.0.0.1:9", "ALL_PROXY: proxies of the kind 'ftp' can't be used"),
    ("http_proxy", "http://[127.0.0.1:9", "HTTP_PROXY is no proxy; write http://proxy.example.com:3128"),
    ("HTTP_PROXY", "http://me:secret@:3128", "HTTP_PROXY is no proxy"),
    ("HTTP_PROXY", "proxy:99999", "HTTP_PROXY is no proxy"),
    ("HTTP_PROXY", f"http://{'a' * 64}.example:3128", "HTTP_PROXY is no proxy"),
    ("HTTP_PROXY", "http://proxy..example:3128", "HTTP_PROXY is no proxy"),
    ("HTTP_PROXY", "http://a b", "HTTP_PROXY is no proxy"),
]


@pytest.mark.parametrize(("name", "value", "told"), UNUSABLE)
def test_a_proxy_that_can_not_be_used_is_told(
    server: ContractServer, name: str, value: str, told: str
) -> None:
    status, errors = whoami(server.url, **{name: value})
    assert (status, errors.count("\n")) == (2, 1)
    assert errors.startswith(f"mozpool: {told}")
    assert "secret" not in errors
    assert told in old_script(server.url, **{name: value})
    assert server.calls == []


@pytest.mark.parametrize("scheme", ["socks", "socks5", "socks5h"])
@pytest.mark.skipif(importlib.util.find_spec("socksio") is not None, reason="that package is there")
def test_a_socks_proxy_without_its_package_is_told(server: ContractServer, scheme: str) -> None:
    told = "ALL_PROXY: a SOCKS proxy needs a package more: pip install 'mozpool-client[socks]'"
    assert whoami(server.url, ALL_PROXY=f"{scheme}://127.0.0.1:9/") == (2, f"mozpool: {told}\n")
    assert told in old_script(server.url, ALL_PROXY=f"{scheme}://127.0.0.1:9/")


@pytest.mark.parametrize(
    "exceptions",
    [
        "127.0.0.1",
        "127.0.0.0/8",
        "example.com, 127.0.0.0/8 ,[::1]",
        "localhost,[::1],127.0.0.1/32",
        "fd00::/8,example.com,*",
        "[::1]/129,10.0.0.0/99,,/,127.*,127.0.0.1",
    ],
)
@pytest.mark.parametrize("proxy", [NOBODY, "socks4://127.0.0.1:9"])
def test_a_proxy_of_other_servers_is_passed_over(server: ContractServer, exceptions: str, proxy: str) -> None:
    assert whoami(server.url, http_proxy=proxy, no_proxy=exceptions) == (0, "")
    assert len(server.calls) == 1
    assert old_script(server.url, http_proxy=proxy, no_proxy=exceptions) == "200\n"


@pytest.mark.parametrize("written", ["http://{}", "{}", "http://{}/"])
def test_a_server_is_asked_by_its_proxy(server: ContractServer, written: str) -> None:
    proxy = written.format(server.url.removeprefix("http://"))
    exceptions = "10.0.0.0/8,*.example.com,localhost,[::1]"
    pool = "http://mozpool.invalid"
    assert whoami(pool, HTTP_PROXY=proxy, HTTPS_PROXY="ftp://x", NO_PROXY=exceptions) == (0, "")
    assert server.calls[0].headers["host"] == "mozpool.invalid"
    assert old_script(pool, all_proxy=proxy, no_proxy=exceptions) == "200\n"


def test_a_proxy_that_is_away_is_a_server_that_is_away(server: ContractServer, dead_url: str) -> None:
    done = mozpool("--patience", "0", "whoami", url=server.url, variables={"HTTP_PROXY": dead_url})
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert "Connection refused" in done.stderr
    assert server.calls == []


def test_a_certificate_of_an_unknown_authority_is_told_at_once(private: tuple[ContractServer, Path]) -> None:
    server, _ = private
    reason = "its certificate is not trusted: unable to get local issuer certificate"
    status, errors = whoami(server.url)
    assert (status, errors.count("\n")) == (3, 1)
    assert reason in errors
    assert reason in old_script(server.url)
    assert server.calls == []


def test_an_authority_of_ones_own_is_believed(private: tuple[ContractServer, Path]) -> None:
    server, authority = private
    assert whoami(server.url, SSL_CERT_FILE=str(authority)) == (0, "")
    assert old_script(server.url, SSL_CERT_FILE=str(authority)) == "200\n"


def test_a_certificate_for_another_name_is_told(private: tuple[ContractServer, Path]) -> None:
    server, authority = private
    url = server.url.replace("127.0.0.1", "localhost")
    status, errors = whoami(url, SSL_CERT_FILE=str(authority))
    assert (status, errors.count("\n")) == (3, 1)
    assert "Hostname mismatch" in errors


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("SSL_CERT_FILE", "/nonexistent", "SSL_CERT_FILE: '/nonexistent' can't be used: No such file"),
        ("SSL_CERT_FILE", __file__, f"SSL_CERT_FILE: {__file__!r} can't be used: "),
        ("SSL_CERT_DIR", "/nonexistent", "SSL_CERT_DIR: '/nonexistent' is no folder"),
    ],
)
def test_certificates_that_can_not_be_read_are_told_where_they_are_needed(
    server: ContractServer, private: tuple[ContractServer, Path], name: str, value: str, told: str
) -> None:
    status, errors = whoami(private[0].url, **{name: value})
    assert (status, errors.count("\n")) == (2, 1)
    assert errors.startswith(f"mozpool: {told}")
    assert told in old_script(private[0].url, **{name: value})
    assert whoami(server.url, **{name: value}) == (0, "")


@pytest.mark.parametrize("home", ["/dev/null", "/nonexistent", ""])
def test_a_home_that_is_none_is_passed_over(
    server: ContractServer, monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME")
    assert whoami(server.url, HOME=home) == (0, "")


def test_a_token_that_can_not_be_stored_is_not_asked_for(
    server: ContractServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME")
    done = mozpool(
        "login", "--name", "ada", "--password-stdin", url=server.url, variables={"HOME": "/dev/null"}
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "name a folder with MOZPOOL_CONFIG" in done.stderr
    assert server.calls == []


SOMEBODY: dict[str, Any] = {"user": 54321, "group": 54321, "extra_groups": []}


@pytest.fixture
def somebody_else() -> dict[str, Any]:
    """Give what makes a process one of somebody else's, who can run this interpreter: not one in root's home."""
    if os.geteuid() != 0:
        pytest.skip("only root becomes somebody else")
    try:
        subprocess.run([sys.executable, "-c", ""], cwd="/", check=True, **SOMEBODY)
    except PermissionError:
        pytest.skip(f"nobody but its owner can run {Path(sys.executable).resolve()}")
    return SOMEBODY


@pytest.mark.parametrize("home", [None, "/root", "open"])
def test_somebody_without_a_home_of_their_own(
    server: ContractServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    somebody_else: dict[str, Any],
    home: str | None,
) -> None:
    for name in ("HOME", "USER", "LOGNAME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    variables = environment(server.url)
    if home is not None:
        variables["HOME"] = str(tmp_path) if home == "open" else home
    for words, told in ((["whoami"], ""), (["login", "--name", "ada", "--password-stdin"], "MOZPOOL_CONFIG")):
        done = subprocess.run(
            [sys.executable, "-m", "mozpool_client", *words],
            env=variables,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            **somebody_else,
        )
        assert (done.returncode, done.stderr.count("\n")) == ((2, 1) if told else (0, 0)), done.stderr
        assert told in done.stderr


@pytest.mark.parametrize(
    "variables",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "no_SUCH.place"},
    ],
)
def test_what_a_locale_does_not_have_is_escaped(server: ContractServer, variables: dict[str, str]) -> None:
    server.file({"image": "b2g", "assignee": "Zo\xeb \u2603"}, None)
    for words in (["list"], ["show", "1"]):
        done = mozpool(*words, url=server.url, variables={"PYTHONUTF8": "1", **variables})
        assert (done.returncode, done.stderr) == (0, "")
        assert "Zo" in done.stdout
    done = mozpool("show", "1", "--json", url=server.url, variables=variables)
    assert json.loads(done.stdout)["assignee"] == "Zo\xeb \u2603"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_is_nothing(server: ContractServer, closed: str) -> None:
    done = in_a_shell(closed, "whoami", url=server.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(server.calls) == 1
    words = ("run", "-q", "--image", "b2g", "--", "sh", "-c", "echo said; echo said >&2; exit 7")
    assert in_a_shell(closed, *words, url=server.url).returncode == 7
    assert server.states() == ["closed"]
    assert in_a_shell(closed, "show", "99", url=server.url).returncode == 1


@pytest.mark.parametrize("words", [["whoami"], ["list"], ["whoami", "--json"], ["--help"]])
def test_output_that_can_not_be_written_is_told(server: ContractServer, words: list[str]) -> None:
    done = in_a_shell(">/dev/full", *words, url=server.url)
    assert (done.returncode, done.stderr) == (2, "mozpool: [Errno 28] No space left on device\n")


def test_errors_that_can_not_be_written_change_nothing(server: ContractServer) -> None:
    words = ("run", "--image", "b2g", "--", "sh", "-c", "exit 7")
    assert in_a_shell("2>/dev/full", *words, url=server.url).returncode == 7
    assert server.states() == ["closed"]
    assert in_a_shell("2>/dev/full", "show", "99", url=server.url).returncode == 1
    assert in_a_shell("2>/dev/full", "show", "x", url=server.url).returncode == 2


@pytest.mark.parametrize("words", [["list"], ["whoami"], ["whoami", "--json"], ["--help"]])
def test_a_pipe_without_a_reader_ends_it_without_a_word(server: ContractServer, words: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as output:
        done = subprocess.run(
            [sys.executable, "-m", "mozpool_client", *words],
            env=environment(server.url),
            stdout=output,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    assert (done.returncode, done.stderr) == (1, b"")


def test_words_that_are_no_text_are_told(server: ContractServer) -> None:
    for words in (["log", "\udcff"], ["list", "--image", "\udcff"], ["--server", "http://\udcff", "whoami"]):
        done = mozpool(*words, url=server.url)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert done.stderr.startswith("mozpool: ")
