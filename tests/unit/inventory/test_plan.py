"""What comes of what is stored and what a source says; no database, no file."""

import random
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from devices.inventory import shown
from devices.inventory.plan import make_plan
from devices.inventory.planning import Change, Gone, Scope
from tests.unit.inventory.stories import device, plan, pool, reasons, says


def test_what_is_as_the_source_says_stays_as_it_is() -> None:
    made = plan(pool(device(1), device(2)), says(1), says(2))
    assert (made.new, made.changed, made.gone, made.refused, made.unchanged) == ((), (), (), (), 2)
    assert made.touched == 0


def test_a_device_that_is_not_stored_is_new() -> None:
    made = plan(pool(device(1)), says(1), says(2))
    assert [one.name for one in made.new] == ["panda-2"]
    assert made.new[0].record.values["mac"] == "020000000002"


def test_a_field_that_differs_is_changed_from_old_to_new() -> None:
    made = plan(pool(device(1)), says(1, environment="staging", tags=""))
    (item,) = made.changed
    assert item.changes == (
        Change("environment", "production", "staging"),
        Change("tags", ("hdmi", "usb"), ()),
    )


def test_a_field_that_the_source_does_not_tell_is_not_its_business() -> None:
    stored = device(1)
    record = says(1)
    some = type(record)(record.where, {"name": "panda-1", "environment": "production"})
    assert plan(pool(stored), some).touched == 0


def test_a_device_that_the_source_no_longer_lists_is_gone() -> None:
    made = plan(pool(device(1), device(2), device(3, held_by=42)), says(1))
    assert made.gone == (Gone(2, "panda-2"), Gone(3, "panda-3", held_by=42))


def test_what_is_gone_already_needs_no_second_word() -> None:
    retired = device(2, gone=True, state="locked_out")
    held = device(3, gone=True, held_by=42)
    led_back = device(4, gone=True, state="ready")
    made = plan(pool(device(1), retired, held, led_back), says(1))
    assert [one.name for one in made.gone] == ["panda-4"]


def test_a_device_that_is_listed_again_returns() -> None:
    (item,) = plan(pool(device(1, gone=True, state="locked_out")), says(1)).changed
    assert (item.name, item.changes, item.returns) == ("panda-1", (), True)


def test_people_s_devices_are_adopted_and_not_changed_by_that() -> None:
    made = plan(pool(device(1, source="")), says(1))
    assert (made.adopted, made.touched, made.unchanged) == ((1,), 0, 1)


def test_another_source_s_devices_are_not_gone_and_change_hands_when_this_one_lists_them() -> None:
    made = plan(pool(device(1, source="netbox"), device(2, source="netbox")), says(1))
    assert made.gone == ()
    assert made.changed[0].changes == (Change("inventory_source", "netbox", "lab"),)


def test_a_device_is_known_by_inventory_id_then_by_name_then_by_mac() -> None:
    stored = pool(device(1), device(2), device(3))
    made = plan(
        stored,
        says(1, name="new-name"),
        says(2, inventory_id=20),
        says(3, inventory_id=30, name="other-name"),
    )
    assert (made.new, made.gone) == ((), ())
    assert {item.name: [one.field for one in item.changes] for item in made.changed} == {
        "panda-1": ["name"],
        "panda-2": ["inventory_id"],
        "panda-3": ["name", "inventory_id"],
    }


def test_an_id_of_another_source_is_never_that_of_this_one_s_device() -> None:
    alpha = device(1, source="one", inventory_id=101, name="alpha")
    omega = says(2, inventory_id=101, name="omega")
    made = make_plan(pool(alpha), [omega], Scope("two"))
    assert ([one.name for one in made.new], made.changed, made.gone) == (["omega"], (), ())
    # Nor is it that of a device that people entered: their numbers are not the source's.
    made = make_plan(
        pool(device(1, source="", inventory_id=101, name="alpha")), [omega], Scope("two", complete=False)
    )
    assert ([one.name for one in made.new], made.changed) == (["omega"], ())


