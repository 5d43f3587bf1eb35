"""What a browser is answered when something is wrong: a page that says what, and what to do; parts get one sentence.

Below /api/ and /boot/ the JSON of mozpool_site/api is answered, as ever.
"""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt

from mozpool_site.api import errors, faults
from mozpool_site.api.errors import RETRY_AFTER
from mozpool_site.errors import MozpoolError, TooManyError

_TITLES = {
    400: "That can't be done",
    403: "You may not do this",
    404: "Not found",
    409: "Not now",
    422: "Impossible",
    429: "Too many",
    503: "Not available",
}
_TEXT = "text/plain; charset=utf-8"


def is_part(request: HttpRequest) -> bool:
    """Whether a script asks for a part of a page (htmx or live.js), so that no page would fit there."""
    return "HTTP_HX_REQUEST" in request.META or "HTTP_X_LIVE" in request.META


def refused(request: HttpRequest, error: MozpoolError) -> HttpResponse:
    """Tell what a service said, with its status."""
    response = told(request, error.http_status, error.detail)
    if isinstance(error, TooManyError):
        response["Retry-After"] = str(error.retry_after)
    elif error.http_status == HTTPStatus.SERVICE_UNAVAILABLE:
        response["Retry-After"] = str(RETRY_AFTER)
    return response


def told(request: HttpRequest, status: int, detail: str) -> HttpResponse:
    """Make the page, or for a part the sentence, for something that is wrong."""
    if is_part(request):
        return HttpResponse(detail, status=status, content_type=_TEXT)
    context = {"status": status, "title": _TITLES.get(status, "That can't be done"), "detail": detail}
    return render(
        request, f"{status}.html" if status in (403, 404) else "pages/error.html", context, status=status
    )


def session_over(request: HttpRequest) -> HttpResponse:
    """Tell the page of a part that its person has been logged out; htmx goes to the login page by itself."""
    response = HttpResponse("You are logged out.", status=401, content_type=_TEXT)
    response["HX-Redirect"] = reverse("login")
    return response


def database_away(request: HttpRequest) -> HttpResponse:
    """Tell that the database is away; nothing on the page may ask it."""
    detail = "The database does not answer. This page tries again by itself in a few seconds."
    if is_part(request):
        response = HttpResponse(detail, status=503, content_type=_TEXT)
    else:
        text = render_to_string(
            "pages/standalone.html", {"title": "The database is away", "detail": detail, "again": 5}
        )
        response = HttpResponse(text, status=503)
    response["Retry-After"] = str(RETRY_AFTER)
    return response


@csrf_exempt
def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer a path that does not exist."""
    if errors.is_for_programs(request):
        return errors.not_found(request, exception)
    return _page(request, 404, "There is no such page here.")


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer what Django refuses to somebody, such as a page of the administration."""
    return _page(request, 403, str(exception or "") or "Your role does not allow this.")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form that did not come from a page of ours, or from one that is too old."""
    detail = (
        "This form did not come with the token that its page gave it. You may have logged in or out since the page "
        "was opened, or your browser keeps no cookies: go back, load the page again, and send the form once more."
    )
    if errors.is_for_programs(request):
        return errors.told(403, "forbidden", f"CSRF check failed: {reason}")
    return _page(request, 403, detail)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a call that Django can't read; its host may be wrong, so the page stands alone."""
    if errors.is_for_programs(request):
        return faults.bad_request(request, exception)
    return _standalone(400, "That can't be read", "The call is broken, or meant for another host.")


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer a call that broke us; the page stands alone, for anything may be broken."""
    if errors.is_for_programs(request):
        return faults.server_error(request)
    text = render_to_string("500.html")
    return HttpResponse(text, status=500)


def _page(request: HttpRequest, status: int, detail: str) -> HttpResponse:
    """Make a page with its navigation where somebody is logged in; one that stands alone while the database is away."""
    try:
        return told(request, status, detail)
    except errors.DATABASE_ERRORS as error:
        if not errors.database_is_away(error):
            raise
        return _standalone(status, _TITLES[status], detail)


def _standalone(status: int, title: str, detail: str, again: int | None = None) -> HttpResponse:
    context = {"title": title, "detail": detail, "again": again}
    return HttpResponse(render_to_string("pages/standalone.html", context), status=status)
