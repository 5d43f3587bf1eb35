"""The pytest plugin: real runs of pytest against a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from command import SOURCE
from contract_server import ContractServer

USES_IT = """
import pytest

def test_it(mozpool_device):
    assert mozpool_device.device.name == "panda-0001"
    assert mozpool_device.device.address == "10.1.0.1"
    assert not mozpool_device.lost

@pytest.mark.mozpool(image="android", tags=["gpu"], boot_config={"other": "1"}, duration=60)
def test_another(mozpool_device):
    assert mozpool_device.request.id == 2
"""


@pytest.fixture
def run(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, server: ContractServer
) -> pytest.Pytester:
    """Give a folder whose tests find the server."""
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))
    monkeypatch.setenv("MOZPOOL_SERVERS", server.url)
    # What else is installed here is not looked for: it would take seconds, and this plugin is named below.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.plugins = []
    return pytester


def results(run: pytest.Pytester, *words: str) -> pytest.RunResult:
    """Run pytest as a process of its own."""
    return run.runpytest_subprocess("-p", "pytest_mozpool", "--strict-markers", *words)


def test_each_test_gets_a_device_that_is_returned(run: pytest.Pytester, server: ContractServer) -> None:
    run.makepyfile(USES_IT)
    results(run, "--mozpool-image", "b2g", "--mozpool-set", "b2gbase=http://x/").assert_outcomes(passed=2)
    assert server.states() == ["closed", "closed"]
    bodies = [seen.body for seen in server.calls if seen.path == "/api/v2/requests/"]
    assert [(body["image"], body["duration"], body.get("tags")) for body in bodies] == [
        ("b2g", 600, None),
        ("android", 60, ["gpu"]),
    ]
    assert [body["boot_config"] for body in bodies] == [
        {"b2gbase": "http://x/"},
        {"b2gbase": "http://x/", "other": "1"},
    ]


def test_one_device_serves_a_whole_session(run: pytest.Pytester, server: ContractServer) -> None:
    run.makepyfile(
        """
        def test_one(mozpool_session_device):
            assert mozpool_session_device.request.id == 1
        def test_two(mozpool_session_device):
            assert mozpool_session_device.request.id == 1
        """
    )
    results(run, "--mozpool-image", "b2g").assert_outcomes(passed=2)
    assert server.states() == ["closed"]


def test_a_failing_test_returns_its_device(run: pytest.Pytester, server: ContractServer) -> None:
    run.makepyfile("def test_it(mozpool_device): raise KeyError")
    results(run, "--mozpool-image", "b2g").assert_outcomes(failed=1)
    assert server.states() == ["closed"]


def test_a_test_whose_device_was_lost_is_an_error(run: pytest.Pytester, server: ContractServer) -> None:
    run.makepyfile(
        """
        import time, urllib.request
        def test_it(mozpool_device):
            url = mozpool_device.request.url + "return/"
            urllib.request.urlopen(urllib.request.Request(url, data=b"{}")).read()
            ends = time.monotonic() + 60
            while not mozpool_device.lost and time.monotonic() < ends:
                time.sleep(0.02)
        """
    )
    done = results(run, "--mozpool-image", "b2g")
    done.assert_outcomes(passed=1, errors=1)
    done.stdout.fnmatch_lines(["*the device was lost: request 1 is closed*"])


def test_what_can_not_be_had_is_told_in_one_line(run: pytest.Pytester, server: ContractServer) -> None:
    run.makepyfile(
        """
        import pytest
        @pytest.mark.mozpool(tags=["impossible"])
        def test_it(mozpool_device): pass
        """
    )
    done = results(run, "--mozpool-image", "b2g")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["mozpool: no device has the tag impossible"])
    done.stdout.no_fnmatch_line("*Traceback*")


def test_waiting_has_an_end(run: pytest.Pytester, server: ContractServer) -> None:
    server.ready_at_once = False
    run.makepyfile("def test_it(mozpool_device): pass")
    results(run, "--mozpool-image", "b2g", "--mozpool-timeout", "1s").assert_outcomes(errors=1)
    assert server.states() == ["closed"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "*no image: give --mozpool-image*"),
        (["--mozpool-image", "b2g", "--mozpool-set", "x"], "*write KEY=VALUE*"),
        (["--mozpool-image", "b2g", "--mozpool-timeout", "soon"], "*mozpool timeout: 'soon' is no duration*"),
    ],
)
def test_options_that_make_no_sense_are_told(
    run: pytest.Pytester, server: ContractServer, words: list[str], told: str
) -> None:
    run.makepyfile("def test_it(mozpool_device): pass")
    done = results(run, *words)
    assert done.ret != 0
    (done.stdout if "*" in told else done.stderr).fnmatch_lines([told])
    assert server.calls == []


def test_tests_without_devices_need_no_pool(run: pytest.Pytester, server: ContractServer) -> None:
    run.makepyfile(
        """
        import sys
        def test_it():
            assert "httpx" not in sys.modules
        """
    )
    results(run).assert_outcomes(passed=1)
    assert server.calls == []


def test_no_server_is_told(run: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MOZPOOL_SERVERS")
    run.makepyfile("def test_it(mozpool_device): pass")
    done = results(run, "--mozpool-image", "b2g")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["mozpool: no server is known*"])
