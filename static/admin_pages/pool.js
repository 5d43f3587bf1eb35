/* What the administration's pages do more with a script than without: previews beside the text, outlets that stay fresh. */
"use strict";

document.documentElement.classList.add("pool-scripted");

/* Sends a form elsewhere and shows the answer, a part of a page, in an element. One question at a time. */
async function show(form, address, into) {
  if (into.dataset.asking) return;
  into.dataset.asking = "yes";
  try {
    const response = await fetch(address, {
      method: "POST", body: new FormData(form), headers: { "X-Requested-With": "fetch" }, credentials: "same-origin",
    });
    const kind = response.headers.get("Content-Type") || "";
    if (response.redirected) throw new Error("your session is over: load the page again");
    if (!kind.startsWith("text/html")) throw new Error(`the server answered ${response.status}`);
    if (response.status >= 500 || response.status === 403) throw new Error(`the server answered ${response.status}`);
    into.innerHTML = await response.text();
    follow(into);
  } catch (error) {
    const told = document.createElement("p");
    told.className = "errornote";
    told.setAttribute("role", "alert");
    told.textContent = `That did not work: ${error.message}.`;
    into.replaceChildren(told);
  } finally {
    delete into.dataset.asking;
  }
}

/* What a worker is still busy with is asked for again, by a small request each time, until there is nothing to follow. */
async function follow(into) {
  if (into.dataset.following) return;
  into.dataset.following = "yes";
  let shown = "";
  for (let open; (open = into.querySelector("[data-follow]")); ) {
    into.setAttribute("aria-busy", "true");
    await new Promise((resolve) => setTimeout(resolve, document.hidden ? 5000 : 700));
    try {
      const response = await fetch(open.dataset.follow, {
        headers: { "X-Requested-With": "fetch" }, credentials: "same-origin",
      });
      if (response.redirected || (response.status >= 400 && response.status < 500)) break;
      if (!response.ok) continue;
      const text = await response.text();
      if (open.isConnected && text !== shown) into.innerHTML = shown = text;
    } catch {
      /* The server may be restarting: it is asked again. */
    }
  }
  into.removeAttribute("aria-busy");
  delete into.dataset.following;
}

/* The preview of a boot config follows what is typed, once it has been asked for. */
function preview(button) {
  const into = document.getElementById(button.dataset.preview);
  const form = button.form;
  let later;
  const ask = () => show(form, button.formAction, into);
  button.addEventListener("click", (event) => {
    event.preventDefault();
    ask();
  });
  form.elements.preview_device.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    ask();
  });
  form.addEventListener("input", () => {
    if (!into.childElementCount) return;
    clearTimeout(later);
    later = setTimeout(ask, 600);
  });
}

/* Outlets are read at a click, and again every few seconds while the box is ticked and the page is looked at. */
function readAgain(form) {
  const into = document.getElementById(form.dataset.reads);
  const again = form.querySelector("[data-every]");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    show(form, window.location.pathname, into);
  });
  setInterval(() => {
    if (again.checked && !document.hidden && !into.dataset.following) show(form, window.location.pathname, into);
  }, Number(again.dataset.every) * 1000);
}

/* The values of an image are asked for once that image is chosen. */
function valuesOf(select) {
  const fit = () => {
    for (const input of select.form.querySelectorAll("[data-images]")) {
      const row = input.closest(".form-row");
      row.hidden = !input.dataset.images.split(" ").includes(select.value);
    }
  };
  select.addEventListener("change", fit);
  fit();
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("[data-preview]").forEach(preview);
  document.querySelectorAll("[data-reads]").forEach(readAgain);
  document.querySelectorAll("[data-followed]").forEach(follow);
  document.querySelectorAll(".pool-ask select[name=image]").forEach(valuesOf);
});
