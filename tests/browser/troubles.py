"""What a page does wrong where nobody looks: errors on its console, what its policy refuses, answers from 500 on."""

from http import HTTPStatus

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Response

# A refusal by the policy is an error on the console of most, but not of all browsers.
_TELL = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`refused by the policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile ?? ""}`));
"""


class Troubles:
    """Listens to all pages of a context; `found` has a line for each trouble since the last `take`."""

    def __init__(self, context: BrowserContext) -> None:
        self.found: list[str] = []
        context.add_init_script(_TELL)
        context.on("page", self._listen)

    def take(self) -> list[str]:
        """Give what was found, and begin anew."""
        found, self.found = self.found, []
        return found

    def _listen(self, page: Page) -> None:
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.found.append(f"{page.url}: {error}"))
        page.on("response", self._look)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.found.append(f"{message.page.url if message.page else ''}: {message.text}")

    def _look(self, response: Response) -> None:
        if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self.found.append(f"{response.url}: status {response.status}")
