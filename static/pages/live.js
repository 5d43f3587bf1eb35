// Keeps a page live: parts (`data-live="URL"`) and devices (`data-device="NAME"` below `data-live-devices="URL"`).
//
// Each source is asked again every 1.5 s while the page is visible, with the ETag of what is shown: 304 changes
// nothing. A part's new HTML is worked into the old one, so that focus, what is being typed, open <details> and
// checked boxes stay; elements with `data-keep` are left alone. Afterwards the element gets "live:updated".

const PAUSE = 1500;
const LONGEST_PAUSE = 15000;
const MOST_NAMES = 250;

// ---- working new HTML into old ---------------------------------------------------------------------------

function keyOf(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return null;
  const key = node.id || node.dataset.key || node.dataset.device;
  return key ? `${node.nodeName} ${key}` : null;
}

function morphAttributes(old, fresh) {
  for (const { name, value } of [...fresh.attributes]) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (fresh.hasAttribute(name)) continue;
    // What people opened and chose is theirs; htmx marks what it looks after.
    if (name === "open" && (old.nodeName === "DETAILS" || old.nodeName === "DIALOG")) continue;
    old.removeAttribute(name);
  }
}

function morphNode(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  if (old.hasAttribute("data-keep") || old.isEqualNode(fresh)) return;
  morphAttributes(old, fresh);
  if (old.nodeName === "TEXTAREA") return;
  morphChildren(old, fresh);
}

// Makes the children of `old` those of `fresh`, and keeps every node that means the same.
export function morphChildren(old, fresh) {
  const keyed = new Map();
  for (const child of old.childNodes) {
    const key = keyOf(child);
    if (key) keyed.set(key, child);
  }
  let next = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const key = keyOf(child);
    let same = key ? keyed.get(key) : null;
    if (!key && next && next.nodeName === child.nodeName && !keyOf(next)) same = next;
    if (!same) {
      old.insertBefore(document.importNode(child, true), next);
      continue;
    }
    if (key) keyed.delete(key);
    if (same === next) next = next.nextSibling;
    else old.insertBefore(same, next);
    morphNode(same, child);
  }
  while (next) {
    const gone = next;
    next = next.nextSibling;
    gone.remove();
  }
}

// ---- times ------------------------------------------------------------------------------------------------

const UNITS = [[86400, "d"], [3600, "h"], [60, "min"]];

// Says the same as pages/texts.py.
export function ago(moment, now = Date.now()) {
  const seconds = (now - moment) / 1000;
  const passed = Math.abs(seconds);
  const unit = UNITS.find(([size]) => passed >= size);
  const amount = unit ? `${Math.floor(passed / unit[0])} ${unit[1]}` : `${Math.floor(passed)} s`;
  return seconds >= 0 ? `${amount} ago` : `in ${amount}`;
}

// The server's clock counts: a laptop's may be wrong.
let clockOffset = 0;

function noteClock(response) {
  const told = Date.parse(response.headers.get("Date") ?? "");
  if (!Number.isNaN(told)) clockOffset = Math.abs(told - Date.now()) < 3000 ? 0 : told - Date.now();
}

export function freshenTimes(below = document) {
  for (const time of below.querySelectorAll("time[data-ago]")) {
    const words = ago(Date.parse(time.dateTime), Date.now() + clockOffset);
    if (time.textContent !== words) time.textContent = words;
  }
}

// ---- devices ----------------------------------------------------------------------------------------------

function showDevice(element, device) {
  element.dataset.state = device.state;
  element.dataset.family = device.family;
  if (element.dataset.since) element.dataset.since = device.since;
  if ("heldBy" in element.dataset) element.dataset.heldBy = device.held_by ?? "";
  if (element.hasAttribute("title")) element.title = device.title;
  if (element.hasAttribute("aria-label")) element.setAttribute("aria-label", device.title);
  for (const field of element.querySelectorAll("[data-field]")) {
    if (field.closest("[data-device]") !== element) continue;
    const value = device[field.dataset.field];
    if (value === undefined) continue;
    if (field.nodeName === "TIME") field.dateTime = value;
    else if (field.textContent !== String(value ?? "")) field.textContent = value ?? "";
  }
}

