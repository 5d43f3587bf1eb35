"""Lets a demo, a test or a bench start from what it names itself, and from nothing that the shell happens to hold."""

import os
import signal
import threading

# Everything that is asked here is on this machine; a proxy would answer that nobody is there.
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ftp_proxy")
_OF_POOLS = ("MOZPOOL_", "_MOZPOOL_", "DATABASE_URL_FILE")


def forget_other_pools(*, database: bool) -> dict[str, str]:
    """Remove the settings of any pool, and proxies, from this process's environment; return what was there.

    `database` says whether DATABASE_URL is such a setting: the tests are told by it which server to use.
    """
    foreign = (*_OF_POOLS, "DATABASE_URL") if database else _OF_POOLS
    return {
        name: os.environ.pop(name)
        for name in list(os.environ)
        if name.startswith(foreign) or name.lower() in _PROXIES
    }


def heed_signals() -> None:
    """Undo what nohup or a shell's & has set: programs that are started from here would ignore what they are sent."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)
