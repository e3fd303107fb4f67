// The fleet's table: sorting, search, and renewing itself in place.
"use strict";

(() => {
  const table = document.getElementById("fleet");
  if (!table) {
    // Nobody reports yet: the page that has a table comes with the first who does.
    const look = async () => {
      if (document.hidden) return;
      try {
        if ((await astra.get("/dashboard/data/fleet")).rows.length > 0) location.reload();
      } catch {
        // The next look tells.
      }
    };
    setInterval(look, 3_000);
    return;
  }
  const body = table.tBodies[0];
  const search = document.getElementById("search");
  const count = document.getElementById("fleet-count");
  const age = document.getElementById("fleet-age");
  const headers = [...table.querySelectorAll("th[data-sort]")];
  const EVERY = 10_000;
  /** Columns whose largest value is of most interest. */
  const LARGEST_FIRST = new Set(["cpu", "memory", "disk", "network", "speedtest", "route", "seen"]);
  const STATUS_ORDER = { offline: 0, pending: 1, online: 2, disabled: 3 };

  /** By agent id: the row's element, its data once they have come, and the text that a search looks at. */
  const rows = new Map();
  for (const element of body.rows) rows.set(element.dataset.id, { element, data: null, searched: "" });

  /* Sorting and search, kept in the address */

  const state = { sort: "name", descending: false, query: "" };
  const readAddress = () => {
    const parameters = new URLSearchParams(location.search);
    const sort = parameters.get("sort") ?? "name";
    state.descending = sort.startsWith("-");
    state.sort = sort.replace(/^-/, "");
    if (!headers.some((header) => header.dataset.sort === state.sort)) Object.assign(state, { sort: "name", descending: false });
    state.query = parameters.get("q") ?? "";
    search.value = state.query;
  };
  const writeAddress = () => {
    const parameters = new URLSearchParams(location.search);
    const sort = (state.descending ? "-" : "") + state.sort;
    if (sort === "name") parameters.delete("sort");
    else parameters.set("sort", sort);
    if (state.query) parameters.set("q", state.query);
    else parameters.delete("q");
    const text = parameters.toString();
    history.replaceState(null, "", text ? `?${text}` : location.pathname);
  };

  const sortValue = {
    status: (row) => STATUS_ORDER[row.status],
    // The server's own order, so that nothing moves when the first data come.
    name: (row) => row.position,
    cpu: (row) => row.cpu.percent,
    memory: (row) => row.memory.percent,
    disk: (row) => row.disk.percent,
    network: (row) => row.network_sort,
    speedtest: (row) => row.speedtest?.sort ?? null,
    route: (row) => row.route_sort,
    seen: (row) => row.seen_sort,
  };

  const inOrder = () => {
    const value = sortValue[state.sort];
    const sign = state.descending ? -1 : 1;
    return [...rows.values()].filter((row) => row.data).sort((a, b) => {
      const [left, right] = [value(a.data), value(b.data)];
      // What is unknown stays at the end, whatever the direction.
      if (left === null || right === null) {
        if (left !== right) return left === null ? 1 : -1;
      } else {
        if (left !== right) return sign * (left - right);
      }
      return a.data.position - b.data.position;
    });
  };

  const arrange = () => {
    for (const header of headers) {
      if (header.dataset.sort !== state.sort) header.removeAttribute("aria-sort");
      else header.setAttribute("aria-sort", state.descending ? "descending" : "ascending");
    }
    const words = state.query.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows.values()) {
      // Before its data have come, a row is searched as it reads.
      row.searched ||= row.element.textContent.toLowerCase();
      const hidden = !words.every((word) => row.searched.includes(word));
      if (row.element.hidden !== hidden) row.element.hidden = hidden;
      if (!hidden) shown += 1;
    }
    const text = words.length ? `${shown} of ${rows.size} agents` : "";
    if (count.textContent !== text) count.textContent = text;

    // Only rows that are not where they belong are moved, so that an order that stands costs nothing.
    const focused = document.activeElement;
    let place = body.firstElementChild;
    for (const { element } of inOrder()) {
      if (element === place) place = place.nextElementSibling;
      else body.insertBefore(element, place);
    }
    if (focused !== document.activeElement && body.contains(focused)) focused.focus({ preventScroll: true });
  };

  for (const header of headers) {
    header.querySelector("button").addEventListener("click", () => {
      const column = header.dataset.sort;
      if (state.sort === column) state.descending = !state.descending;
      else Object.assign(state, { sort: column, descending: LARGEST_FIRST.has(column) });
      writeAddress();
      arrange();
    });
  }
  search.addEventListener("input", () => {
    state.query = search.value.trim();
    writeAddress();
    arrange();
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea, select, dialog");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === "Escape" && event.target === search && search.value) {
      search.value = "";
      search.dispatchEvent(new Event("input"));
    }
  });

  /* Rows from data; the same markup as the server's template */

  const { element } = astra;
  const setText = (node, text) => {
    if (node.textContent !== text) node.textContent = text;
  };
  const time = (moment) => {
    const made = element("time", { dateTime: moment.at }, moment.ago);
    made.dataset.relative = "";
    return made;
  };
  const sameTime = (cell, moment) => cell.querySelector("time")?.dateTime === moment?.at;

  const bar = () => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("class", "bar");
    svg.setAttribute("aria-hidden", "true");
    const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    rect.setAttribute("height", "100%");
    svg.append(rect);
    return svg;
  };

  const emptyRow = (id) => {
    const row = element("tr");
    row.dataset.id = id;
    const share = () => element("td", {}, element("span"), bar());
    row.append(
      element("td", {}, element("span", { class: "status" })),
      element("th", { scope: "row" }, element("a", { href: `/dashboard/agents/${encodeURIComponent(id)}` })),
      element("td", {}, element("div", { class: "labels" })),
      share(), share(), share(),
      element("td", {}, element("small"), element("small")),
      element("td"), element("td"), element("td"),
    );
    return row;
  };

  const showShare = (cell, share) => {
    setText(cell.firstElementChild, share.text);
    const svg = cell.lastElementChild;
    const name = share.level ? `bar ${share.level}` : "bar";
    if (svg.getAttribute("class") !== name) svg.setAttribute("class", name);
    const width = `${Math.round(share.percent ?? 0)}%`;
    if (svg.firstElementChild.getAttribute("width") !== width) svg.firstElementChild.setAttribute("width", width);
  };

  const show = ({ element: row, data: before }, data) => {
    const [status, name, labels, cpu, memory, disk, network, speedtest, route, seen] = row.cells;
    if (before?.status !== data.status) {
      status.firstElementChild.className = `status ${data.status}`;
      setText(status.firstElementChild, data.status);
    }
    if (before?.name !== data.name || before?.hostname !== data.hostname) {
      const link = name.firstElementChild;
      setText(link, data.name);
      link.title = data.name;
      name.replaceChildren(link, ...(data.hostname ? [element("small", {}, data.hostname)] : []));
    }
    if (before?.labels.join("\n") !== data.labels.join("\n")) {
      labels.firstElementChild.replaceChildren(...data.labels.map((label) => element("span", { class: "label" }, label)));
    }
    showShare(cpu, data.cpu);
    showShare(memory, data.memory);
    showShare(disk, data.disk);
    setText(network.firstElementChild, `↓ ${data.receive}`);
    setText(network.lastElementChild, `↑ ${data.transmit}`);
    if (!before || !sameTime(speedtest, data.speedtest?.at)) {
      if (data.speedtest) speedtest.replaceChildren(data.speedtest.text, element("small", {}, time(data.speedtest.at)));
      else speedtest.replaceChildren("–");
    }
    if (!before || !sameTime(route, data.route_at)) {
      if (data.route_at) route.replaceChildren(time(data.route_at), element("small", {}, data.route_target));
      else route.replaceChildren("–");
    }
    if (!before || !sameTime(seen, data.seen_at)) seen.replaceChildren(data.seen_at ? time(data.seen_at) : "never");
  };

  const take = (fleet) => {
    for (const [name, value] of Object.entries(fleet.tiles)) {
      const tile = document.querySelector(`[data-tile="${name}"]`);
      if (tile) setText(tile, String(value));
    }
    const gone = new Set(rows.keys());
    for (const [position, data] of fleet.rows.entries()) {
      data.position = position;
      gone.delete(data.id);
      let row = rows.get(data.id);
      if (!row) {
        row = { element: emptyRow(data.id), data: null, searched: "" };
        rows.set(data.id, row);
        body.append(row.element);
      }
      show(row, data);
      row.data = data;
      row.searched = [data.name, data.hostname ?? "", data.id, data.status, ...data.labels].join("\n").toLowerCase();
    }
    for (const id of gone) {
      rows.get(id).element.remove();
      rows.delete(id);
    }
    arrange();
    astra.sayTimes(body);
  };

  /* Renewal: every ten seconds, not while nobody looks */

  let renewedAt = Date.now();
  let failed = false;
  let running = false;
  const sayAge = () => {
    const seconds = Math.round((Date.now() - renewedAt) / 1000);
    const text = seconds < 1 ? "Updated just now" : `Updated ${astra.relative(seconds)}`;
    age.textContent = failed ? `${text}; the server does not answer` : text;
    age.classList.toggle("form-error", failed);
    age.hidden = false;
  };
  const renew = async () => {
    if (running) return;
    running = true;
    try {
      take(await astra.get("/dashboard/data/fleet"));
      renewedAt = Date.now();
      failed = false;
    } catch (error) {
      failed = true;
      if (!error.status && !(error instanceof Error)) console.error(error);
    } finally {
      running = false;
      sayAge();
    }
  };

  readAddress();
  renew();
  setInterval(() => {
    if (document.hidden) return;
    if (Date.now() - renewedAt >= EVERY) renew();
    else sayAge();
  }, 1000);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && Date.now() - renewedAt >= EVERY) renew();
  });
})();
