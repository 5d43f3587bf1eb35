"""The form of a new request. The rules are those of the API; what they refuse is told at its field."""

import argparse
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from django import forms
from django.conf import settings
from django.urls import reverse_lazy
from rest_framework.exceptions import ValidationError

from devices.models import Image
from mozpool_site import commands
from mozpool_site.api.access import Caller, Role
from mozpool_site.errors import ImpossibleError, MozpoolError
from requests_app.api.v2.orders import read_order
from requests_app.lease import USUAL_WAIT
from requests_app.matching import HIGHEST_PRIORITY, LOWEST_PRIORITY
from requests_app.planning.pool import ANY
from requests_app.services import Filing, Order, filing_for

# Of the fields for an image's keys, what comes before the key.
KEY = "key."
OTHER = "other"
_DURATIONS = (
    (1800, "30 min"), (3600, "1 hour"), (2 * 3600, "2 hours"), (4 * 3600, "4 hours"), (8 * 3600, "8 hours"),
    (24 * 3600, "1 day"),
)  # fmt: skip
_USUAL = 3600
# What the API is sent as it was entered.
_SENT = ("image", "device", "environment", "hardware", "max_wait", "duration", "assignee", "priority")
_WAITS = (
    (0, "not at all: now or never"), (1800, "30 min"), (2 * 3600, "2 hours"), (8 * 3600, "8 hours"),
    (USUAL_WAIT, "1 day"), (7 * 24 * 3600, "1 week"),
)  # fmt: skip


def durations() -> list[tuple[str, str]]:
    """Give the durations to choose from, none longer than anybody may have."""
    longest = settings.MOZPOOL_MAX_DURATION
    allowed = [(str(seconds), label) for seconds, label in _DURATIONS if seconds <= longest]
    return allowed or [(str(longest), commands.span(longest))]


def usual_duration() -> str:
    """Give the duration that is chosen unless somebody chooses another one: an hour, or the longest below."""
    return max((one for one, _ in durations() if int(one) <= _USUAL), key=int, default=durations()[0][0])


def seconds_of(text: str) -> int:
    """Read a duration as people write it: 90m, 1h30m, 2d, or seconds. Raises forms.ValidationError."""
    try:
        return commands.duration(text.replace(" ", "").lower())
    except argparse.ArgumentTypeError:
        raise forms.ValidationError(f"{text[:40]!r} is no duration: write 90m, 1h30m or 2d") from None


