"""What a booting device may tell of itself, in the words of its boot scripts and in those of the table."""

# Second-stage scripts name their image in these events; any image is meant.
_IMAGE_STEPS = ("downloading", "extracting", "rebooting")
BOOT_EVENTS = frozenset(
    {"mobile_init_started", "maint_mode", "self_test_running", "self_test_ok", "failed_self_test"}
    | {f"image_{step}" for step in _IMAGE_STEPS}
)


def canonical_event(name: str) -> str:
    """Give the table's name for what a boot script calls it: `b2g_downloading` is `image_downloading`."""
    image, _, last = name.rpartition("_")
    return f"image_{last}" if image and last in _IMAGE_STEPS else name
