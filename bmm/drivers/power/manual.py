"""Outlets that a person switches: nothing is spoken to here. How a person is asked is in bmm/by_hand.py."""

import re

from bmm.deadline import Deadline
from bmm.drivers.power.base import PowerDriver
from bmm.errors import Misconfigured


class ManualDriver(PowerDriver):
    """A place with plugs that somebody pulls; its address says where it is, for people."""

    outlet_pattern = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.:-]{0,62}", re.ASCII)
    outlet_grammar = "letters, digits, blanks, and _ . : - inside"
    address_help = "where it is, in words: shelf 3, behind the door"
    by_hand = True
    verifies = False

    @classmethod
    def check_address(cls, address: str) -> str:
        """Take any words."""
        if not address.isprintable():
            raise Misconfigured("the address is to be one plain line")
        return address

    def set(self, outlet: str, on: bool, deadline: Deadline) -> None:
        """Refuse: nobody waits here for a person."""
        raise self._by_hand(outlet)

    def get(self, outlet: str, deadline: Deadline) -> bool:
        """Refuse: nobody looks."""
        raise self._by_hand(outlet)

    def answers(self, deadline: Deadline) -> bool:
        """Refuse: there is nobody to ask."""
        raise self._by_hand("its outlets")

    def _by_hand(self, outlet: str) -> Misconfigured:
        return Misconfigured(
            f"{self.address}: {outlet} is switched by hand; ask for it by `manage.py power_cycle` or `power_off`"
        )
