// Rack maps: what hovering tells, arrow keys from cell to cell, one family at a time, outlets read back.

import { ago, morphChildren, freshenTimes } from "./live.js";
import { toast } from "./shell.js";

const maps = document.querySelector(".maps");

// ---- what hovering tells ------------------------------------------------------------------------------------

const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
tip.setAttribute("aria-hidden", "true");
document.body.append(tip);

function line(text, tag = "p") {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
}

function showTip(cell) {
  const { device, state, outlet, since, heldBy } = cell.dataset;
  const name = line("");
  name.append(line(device, "strong"));
  const told = cell.getAttribute("aria-label")?.slice(device.length + 2) ?? state.replaceAll("_", " ");
  const parts = [name, line(told)];
  if (since) parts.push(line(`since ${ago(Date.parse(since)).replace(" ago", "")}`));
  if (heldBy && cell.dataset.state) parts.push(line(`held by request ${heldBy}`));
  if (outlet) parts.push(line(`outlet ${outlet}`));
  parts.slice(2).forEach((part) => part.classList.add("muted"));
  tip.replaceChildren(...parts);
  tip.hidden = false;
  const at = cell.getBoundingClientRect();
  const { width, height } = tip.getBoundingClientRect();
  const left = Math.max(8, Math.min(at.left + at.width / 2 - width / 2, innerWidth - width - 8));
  const above = at.top - height - 8;
  const top = above > 60 ? above : at.bottom + 8;
  tip.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
}

function cellAt(target) {
  return target instanceof Element ? target.closest("[data-cells] [data-device]") : null;
}

document.addEventListener("mouseover", (event) => {
  const cell = cellAt(event.target);
  if (cell) showTip(cell);
  else tip.hidden = true;
});
document.addEventListener("focusin", (event) => {
  const cell = cellAt(event.target);
  if (cell && event.target.matches(":focus-visible")) showTip(cell);
  else tip.hidden = true;
});
addEventListener("scroll", () => (tip.hidden = true), { passive: true, capture: true });

// ---- arrow keys -----------------------------------------------------------------------------------------------

function linkOf(cell) {
  return cell.matches("a") ? cell : cell.querySelector("a");
}

// The cell that lies in a direction: the nearest whose middle is further that way, in the whole page.
function neighbour(from, key) {
  const here = from.getBoundingClientRect();
  const middle = { x: here.left + here.width / 2, y: here.top + here.height / 2 };
  let best = null;
  let least = Infinity;
  for (const cell of maps.querySelectorAll("[data-cells] [data-device]")) {
    if (cell === from) continue;
    const there = cell.getBoundingClientRect();
    if (!there.width) continue;
    const dx = there.left + there.width / 2 - middle.x;
    const dy = there.top + there.height / 2 - middle.y;
    const [along, across] = { ArrowRight: [dx, dy], ArrowLeft: [-dx, dy], ArrowDown: [dy, dx], ArrowUp: [-dy, dx] }[key];
    if (along < 2) continue;
    const distance = along + 4 * Math.abs(across);
    if (distance < least) [best, least] = [cell, distance];
  }
  return best;
}

// Of a map of many cells one is reached by Tab, the others from there by arrow keys; a cell's box by Space.
for (const map of document.querySelectorAll("[data-cells]")) {
  for (const [number, link] of map.querySelectorAll("a").entries()) link.tabIndex = number ? -1 : 0;
  for (const box of map.querySelectorAll("input[type=checkbox]")) box.tabIndex = -1;
}

document.addEventListener("keydown", (event) => {
  const cell = event.target.matches?.("input") ? null : cellAt(event.target);
  if (!cell || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") tip.hidden = true;
  if (event.key === " ") {
    const box = cell.querySelector("input[type=checkbox]");
    if (box && event.target !== box) {
      event.preventDefault();
      box.click();
    }
  }
  if (!event.key.startsWith("Arrow")) return;
  event.preventDefault();
  const next = neighbour(cell, event.key);
  if (!next) return;
  linkOf(cell).tabIndex = -1;
  linkOf(next).tabIndex = 0;
  linkOf(next).focus();
});

// ---- one family at a time, and how many each has -----------------------------------------------------------------

function show(family) {
  if (family) maps.dataset.showing = family;
  else delete maps.dataset.showing;
  for (const button of maps.querySelectorAll("[data-only]")) {
    button.setAttribute("aria-pressed", String(button.dataset.only === family));
  }
  maps.dispatchEvent(new CustomEvent("live:updated", { bubbles: true }));
}

function mark() {
  const family = maps.dataset.showing;
  const counts = {};
  for (const cell of maps.querySelectorAll("[data-cells] [data-device]")) {
    counts[cell.dataset.family] = (counts[cell.dataset.family] ?? 0) + 1;
    cell.classList.toggle("shown", Boolean(family) && cell.dataset.family === family);
    // What is not shown is not selected: select.js passes disabled boxes by, and unticks them.
    const box = cell.querySelector("input[type=checkbox]");
    if (box) box.disabled = Boolean(family) && cell.dataset.family !== family;
  }
  for (const count of maps.querySelectorAll("[data-count]")) {
    const number = String(counts[count.dataset.count] ?? 0);
    if (count.textContent !== number) count.textContent = number;
  }
}

if (maps) {
  maps.addEventListener("click", (event) => {
    const button = event.target.closest("[data-only]");
    if (button) show(button.dataset.only === maps.dataset.showing ? "" : button.dataset.only);
  });
  maps.addEventListener("live:updated", mark);
}

// ---- outlets ---------------------------------------------------------------------------------------------------------
// A worker of the rack reads them: the board is asked for again, a small request each time, until it has. Where none
// comes, the page asks less and less often, and no longer after two minutes: the board says what it waits for.

const READING_PAUSE = 500;
const LONGEST_READING_PAUSE = 10000;
const READING_GIVEN_UP = 120000;

// Puts what the server says of a board into the page; gives the address to ask again while it is being read.
function putBoard(board, text) {
  const fresh = new DOMParser().parseFromString(text, "text/html").querySelector(".board");
  morphChildren(board, fresh);
  freshenTimes(board);
  board.dispatchEvent(new CustomEvent("live:updated", { bubbles: true }));
  return fresh.dataset.reading;
}

async function readOutlets(form, board) {
  const headers = { "X-Live": "1" };
  const begun = Date.now();
  let asking = [form.action, { method: "POST", body: new FormData(form), headers }];
  for (let pause = READING_PAUSE; ; pause = Math.min(1.2 * pause, LONGEST_READING_PAUSE)) {
    const response = await fetch(asking[0], { ...asking[1], signal: AbortSignal.timeout(15000) });
    const text = await response.text();
    if (!response.ok) return toast(text, "error");
    const again = putBoard(board, text);
    if (!again) return;
    if (Date.now() - begun > READING_GIVEN_UP) return toast("Nobody has read the outlets; try again later.", "error");
    const button = board.querySelector("form[data-read-outlets] button");
    button.disabled = true;
    button.textContent = "Reading ...";
    await new Promise((resolve) => setTimeout(resolve, pause));
    asking = [again, { headers }];
  }
}

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form[data-read-outlets]");
  if (!form || !maps) return;
  event.preventDefault();
  const board = form.closest(".board");
  board.setAttribute("aria-busy", "true");
  try {
    await readOutlets(form, board);
  } catch {
    toast("The server does not answer; try again.", "error");
  } finally {
    board.removeAttribute("aria-busy");
    const button = board.querySelector("form[data-read-outlets] button");
    button.disabled = false;
    button.textContent = "Read outlets";
  }
});
