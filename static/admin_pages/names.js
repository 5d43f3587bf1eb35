/* Gives names to what Django's own widgets make without one that a screen reader could tell. */
"use strict";

function nameWidgets(below = document) {
  for (const made of below.querySelectorAll("select + .select2 .select2-selection")) {
    const select = made.closest(".select2").previousElementSibling;
    const label = select.labels?.[0]?.textContent.trim().replace(/:$/, "") || select.name;
    made.removeAttribute("aria-labelledby");
    made.setAttribute("aria-label", label);
    made.querySelector(".select2-selection__rendered")?.setAttribute("aria-label", label);
  }
  for (const box of below.querySelectorAll('input[type="checkbox"][name$="-DELETE"]')) {
    if (!box.labels?.length) box.setAttribute("aria-label", "Delete this row");
  }
  for (const tip of below.querySelectorAll(".help-tooltip[aria-label]:not([role])")) tip.setAttribute("role", "img");
}

// jQuery makes its widgets in its own time, now and then only after the page has loaded.
window.addEventListener("load", () => {
  nameWidgets();
  window.django?.jQuery?.(() => setTimeout(() => nameWidgets()));
});
document.addEventListener("formset:added", (event) => nameWidgets(event.target));
