"""Columns that are encrypted in the database, so that a dump of it tells no password.

Fernet (AES-128-CBC with HMAC-SHA-256, https://github.com/fernet/spec) of the library `cryptography`: the first key of
MOZPOOL_ENCRYPTION_KEYS encrypts, all decrypt. A value without our mark is in the clear, as releases before stored it.
"""

import base64
import hmac
import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.apps import apps
from django.conf import settings
from django.db import models, transaction

from mozpool_site.errors import MozpoolError

_MARK = "encrypted:"
# At the start of a process as many of the oldest and of the newest rows are looked at.
_LOOKED_AT = 100
_SLICE = 200


class EncryptionKeyError(MozpoolError):
    """None of the keys that we were given decrypts what the database holds."""

    code = "encryption_key"
    http_status = 503
    exit_status = 1


@lru_cache(8)
def _ciphers(keys: tuple[bytes, ...]) -> tuple[Fernet, ...]:
    digests = (hmac.digest(key, b"mozpool columns at rest", "sha256") for key in keys)
    return tuple(Fernet(base64.urlsafe_b64encode(digest)) for digest in digests)


def encrypt(text: str) -> str:
    """Return a text as it is stored."""
    return _MARK + _ciphers(settings.MOZPOOL_ENCRYPTION_KEYS)[0].encrypt(text.encode()).decode()


def decrypt(stored: str) -> str:
    """Return the text that was stored. Raise EncryptionKeyError."""
    if not stored.startswith(_MARK):
        return stored
    try:
        return MultiFernet(_ciphers(settings.MOZPOOL_ENCRYPTION_KEYS)).decrypt(_token(stored)).decode()
    except InvalidToken:
        raise EncryptionKeyError(
            "passwords and secrets in the database were encrypted by a key that is not among "
            "MOZPOOL_ENCRYPTION_KEYS (unless given, MOZPOOL_SECRET_KEY is the only one)"
        ) from None


def _is_newest(stored: str) -> bool:
    """Whether it is encrypted by the first key."""
    if not stored.startswith(_MARK):
        return False
    try:
        _ciphers(settings.MOZPOOL_ENCRYPTION_KEYS)[0].decrypt(_token(stored))
    except InvalidToken:
        return False
    return True


def _token(stored: str) -> bytes:
    return stored.removeprefix(_MARK).encode()


class _Encrypted(models.Field):  # type: ignore[type-arg]  # of whatever the column is
    """What no lookup can compare: each time it is stored as other bytes, and it is nobody's to ask for."""

    def get_lookup(self, lookup_name: str) -> Any:
        """Offer `isnull` alone."""
        return super().get_lookup(lookup_name) if lookup_name == "isnull" else None

    def get_transform(self, lookup_name: str) -> Any:
        """Offer no part of it."""


class EncryptedTextField(_Encrypted, models.TextField):  # type: ignore[type-arg]  # text
    """A text, encrypted at rest; the empty one is stored as it is."""

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:  # noqa: FBT002 - Django's own
        """Encrypt."""
        text = super().get_db_prep_value(value, connection, prepared)
        return encrypt(text) if text else text

    def from_db_value(self, value: str | None, *_: object) -> str | None:
        """Decrypt. Raise EncryptionKeyError."""
        return value and decrypt(value)


class EncryptedJSONField(_Encrypted, models.JSONField):
    """JSON, encrypted at rest as one string."""

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:  # noqa: FBT002 - Django's own
        """Encrypt."""
        if value is not None and not hasattr(value, "as_sql"):
            value = encrypt(json.dumps(value, cls=self.encoder))
        return super().get_db_prep_value(value, connection, prepared)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        """Decrypt. Raise EncryptionKeyError."""
        found = super().from_db_value(value, expression, connection)
        if isinstance(found, str) and found.startswith(_MARK):
            return json.loads(decrypt(found), cls=self.decoder)
        return found


def columns() -> Iterator[tuple[type[models.Model], "models.Field[Any, Any]"]]:
    """Yield every encrypted column with its model."""
    for model in apps.get_models():
        for field in model._meta.local_fields:
            if isinstance(field, _Encrypted):
                yield model, field


def demand_keys() -> None:
    """Raise EncryptionKeyError unless our keys decrypt the oldest and the newest of what the database holds."""
    for model, field in columns():
        for order in ("pk", "-pk"):
            # Reading is decrypting.
            list(model._default_manager.order_by(order).values_list(field.name, flat=True)[:_LOOKED_AT])


def encrypt_anew(model: type[models.Model], field: "models.Field[Any, Any]") -> tuple[int, int]:
    """Encrypt by the first key what is not yet; return how many rows that were, and how many there are.

    A slice of rows is locked at a time. Raise EncryptionKeyError where a row's key is not among ours.
    """
    rows = model._default_manager.order_by("pk")
    stored = models.functions.Cast(field.name, models.TextField())
    changed = seen = 0
    last: Any = None
    while True:
        with transaction.atomic():
            slice_ = rows.filter(pk__gt=last) if last is not None else rows
            found = list(
                slice_.select_for_update()
                .annotate(stored=stored)
                .values_list("pk", "stored", field.name)[:_SLICE]
            )
            for pk, raw, value in found:
                if value not in (None, "") and not _is_newest(str(raw).strip('"')):
                    changed += model._default_manager.filter(pk=pk).update(**{field.name: value})
        if not found:
            return changed, seen
        seen += len(found)
        last = found[-1][0]
