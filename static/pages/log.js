// Follows a log: asks for new lines every 1.5 s, keeps to the end unless somebody has scrolled up, and keeps 2,000
// lines at most. Older lines are put on top where there is room, or else shown by a page of their own.

const PAUSE = 1500;
const LONGEST_PAUSE = 15000;
const MOST_LINES = 2000;
// So near to the end counts as at the end, in pixels.
const NEAR = 40;

const log = document.querySelector(".log");
const lines = log.querySelector(".log-lines");
const followButton = document.querySelector(".follow");
const news = document.querySelector(".log-news");
const state = document.querySelector(".log-state");
const empty = log.querySelector(".log-empty");

let following = false;
let tag = "";
let newest = log.dataset.newest;
let failures = 0;
let unseen = 0;
let timer = 0;

const isAtEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < NEAR;

function toEnd() {
  log.scrollTop = log.scrollHeight;
  unseen = 0;
  news.hidden = true;
}

function tell(text) {
  if (state.textContent !== text) state.textContent = text;
}

// A mark begins with a time and ends with the line's number: in this order lines stand.
function order(line) {
  const [time, , number] = (line.dataset.mark ?? "").split("~");
  // Whole seconds are written without a fraction.
  return [time?.includes(".") ? time : time?.replace("Z", ".000000Z"), Number(number)];
}

function isBefore(one, other) {
  const [time, number] = order(one);
  const [otherTime, otherNumber] = order(other);
  return time < otherTime || (time === otherTime && number < otherNumber);
}

function insert(line) {
  let after = lines.lastElementChild;
  while (after?.dataset.mark && isBefore(line, after)) after = after.previousElementSibling;
  if (after) after.after(line);
  else lines.prepend(line);
}

function leftOut() {
  const gap = document.createElement("li");
  gap.className = "left-out";
  gap.textContent = "Lines came faster than they could be shown; some are left out here. Load the page again to see them.";
  return gap;
}

function trim() {
  while (lines.childElementCount > MOST_LINES) lines.firstElementChild.remove();
}

function add(fresh) {
  const known = new Set([...lines.children].map((line) => line.dataset.key));
  const unknown = [...fresh.children].filter((line) => !known.has(line.dataset.key));
  const isGap = fresh.hasAttribute("data-gap") && unknown.length === fresh.childElementCount && lines.childElementCount > 0;
  if (isGap) lines.append(leftOut());
  unknown.forEach((line) => insert(document.importNode(line, true)));
  return unknown.length;
}

function show(fresh) {
  const stay = isAtEnd();
  const before = lines.scrollHeight;
  const count = add(fresh);
  if (!count) return;
  empty.hidden = true;
  const grown = lines.scrollHeight;
  trim();
  if (stay) {
    toEnd();
    return;
  }
  // What was dropped at the top must not move what is being read.
  log.scrollTop -= Math.max(0, grown - lines.scrollHeight);
  unseen += before === grown ? 0 : count;
  news.textContent = `${unseen} new ${unseen === 1 ? "line" : "lines"} ↓`;
  news.hidden = unseen === 0;
}

async function fetchPart(url, headers) {
  const response = await fetch(url, { headers, cache: "no-store", signal: AbortSignal.timeout(10000) });
  if (response.status === 304) return [null, response];
  if (!response.ok) throw new Error(String(response.status));
  const text = await response.text();
  return [new DOMParser().parseFromString(text, "text/html"), response];
}

async function look() {
  const url = new URL(log.dataset.lines, location.href);
  if (newest) url.searchParams.set("after", newest);
  const headers = { "X-Live": "1", ...(tag ? { "If-None-Match": tag } : {}) };
  const [page, response] = await fetchPart(url, headers);
  if (!page) return;
  const fresh = page.querySelector(".log-lines");
  if (!fresh || !following) return;
  show(fresh);
  const last = fresh.dataset.newest;
  // A new place to begin is a new address, with a tag of its own.
  tag = last === newest ? (response.headers.get("ETag") ?? "") : "";
  newest = last || newest;
}

async function beat() {
  clearTimeout(timer);
  if (!following || document.hidden) return;
  try {
    await look();
    failures = 0;
    tell("Following: new lines appear by themselves.");
  } catch (error) {
    failures += 1;
    if (error.message === "401") {
      follow(false);
      tell("You are logged out. Load the page again to log in.");
      return;
    }
    if (failures > 1) tell("The server does not answer; trying again.");
  }
  clearTimeout(timer);
  if (following) timer = setTimeout(beat, Math.min(PAUSE * 2 ** Math.min(failures, 4), LONGEST_PAUSE));
}

function follow(on) {
  following = on;
  followButton.setAttribute("aria-pressed", String(on));
  followButton.textContent = on ? "Following" : "Follow";
  tell("");
  if (on) {
    toEnd();
    beat();
  }
}

async function showOlder(link) {
  const [page] = await fetchPart(link.href, {});
  const more = [...page.querySelectorAll(".log-lines > li")];
  if (lines.childElementCount + more.length > MOST_LINES) {
    location.assign(link.href);
    return;
  }
  const height = log.scrollHeight;
  lines.prepend(...more.map((line) => document.importNode(line, true)));
  log.querySelector(".log-edge").replaceWith(document.importNode(page.querySelector(".log-edge"), true));
  log.scrollTop += log.scrollHeight - height;
  if (more.length) empty.hidden = true;
}

log.addEventListener("click", (event) => {
  const link = event.target.closest("a.older");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  showOlder(link).catch(() => location.assign(link.href));
});
log.addEventListener("scroll", () => {
  if (isAtEnd()) {
    unseen = 0;
    news.hidden = true;
  }
}, { passive: true });
news.addEventListener("click", toEnd);
document.addEventListener("visibilitychange", beat);
if (followButton) {
  followButton.hidden = false;
  followButton.addEventListener("click", () => follow(!following));
}
toEnd();