def test_a_device_that_is_taken_over_leaves_its_id_with_the_source_that_gave_it() -> None:
    stored = pool(device(1, source="one", inventory_id=101))
    whole = says(1)
    record = type(whole)(
        whole.where, {key: one for key, one in whole.values.items() if key != "inventory_id"}
    )
    (item,) = make_plan(stored, [record], Scope("two")).changed
    assert item.changes == (Change("inventory_id", 101, None), Change("inventory_source", "one", "two"))
    assert make_plan(stored, [record], Scope("import", complete=False, owns=False)).touched == 0


def test_a_name_that_differs_by_case_from_another_s_is_refused_and_nobody_is_gone() -> None:
    made = plan(
        pool(device(1)),
        says(1, name="PANDA-1", mac="02:00:00:00:00:99", inventory_id="", outlet="bank9:relay1"),
    )
    assert reasons(made) == {"PANDA-1": ("name: panda-1 is there already, but for its case",)}
    assert (made.gone, made.touched) == ((), 0)
    both = plan(pool(), says(1, name="board-x"), says(2, name="Board-X"))
    assert reasons(both) == {
        "board-x": ("name board-x is in 2 records",),
        "Board-X": ("name Board-X is in 2 records",),
    }


def test_a_device_may_be_written_otherwise_where_its_id_says_that_it_is_the_same() -> None:
    (item,) = plan(pool(device(1)), says(1, name="Panda-1")).changed
    assert item.changes == (Change("name", "panda-1", "Panda-1"),)


@pytest.mark.parametrize(
    ("rack", "address", "reason"),
    [
        ("10.1.9.250", "127.0.0.1", "address: 127.0.0.1 is each machine's own address, no device's"),
        ("10.1.9.250", "10.1.9.250", "address: 10.1.9.250 is the imaging server of rack p1"),
        ("127.0.0.1", "127.0.0.1", None),
        ("127.0.0.1", "10.2.9.250", "address: 10.2.9.250 is the imaging server of rack p2"),
    ],
)  # fmt: skip
def test_an_address_of_our_own_is_no_device_s_unless_the_whole_rack_is_simulated_here(
    rack: str, address: str, reason: str | None
) -> None:
    stored = replace(pool(), racks={"p1": rack, "p2": "10.2.9.250"})
    assert reasons(plan(stored, says(1, address=address))) == ({"panda-1": (reason,)} if reason else {})


def test_a_name_of_our_own_is_no_device_s_either() -> None:
    made = plan(pool(), says(1, fqdn="localhost"), says(2, fqdn="board.Localhost"))
    assert reasons(made) == {
        "panda-1": ("fqdn: localhost is each machine's own address, no device's",),
        "panda-2": ("fqdn: board.Localhost is each machine's own address, no device's",),
    }


def test_boards_that_would_have_no_outlet_are_warned_of() -> None:
    bare: dict[str, Any] = {"power_controller": "", "outlet": ""}
    stored = pool(device(1), device(2, **bare))
    made = plan(stored, says(1, **bare), says(2, **bare), *(says(number, **bare) for number in range(3, 9)))
    assert made.warnings == (
        (
            "7 devices have no outlet, so nothing can switch the power and every test fails: "
            "panda-1, panda-3, panda-4, panda-5, panda-6 and 2 more"
        ),
    )
    assert shown.rows(made)[0] == ("warning", "", made.warnings[0], "", "")
    assert plan(stored, says(1), says(2, **bare)).warnings == ()


def test_ignored_names_are_neither_entered_nor_changed_nor_gone() -> None:
    stored = pool(device(1), device(2, name="spare-2"), device(3, name="spare-3"))
    made = plan(stored, says(1), says(2, name="spare-2", environment="staging"), ignore=("spare-*",))
    assert made.touched == 0
    assert made.ignored == ("spare-2",)


def test_a_source_that_answers_for_some_racks_leaves_the_others_alone() -> None:
    elsewhere = device(2, rack="p2", power_controller="relay-2", source="")
    other = says(3, rack="p2", power_controller="relay-2")
    made = plan(pool(device(1), elsewhere), says(1), other, racks=frozenset({"p1"}))
    assert made.touched == 0
    assert made.ignored == ("panda-3",)


