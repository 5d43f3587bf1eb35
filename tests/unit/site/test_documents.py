"""The generated reference of settings says what the code says."""

from mozpool_site import env_reference
from mozpool_site.env import BASE_DIR, SETTINGS


def test_the_committed_reference_is_up_to_date() -> None:
    committed = (BASE_DIR / "docs" / "settings.md").read_text(encoding="utf-8")
    assert committed == env_reference.markdown(), "docs/settings.md is stale: run make docs and commit it"


def test_the_reference_names_every_setting_and_no_path_of_this_machine() -> None:
    text = env_reference.markdown()
    assert [setting.name for setting in SETTINGS if f"| `{setting.name}` |" not in text] == []
    assert str(BASE_DIR) not in text
