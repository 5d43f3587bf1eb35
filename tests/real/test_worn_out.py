"""A machine whose disk can't be written at one place must be found out, and say why."""

from reallab.kinds import ARM
from reallab.lab import Wish
from reallab.network import Network
from reallab.plan import HASTY
from reallab.story import Story
from tests.real.conftest import Labs
from tests.real.steps import Chapter


def test_a_worn_out_disk_ends_in_failed_with_the_reason_in_its_story(labs: Labs, user: Network) -> None:
    with labs([Wish(ARM, worn_out=True)], user) as lab:
        story = Story(lab.pool.url)
        (device,) = lab.machines
        chapter = Chapter(story, device)
        request = story.request(device, HASTY)
        assert story.until(device, ["failed_self_test"], 180) == "failed_self_test"
        told = chapter.told()
        # The installation says what the disk said, and so does the self-test that follows it by itself.
        assert any("install failed: the disk /dev/vda can't be written: dd: " in line for line in told)
        assert any("self-test: FAILED: /dev/vda can't be written at 15 MB: dd: " in line for line in told)
        assert "extracting_failed" in chapter.states()
        assert story.request_state(request) == "failed_bad_device"