function showDevices(below, devices) {
  for (const element of below.querySelectorAll("[data-device]")) {
    const device = devices[element.dataset.device];
    if (device) showDevice(element, device);
  }
}

function namesBelow(below) {
  return [...new Set([...below.querySelectorAll("[data-device]")].map((one) => one.dataset.device))];
}

function deviceAddress(element) {
  const url = new URL(element.dataset.liveDevices, location.href);
  const names = namesBelow(element);
  if (!names.length) return null;
  // A page of whole racks names these instead: shorter, and it hears of devices that are new there.
  if (!url.searchParams.has("racks")) url.searchParams.set("names", names.slice(0, MOST_NAMES).join(","));
  return url;
}

// ---- asking -----------------------------------------------------------------------------------------------

class LoggedOut extends Error {}

async function ask(url, tag) {
  const headers = { "X-Live": "1" };
  if (tag) headers["If-None-Match"] = tag;
  const response = await fetch(url, { headers, cache: "no-store", signal: AbortSignal.timeout(10000) });
  noteClock(response);
  if (response.status === 401) throw new LoggedOut();
  if (response.status === 304) return null;
  if (!response.ok) throw new Error(`status ${response.status}`);
  return response;
}

function showPart(element, html) {
  if (!element) return;
  morphChildren(element, new DOMParser().parseFromString(html, "text/html").body);
  window.htmx?.process(element);
  freshenTimes(element);
}

async function refreshPart(element) {
  const response = await ask(new URL(element.dataset.live, location.href), element.dataset.liveTag);
  if (!response) return;
  const html = await response.text();
  if (!element.isConnected) return;
  element.dataset.liveTag = response.headers.get("ETag") ?? "";
  showPart(element, html);
  element.dispatchEvent(new CustomEvent("live:updated", { bubbles: true }));
  if (response.headers.get("X-Live-Over")) delete element.dataset.live;
}

async function refreshDevices(element) {
  const url = deviceAddress(element);
  if (!url) return;
  const version = element.dataset.liveVersion;
  const response = await ask(url, version ? `"${version}"` : "");
  if (!response) return;
  const { version: now, devices, parts } = await response.json();
  for (const [id, html] of Object.entries(parts ?? {})) showPart(document.getElementById(id), html);
  showDevices(element, devices);
  freshenTimes(element);
  element.dataset.liveVersion = now;
  element.dispatchEvent(new CustomEvent("live:updated", { bubbles: true, detail: { devices } }));
}

const trouble = document.querySelector(".trouble");
let failures = 0;

function showTrouble(text) {
  if (!trouble || trouble.textContent === text) return;
  trouble.textContent = text;
  trouble.hidden = !text;
}

async function refresh() {
  try {
    for (const element of document.querySelectorAll("[data-live]")) await refreshPart(element);
    for (const element of document.querySelectorAll("[data-live-devices]")) await refreshDevices(element);
    failures = 0;
    showTrouble("");
  } catch (error) {
    if (error instanceof LoggedOut) {
      showTrouble("You are logged out: what you see is no longer kept up to date. Load the page again to log in.");
      return Infinity;
    }
    failures += 1;
    if (failures > 1) showTrouble("The server does not answer: what you see may be old. Trying again.");
  }
  return Math.min(PAUSE * 2 ** Math.min(failures, 4), LONGEST_PAUSE);
}

let timer = 0;
let asking = false;

async function beat() {
  if (asking || document.hidden) return;
  asking = true;
  clearTimeout(timer);
  let pause = PAUSE;
  try {
    pause = await refresh();
  } finally {
    asking = false;
    if (pause !== Infinity) timer = setTimeout(beat, pause);
  }
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) beat();
});
document.addEventListener("htmx:afterSettle", (event) => freshenTimes(event.target));

setInterval(() => document.hidden || freshenTimes(), 5000);
timer = setTimeout(beat, PAUSE);
