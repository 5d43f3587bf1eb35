// Keeps the present state in sight where the drawing is wider than the screen.

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

showPresent();
document.addEventListener("live:updated", showPresent);
