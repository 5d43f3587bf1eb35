"""Forms for what hangs on power: they know the drivers' grammars, and never show a secret again.

The controller's form here is the API's, with all settings in one object; that of the pages is in controller_form.py.
"""

import json
from typing import TYPE_CHECKING, Any

from django import forms

from bmm.drivers.guard import guarded_settings
from bmm.drivers.power import driver_class, driver_names
from bmm.errors import Misconfigured
from bmm.models import OPEN, Operation
from devices.addresses import why_not_in
from devices.models import Device, PowerController, Rack
from devices.services import CHANGED_MEANWHILE, OF_THE_HOLDER, why_kept

if TYPE_CHECKING:
    # Generic in the stubs only; the class itself cannot be subscripted.
    DeviceModelForm = forms.ModelForm[Device]
    ControllerModelForm = forms.ModelForm[PowerController]
else:
    DeviceModelForm = forms.ModelForm
    ControllerModelForm = forms.ModelForm

# An operation names its controller, and finds the outlet in the device when it runs: moved in between, it would
# switch somebody else's outlet.
WIRING = frozenset({"rack", "power_controller", "outlet"})


class WriteOnlyTextarea(forms.Textarea):
    """A text area that forgets: neither what is stored nor what was typed is ever sent to the browser.

    `writes_only` tells the audit trail to keep nothing of it either.
    """

    writes_only = True

    def format_value(self, value: Any) -> str:
        """Give nothing."""
        return ""


class DeviceForm(DeviceModelForm):
    """A device as people describe it."""

    class Meta:
        model = Device
        fields = (
            "name", "fqdn", "address", "mac", "inventory_id", "hardware_type",
            "rack", "power_controller", "outlet", "environment", "tags", "comments",
        )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        """Check the outlet by its driver's grammar, and what may not change while the device is at work."""
        cleaned = super().clean() or self.cleaned_data
        controller, outlet = cleaned.get("power_controller"), cleaned.get("outlet")
        if controller and outlet:
            try:
                driver_class(controller.driver).check_outlet(outlet)
            except Misconfigured as error:
                self.add_error("outlet", str(error))
        for name in ("address", "fqdn"):
            self._check_address(name, cleaned.get(name), cleaned.get("rack"))
        if self.instance.pk:
            self._check_at_work(set(self.changed_data))
        return cleaned

    def _get_validation_exclusions(self) -> set[str]:
        """Leave out addresses that stay: one from before its rule keeps nobody from changing other things."""
        kept = {"mac", "address", "fqdn"} - set(self.changed_data) if self.instance.pk else set()
        excluded: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]  # the stubs lack it
        return excluded | kept

    def _check_address(self, field: str, address: str | None, rack: Rack | None) -> None:
        """Refuse an address or name of our own."""
        if not (address and rack and {field, "rack"} & set(self.changed_data)):
            return
        servers = dict(Rack.objects.filter(address=address).values_list("address", "name"))
        if why := why_not_in(address, rack.address, servers):
            self.add_error(field, f"{why}.")

    def _check_at_work(self, changed: set[str]) -> None:
        # The page is saved in one transaction, so the lock keeps matching and the machine out until it is done.
        held_by = (
            Device.objects.select_for_update().values_list("held_by", flat=True).get(pk=self.instance.pk)
        )
        for name in changed & OF_THE_HOLDER:
            if kept := why_kept(held_by, name):
                self.add_error(name, f"{kept[:1].upper()}{kept[1:]}.")
        if not changed & WIRING:
            return
        at_work = Operation.objects.filter(device=self.instance.pk, status__in=OPEN).first()
        if at_work is not None:
            for name in changed & WIRING:
                self.add_error(name, f"{at_work} is under way: wait for its end, or lock the device out.")


