// What every page of the dashboard can do. Markup asks for it by attributes:
//
//   <form data-send="POST /dashboard/…">   sends its inputs as JSON; a button outside of a form may have it too, and a
//                                          submit button's own data-send wins over its form's.
//     Names are keys, "a.b" is b inside of a. Numbers for type=number; empty is null; checkboxes of one name are an array
//     of their values, one with data-type="boolean" is true or false; data-type="number|boolean|lines" on anything else;
//     datetime-local becomes UTC.
//     What goes wrong is shown in the form's <p role="alert">.
//   data-location="/…"     where to go when it worked; else the answer's "location", else the page is loaded again.
//   data-then="name"       hands (answer, form) to astra.then.name instead.
//   data-confirm="Text?"   asks first, in a dialog; data-confirm-action="Revoke" names its button.
//   data-open="id"         opens the <dialog> of that id; data-close closes the dialog around it.
//   data-copy="id"         copies the text of the element of that id.
//   <time datetime="…" data-relative>   says how long ago or until when it is, and goes on; the full time is its title.
//   <time datetime="…" data-local>      says it in the reader's own time zone.
//   data-theme-toggle      switches between light and dark.
//   <form data-range>      asks for a span of time: its data-time inputs are in the reader's time zone, what it sends in UTC.
//   data-submit            on an input or select: a change submits its form.
//
// Scripts of single pages find the same as functions of `astra`.
"use strict";

