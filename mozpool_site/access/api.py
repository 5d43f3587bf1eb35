"""Logging in, who one is, and one's tokens, in the v2 API."""

from datetime import datetime
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request

from mozpool_site import clock
from mozpool_site.access import tokens
from mozpool_site.access.login import check_password
from mozpool_site.access.models import Token
from mozpool_site.access.roles import BY_WORD, Role, role_of
from mozpool_site.access.tokens import DEFAULT_DAYS, LONGEST_NAME
from mozpool_site.api.access import ANYBODY, Caller, client_address, refuse_in_clear
from mozpool_site.api.v2.auth import CallerAuthentication
from mozpool_site.api.v2.fields import AnySerializer, StrictSerializer, Text, Whole
from mozpool_site.api.v2.keyset import Row
from mozpool_site.api.v2.links import link
from mozpool_site.api.v2.routes import resource, single
from mozpool_site.api.v2.views import ApiView, Resource
from mozpool_site.api.values import row_id
from mozpool_site.errors import InvalidInputError, NotAllowedError, NotAuthenticatedError, UnknownNameError

_DAY = 24 * 3600
_LONGEST_NAME_OF_USER = 150
_LONGEST_PASSWORD = 1000
_ROLES = sorted(BY_WORD, key=lambda word: BY_WORD[word])


class NobodyIsAsked(CallerAuthentication):
    """Takes whoever calls for a stranger: stale credentials must not keep anybody from getting new ones."""

    def authenticate(self, request: Request) -> tuple[Any, Caller]:
        """Give the stranger."""
        return AnonymousUser(), ANYBODY


class LoginSerializer(StrictSerializer):
    """Name and password, and what the token that they buy should be called and how many seconds it should live."""

    username = Text(max_length=_LONGEST_NAME_OF_USER)
    password = Text(max_length=_LONGEST_PASSWORD, trim_whitespace=False, write_only=True)
    token_name = Text(max_length=LONGEST_NAME, default="login")
    expires_in = Whole(min_value=1, required=False, help_text=f"{DEFAULT_DAYS} days by default.")


class LoggedInSerializer(AnySerializer):
    """A new token of whoever logged in."""

    id = serializers.IntegerField()
    token = serializers.CharField(help_text="Shown this once.")
    name = serializers.CharField(help_text="The user's.")
    role = serializers.ChoiceField(_ROLES)
    expires = serializers.DateTimeField()


class TokenUsedSerializer(AnySerializer):
    """The token of this call."""

    name = serializers.CharField()
    expires = serializers.DateTimeField()


class WhoSerializer(AnySerializer):
    """Who calls, and how we know."""

    name = serializers.CharField()
    role = serializers.CharField(help_text=f"{', '.join(_ROLES)}; nobody for a user without a role.")
    by = serializers.ChoiceField(["token", "session", "network"])
    token = TokenUsedSerializer(allow_null=True)


class TokenSerializer(AnySerializer):
    """A token, as far as it is stored."""

    id = serializers.IntegerField()
    url = serializers.URLField()
    begins = serializers.CharField()
    owner = serializers.CharField()
    name = serializers.CharField()
    role = serializers.ChoiceField(_ROLES)
    created = serializers.DateTimeField()
    expires = serializers.DateTimeField()
    last_used = serializers.DateTimeField(allow_null=True)


class NewTokenSerializer(StrictSerializer):
    """What a new token is for; at most one's own role, by default that; 90 days by default."""

    name = Text(max_length=LONGEST_NAME)
    role = serializers.ChoiceField(_ROLES, required=False)
    expires_in = Whole(min_value=1, required=False)


class MadeTokenSerializer(TokenSerializer):
    """A new token, with its text."""

    token = serializers.CharField(help_text="Shown this once.")


class Login(ApiView):
    """From a name and a password to a token."""

    least = {"post": Role.NOBODY}
    authentication_classes = (NobodyIsAsked,)

    @extend_schema(
        operation_id="login", auth=[], request=LoginSerializer, responses={201: LoggedInSerializer}
    )
    def post(self, request: Request) -> HttpResponse:
        """Check the password, and make a token. 401 for a wrong one, 429 after too many."""
        body = _valid(LoginSerializer, request)
        inner = request._request  # noqa: SLF001 - the address is Django's to tell
        refuse_in_clear(inner)
        user = check_password(inner, body["username"], body["password"], client_address(inner))
        if user is None:
            raise NotAuthenticatedError("no active user has this name and password")
        actor = Caller(user.get_username(), role_of(user), client_address(inner), "token", user.pk).actor
        token, text = tokens.create(user, body["token_name"], by=actor, seconds=body.get("expires_in"))
        role = Role(token.role).word
        told = {
            "id": token.pk,
            "token": text,
            "name": user.get_username(),
            "role": role,
            "expires": token.expires,
        }
        return self.reply(told, 201, {"Location": link("tokens", token.pk)})