class OrderForm(forms.Form):
    """What somebody wants. Once it is valid, `order` is what to file."""

    filing = forms.CharField(required=False, widget=forms.HiddenInput, max_length=64)
    image = forms.CharField(max_length=64, error_messages={"required": "Choose an image."})
    device = forms.CharField(
        required=False, max_length=253, label="Device",
        help_text="Empty: any that fits. While a certain one is taken, the request waits for it.",
        widget=forms.TextInput(
            attrs={
                "list": "device-names", "autocomplete": "off", "placeholder": "any",
                "hx-get": reverse_lazy("pages:request_new_devices"), "hx-trigger": "input changed delay:200ms",
                "hx-target": "#device-names",
            }
        ),
    )  # fmt: skip
    environment = forms.ChoiceField(required=False, help_text="Which part of the pool.")
    hardware = forms.ChoiceField(required=False, help_text="Any: whatever the image can be put on.")
    tags = forms.CharField(required=False, max_length=700)
    max_wait = forms.ChoiceField(
        required=False, label="Wait for it", initial=str(USUAL_WAIT),
        help_text="If no device comes free in this time, the request fails.",
    )  # fmt: skip
    duration = forms.ChoiceField(label="For how long", widget=forms.RadioSelect, initial=usual_duration)
    duration_other = forms.CharField(
        required=False,
        max_length=40,
        label="Another time",
        widget=forms.TextInput(attrs={"placeholder": "90m"}),
    )
    assignee = forms.CharField(
        required=False, max_length=100, label="For whom", help_text="A name or an address to ask about it."
    )
    priority = forms.CharField(required=False, max_length=4, initial="0")

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        caller: Caller,
        environments: Sequence[str],
        hardware: Sequence[str],
        tags: Sequence[str] = (),
        initial: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(data, initial={"filing": uuid4().hex, "assignee": caller.name, **(initial or {})})
        self.caller = caller
        self.order: Order | None = None
        self._choice("environment").choices = [(ANY, "any"), *((one, one) for one in environments)]
        self._choice("hardware").choices = [("", "any"), *((one, one) for one in hardware)]
        longest = settings.MOZPOOL_MAX_WAIT
        self._choice("max_wait").choices = [(str(wait), label) for wait, label in _WAITS if wait <= longest]
        self._choice("duration").choices = [*durations(), (OTHER, "another time")]
        self.fields["tags"].help_text = f"Separated by commas. There are: {', '.join(tags)}." if tags else ""
        most = HIGHEST_PRIORITY if caller.may(Role.OPERATOR) else 0
        self.fields["priority"].widget = forms.NumberInput(attrs={"min": LOWEST_PRIORITY, "max": most})
        above = "" if most else " Above 0 is for operators."
        self.fields[
            "priority"
        ].help_text = f"{LOWEST_PRIORITY} to {most}; a point counts like half a minute of waiting.{above}"
        image = self._image()
        for key in image.boot_config_keys if image else ():
            self.fields[f"{KEY}{key}"] = forms.CharField(required=False, max_length=2000, label=key)

    @property
    def key_fields(self) -> list[forms.BoundField]:
        """The fields for what the image needs."""
        return [self[name] for name in self.fields if name.startswith(KEY)]

    @property
    def chosen_image(self) -> str:
        """The name of the image that is chosen, or empty."""
        return str(self["image"].value() or "")

    def clean(self) -> dict[str, Any]:
        """Read the order as the API would."""
        if not self.errors:
            try:
                self.order = read_order(self.body(), self.caller)
            except ValidationError as error:
                for name, told in dict(error.detail).items():  # type: ignore[arg-type]  # StrictSerializer gives a dict
                    self.refuse(MozpoolError(_first(told), field=str(name)))
            except MozpoolError as error:
                self.refuse(error)
        return self.cleaned_data

    def clean_duration(self) -> int:
        """Give seconds."""
        chosen = str(self.cleaned_data["duration"])
        if chosen != OTHER:
            return int(chosen)
        written = str(self.data.get("duration_other", "")).strip()[:40]
        if not written:
            raise forms.ValidationError("Write how long: 90m, 1h30m or 2d.")
        return seconds_of(written)

    def body(self) -> dict[str, Any]:
        """Give the order as the body of a call of the API; what is empty is left out."""
        given = self.cleaned_data
        keys = {
            name.removeprefix(KEY): value for name, value in given.items() if name.startswith(KEY) and value
        }
        tags = [tag for tag in (part.strip() for part in given["tags"].split(",")) if tag]
        plain = {name: given[name] for name in _SENT if given.get(name)}
        return {**plain, **({"tags": tags} if tags else {}), **({"boot_config": keys} if keys else {})}

    def call(self) -> Filing:
        """Give the filing that sending the form is: the same form sent twice, by a double click, is one."""
        body = json.dumps(self.body(), sort_keys=True).encode()
        # Who goes back, changes something and sends the form again files another one.
        key = f"{self.cleaned_data['filing'] or uuid4().hex}:{hashlib.sha256(body).hexdigest()}"
        return filing_for(key, body, by=self.caller.actor)

    def refuse(self, error: MozpoolError) -> None:
        """Show what the service refused at the field that it names."""
        field = (error.field or "").replace("boot_config.", KEY)
        detail = error.detail.removeprefix(f"{error.field}: ").removeprefix("boot_config.")
        if isinstance(error, ImpossibleError):
            detail = f"Nothing could ever meet this: {detail}"
        if field.startswith(KEY) and detail.endswith(" is missing"):
            detail = "The image needs a value here."
        elif field and not field.startswith(KEY):  # others begin with a name
            detail = detail[:1].upper() + detail[1:]
        self.add_error(field if field in self.fields else None, detail)

    def _choice(self, name: str) -> forms.ChoiceField:
        field = self.fields[name]
        if not isinstance(field, forms.ChoiceField):
            raise TypeError(f"{name} is no choice")
        return field

    def _image(self) -> Image | None:
        name = self.chosen_image.replace("\0", "")
        return Image.objects.filter(name=name[:64]).first() if name else None


def _first(told: Any) -> str:
    """Give the first sentence of what DRF says of a field."""
    while isinstance(told, (dict, list)):
        told = next(iter(told.values() if isinstance(told, dict) else told), "not valid")
    return str(told)
