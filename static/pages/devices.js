// The tables of devices: keeps what live.js does not know of in step, and the address free of empty filters.

document.addEventListener("live:updated", (event) => {
  const changed = event.detail?.devices;
  if (!changed) return;
  for (const row of document.querySelectorAll("tr[data-device]")) {
    const device = changed[row.dataset.device];
    if (device) showRow(row, device);
  }
});

function showRow(row, device) {
  const since = row.querySelector("td.since time");
  if (since && device.since) since.dateTime = device.since;
  const request = row.querySelector("a[data-request]");
  if (!request) return;
  request.textContent = device.held_by ?? "";
  if (device.held_by) request.href = `/requests/${device.held_by}/`;
  else request.removeAttribute("href");
}

document.addEventListener("htmx:configRequest", (event) => {
  if (event.target.id !== "filters") return;
  const given = event.detail.parameters;
  for (const name of Object.keys(given)) {
    if (given[name] === "") delete given[name];
  }
});

document.addEventListener("click", (event) => {
  const toggle = event.target.closest?.(".filters-toggle");
  if (toggle) toggle.setAttribute("aria-expanded", String(toggle.getAttribute("aria-expanded") !== "true"));
});