class WhoAmI(ApiView):
    """Who calls."""

    least = {"get": Role.NOBODY}

    @extend_schema(operation_id="whoami", responses=WhoSerializer)
    def get(self, request: Request) -> HttpResponse:
        """Tell who calls, and by which credentials. 401 for a stranger."""
        caller = self.caller
        if not caller.name:
            raise NotAuthenticatedError("we don't know you: send a token, or log in")
        used = caller.bearer
        token = {"name": used.token_name, "expires": used.expires} if used else None
        return self.reply({"name": caller.name, "role": caller.role.word, "by": caller.by, "token": token})


@extend_schema_view(
    list=extend_schema(
        parameters=[OpenApiParameter("owner", str, description="Whose tokens; for admins.")],
        responses={
            200: TokenSerializer(many=True),
            404: OpenApiResponse(description="There is no such user."),
        },
    ),
)
class TokenViewSet(Resource):
    """One's own tokens; an admin sees and revokes everybody's."""

    queryset = Token.objects.all()
    serializer_class = TokenSerializer
    columns = ("begins", "name", "role", "created", "expires", "last_used", "user__username")
    orderings = ("id",)
    word = "token"
    lookup_field = "id"
    parameters = {"list": frozenset({"owner"})}
    least = {"list": Role.VIEWER, "retrieve": Role.VIEWER, "create": Role.VIEWER, "destroy": Role.VIEWER}

    def get_queryset(self) -> QuerySet[Token]:
        """Select whom the caller may see; in a list one's own, or those of `?owner=`."""
        everybody = Token.objects.all()
        if self.action != "list":
            return everybody if self.caller.may(Role.ADMIN) else everybody.filter(user_id=self._user_id())
        owner = self.request.query_params.get("owner")
        if owner is None or owner == self.caller.name:
            return everybody.filter(user_id=self._user_id())
        if not self.caller.may(Role.ADMIN):
            raise NotAllowedError("only admins see others' tokens", field="owner")
        if "\0" in owner or not User.objects.filter(username=owner).exists():
            raise UnknownNameError(f"there is no user {owner[:60]!r}", field="owner")
        return everybody.filter(user__username=owner)

    def entries(self, rows: list[Row]) -> list[dict[str, Any]]:
        """Write tokens."""
        return [
            {
                "id": row["pk"],
                "url": link("tokens", row["pk"]),
                "owner": row["user__username"],
                "role": Role(row["role"]).word,
                **{name: row[name] for name in ("begins", "name", "created", "expires", "last_used")},
            }
            for row in rows
        ]

    def one(self, key: str) -> QuerySet[Token]:
        """Select a token by its number."""
        return self.get_queryset().filter(pk=row_id(key) or 0)

    @extend_schema(request=NewTokenSerializer, responses={201: MadeTokenSerializer})
    def create(self, request: Request, **parts: str) -> HttpResponse:
        """Make one for oneself. Made by a token, it may no more and lives no longer than that one."""
        user = User.objects.get(pk=self._user_id())
        body = _valid(NewTokenSerializer, request)
        role = BY_WORD[body["role"]] if "role" in body else self.caller.role
        if role > self.caller.role:
            raise InvalidInputError(f"role: {self.caller.role.word} at most, as you are now", field="role")
        seconds = body.get("expires_in")
        if self.caller.bearer is not None:
            seconds = _within(self.caller.bearer.expires, seconds)
        token, text = tokens.create(user, body["name"], by=self.caller.actor, role=role, seconds=seconds)
        told = {**self.entry(str(token.pk)), "token": text}
        return self.reply(told, 201, {"Location": link("tokens", token.pk)})

    def destroy(self, request: Request, **parts: str) -> HttpResponse:
        """Revoke one: it is worth nothing from now on. A token revokes none that may more than itself."""
        token = self.one(parts["id"]).first()
        if token is None:
            raise UnknownNameError(f"there is no token {parts['id'][:20]!r} of yours", field="id")
        if token.role > self.caller.role and self.caller.by == "token":
            raise NotAllowedError(f"that token is {Role(token.role).word}, this one {self.caller.role.word}")
        self.demand_unchanged(self.entry(parts["id"]))
        tokens.revoke(token.pk, by=self.caller.actor)
        response = HttpResponse(status=204)
        del response["Content-Type"]
        return response

    def _user_id(self) -> int:
        if self.caller.user_id is None:
            raise NotAllowedError("who is known by their network alone has no tokens: log in")
        return self.caller.user_id


def _within(end: datetime, seconds: int | None) -> int:
    """Give the seconds that a token made by one that ends then may live. Raises InvalidInputError."""
    left = int((end - clock.now()).total_seconds())
    if seconds is not None and seconds > left:
        raise InvalidInputError(
            f"expires_in: this token ends in {left} s, and so must what it makes; log in for a longer one",
            field="expires_in",
        )
    return min(DEFAULT_DAYS * _DAY, max(1, left)) if seconds is None else seconds


def _valid(serializer_class: type[StrictSerializer], request: Request) -> dict[str, Any]:
    serializer = serializer_class(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


urlpatterns = [
    *single("login", Login),
    *single("whoami", WhoAmI),
    *resource("tokens", TokenViewSet),
]
