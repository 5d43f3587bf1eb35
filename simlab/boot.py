"""What a board lives through from power on: boot loader, live image, install, self-test, its own image.

The order of steps and calls is the contract between the server and the devices.
"""

import json

from simlab.board import Board, Phase
from simlab.boot_text import BootTextError, SecondStage, callback_base, second_stage
from simlab.http_calls import CallFailed


class ScriptStopped(Exception):
    """The second-stage script cannot go on; the message says why."""


async def boot(board: Board) -> None:
    """One life, from power on until nothing more happens by itself."""
    try:
        cold = True
        while await _boot_once(board, cold=cold):
            board.note("warm_reset")
            cold = False
    except (CallFailed, BootTextError, ScriptStopped) as failure:
        # A live image whose script has ended stays up, doing nothing, until its power is cycled.
        board.enter(Phase.STOPPED)
        board.note(f"stopped:{failure}")


async def _boot_once(board: Board, *, cold: bool) -> bool:
    """Boots from the network or from storage; whether a warm reset follows."""
    board.enter(Phase.BOOTLOADER)
    await board.spend("bootloader")
    text = _boot_file(board)
    if text is not None:
        faults = board.plan.network_boot()
        if "no_network_boot" not in faults:
            board.note("netboot")
            return await _live(board, text, faults)
    await _own_image(board, cold=cold)
    return False


def _boot_file(board: Board) -> str | None:
    mac = board.spec.mac
    dashed = "-".join(mac[start : start + 2] for start in range(0, len(mac), 2))
    path = board.config.tftp_root / "pxelinux.cfg" / f"01-{dashed}"
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None


async def _own_image(board: Board, *, cold: bool) -> None:
    faults = board.plan.storage_boot(cold=cold)
    if "lose_image" in faults and board.image is not None:
        board.lose_image()
    if board.image is None:
        board.enter(Phase.NO_IMAGE)
        board.note("no_image")
        return
    board.note("storage_boot")
    board.enter(Phase.IMAGE_BOOT)
    await board.spend("image_boot")
    faults |= board.config.broken_images.of(board.image, board.boot_config)
    if "never_boots" in faults:
        await board.freeze()
    await board.bring_up(faults)


async def _live(board: Board, boot_file: str, faults: frozenset[str]) -> bool:
    board.enter(Phase.LIVE_BOOT)
    await board.spend("live_boot")
    if "hang_at_boot" in faults:
        await board.freeze()
    board.enter(Phase.LIVE)
    board.note("live_up")
    base = callback_base(boot_file)
    await _post_event(board, base, "mobile_init_started")
    await board.spend("call")
    script = second_stage((await board.caller.get(f"{base}/second-stage")).decode("utf-8", "replace"))
    match script.action:
        case "install":
            await _install(board, script, faults)
            return True
        case "maintenance":
            await _post_event(board, script.url, "maint_mode")
            board.enter(Phase.MAINTENANCE)
        case "self-test":
            await _self_test(board, script, faults)
        case unknown:
            raise ScriptStopped(f"unknown action {unknown!r}")
    return False


async def _install(board: Board, script: SecondStage, faults: frozenset[str]) -> None:
    board_config = await _fetch_config(board, script)
    board.enter(Phase.DOWNLOADING)
    await _post_event(board, script.url, f"{script.image}_downloading")
    await board.spend("download")
    faults |= board.config.broken_images.of(script.image, board_config)
    if "download_fails" in faults:
        raise ScriptStopped("the image could not be fetched")
    await _post_event(board, script.url, f"{script.image}_extracting")
    board.enter(Phase.INSTALLING)
    # From here on the old image is gone, whatever happens to the new one.
    board.erase()
    await board.spend("install")
    if "hang_in_install" in faults:
        await board.freeze()
    if not faults.isdisjoint({"install_fails", "write_fails", "storage_fails"}):
        board.note("install_failed")
        raise ScriptStopped("the image could not be written")
    board.image = script.image
    board.boot_config = board_config
    board.note("installed")
    await _post_event(board, script.url, f"{script.image}_rebooting")


async def _self_test(board: Board, script: SecondStage, faults: frozenset[str]) -> None:
    board.enter(Phase.SELF_TEST)
    await _post_event(board, script.url, "self_test_running")
    await board.spend("self_test")
    await _post_event(board, script.url, "failed_self_test" if "storage_fails" in faults else "self_test_ok")


async def _fetch_config(board: Board, script: SecondStage) -> dict[str, object]:
    await board.spend("call")
    body = await board.caller.get(f"{script.url}/config")
    try:
        config = json.loads(body)
    except ValueError as error:
        raise ScriptStopped(f"the boot config is no JSON: {error}") from error
    if not isinstance(config, dict):
        raise ScriptStopped("the boot config is no JSON object")
    return config


async def _post_event(board: Board, base: str, event: str) -> None:
    await board.spend("call")
    await board.caller.post(f"{base}/event/{event}")
    board.note(f"event:{event}")
