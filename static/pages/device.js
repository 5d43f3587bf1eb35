// The page of a device: keeps the present state in sight where the drawing is wider than the screen, and durations
// that go on (data-elapsed, data-left: seconds when the server wrote them) true between two answers.

let shown = "";

function showPresent() {
  const scroller = document.querySelector(".machine-scroll");
  const box = scroller?.querySelector(".box-now");
  const name = box?.querySelector(".name")?.textContent;
  if (!box || name === shown) return;
  shown = name;
  const middle = box.getBoundingClientRect();
  const frame = scroller.getBoundingClientRect();
  scroller.scrollLeft += middle.left + middle.width / 2 - (frame.left + frame.width / 2);
}

const UNITS = [[86400, "d", 3600, "h"], [3600, "h", 60, "min"], [60, "min", 1, "s"]];

// Says the same as span() in mozpool_site/commands.py, in whole seconds.
function span(seconds) {
  const whole = Math.floor(seconds);
  const unit = UNITS.find(([size]) => whole >= size);
  if (!unit) return `${whole} s`;
  const [size, word, rest, restWord] = unit;
  return `${Math.floor(whole / size)} ${word} ${Math.floor((whole % size) / rest)} ${restWord}`;
}

// When each was first seen with its number of seconds; a new number is a new beginning.
const seen = new WeakMap();

function passed(element, written) {
  const known = seen.get(element);
  if (known?.written === written) return (performance.now() - known.at) / 1000;
  seen.set(element, { written, at: performance.now() });
  return 0;
}

function goOn() {
  for (const element of document.querySelectorAll("[data-elapsed], [data-left]")) {
    const { elapsed, left } = element.dataset;
    const written = elapsed ?? left;
    const gone = passed(element, written);
    const words = span(elapsed === undefined ? Math.max(0, Number(left) - gone) : Number(elapsed) + gone);
    if (element.textContent !== words) element.textContent = words;
  }
}

showPresent();
goOn();
setInterval(() => document.hidden || goOn(), 1000);
document.addEventListener("live:updated", () => {
  showPresent();
  goOn();
});
document.addEventListener("visibilitychange", goOn);
