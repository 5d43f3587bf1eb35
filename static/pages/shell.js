// The frame of every page: menus, the theme's button, toasts, and what htmx could not do.

const root = document.documentElement;

function isDark() {
  if (root.dataset.theme) return root.dataset.theme === "dark";
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

function turnTheme() {
  root.dataset.theme = isDark() ? "light" : "dark";
  try {
    localStorage.setItem("mozpool-theme", root.dataset.theme);
  } catch {
    // It is kept for this page at least.
  }
}

// Shows a sentence for a while; an error stays until it is closed.
export function toast(text, level = "info") {
  const box = document.createElement("div");
  box.className = `toast toast-${level}`;
  const words = document.createElement("p");
  words.textContent = text;
  const close = document.createElement("button");
  close.type = "button";
  close.className = "toast-close";
  close.setAttribute("aria-label", "Close");
  close.textContent = "×";
  box.append(words, close);
  document.querySelector(".toasts")?.append(box);
  fade(box);
}

function fade(box) {
  if (!box.matches(".toast-error, .toast-warning")) setTimeout(() => box.remove(), 8000);
}

document.querySelectorAll(".toasts .toast").forEach(fade);

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.matches(".theme-toggle")) turnTheme();
  if (button?.matches(".toast-close")) button.closest(".toast").remove();
  if (button?.matches(".menu-toggle")) {
    const open = button.getAttribute("aria-expanded") !== "true";
    button.setAttribute("aria-expanded", String(open));
  }
  for (const menu of document.querySelectorAll("details.user[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
  const copied = event.target.closest("[data-copy]");
  if (copied) {
    navigator.clipboard?.writeText(copied.dataset.copy).then(() => toast("Copied."));
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = document.querySelector("details.user[open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// A second click on a button that sends a form does nothing while the first is under way.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.getAttribute("method") !== "post" || event.defaultPrevented) return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
  setTimeout(() => delete form.dataset.sent, 5000);
});
addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((f) => delete f.dataset.sent));

document.addEventListener("htmx:responseError", (event) => {
  const { xhr } = event.detail;
  const plain = xhr.getResponseHeader("Content-Type")?.startsWith("text/plain");
  toast(plain ? xhr.responseText : `The server answered with status ${xhr.status}.`, "error");
});
document.addEventListener("htmx:sendError", () => toast("The server does not answer; try again.", "error"));
