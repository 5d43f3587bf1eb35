"""Alarming lines are found in linear time; a pattern that could be slow or finds everything is refused."""

import time

import pytest
from django.core.exceptions import ValidationError

from bmm.syslog.patterns import BUILT_IN, Pattern, Watchdog, validate_regex


def names(line: str) -> list[str]:
    return [pattern.name for pattern in Watchdog(BUILT_IN).hits(1, line, 0.0)]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("kernel: [ 9.1] Kernel panic - not syncing: VFS: Unable to mount root fs", ["kernel_panic"]),
        ("kernel: Internal error: Oops: 17 [#1] SMP ARM", ["kernel_oops"]),
        ("kernel: BUG: unable to handle page fault for address: ffff", ["kernel_oops"]),
        ("kernel: Unable to handle kernel NULL pointer dereference at 00000000", ["kernel_oops"]),
        ("kernel: end_request: I/O error, dev mmcblk0, sector 1234", ["storage_error"]),
        ("kernel: blk_update_request: I/O error, dev mmcblk0, sector 0 op 0x0", ["storage_error"]),
        ("kernel: Buffer I/O error on device mmcblk0p2, logical block 7", ["storage_error"]),
        ("kernel: mmcblk0: error -110 transferring data, sector 1, nr 8", ["storage_error"]),
        ("kernel: mmc0: Timeout waiting for hardware interrupt.", ["storage_error"]),
        ("kernel: EXT4-fs error (device mmcblk0p2): ext4_find_entry:1234", ["storage_error"]),
        ("kernel: python invoked oom-killer: gfp_mask=0x201da, order=0", ["out_of_memory"]),
        ("kernel: Out of memory: Killed process 77 (python)", ["out_of_memory"]),
        ("kernel: mmc0: new high speed SDHC card at address 1234", []),
        ("kernel: mmcblk0: mmc0:1234 SU08G 7.40 GiB", []),
        ("kernel: EXT4-fs (mmcblk0p2): mounted filesystem with ordered data mode", []),
        ("app: no panic", []),
    ],
)
def test_what_is_built_in_finds_what_kernels_say(line: str, found: list[str]) -> None:
    assert names(line) == found


def test_a_device_is_told_of_once_in_the_cooldown_each_device_and_pattern_for_itself() -> None:
    dog = Watchdog(
        [Pattern("fan", "fan failed", serious=False, cooldown=60), Pattern("hot", "hot", serious=True)]
    )
    told = [
        [hit.name for hit in dog.hits(device, "fan failed", now)]
        for device, now in ((1, 0), (1, 59), (2, 59), (1, 60))
    ]
    assert told == [["fan"], [], ["fan"], ["fan"]]
    assert [hit.name for hit in dog.hits(1, "fan failed, hot", 61.0)] == ["hot"]


def test_new_patterns_remember_who_has_been_told_of() -> None:
    dog = Watchdog(BUILT_IN)
    assert dog.hits(1, "Kernel panic - not syncing", 0.0)
    assert not dog.heir([*BUILT_IN, Pattern("fan", "fan failed", serious=False)]).hits(
        1, "Kernel panic - not syncing", 1.0
    )


@pytest.mark.parametrize(
    ("regex", "why"),
    [
        ("(", "RE2 can't read this: missing ): (."),
        (r"(\w+)\1", r"RE2 can't read this: invalid escape sequence: \1."),
        ("(?=a)", "RE2 can't read this: invalid perl operator: (?=."),
        ("a*", "This finds every line, even an empty one."),
        (r"(\w{500}){2}x", "This is too large to be looked for in every line: fewer repetitions, please."),
    ],
)
def test_a_bad_pattern_is_refused_with_its_reason(regex: str, why: str) -> None:
    with pytest.raises(ValidationError) as caught:
        validate_regex(regex)
    assert caught.value.messages == [why]


def test_what_would_take_a_backtracker_for_ever_takes_no_time() -> None:
    validate_regex(r"^(a+)+$")
    dog = Watchdog([Pattern("evil", r"^(a+)+$", serious=False)])
    begun = time.process_time()
    for _ in range(1000):
        assert dog.hits(1, "a" * 499 + "!", 0.0) == []
    assert time.process_time() - begun < 1.0


def test_a_row_that_no_form_has_checked_does_not_blind_the_others() -> None:
    dog = Watchdog([Pattern("bad", "(", serious=False), *BUILT_IN])
    assert [hit.name for hit in dog.hits(1, "Kernel panic - not syncing", 0.0)] == ["kernel_panic"]
