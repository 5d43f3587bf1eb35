// Requests: the time left counts down, several are selected, and what is asked of them runs as a queue that shows
// what became of each. Without this file everything works by forms.

// ---- time left: says the same as span() of mozpool_site/commands.py, and warns as pages/requests/left.py ----

const SOON = 30 * 60;
const NOW = 5 * 60;
const UNITS = [[86400, "d", 3600, "h"], [3600, "h", 60, "min"], [60, "min", 1, "s"]];

function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const unit = UNITS.find(([size]) => whole >= size);
  if (!unit) return `${whole} s`;
  const [size, word, rest, restWord] = unit;
  return `${Math.floor(whole / size)} ${word} ${Math.floor((whole % size) / rest)} ${restWord}`;
}

// What the server said was left, and when it said so: a laptop's clock may be wrong.
function countDown() {
  const now = performance.now() / 1000;
  for (const element of document.querySelectorAll("[data-left]")) {
    if (element.dataset.told !== element.dataset.left) {
      element.dataset.told = element.dataset.left;
      element.toldAt = now;
    }
    element.toldAt ??= now;
    const left = Number(element.dataset.left) - (now - element.toldAt);
    const words = left > 0 ? span(left) : "no time";
    if (element.textContent !== words) element.textContent = words;
    element.classList.toggle("left-soon", left < SOON && left >= NOW);
    element.classList.toggle("left-now", left < NOW);
  }
}

setInterval(() => document.hidden || countDown(), 1000);

// ---- filters: choosing one is enough -------------------------------------------------------------------------

document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-filter]");
  if (form && event.target.matches("select, input[type=radio]")) form.requestSubmit();
});

// An address without what is empty can be read, and sent to somebody.
document.addEventListener("formdata", (event) => {
  if (!event.target.matches("form[data-filter]")) return;
  for (const [name, value] of [...event.formData]) {
    if (!value || (name === "show" && value === "open")) event.formData.delete(name);
  }
});

// ---- selecting ------------------------------------------------------------------------------------------------

let last = null;

function boxes(form) {
  return [...form.querySelectorAll("input[name=request]")];
}

function showChosen(form) {
  const all = boxes(form);
  const chosen = all.filter((box) => box.checked).length;
  const told = form.querySelector("[data-chosen]");
  const words = chosen ? `${chosen} selected` : "Select requests to renew or return them.";
  if (told && told.textContent !== words) told.textContent = words;
  for (const button of form.querySelectorAll(".request-bar button")) button.disabled = !chosen;
  const head = form.querySelector("[data-all]");
  if (head) {
    head.checked = chosen > 0 && chosen === all.length;
    head.indeterminate = chosen > 0 && chosen < all.length;
  }
}

document.addEventListener("click", (event) => {
  const form = event.target.closest("form[data-choose]");
  if (!form || !event.target.matches("input[type=checkbox]")) return;
  const all = boxes(form);
  if (event.target.matches("[data-all]")) {
    for (const box of all) box.checked = event.target.checked;
  } else {
    const from = all.findIndex((box) => box.value === last);
    const to = all.indexOf(event.target);
    if (event.shiftKey && from >= 0) {
      for (const box of all.slice(Math.min(from, to), Math.max(from, to) + 1)) box.checked = event.target.checked;
    }
    last = event.target.value;
  }
  showChosen(form);
});

function showAllChosen() {
  document.querySelectorAll("form[data-choose]").forEach(showChosen);
  countDown();
}

document.addEventListener("live:updated", showAllChosen);
document.addEventListener("htmx:afterSettle", showAllChosen);
showAllChosen();

// ---- the queue: one after the other, each with its result ---------------------------------------------------------

async function ask(row, action, form) {
  const body = new FormData();
  body.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
  if (action === "renew") body.set("duration", form.elements.duration.value);
  const headers = { Accept: "application/json", "HX-Request": "true" };
  const response = await fetch(`/requests/${row.dataset.request}/${action}/`, { method: "POST", body, headers });
  if (response.ok) return [true, (await response.json()).told];
  const plain = response.headers.get("Content-Type")?.startsWith("text/plain");
  return [false, plain ? await response.text() : `the server answered with status ${response.status}`];
}

function show(row, done, words) {
  const cell = row.querySelector("[data-result]");
  cell.className = done === null ? "muted" : done ? "result-done" : "result-failed";
  cell.textContent = done === false ? `Refused: ${words}` : words;
}

async function run(form) {
  const rows = [...form.querySelectorAll("tr[data-request]")];
  const progress = form.querySelector("[data-progress]");
  for (const button of form.querySelectorAll("button")) button.disabled = true;
  progress.hidden = false;
  const bar = progress.querySelector("progress");
  const status = progress.querySelector("[role=status]");
  let good = 0;
  for (const [number, row] of rows.entries()) {
    show(row, null, "under way");
    try {
      const [done, words] = await ask(row, form.dataset.queue, form);
      good += done ? 1 : 0;
      show(row, done, words);
    } catch {
      show(row, false, "the server does not answer; look at the request before you try again");
    }
    bar.value = number + 1;
    status.textContent = `${number + 1} of ${rows.length}`;
  }
  const verb = form.dataset.queue === "renew" ? "renewed" : "returned";
  status.textContent = `${good} of ${rows.length} ${verb}.`;
  const back = form.querySelector("a.button");
  back.textContent = "Back to the requests";
  back.focus();
}

document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-queue]")) return;
  event.preventDefault();
  run(event.target);
});

// ---- a new request: who writes another time means it ------------------------------------------------------------

document.addEventListener("input", (event) => {
  if (event.target.name !== "duration_other") return;
  const other = event.target.form.querySelector("input[name=duration][value=other]");
  if (other && event.target.value) other.checked = true;
});
