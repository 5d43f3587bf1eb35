// Selecting devices in a table or on a map: `[data-select]` holds checkboxes named `device`; the bar acts on them.
//
// A click ticks one, with Shift all from the last one ticked to here; Ctrl+A in the list ticks all, Escape none. What
// is not shown is never selected, and what leaves the page leaves the selection.

const BOXES = 'input[type="checkbox"][name="device"]';
// A form may have 64 kB; names have 20 letters, perhaps.
const MOST = 3000;

let anchor = null;

function boxesOf(list) {
  return [...list.querySelectorAll(BOXES)];
}

function isShown(box) {
  if (box.disabled) return false;
  return box.checkVisibility ? box.checkVisibility() || isShownByLabel(box) : box.offsetParent !== null;
}

// A map hides the box itself and shows what it is in.
function isShownByLabel(box) {
  const cell = box.closest("[data-device]");
  return Boolean(cell) && cell.checkVisibility();
}

function shownOf(list) {
  return boxesOf(list).filter(isShown);
}

function barOf() {
  return document.querySelector("[data-bulk-bar]");
}

function tick(box, on) {
  if (box.checked === on) return;
  box.checked = on;
  mark(box);
}

function mark(box) {
  const item = box.closest("[data-device]");
  item?.classList.toggle("selected", box.checked);
}

function showAll(list, shown, ticked) {
  for (const all of list.querySelectorAll("[data-select-all]")) {
    all.checked = shown.length > 0 && ticked === shown.length;
    all.indeterminate = ticked > 0 && ticked < shown.length;
  }
}

// Counts anew, and shows what can be done.
function update() {
  let number = 0;
  let complete = false;
  for (const list of document.querySelectorAll("[data-select]")) {
    for (const box of boxesOf(list)) {
      if (box.checked && !isShown(box)) tick(box, false);
      mark(box);
    }
    const shown = shownOf(list);
    const ticked = shown.filter((box) => box.checked).length;
    showAll(list, shown, ticked);
    number += ticked;
    complete ||= shown.length > 0 && ticked === shown.length;
  }
  showBar(number, complete);
}

function showBar(number, complete) {
  const bar = barOf();
  if (!bar) return;
  const offer = bar.querySelector("[data-bulk-all]");
  const all = offer?.querySelector("input");
  if (offer) {
    if (!complete) all.checked = false;
    offer.hidden = !complete;
  }
  const count = all?.checked ? offer.textContent.trim() : `${number} selected`;
  const told = bar.querySelector("[data-bulk-count]");
  if (told.textContent !== count) told.textContent = count;
  bar.classList.toggle("bulk-bar-on", number > 0);
  const tooMany = number > MOST && !all?.checked;
  for (const button of bar.querySelectorAll('button[name="verb"]')) {
    button.disabled = number === 0 || tooMany;
    if (tooMany) button.title = `At most ${MOST} by hand: use the filters instead.`;
  }
}

function range(list, from, to) {
  const shown = shownOf(list);
  const [first, last] = [shown.indexOf(from), shown.indexOf(to)].sort((a, b) => a - b);
  return first < 0 ? [to] : shown.slice(first, last + 1);
}

function setAll(list, on) {
  for (const box of shownOf(list)) tick(box, on);
  update();
}

// Shift+click on a box: the browser has turned it already.
document.addEventListener("click", (event) => {
  const box = event.target.closest?.(BOXES);
  const list = box?.closest("[data-select]");
  if (list) {
    if (event.shiftKey && anchor?.isConnected && anchor.closest("[data-select]") === list) {
      for (const one of range(list, anchor, box)) tick(one, box.checked);
    }
    anchor = box;
    update();
    return;
  }
  if (event.target.closest?.("[data-bulk-clear]")) clear();
  for (const menu of document.querySelectorAll("details.bulk-more[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

function clear() {
  for (const list of document.querySelectorAll("[data-select]")) setAll(list, false);
  anchor = null;
}

document.addEventListener("change", (event) => {
  const all = event.target.closest?.("[data-select-all]");
  if (all) setAll(all.closest("[data-select]"), all.checked);
  else if (event.target.closest?.("[data-bulk-all]")) update();
});

// Shift+click must not select the text between.
document.addEventListener("mousedown", (event) => {
  if (event.shiftKey && event.target.closest?.("[data-select] [data-device]")) event.preventDefault();
});

function step(list, box, by) {
  const shown = shownOf(list);
  return shown[shown.indexOf(box) + by] ?? null;
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && closeMenu()) return;
  const box = event.target.closest?.(BOXES);
  const list = box?.closest("[data-select]");
  if (!list) return;
  if (event.key === "Escape") {
    clear();
  } else if (event.key === "a" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    setAll(list, true);
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const next = step(list, box, event.key === "ArrowDown" ? 1 : -1);
    if (!next) return;
    event.preventDefault();
    if (event.shiftKey) tick(next, box.checked);
    anchor = event.shiftKey ? anchor : next;
    next.focus();
    update();
  }
});

function closeMenu() {
  const menu = document.querySelector("details.bulk-more[open]");
  if (!menu) return false;
  menu.open = false;
  menu.querySelector("summary").focus();
  return true;
}

document.addEventListener("live:updated", update);
document.addEventListener("htmx:afterSettle", update);
// Going back in the browser brings back what was ticked.
addEventListener("pageshow", update);

document.documentElement.classList.add("selects");
update();