class DevicePageForm(DeviceForm):
    """A device's form as a page: it knows what its author saw, and takes back nobody's comments."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "comments" in self.fields:
            self.fields["comments"].show_hidden_initial = True

    def clean_comments(self) -> str | None:
        """Refuse a text that was written over an older one; where none was written, keep what is stored."""
        text: str | None = self.cleaned_data["comments"]
        seen = self.data.get(self.add_initial_prefix("comments"))
        if self.instance.pk is None or seen is None:
            return text
        stored = (
            Device.objects.select_for_update().values_list("comments", flat=True).get(pk=self.instance.pk)
        )
        if _plain(stored) in (_plain(seen), _plain(text)):
            return text
        if _plain(text) == _plain(seen):
            return stored
        raise forms.ValidationError(CHANGED_MEANWHILE[:1].upper() + CHANGED_MEANWHILE[1:] + ".")


def _plain(text: str | None) -> str:
    """Return a text without what a browser makes of its ends of lines."""
    return (text or "").replace("\r\n", "\n").strip()


class PowerControllerForm(ControllerModelForm):
    """A power controller; its secret settings go in and never come out."""

    secrets = forms.JSONField(
        required=False,
        widget=WriteOnlyTextarea(attrs={"rows": 2, "autocomplete": "off"}),
        label="Secret settings",
    )

    class Meta:
        model = PowerController
        fields = ("name", "rack", "driver", "address", "settings")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stored = self.instance.settings if self.instance.pk else {}
        self._stored: dict[str, Any] = dict(stored) if isinstance(stored, dict) else {}
        hidden = self._secret_names(self.instance.driver) & self._stored.keys()
        self.initial["settings"] = {name: value for name, value in self._stored.items() if name not in hidden}
        if "driver" not in self.fields:
            return  # somebody who may look only: there is nothing to fill in
        self.fields["driver"].help_text = f"One of: {', '.join(driver_names())}."
        self.fields["secrets"].help_text = (
            "A JSON object of secret settings to set or replace; null removes one. Never shown again. "
            f"Stored now: {', '.join(sorted(hidden)) or 'none'}."
        )

    def clean(self) -> dict[str, Any]:
        """Check name of the driver, address and settings together; nothing is connected to."""
        cleaned = super().clean() or self.cleaned_data
        try:
            driver = driver_class(cleaned.get("driver", ""))
        except Misconfigured as error:
            self.add_error("driver", str(error))
            return cleaned
        try:
            with guarded_settings("this address"):
                driver.check_address(cleaned.get("address", ""))
        except Misconfigured as error:
            self.add_error("address", str(error))
        if (settings := self._merged(cleaned)) is not None:
            try:
                # Building one touches nothing, and finds what only the driver knows to be wrong.
                with guarded_settings("these settings"):
                    driver(cleaned.get("address", ""), settings)
            except Misconfigured as error:
                self.add_error("settings", str(error))
            cleaned["settings"] = settings
        return cleaned

    def _merged(self, cleaned: dict[str, Any]) -> dict[str, Any] | None:
        """Put open and secret settings together; None, with the errors said, where they can't be."""
        settings, secrets = cleaned.get("settings"), cleaned.get("secrets")
        shown, given = ({} if value is None else value for value in (settings, secrets))
        secret = self._secret_names(cleaned["driver"])
        for name, value in (("settings", shown), ("secrets", given)):
            if not isinstance(value, dict):
                self.add_error(name, 'A JSON object, please, such as {"retries": 3}.')
        if not (isinstance(shown, dict) and isinstance(given, dict)):
            return None
        if misplaced := sorted(secret & shown.keys()):
            self._forget_typed(shown, secret)
            self.add_error("settings", f"{misplaced[0]} is secret: give it below.")
        if unknown := sorted(given.keys() - secret):
            self.add_error("secrets", f"{unknown[0]} is no secret setting of this driver.")
        if self.errors.keys() & {"settings", "secrets"}:
            return None
        kept = {name: value for name, value in self._stored.items() if name in secret}
        merged = {**shown, **kept, **given}
        return {name: value for name, value in merged.items() if name not in secret or value is not None}

    def _forget_typed(self, shown: dict[str, Any], secret: set[str]) -> None:
        """Take a secret out of what the page would show again beside its error."""
        harmless = json.dumps({name: value for name, value in shown.items() if name not in secret})
        # One by one: a QueryDict unpacks into lists.
        self.data = {name: self.data[name] for name in self.data} | {self.add_prefix("settings"): harmless}

    def _secret_names(self, driver: str) -> set[str]:
        """Name a driver's secret settings; of one that is not installed any may be."""
        try:
            return {spec.name for spec in driver_class(driver).settings if spec.secret}
        except Misconfigured:
            return set(self._stored)