def test_a_source_that_lists_some_devices_only_retires_none() -> None:
    made = plan(pool(device(1), device(2)), says(1), complete=False)
    assert (made.gone, made.notes) == ((), ("lab lists some devices only: nothing is retired",))


def test_two_records_with_one_mac_or_outlet_are_both_refused_and_their_devices_kept() -> None:
    made = plan(
        pool(device(1), device(2), device(3)),
        says(1, mac="02:00:00:00:00:99"),
        says(2, mac="02:00:00:00:00:99"),
        says(3, outlet="bank1:relay9"),
        says(4, outlet="bank1:relay9"),
    )
    assert (made.new, made.changed, made.gone) == ((), (), ())
    assert reasons(made) == {
        "panda-1": ("MAC 020000000099 is in 2 records",),
        "panda-2": ("MAC 020000000099 is in 2 records",),
        "panda-3": ("outlet relay-1 bank1:relay9 is in 2 records",),
        "panda-4": ("outlet relay-1 bank1:relay9 is in 2 records",),
    }


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"rack": "p9"}, "rack: there is no rack p9; add it in the admin first"),
        ({"hardware_type": "beagle x"}, "hardware_type: there is no hardware type beagle x; add it in the admin first"),
        ({"power_controller": "relay-9"}, "power_controller: there is no relay-9; add it in the admin first"),
        ({"power_controller": "relay-2"}, "power_controller: relay-2 is in rack p2, not in p1"),
        ({"power_controller": ""}, "outlet: needs a power controller that it belongs to"),
        ({"outlet": ""}, "outlet: which outlet of relay-1?"),
        ({"outlet": "7"}, "outlet: proxr knows no outlet 7"),
        ({"mac": "02:00:00:00:00"}, "mac: a MAC address of twelve hex digits expected, not '02:00:00:00:00'"),
        ({"name": "panda 1"}, "name: a host name of 63 characters at most expected, not 'panda 1'"),
        (
            {"environment": "any"},
            "environment: a plain name expected (letters, digits, dots, hyphens, underscores), not 'any'",
        ),
        ({"address": "10.1.2"}, "address: an IPv4 address expected, not '10.1.2'"),
        ({"inventory_id": "-1"}, "inventory_id: a whole number from 0 to 2147483647 expected, not '-1'"),
        ({"tags": "a a"}, "tags: plain names, each once, expected, not 'a a'"),
    ],
)  # fmt: skip
def test_a_record_that_can_not_be_is_refused_with_its_reason_and_its_device_kept(
    wrong: dict[str, str], reason: str
) -> None:
    made = plan(pool(device(1), device(2)), says(1, **wrong), says(2))
    assert [one.reasons for one in made.refused] == [(reason,)]
    assert (made.touched, made.unchanged) == (0, 1)


def test_a_new_device_without_what_it_needs_is_refused() -> None:
    record = says(1)
    bare = type(record)("line 1", {"name": "panda-1"})
    (refused,) = plan(pool(), bare).refused
    assert refused.reasons == tuple(
        f"{field}: missing, and a new device needs it"
        for field in ("fqdn", "mac", "rack", "hardware_type", "environment")
    )


def test_while_a_record_names_nothing_that_could_be_known_nobody_is_gone() -> None:
    unreadable = says(2, name="", mac="", inventory_id="")
    made = plan(pool(device(1), device(2)), says(1), unreadable)
    assert made.gone == ()
    assert made.notes == ("1 records name no device that could be known: nothing is retired",)


def test_what_another_device_has_and_keeps_can_not_be_had() -> None:
    moved = says(1, outlet="bank1:relay2")
    renamed = says(3, inventory_id=1, name="panda-2", mac="02:00:00:00:00:03")
    stored = pool(device(1), device(2))
    assert reasons(plan(stored, moved, complete=False)) == {
        "panda-1": ("outlet relay-1 bank1:relay2 is that of panda-2",)
    }
    assert reasons(plan(stored, renamed, complete=False)) == {"panda-2": ("name panda-2 is that of panda-2",)}


