"""Holds a page against axe-core's rules of accessibility; its file comes in the axe-playwright-python package."""

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

# axe knows minor, moderate, serious and critical ones.
_COUNTS = ("serious", "critical")
_RUN = """async (rules) => {
  // A colour on its way from the light to the dark is no colour to judge.
  const running = document.getAnimations().filter((one) => one.playState === "running");
  await Promise.allSettled(running.map((one) => one.finished));
  const only = rules ? { runOnly: { type: "rule", values: rules } } : {};
  const options = { preload: false, resultTypes: ["violations"], ...only };
  const { violations } = await axe.run(document, options);
  return violations.map(({ id, impact, help, nodes }) =>
    ({ id, impact, help, where: nodes.slice(0, 3).map((node) => `${node.target} ${node.any[0]?.message ?? ""}`) }));
}"""


def findings(page: Page, *rules: str) -> list[str]:
    """Give a line for each serious or critical finding, with the first places; of all rules, or of those named."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    return [
        f"{one['impact']}: {one['id']}: {one['help']}: {' | '.join(one['where'])}"
        for one in page.evaluate(_RUN, list(rules) or None)
        if one["impact"] in _COUNTS
    ]
