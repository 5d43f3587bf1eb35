"""`python -m simlab.ctl CONTROL.sock VERB ...`: looks into a running lab and breaks things in it, by hand."""

import argparse
import dataclasses
import datetime as dt
import json
import sys
from collections.abc import Callable, Sequence

from simlab.control import BoardView, Entry, LabControl
from simlab.faults import BOARD_FAULTS, OK, RELAY_FAULTS
from simlab.fields import LabError


def main() -> int:
    """Exit status 0, 1 if the lab refuses or does not answer, 2 for wrong usage."""
    options = _parser().parse_args()
    command: Callable[[LabControl, argparse.Namespace], object] = options.command
    try:
        answer = command(LabControl(options.control), options)
    except LabError as error:
        sys.stderr.write(f"simlab.ctl: {error}\n")
        return 1
    _show(answer)
    return 0


def _parser() -> argparse.ArgumentParser:
    meanings = [f"  {name}: {meaning}" for name, meaning in (BOARD_FAULTS | RELAY_FAULTS).items()]
    parser = argparse.ArgumentParser(
        prog="python -m simlab.ctl",
        description="Looks into a running lab and breaks things in it.",
        epilog="\n".join(["faults of boards, then of relay boards:", *meanings]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("control", metavar="CONTROL.sock", help="the control socket named in LAB.json")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    _add_reading_verbs(verbs)
    _add_relay_verbs(verbs)
    _add_device_verbs(verbs)
    return parser


def _verb(
    verbs: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    text: str,
    command: Callable[[LabControl, argparse.Namespace], object],
    *arguments: str,
) -> argparse.ArgumentParser:
    verb = verbs.add_parser(name, help=text, description=text)
    verb.set_defaults(command=command)
    for argument in arguments:
        verb.add_argument(argument)
    return verb


def _add_reading_verbs(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    _verb(verbs, "stats", "counts over the whole lab", lambda lab, _: lab.stats())
    _verb(verbs, "boards", "one line for each board", lambda lab, _: _lines(lab))
    _verb(verbs, "board", "one board and its history", lambda lab, given: lab.board(given.device), "device")
    _verb(verbs, "history", "the histories of all boards", lambda lab, _: lab.history())
    _verb(
        verbs,
        "relay",
        "one relay board",
        lambda lab, given: lab.relay_board(given.relay_board),
        "relay_board",
    )
    _verb(verbs, "reset-counters", "sets all counters to zero", lambda lab, _: lab.reset_counters())
    _verb(verbs, "clear-history", "empties all histories", lambda lab, _: lab.clear_history())


def _add_relay_verbs(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    fault = _verb(
        verbs,
        "fault",
        "gives a relay board a fault: for a number of commands, for some seconds, or until healed",
        lambda lab, given: lab.fault_relay_board(
            given.relay_board, given.fault, count=given.count, seconds=given.seconds
        ),
        "relay_board",
    )
    fault.add_argument("fault", choices=RELAY_FAULTS)
    fault.add_argument("--count", type=int, help="commands")
    fault.add_argument("--seconds", type=float)
    _verb(
        verbs,
        "heal",
        "ends a relay board's fault",
        lambda lab, given: lab.heal_relay_board(given.relay_board),
        "relay_board",
    )


def _add_device_verbs(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    text = "replaces a board's probabilities, e.g. hang_at_boot=0.5; without any, it never fails"
    faults = _verb(
        verbs, "faults", text, lambda lab, given: lab.set_faults(given.device, dict(given.rates)), "device"
    )
    faults.add_argument("rates", nargs="*", type=_rate, metavar="FAULT=PROBABILITY")
    text = "replaces a board's script: what happens at each of its next network boots"
    script = _verb(
        verbs, "script", text, lambda lab, given: lab.set_script(given.device, given.entries), "device"
    )
    script.add_argument("entries", nargs="*", metavar=f"{OK}|FAULT")
    text = "freezes a board until its power is cycled"
    hang = _verb(
        verbs, "hang", text, lambda lab, given: lab.hang(given.device, for_good=given.for_good), "device"
    )
    hang.add_argument(
        "--for-good", action="store_true", help="hangs again after each power cycle, until unhang"
    )
    _verb(verbs, "unhang", "lets a hung board go on", lambda lab, given: lab.unhang(given.device), "device")
    _verb(
        verbs,
        "lose-image",
        "empties a board's storage",
        lambda lab, given: lab.lose_image(given.device),
        "device",
    )


def _rate(text: str) -> tuple[str, float]:
    name, _, rate = text.partition("=")
    try:
        return name, float(rate)
    except ValueError:
        raise argparse.ArgumentTypeError(f"FAULT=PROBABILITY expected, got {text!r}") from None


def _lines(lab: LabControl) -> str:
    return "\n".join(_line(board) for board in lab.boards().values())


def _line(board: BoardView) -> str:
    return f"{board.name:20} {'hung ' if board.hung else ''}{board.phase:12} {board.image or '-'}"


def _show(answer: object) -> None:
    match answer:
        case None:
            return
        case str():
            print(answer)
        case BoardView():
            print(_line(answer))
            _show_history(answer.history)
        case dict():
            for name, entries in answer.items():
                print(name)
                _show_history(entries)
        case _ if dataclasses.is_dataclass(answer) and not isinstance(answer, type):
            print(json.dumps(dataclasses.asdict(answer), indent=2))
        case _:
            raise TypeError(f"nothing shows a {type(answer).__name__}")


def _show_history(entries: Sequence[Entry]) -> None:
    for entry in entries:
        moment = dt.datetime.fromtimestamp(entry.time, tz=dt.UTC)
        print(f"  {moment:%H:%M:%S.%f} UTC  {entry.what}")


if __name__ == "__main__":
    sys.exit(main())
