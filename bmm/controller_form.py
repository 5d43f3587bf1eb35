"""The form of a power controller: a field for each setting that its driver declares; secrets go in and never come out.

Which fields there are depends on the driver, so the form is made for one. Where another driver was chosen on the page,
the page comes back with the fields of that one.
"""

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms

from bmm.drivers.guard import guarded_settings
from bmm.drivers.power import driver_class, driver_names
from bmm.drivers.settings import SettingSpec, SettingValue, read_settings
from bmm.errors import Misconfigured
from bmm.forms import WriteOnlyTextarea
from devices.models import PowerController

if TYPE_CHECKING:
    # Generic in the stubs only; the class itself cannot be subscripted.
    ControllerModelForm = forms.ModelForm[PowerController]
else:
    ControllerModelForm = forms.ModelForm

PREFIX = "setting_"
_LONGEST = 2000


class DriverForm(ControllerModelForm):
    """A power controller; `specs` are the settings of the driver that the form was made for."""

    specs: ClassVar[tuple[SettingSpec, ...]] = ()
    made_for: ClassVar[str] = ""

    shown_for = forms.CharField(required=False, widget=forms.HiddenInput)
    forget = forms.MultipleChoiceField(
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Forget secrets",
        help_text="Ticked ones are removed.",
    )

    class Meta:
        model = PowerController
        fields = ("name", "rack", "driver", "address", "stagger_seconds")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stored = self._stored_settings()
        self._another = self.is_bound and self.data.get(self.add_prefix("shown_for"), "") != self.made_for
        self.initial["shown_for"] = self.made_for
        self.fields["driver"].widget = forms.Select(choices=[(name, name) for name in self._names()])
        forget: Any = self.fields["forget"]
        forget.choices = [(spec.name, spec.name) for spec in self._secret() if spec.name in self._stored]
        if not forget.choices:
            forget.widget = forms.MultipleHiddenInput()
        for spec in self.specs:
            self._prepare(spec)
        if self._another:
            self._fill_in()

    def clean(self) -> dict[str, Any]:
        """Check the name of the driver, the address and the settings together; nothing is connected to."""
        cleaned = super().clean() or self.cleaned_data
        try:
            driver = driver_class(cleaned.get("driver", ""))
        except Misconfigured as error:
            self.add_error("driver", str(error))
            return cleaned
        if self._another and self.specs:
            self.add_error(
                "driver", f"These are the settings of {self.made_for}: fill them in, and save again."
            )
            return cleaned
        for field, check in (("address", driver.check_address), ("driver", self._check_settings)):
            try:
                with guarded_settings(
                    f"this {'address' if field == 'address' else 'driver with these settings'}"
                ):
                    check(cleaned.get("address", ""))
            except Misconfigured as error:
                self.add_error(self._field_of(str(error), field), str(error))
        if not self.errors:
            self.instance.settings = self._given()
        return cleaned

    def changed_settings(self) -> bool:
        """Whether what is to be stored differs from what is stored."""
        return self._given() != self._stored

    def _check_settings(self, address: str) -> None:
        given = self._given()
        if not self.errors:
            read_settings(self.specs, given)
            driver_class(self.made_for)(address, given)

    def _given(self) -> dict[str, SettingValue]:
        """Put together what is to be stored: what differs from its default, and the secrets that stay."""
        given: dict[str, SettingValue] = {}
        for spec in self.specs:
            value = self.cleaned_data.get(PREFIX + spec.name)
            if spec.secret and not value:
                if spec.name in self._stored and spec.name not in self.cleaned_data.get("forget", ()):
                    given[spec.name] = self._stored[spec.name]
            elif value is not None and value != spec.default:
                given[spec.name] = value
        return given

    def _prepare(self, spec: SettingSpec) -> None:
        field = self.fields[PREFIX + spec.name]
        if spec.secret:
            is_set = spec.name in self._stored
            field.required = spec.default is None and not is_set
            told = "Stored; empty leaves it as it is." if is_set else "Not set."
            field.help_text = f"{spec.help} {told} Never shown again.".strip()
        else:
            self.initial[PREFIX + spec.name] = self._stored.get(spec.name, spec.default)

    def _fill_in(self) -> None:
        """Show the defaults of a driver's settings that the page did not have yet."""
        data = {name: self.data[name] for name in self.data} | {self.add_prefix("shown_for"): self.made_for}
        for spec in self.specs:
            if spec.default not in (None, False) and not spec.secret:
                data.setdefault(self.add_prefix(PREFIX + spec.name), str(spec.default))
        self.data = data

    def _field_of(self, words: str, otherwise: str) -> str:
        """Find the field that an error tells of."""
        named = [PREFIX + spec.name for spec in self.specs if f" {spec.name}" in words.partition(":")[0]]
        return named[0] if named else otherwise

    def _stored_settings(self) -> dict[str, Any]:
        """Give what is stored for this very driver: another one's password is none of its business."""
        known = self.instance.pk and self.instance.driver == self.made_for
        return dict(self.instance.settings) if known and isinstance(self.instance.settings, dict) else {}

    def _secret(self) -> list[SettingSpec]:
        return [spec for spec in self.specs if spec.secret]

    def _names(self) -> list[str]:
        return sorted({*driver_names(), self.made_for} - {""})


def controller_form(driver: str) -> type[DriverForm]:
    """Make the form for controllers of a driver; one that is not known has no settings."""
    specs = _specs(driver)
    fields = {PREFIX + spec.name: _field(spec) for spec in specs or ()}
    return type("DriverForm", (DriverForm,), {**fields, "specs": specs or (), "made_for": driver})


def setting_fields(driver: str) -> tuple[str, ...]:
    """Name the fields of a driver's settings."""
    return tuple(PREFIX + spec.name for spec in _specs(driver) or ())


def open_settings(controller: PowerController) -> dict[str, Any]:
    """Give a controller's settings without the secret ones; of a driver that is not known any may be secret."""
    specs = _specs(controller.driver)
    stored = controller.settings if isinstance(controller.settings, dict) else {}
    shown = {spec.name for spec in specs or () if not spec.secret}
    return {name: value for name, value in stored.items() if name in shown}


def _specs(driver: str) -> tuple[SettingSpec, ...] | None:
    try:
        return driver_class(driver).settings
    except Misconfigured:
        return None


def _field(spec: SettingSpec) -> forms.Field:
    label = spec.name.replace("_", " ").capitalize()
    if spec.secret:
        widget = WriteOnlyTextarea(attrs={"rows": 1, "autocomplete": "off"})
        return forms.CharField(max_length=_LONGEST, required=False, widget=widget, label=label)
    common: dict[str, Any] = {"required": spec.default is None, "label": label, "help_text": spec.help}
    if spec.choices:
        return forms.ChoiceField(choices=[(choice, choice) for choice in spec.choices], **common)
    if spec.type is bool:
        return forms.BooleanField(**{**common, "required": False})
    if spec.type is int:
        return forms.IntegerField(min_value=int(spec.least), max_value=int(spec.most), **common)
    if spec.type is float:
        return forms.FloatField(min_value=spec.least, max_value=spec.most, **common)
    return forms.CharField(max_length=_LONGEST, **common)
