"""What several tests of real machines look at: the states that a device went through, and what it wrote."""

from pathlib import Path

from bmm.live import kit
from reallab.lab import RealLab
from reallab.machine import Machine
from reallab.plan import IMAGE, SELF_TEST
from reallab.story import Line, Story

INSTALLED = [
    "start_pxe_boot", "pxe_power_cycling", "pxe_booting", "mobile_init_started", "downloading", "extracting",
    "verifying", "sut_verifying", "sut_sdcard_verifying", "operation_complete", "ready",
]  # fmt: skip
REUSED = [
    "start_power_cycle", "pc_power_cycling", "verifying", "sut_verifying", "sut_sdcard_verifying",
    "operation_complete", "ready",
]  # fmt: skip


class Chapter:
    """What a device does from now on."""

    def __init__(self, story: Story, device: str) -> None:
        self._story, self._device = story, device
        self._from = max((line.id for line in story.lines(device)), default=0)

    def lines(self) -> list[Line]:
        """Give its lines."""
        return self._story.lines(self._device, self._from)

    def states(self) -> list[str]:
        """Give the states that it entered; one that it entered again at once, as for another try, once."""
        found: list[str] = []
        for line in self.lines():
            if line.message.startswith("entering state "):
                state = line.message.removeprefix("entering state ")
                found += [state] if found[-1:] != [state] else []
        return found

    def told(self) -> list[str]:
        """Give the lines that are no states."""
        return [line.message for line in self.lines() if not line.message.startswith("entering state ")]


def expect_on_disk(lab: RealLab, machine: Machine, place: str, sha256: str) -> None:
    """From now on the self-test of a machine's kind expects a checksum at a place of its disk, START+SIZE in MB."""
    start, size = (int(number) for number in place.split("+"))
    wanted = {"disk": "/dev/vda", "start_mb": start, "size_mb": size, "sha256": sha256}
    script = lab.pool.folder / "self-test.sh"
    # Under emulation a checksum takes ten times as long, so memory is looked at briefly.
    settings = {"hashes": [wanted], "memory": {"sample_mb": 1}}
    script.write_text(kit.second_stage(SELF_TEST, SELF_TEST, settings))
    lab.pool.manage(
        "boot_config", "modify", f"{machine.kind.name}-{SELF_TEST}", "--second-stage", str(script)
    )


def megabytes(disk: Path, start: int, size: int) -> bytes:
    """Read a part of a machine's disk."""
    with disk.open("rb") as file:
        file.seek(start << 20)
        return file.read(size << 20)


def everybody(lab: RealLab, states: list[str], seconds: float) -> None:
    """Have each machine prepared for a request at the same time, and give all of them back."""
    story = Story(lab.pool.url)
    chapters = {name: Chapter(story, name) for name in lab.machines}
    requests = {name: story.request(name, IMAGE) for name in lab.machines}
    for name, request in requests.items():
        assert story.until_ready(request, seconds) == name
    assert {name: chapter.states() for name, chapter in chapters.items()} == dict.fromkeys(chapters, states)
    for request in requests.values():
        story.give_back(request)
