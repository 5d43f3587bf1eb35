"""What schemathesis is told besides the schemas: which calls would end or stall the run itself, and what is no fault.

It imports this module by SCHEMATHESIS_HOOKS. FUZZ_TOKEN is the number of the token that the run itself calls with,
FUZZ_TALLY a file that gets how often each operation gave which status.
"""

import atexit
import json
import os
import threading
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import schemathesis

LONGEST_WAIT = 1
# Nothing has this number or name.
_NOBODY = {"id": "999999999", "name": "nobody"}
_SAME_AS_TEXT = ("", "true", "false")
_lock = threading.Lock()
_tally: Counter[str] = Counter()


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Point what would end or stall the run at something that does not exist, or bound it."""
    path, method = case.operation.path, case.method.upper()
    parts = case.path_parameters or {}
    own_token = str(parts.get("id")).strip() == os.environ.get("FUZZ_TOKEN")
    if method == "DELETE" and path.endswith("/tokens/{id}/") and own_token:
        # Every call after it would be a stranger's.
        case.path_parameters["id"] = _NOBODY["id"]
    if path == "/device/{name}/ping/" and str(parts.get("name")).startswith("panda-"):
        # There is no worker to make it: each would wait for 10 s, and then tell so by the 503 that is meant for that.
        case.path_parameters["name"] = _NOBODY["name"]
    wait = (case.query or {}).get("wait")
    if isinstance(wait, int) and wait > LONGEST_WAIT:
        # It waits for the change of a request in a pool where nothing moves.
        case.query["wait"] = LONGEST_WAIT


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Count the answer."""
    with _lock:
        _tally[f"{case.method.upper()} {case.operation.path} {response.status_code}"] += 1


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Keep every failure, except what is none of ours.

    Who sends bad tokens without end is told 429 instead of 401, as documented. In a query string all is text, so that
    true is "true"; and an empty filter filters nothing, as an empty field of a form does.
    """
    if failure.code == "ST401":
        return "429 Too Many Requests" not in failure.message
    if failure.code == "ST201" and " in query" in failure.message:
        name = failure.message.partition("parameter `")[2].partition("`")[0]
        # As it was sent, whatever it was made of.
        sent = parse_qs(urlsplit(response.request.url).query, keep_blank_values=True).get(name, [""])
        return not ("type" in failure.message or sent[-1] in _SAME_AS_TEXT)
    return True


@atexit.register
def _write() -> None:
    if path := os.environ.get("FUZZ_TALLY"):
        Path(path).write_text(json.dumps(_tally))
