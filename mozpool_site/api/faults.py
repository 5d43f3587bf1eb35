"""What Django itself refuses, and faults of ours, told in the words of the API that was called."""

from django.http import HttpRequest, HttpResponse

from mozpool_site.api import errors
from mozpool_site.api.v2 import problems


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a call that Django refuses, such as one for a host that is not ours."""
    if not request.path_info.startswith(problems.PREFIX):
        return errors.bad_request(request, exception)
    detail = "this call can't be read, or is meant for another host (MOZPOOL_ALLOWED_HOSTS)"
    return problems.answer("invalid", detail)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer a call that broke us; the traceback is in the log."""
    if not request.path_info.startswith(problems.PREFIX):
        return errors.server_error(request)
    return problems.answer("internal", "a fault of ours; the log of the web process has the traceback")
