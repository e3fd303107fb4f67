// The settings, sign-in and set-up pages. Markup asks by attributes, on top of those of app.js:
//
//   <input data-same-as="id">           must say the same as the input of that id; is not sent, having no name.
//   <option data-reveals="id">          shows the field of that id while chosen; its inputs are sent only then.
//   <input data-filter="id">            keeps the rows of the table of that id that contain the text.
//   <button data-fill="id">             opens the dialog around the form of that id, empty or with data-fill-values (JSON by
//                                       input name); data-fill-send and data-fill-title say what it then does.
//     data-fill-who says whom the dialog is about: in its [data-who], and what its <input data-must-be> has to say.
//   #id in the address                  opens the dialog of that id, or presses the data-fill button of that id.
//   <form data-retention>               numbers of days that may be shortened; its [data-loss] says what goes then.
//   <select data-unit-of="id">          writes the chosen option's data-unit into the element of that id.
//   <dialog data-reload>                loads the page again once closed: it shows what is shown once.
"use strict";

(() => {
  const byId = (id) => document.getElementById(id);

  // On a phone the settings' pages are named in one line, which may be longer than the screen.
  document.querySelector(".subnav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

  // On a phone the settings' navigation is one line that scrolls: begin where the reader is.
  const subnav = document.querySelector(".subnav");
  const current = subnav?.querySelector("[aria-current]");
  if (current) subnav.scrollLeft = current.offsetLeft - (subnav.clientWidth - current.offsetWidth) / 2;

  /* Forms */

  for (const again of document.querySelectorAll("[data-same-as]")) {
    const first = byId(again.dataset.sameAs);
    const compare = () => again.setCustomValidity(again.value === first.value ? "" : "The two passwords differ.");
    again.addEventListener("input", compare);
    first.addEventListener("input", compare);
  }

  for (const select of document.querySelectorAll("select")) {
    const revealing = [...select.options].filter((option) => option.dataset.reveals);
    if (revealing.length === 0) continue;
    const reveal = () => {
      const shown = select.selectedOptions[0]?.dataset.reveals?.split(" ") ?? [];
      for (const id of new Set(revealing.flatMap((option) => option.dataset.reveals.split(" ")))) {
        const field = byId(id);
        field.hidden = !shown.includes(id);
        for (const input of field.querySelectorAll("input, select, textarea")) input.disabled = field.hidden;
      }
    };
    select.addEventListener("change", reveal);
    select.form?.addEventListener("reset", () => setTimeout(reveal));
    reveal();
  }

  for (const filter of document.querySelectorAll("[data-filter]")) {
    const table = byId(filter.dataset.filter);
    const rows = [...table.tBodies[0].rows].map((row) => [row, row.textContent.toLowerCase()]);
    const count = byId(`${table.id}-count`);
    const none = byId(`${table.id}-none`);
    const apply = () => {
      const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const [row, text] of rows) {
        row.hidden = !words.every((word) => text.includes(word));
        if (!row.hidden) shown += 1;
      }
      count.textContent = words.length ? `${shown} of ${rows.length}` : "";
      none.hidden = shown > 0;
    };
    filter.addEventListener("input", apply);
    apply();
  }

  for (const dialog of document.querySelectorAll("dialog[data-reload]")) {
    dialog.addEventListener("close", () => location.reload());
  }

  /* What is shown once */

  const show = (id, from) => {
    from.closest("dialog")?.close();
    byId(id).showModal();
  };

  astra.then.keyMade = (answer, form) => {
    const dialog = byId("key-shown");
    const origin = dialog.dataset.origin || location.origin;
    byId("key-text").textContent = answer.key;
    byId("key-curl").textContent = `curl -H "Authorization: Bearer ${answer.key}" "${origin}${answer.try}"`;
    show("key-shown", form);
  };

  astra.then.passwordMade = (answer, form) => {
    if (!answer.password) return location.reload();
    byId("password-owner").textContent = answer.user.email;
    byId("password-text").textContent = answer.password;
    show("password-shown", form);
  };

  astra.then.passwordChanged = (answer, form) => {
    // The session is another one now, and its token too.
    document.querySelector('meta[name="csrf-token"]').content = answer.csrf_token;
    form.reset();
    form.querySelector("[role=status]").textContent = "Your password is changed.";
  };

  astra.then.enrolmentMade = (answer, form) => {
    const dialog = byId("token-shown");
    const origin = dialog.dataset.origin || location.origin;
    const uses = answer.max_uses === 1 ? "one machine" : `${answer.max_uses} machines`;
    byId("enrol-whom").textContent = answer.agent_id ? `${answer.agent_id} again` : uses;
    byId("enrol-token").textContent = answer.token;
    // The machine of an agent that is there may still have the token that ends now.
    const replace = answer.agent_id ? " --replace" : "";
    byId("enrol-command").textContent = `sudo astranetmon-agent enroll --server ${origin}${replace} --token ${answer.token}`;
    byId("enrol-clear").hidden = !origin.startsWith("http:");
    show("token-shown", form);
  };

  /* Retention */

  for (const form of document.querySelectorAll("[data-retention]")) {
    const losses = {
      raw_days: (days) => `Samples older than ${days} become one summary an hour: their details are gone.`,
      hourly_days: (days) => `Speed tests and traceroutes older than ${days} are deleted, and hours become days.`,
      daily_days: (days) => `Everything older than ${days} is deleted.`,
    };
    const say = () => {
      const shortened = Object.keys(losses).filter((name) => {
        const input = form.elements[name];
        return input.value !== "" && Number(input.value) < Number(input.defaultValue);
      });
      const text = shortened.map((name) => losses[name](`${form.elements[name].value} days`));
      const place = form.querySelector("[data-loss]");
      place.hidden = text.length === 0;
      place.textContent = text.length ? `${text.join(" ")} It does not come back, even if you choose longer again.` : "";
      if (text.length) Object.assign(form.dataset, { confirm: `${place.textContent} Go on?`, confirmAction: "Keep less" });
      else delete form.dataset.confirm;
    };
    form.addEventListener("input", say);
    say();
  }

  /* Dialogs */

  // One dialog makes a thing and changes any.
  for (const button of document.querySelectorAll("[data-fill]")) {
    button.addEventListener("click", () => {
      const form = byId(button.dataset.fill);
      const dialog = form.closest("dialog");
      form.reset();
      form.dataset.send = button.dataset.fillSend;
      dialog.querySelector("h2").textContent = button.dataset.fillTitle;
      if (button.dataset.fillWho) {
        for (const place of dialog.querySelectorAll("[data-who]")) place.textContent = button.dataset.fillWho;
        for (const input of dialog.querySelectorAll("[data-must-be]")) {
          input.dataset.mustBe = button.dataset.fillWho;
          input.setCustomValidity(`Type ${button.dataset.fillWho}`);
        }
      }
      const values = button.dataset.fillValues ? JSON.parse(button.dataset.fillValues) : null;
      for (const input of values ? form.elements : []) {
        if (!(input.name in values)) continue;
        const value = values[input.name];
        if (input.type === "checkbox") input.checked = Array.isArray(value) ? value.includes(input.value) : value;
        else if (value !== null || input.matches("#rule-agent")) input.value = value ?? "";
      }
      for (const select of form.querySelectorAll("select")) select.dispatchEvent(new Event("change"));
      dialog.showModal();
    });
  }

  for (const input of document.querySelectorAll("[data-must-be]")) {
    const compare = () => {
      const word = input.dataset.mustBe;
      input.setCustomValidity(input.value.trim() === word ? "" : `Type ${word}`);
    };
    input.addEventListener("input", compare);
  }

  for (const select of document.querySelectorAll("[data-unit-of]")) {
    const unit = byId(select.dataset.unitOf);
    const say = () => { unit.textContent = select.selectedOptions[0]?.dataset.unit ? `, ${select.selectedOptions[0].dataset.unit}` : ""; };
    select.addEventListener("change", say);
    say();
  }

  astra.then.channelMade = (answer, form) => {
    if (!answer.secret) return location.reload();
    byId("channel-secret").textContent = answer.secret;
    show("channel-shown", form);
  };

  astra.then.channelTested = (answer) => {
    const told = byId("channel-test");
    told.hidden = false;
    told.textContent = answer.sentence;
    told.classList.toggle("bad", !answer.delivered);
  };

  const asked = location.hash.length > 1 ? byId(location.hash.slice(1)) : null;
  if (asked?.matches("dialog")) asked.showModal();
  else if (asked?.matches("[data-fill]")) asked.click();
  // A reload does not ask again.
  if (asked?.matches("dialog, [data-fill]")) history.replaceState(null, "", location.pathname);

  /* Getting in */

  // The token comes behind # or ?, and leaves the address bar and the history: only # is never sent to a server.
  const token = byId("token");
  const takeToken = () => {
    const fragment = location.hash.slice(1);
    const named = new URLSearchParams(fragment).get("token") ?? new URLSearchParams(location.search).get("token");
    const given = named || fragment;
    if (given) {
      token.value = given;
      byId("token-field").hidden = true;
      history.replaceState(null, "", location.pathname);
      byId("account").focus();
    }
  };
  if (token) {
    takeToken();
    // The link, opened on this very page.
    addEventListener("hashchange", takeToken);
  }
})();
