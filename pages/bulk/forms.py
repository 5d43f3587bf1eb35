"""The form of a verb: made from the fields that it declares, checked by what the verb itself takes."""

from collections.abc import Callable
from typing import Any

from django import forms

from devices.models import BootConfig, Image
from devices.models.image import OWN_IMAGES
from lifeguard.bulk.arguments import Field
from lifeguard.bulk.services import LONGEST_REASON, check_reason
from lifeguard.bulk.verbs import Verb
from lifeguard.states import DEVICE
from mozpool_site.errors import InvalidInputError
from pages.families import words

_VALUE = "value-"


class VerbForm(forms.Form):
    """What a verb takes, and the reason. `arguments` is what `lifeguard.bulk` wants, once the form is valid.

    The values that images ask for are a field for each key; those of other images than the chosen one are left out.
    """

    def __init__(self, verb: Verb, data: Any = None, *, given: dict[str, Any] | None = None) -> None:
        super().__init__(data, initial=_initial(given or {}))
        self.verb = verb
        self.arguments: dict[str, Any] = {}
        self.keys: dict[str, list[str]] = {}
        for field in verb.fields:
            self.fields.update(self._fields_for(field))
        self.fields["reason"] = forms.CharField(
            max_length=LONGEST_REASON,
            required=verb.needs_reason,
            help_text="It stands in the journal of each device."
            if verb.needs_reason
            else "It stands in the journal of each device, if you give one.",
            widget=forms.TextInput(attrs={"autocomplete": "off"}),
        )

    def _fields_for(self, field: Field) -> dict[str, forms.Field]:
        if field.kind == "values" and self.keys:
            return self._key_fields()
        if field.kind == "image":
            images = Image.objects.exclude(name__in=OWN_IMAGES).order_by("name")
            self.keys = dict(images.values_list("name", "boot_config_keys"))
            return {field.name: _select(field, [(name, name) for name in self.keys])}
        return {field.name: _PLAIN[field.kind](field)}

    def _key_fields(self) -> dict[str, forms.Field]:
        """Ask for each key that any image has; JavaScript hides those that the chosen one does not have."""
        wanted_by: dict[str, list[str]] = {}
        for image, keys in self.keys.items():
            for key in keys:
                wanted_by.setdefault(key, []).append(image)
        return {
            f"{_VALUE}{key}": forms.CharField(
                label=key,
                required=False,
                help_text=f"For {', '.join(images)}.",
                widget=forms.TextInput(attrs={"data-images": " ".join(images), "autocomplete": "off"}),
            )
            for key, images in wanted_by.items()
        }

    def clean(self) -> dict[str, Any]:
        """Have the verb check what was given; what it says stands beside the field."""
        data = super().clean() or {}
        if self.errors:
            return data
        try:
            check_reason(self.verb, data.get("reason", ""))
            self.arguments = self.verb.check(self._given(data))
        except InvalidInputError as error:
            self.add_error(self._beside(error.field), error.detail)
        return data

    def _given(self, data: dict[str, Any]) -> dict[str, Any]:
        given: dict[str, Any] = {}
        for field in self.verb.fields:
            if field.kind != "values":
                given[field.name] = data.get(field.name, "")
            elif self.keys:
                wanted = self.keys.get(given.get("image", ""), [])
                given[field.name] = {
                    key: value for key in wanted if (value := data.get(f"{_VALUE}{key}", ""))
                }
            else:
                given[field.name] = _values_of(data.get(field.name, ""))
        return given

    def _beside(self, name: str | None) -> str | None:
        """Name the form's field for one of the verb: `boot_config.b2gbase` is asked for as `value-b2gbase`."""
        name = name or ""
        key = f"{_VALUE}{name.partition('.')[2]}"
        for candidate in (key, name, name.partition(".")[0]):
            if candidate in self.fields:
                return candidate
        return None


def _told(field: Field) -> dict[str, Any]:
    return {"label": field.label, "help_text": field.help, "required": field.required}


def _select(field: Field, choices: list[tuple[str, str]]) -> forms.Field:
    return forms.ChoiceField(choices=[("", "– choose –"), *choices], **_told(field))


def _netboot(field: Field) -> forms.Field:
    active = BootConfig.objects.filter(active=True).order_by("name").values_list("name", "description")
    return _select(field, [(name, f"{name}: {told}" if told else name) for name, told in active])


def _state(field: Field) -> forms.Field:
    return _select(field, [(state, words(state)) for state in DEVICE.stored()])


def _choice(field: Field) -> forms.Field:
    return forms.ChoiceField(choices=field.choices, **_told(field))


def _lines(field: Field) -> forms.Field:
    told = _told(field) | {"help_text": f"{field.help} A line for each: name=value."}
    box = forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "class": "mono"})
    return forms.CharField(widget=box, **told)


def _long_text(field: Field) -> forms.Field:
    # White space is part of a comment; an empty one may stand in the place of what is there.
    return forms.CharField(widget=forms.Textarea(attrs={"rows": 4}), strip=False, **_told(field))


def _text(field: Field) -> forms.Field:
    return forms.CharField(widget=forms.TextInput(attrs={"autocomplete": "off"}), **_told(field))


_PLAIN: dict[str, Callable[[Field], forms.Field]] = {
    "netboot": _netboot,
    "state": _state,
    "choice": _choice,
    "values": _lines,
    "long_text": _long_text,
    "text": _text,
}


def _values_of(text: str) -> dict[str, str]:
    """Read lines of name=value. Raises InvalidInputError naming the line."""
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise InvalidInputError(f"line {number}: name=value expected", field="boot_config")
        if name.strip() in values:
            raise InvalidInputError(f"line {number}: {name.strip()} is given twice", field="boot_config")
        values[name.strip()] = value.strip()
    return values


def _initial(given: dict[str, Any]) -> dict[str, Any]:
    """Turn a batch's arguments back into what its form showed."""
    values = given.get("boot_config")
    if not isinstance(values, dict):
        return given
    lines = "\n".join(f"{key}={value}" for key, value in values.items())
    return {**given, "boot_config": lines, **{f"{_VALUE}{key}": value for key, value in values.items()}}
