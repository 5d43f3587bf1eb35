"""Which time and environment statistics are about, as the query string says."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django import forms

from pages.statistics.periods import LONGEST_DAYS, Period, between, last_days

DAYS = (1, 7, 30, 90)
_USUAL = 7


class PeriodForm(forms.Form):
    """`days` back from now, or from `since` to `until`; in one environment or all."""

    days = forms.TypedChoiceField(
        choices=[(days, str(days)) for days in DAYS],
        coerce=int,
        required=False,
        widget=forms.HiddenInput,
        error_messages={"invalid_choice": "1, 7, 30 or 90 days, or from a day to another."},
    )
    environment = forms.ChoiceField(
        required=False, error_messages={"invalid_choice": "There are no devices of this environment."}
    )
    since = forms.DateField(
        label="From", required=False, widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    )
    until = forms.DateField(
        label="To", required=False, widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    )

    def __init__(self, data: Any, environments: Sequence[str], now: datetime) -> None:
        super().__init__(data, auto_id="period_%s")
        self._now = now
        choice = self.fields["environment"]
        if isinstance(choice, forms.ChoiceField):
            choice.choices = [("", "all"), *((name, name) for name in environments)]

    def clean(self) -> dict[str, Any]:
        """Check that the days are in order, have come, and are not too many."""
        cleaned = self.cleaned_data
        since, until = cleaned.get("since"), cleaned.get("until")
        today = self._now.date()
        if until is not None and since is None and "since" not in self.errors:
            self.add_error("since", "From which day on?")
        if since is not None:
            self._check(since, until or today, today)
        return cleaned

    def _check(self, since: date, until: date, today: date) -> None:
        if since > today:
            self.add_error("since", "This day has not come yet.")
        elif until < since:
            self.add_error("until", "This day is before the first one.")
        elif (until - since).days >= LONGEST_DAYS:
            self.add_error("until", f"At most {LONGEST_DAYS} days, please.")

    @property
    def period(self) -> Period:
        """The time that is asked for by a form that is right."""
        since, until = self.cleaned_data["since"], self.cleaned_data["until"]
        if since is None:
            return last_days(self.chosen_days or _USUAL, self._now)
        return between(since, min(until or self._now.date(), self._now.date()))

    @property
    def chosen_days(self) -> int | None:
        """Which of DAYS is asked for; None for days by date, or where the form is wrong."""
        if not self.is_valid() or self.cleaned_data["since"] is not None:
            return None
        return int(self.cleaned_data["days"] or _USUAL)

    @property
    def chosen_environment(self) -> str:
        """The environment that is asked for; empty for all, and where the form is wrong."""
        return str(self.cleaned_data["environment"]) if self.is_valid() else ""