def test_outlets_that_move_on_move_in_an_order_in_which_each_is_free() -> None:
    stored = pool(*(device(number) for number in range(1, 6)))
    records = [says(number, outlet=f"bank1:relay{number + 1}") for number in range(1, 6)]
    for order in permutations(records):
        made = make_plan(stored, list(order), Scope("lab"))
        assert [item.name for item in made.changed] == [f"panda-{number}" for number in range(5, 0, -1)]


def test_two_devices_that_swap_outlets_are_left_to_people() -> None:
    made = plan(pool(device(1), device(2)), says(1, outlet="bank1:relay2"), says(2, outlet="bank1:relay1"))
    turn = ", which can't give it up before it has another's: change one of them by hand"
    assert reasons(made) == {
        "panda-1": (f"outlet relay-1 bank1:relay2 is that of panda-2{turn}",),
        "panda-2": (f"outlet relay-1 bank1:relay1 is that of panda-1{turn}",),
    }


def test_a_board_that_is_replaced_gives_its_outlet_to_the_new_one_unless_it_is_held() -> None:
    replacement = says(9, outlet="bank1:relay1")
    made = plan(pool(device(1)), replacement)
    assert (made.gone, [one.name for one in made.new]) == (
        (Gone(1, "panda-1", frees_outlet=True),),
        ["panda-9"],
    )
    held = plan(pool(device(1, held_by=42)), replacement)
    assert (held.new, held.gone) == ((), (Gone(1, "panda-1", held_by=42),))
    assert reasons(held) == {"panda-9": ("outlet relay-1 bank1:relay1 is that of panda-1",)}
    retired = plan(pool(device(1, gone=True, state="locked_out")), replacement)
    assert retired.gone == (Gone(1, "panda-1", frees_outlet=True),)


@pytest.mark.parametrize(
    ("stored", "gone", "too_much"),
    [(10, 5, False), (10, 6, True), (59, 6, True), (60, 6, False), (100, 10, False), (100, 11, True), (0, 0, False)],
)  # fmt: skip
def test_more_than_five_and_more_than_a_tenth_is_too_much(stored: int, gone: int, too_much: bool) -> None:
    devices = [device(number, power_controller=None, outlet=None) for number in range(stored)]
    records = [says(number, power_controller=None, outlet=None) for number in range(gone, stored)]
    made = plan(pool(*devices), *records)
    assert (len(made.gone), made.too_much) == (gone, too_much)


def test_the_digest_is_that_of_what_would_be_done() -> None:
    stored = pool(device(1), device(2))
    first = plan(stored, says(1), says(2, environment="staging"))
    again = plan(stored, says(2, environment="staging"), says(1))
    other = plan(stored, says(1), says(2, environment="stagings"))
    assert first.digest == again.digest != other.digest


def test_after_whatever_was_done_there_is_nothing_left_to_do() -> None:
    """Any mix of moves, new and vanished devices: carried out in the plan's order, no outlet is ever two's."""
    chance = random.Random(4711)
    for _ in range(300):
        stored = pool(*(device(number) for number in range(8)))
        outlets = chance.sample(range(12), 10)
        listed = chance.sample(range(10), chance.randrange(1, 10))
        records = [says(number, outlet=f"bank1:relay{outlets[number]}") for number in listed]
        made = make_plan(stored, records, Scope("lab"))
        has = {one.pk: one.values["outlet"] for one in stored.devices}
        for gone in made.gone:
            if gone.frees_outlet:
                del has[gone.pk]
        for item in made.changed:
            has[item.pk] = {one.field: one.new for one in item.changes}["outlet"]
            assert len(set(has.values())) == len(has)
        everything = [*has.values(), *(new.record.values["outlet"] for new in made.new)]
        assert len(set(everything)) == len(everything)
        assert len(made.new) + len(made.refused) + len(made.changed) + made.unchanged == len(records)