const astra = (() => {
  const then = {};

  /* Talking to the server */

  class Refusal extends Error {}

  const csrfToken = () => document.querySelector('meta[name="csrf-token"]')?.content;

  const signIn = () => {
    const next = location.pathname + location.search;
    location.assign(`/dashboard/sign-in?next=${encodeURIComponent(next)}`);
  };

  /** Sends `body` as JSON and gives the answer's object; a refusal is an Error with a sentence for the reader. */
  const send = async (method, path, body) => {
    const headers = { Accept: "application/json" };
    if (method !== "GET") headers["Content-Type"] = "application/json";
    const token = csrfToken();
    if (token && method !== "GET") headers["X-Astra-CSRF"] = token;
    let response;
    try {
      response = await fetch(path, {
        method, headers, credentials: "same-origin", body: body === undefined ? undefined : JSON.stringify(body),
      });
    } catch {
      throw new Refusal("The server cannot be reached. Check your connection, then try again.");
    }
    const text = await response.text();
    let answer = {};
    try {
      answer = text ? JSON.parse(text) : {};
    } catch {
      if (response.ok) throw new Refusal("The server's answer could not be read. Reload the page, then try again.");
    }
    if (response.ok) return answer;
    const refusal = new Refusal(answer.error || `The server refused (${response.status}). Try again in a moment.`);
    refusal.status = response.status;
    throw refusal;
  };

  /** JSON from `path`; goes to the sign-in page once the session has ended. */
  const get = async (path) => {
    try {
      return await send("GET", path);
    } catch (error) {
      if (error.status === 401) signIn();
      throw error;
    }
  };

  /* Forms */

  const typed = (input) => {
    const type = input.dataset.type || input.type;
    const value = input.value;
    if (type === "boolean") return input.type === "checkbox" ? input.checked : value === "true";
    if (type === "lines") return value.split("\n").map((line) => line.trim()).filter(Boolean);
    if (value === "") return null;
    if (type === "number" || type === "range") return Number(value);
    if (type === "datetime-local") return new Date(value).toISOString();
    return value;
  };

  const put = (object, name, value) => {
    const keys = name.split(".");
    const last = keys.pop();
    for (const key of keys) object = object[key] ??= {};
    object[last] = value;
  };

  /** What a form's inputs say, as an object. */
  const formValues = (form) => {
    const values = {};
    for (const input of form.elements) {
      if (!input.name || input.disabled || input.matches("button, fieldset, output")) continue;
      if (input.type === "radio") {
        if (input.checked) put(values, input.name, typed(input));
      } else if (input.type === "checkbox" && input.dataset.type !== "boolean") {
        const boxes = [...form.elements].filter((other) => other.name === input.name && !other.disabled);
        put(values, input.name, boxes.filter((box) => box.checked).map((box) => box.value));
      } else if (input.multiple && input.matches("select")) {
        put(values, input.name, [...input.selectedOptions].map((option) => option.value));
      } else {
        put(values, input.name, typed(input));
      }
    }
    return values;
  };

  const showError = (element, message) => {
    const place = element.closest("form, dialog, .card, section, main")?.querySelector("[role=alert]");
    if (!place) return message && alertDialog(message);
    place.textContent = message || "";
    place.hidden = !message;
  };

  const element = (name, properties = {}, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(properties)) {
      if (key === "class") made.className = value;
      else if (key in made && key !== "list" && key !== "form") made[key] = value;
      else made.setAttribute(key, value);
    }
    made.append(...children);
    return made;
  };

  const ask = (text, action, dangerous) => new Promise((resolve) => {
    const cancel = element("button", { type: "button", class: "button", textContent: "Cancel" });
    const go = element("button", { type: "button", class: `button primary${dangerous ? " danger" : ""}`, textContent: action });
    const message = element("p", { id: "question" }, text);
    const buttons = element("div", { class: "dialog-actions" }, ...(dangerous === undefined ? [go] : [cancel, go]));
    const dialog = element("dialog", { class: "dialog", "aria-labelledby": "question" },
      element("div", { class: "dialog-body" }, message, buttons));
    let answer = false;
    cancel.addEventListener("click", () => dialog.close());
    go.addEventListener("click", () => { answer = true; dialog.close(); });
    dialog.addEventListener("close", () => { dialog.remove(); resolve(answer); });
    document.body.append(dialog);
    dialog.showModal();
  });
  const alertDialog = (text) => ask(text, "Close");

  /** Does what `data-send` of a form or button says. */
  const perform = async (from, form) => {
    const { confirm, confirmAction, location: to, then: name } = { ...form?.dataset, ...from.dataset };
    const [method, path] = (from.dataset.send || form.dataset.send).split(" ");
    if (confirm && !(await ask(confirm, confirmAction || "Continue", true))) return;
    const busy = [from, ...(form ? form.querySelectorAll("button") : [])].filter((it) => it.matches("button"));
    showError(from, "");
    for (const button of busy) button.disabled = true;
    from.setAttribute("aria-busy", "true");
    try {
      const values = form ? formValues(form) : undefined;
      const answer = await send(method, path, method === "GET" || method === "DELETE" ? undefined : values ?? {});
      if (name && then[name]) then[name](answer, form ?? from);
      else if (to || answer.location) location.assign(to || answer.location);
      else location.reload();
    } catch (error) {
      if (!(error instanceof Refusal)) console.error(error);
      if (error.status === 401 && csrfToken()) return signIn();
      showError(from, error.message);
    } finally {
      for (const button of busy) button.disabled = false;
      from.removeAttribute("aria-busy");
    }
  };

  document.addEventListener("submit", (event) => {
    const form = event.target;
    const from = event.submitter?.dataset.send ? event.submitter : form;
    if (!from.dataset.send) return;
    event.preventDefault();
    perform(from, form);
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.open) document.getElementById(button.dataset.open)?.showModal();
    else if ("close" in button.dataset) button.closest("dialog")?.close();
    else if (button.dataset.copy) copy(button);
    else if ("themeToggle" in button.dataset) switchTheme();
    else if (button.classList.contains("nav-toggle")) {
      button.setAttribute("aria-expanded", String(button.getAttribute("aria-expanded") !== "true"));
    } else if (button.dataset.send && (button.type !== "submit" || !button.form)) perform(button);
  });

  document.addEventListener("change", (event) => {
    if ("submit" in event.target.dataset) event.target.form.requestSubmit();
  });

  const copy = async (button) => {
    const source = document.getElementById(button.dataset.copy);
    const name = button.querySelector("[data-copy-name]") || button;
    const before = name.textContent;
    try {
      await navigator.clipboard.writeText(source.value ?? source.textContent.trim());
      name.textContent = "Copied";
    } catch {
      // Pages on plain HTTP have no clipboard: selecting is the next best.
      getSelection().selectAllChildren(source);
      name.textContent = "Press Ctrl+C";
    }
    setTimeout(() => { name.textContent = before; }, 2000);
  };

  /* Time */

  const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const fullTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  const shortTime = new Intl.DateTimeFormat(undefined, {
    year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit",
  });

  /** How far `seconds` are, in its largest unit: `12 s ago`, `in 3 d`. */
  const relative = (seconds) => {
    const size = Math.abs(seconds);
    if (size < 1) return "just now";
    const [unit, length] = UNITS.find(([, length]) => size >= length) ?? UNITS[3];
    const text = `${Math.floor(size / length)} ${unit}`;
    return seconds >= 0 ? `${text} ago` : `in ${text}`;
  };

  const sayTimes = (root = document) => {
    const now = Date.now();
    for (const time of root.querySelectorAll("time[data-relative], time[data-local]")) {
      const at = Date.parse(time.dateTime);
      if (Number.isNaN(at)) continue;
      const isRelative = "relative" in time.dataset;
      const text = isRelative ? relative((now - at) / 1000) : shortTime.format(at);
      if (time.textContent !== text) time.textContent = text;
      if (time.titled !== time.dateTime) {
        time.title = fullTime.format(at);
        time.titled = time.dateTime;
      }
    }
  };
  sayTimes();
  setInterval(() => document.hidden || sayTimes(), 10_000);
  document.addEventListener("visibilitychange", () => document.hidden || sayTimes());

  /** A moment as datetime-local inputs have it, in the reader's own time zone. */
  const localInput = (at) => {
    const date = new Date(at);
    return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
  };
  for (const input of document.querySelectorAll("input[data-time]")) input.value = localInput(input.dataset.time);
  for (const option of document.querySelectorAll("option[data-time]")) {
    option.textContent = shortTime.format(Date.parse(option.dataset.time)) + (option.dataset.suffix ?? "");
  }
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!("range" in form.dataset)) return;
    event.preventDefault();
    const query = new URLSearchParams(new FormData(form));
    for (const input of form.querySelectorAll("input[data-time]")) {
      query.set(input.name, `${new Date(input.value).toISOString().slice(0, 19)}Z`);
    }
    const chosen = new CustomEvent("astra:range", { detail: query.toString(), bubbles: true, cancelable: true });
    if (form.dispatchEvent(chosen)) location.search = query.toString();
  });
  document.addEventListener("click", (event) => {
    for (const popover of document.querySelectorAll("details.popover[open]")) {
      if (!popover.contains(event.target)) popover.open = false;
    }
  });
  document.addEventListener("keydown", (event) => {
    const open = event.key === "Escape" && document.querySelector("details.popover[open]");
    if (!open) return;
    open.open = false;
    open.querySelector("summary").focus();
  });

  /* Theme */

  const darkScheme = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : darkScheme.matches;
  };
  const themeChanged = () => {
    for (const button of document.querySelectorAll("[data-theme-toggle]")) {
      button.setAttribute("aria-label", isDark() ? "Switch to light colours" : "Switch to dark colours");
    }
    document.dispatchEvent(new Event("astra:theme"));
  };
  const switchTheme = () => {
    const theme = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    try {
      // What the system says anyway need not be kept.
      if ((theme === "dark") === darkScheme.matches) {
        delete document.documentElement.dataset.theme;
        localStorage.removeItem("astra-theme");
      } else {
        localStorage.setItem("astra-theme", theme);
      }
    } catch {
      // Without storage it lasts for this page.
    }
    themeChanged();
  };
  darkScheme.addEventListener("change", themeChanged);
  themeChanged();

  return { then, send, get, ask, element, formValues, relative, sayTimes, isDark };
})();
