"""The written state tables say what the code says."""

from io import StringIO

import django
import pytest
from django.core.management import CommandError, call_command

from lifeguard.states import DEVICE
from mozpool_site.env import BASE_DIR
from mozpool_site.statemachine import diagrams
from mozpool_site.statemachine.spec import Spec
from requests_app.states import REQUEST

# Commands are found through the apps.
django.setup()


def printed(*arguments: str) -> str:
    out = StringIO()
    call_command("describe_states", *arguments, stdout=out)
    return out.getvalue()


def test_the_committed_tables_are_up_to_date() -> None:
    committed = (BASE_DIR / "docs" / "states.md").read_text(encoding="utf-8")
    assert committed == printed(), "docs/states.md is stale: run make docs and commit it"


@pytest.mark.parametrize("spec", [DEVICE, REQUEST], ids=lambda spec: spec.name)
def test_the_table_has_one_row_for_each_state(spec: Spec) -> None:

    rows = [
        line.split("|")[1].strip(" *`")
        for line in printed(spec.name, "--format", "markdown").splitlines()
        if line.startswith("| ")
    ]
    assert rows[2:] == [state.name for state in spec.states]


def test_the_diagram_shows_the_way_of_an_image() -> None:
    drawn = printed("device", "--format", "mermaid").splitlines()
    assert drawn[0] == "stateDiagram-v2"
    assert "    ready --> start_pxe_boot : please_image" in drawn
    assert "    downloading --> extracting : image_extracting" in drawn
    assert "    verifying --> sut_verifying : [verification=agent]" in drawn


def test_the_diagram_leaves_out_what_moves_nothing() -> None:
    drawn = diagrams.mermaid(DEVICE)
    assert "check_health_ok" not in drawn
    assert "operation_lost" not in drawn


def test_one_format_without_a_machine_gives_both_machines() -> None:
    assert printed("--format", "mermaid").count("stateDiagram-v2") == 2


def test_an_unknown_machine_is_refused_with_the_names_of_the_known() -> None:
    with pytest.raises(CommandError, match=r"device.*request"):
        printed("toaster")
