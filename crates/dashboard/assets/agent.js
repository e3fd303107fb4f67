// An agent's charts: their range, zooming, and renewing themselves.
"use strict";

(() => {
  const root = document.getElementById("agent");
  const id = encodeURIComponent(root.dataset.id);
  const ranges = document.getElementById("ranges");
  const rangeText = document.getElementById("range-text");
  const choose = document.querySelector("form[data-range]").closest("details").querySelector("summary");
  const zoomOut = document.getElementById("zoom-out");
  const age = document.getElementById("metrics-age");
  const failure = document.getElementById("metrics-error");
  const EVERY = 10_000;

  const percent = { unit: "percent", band: true };
  const flow = { unit: "bytesPerSecond", band: true };
  const time = { unit: "milliseconds" };
  const DEFINITIONS = {
    cpu: { top: 100, secondLeast: 1, series: [
      { key: "cpu_percent", name: "CPU", colour: "series-1", area: true, ...percent },
      { key: "load_1", name: "Load", colour: "series-3", unit: "number", scale: "y2", dash: true },
    ] },
    memory: { top: 100, series: [
      { key: "memory_percent", name: "Memory", colour: "series-1", area: true, ...percent },
      { key: "swap_percent", name: "Swap", colour: "series-4", unit: "percent", dash: true },
    ] },
    disk: { top: 100, series: [{ key: "disk_percent", name: "Used", colour: "series-1", area: true, ...percent }] },
    "disk-io": { least: 1000, series: [
      { key: "disk_read_bytes_per_second", name: "Read", colour: "series-1", ...flow },
      { key: "disk_write_bytes_per_second", name: "Write", colour: "series-2", ...flow },
    ] },
    network: { least: 1000, series: [
      { key: "network_receive_bytes_per_second", name: "Received", colour: "series-1", ...flow },
      { key: "network_transmit_bytes_per_second", name: "Sent", colour: "series-2", ...flow },
    ] },
    latency: { secondLeast: 5, series: [
      { key: "packet_loss_percent", name: "Loss", colour: "bad", unit: "percent", scale: "y2", bars: true },
      { key: "latency_ms", name: "Round trip", colour: "series-1", band: true, ...time },
      { key: "jitter_ms", name: "Jitter", colour: "series-3", dash: true, ...time },
    ] },
    temperature: { series: [{ key: "temperature_celsius", name: "Hottest sensor", colour: "series-3", unit: "celsius", band: true }] },
  };
  // The scale on the left comes from the series that are on it.
  DEFINITIONS.latency.series.sort((a, b) => (a.scale ? 1 : 0) - (b.scale ? 1 : 0));

  const zoom = (from, to) => {
    const text = (seconds) => `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;
    // Less than a few buckets is nothing to look at.
    if (to - from < 60) return;
    go(`from=${text(Math.floor(from))}&to=${text(Math.ceil(to))}`);
  };
  const charts = new Map();
  for (const figure of root.querySelectorAll(".charts figure")) {
    const name = figure.dataset.chart;
    charts.set(name, new astraCharts.Chart(figure, DEFINITIONS[name], zoom));
  }

  /* The range, kept in the address */

  const parameters = () => {
    const address = new URLSearchParams(location.search);
    const own = new URLSearchParams();
    for (const name of address.has("from") && address.has("to") ? ["from", "to"] : ["range"]) {
      if (address.has(name)) own.set(name, address.get(name));
    }
    return own;
  };
  const isRelative = () => !parameters().has("from");

  const sayRange = () => {
    const own = parameters();
    const name = own.get("range") ?? "24h";
    for (const link of ranges.querySelectorAll("a")) {
      if (isRelative() && link.dataset.span === name) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    zoomOut.hidden = isRelative();
    if (isRelative()) choose.removeAttribute("aria-current");
    else choose.setAttribute("aria-current", "true");
    if (isRelative()) {
      rangeText.textContent = "";
    } else {
      const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
      rangeText.textContent = format.formatRange(new Date(own.get("from")), new Date(own.get("to")));
    }
  };

  const go = (query) => {
    history.pushState(null, "", `?${query}`);
    load();
  };
  ranges.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    go(`range=${link.dataset.span}`);
  });
  document.querySelector("form[data-range]").addEventListener("astra:range", (event) => {
    event.preventDefault();
    event.target.closest("details").open = false;
    go(event.detail);
  });
  // Another trace is shown for the same range.
  root.addEventListener("submit", (event) => {
    if (!event.target.matches(".trace-picker")) return;
    event.preventDefault();
    const query = parameters();
    query.set("trace", event.target.elements.trace.value);
    location.assign(`?${query}#traceroutes`);
  });
  let before = isRelative() ? parameters().toString() || "range=24h" : "range=24h";
  zoomOut.addEventListener("click", () => go(before));
  addEventListener("popstate", () => load());

  /* Data */

  const share = (part, whole) => part && part.map((value, index) => (
    value === null || !whole?.[index] ? null : Math.min(100, (100 * value) / whole[index])));

  const show = (data) => {
    const { swap_used_bytes: used, swap_total_bytes: total } = data.series;
    data.series.swap_percent = { avg: share(used.avg, total.avg) };
    for (const [name, chart] of charts) {
      chart.data = data;
      if (name === "temperature") {
        chart.figure.hidden = !chart.hasData();
        if (chart.figure.hidden) continue;
      }
      chart.show(data);
    }
  };

  let renewedAt = 0;
  let asked = 0;
  const load = async () => {
    sayRange();
    if (isRelative()) before = parameters().toString() || "range=24h";
    const mine = (asked += 1);
    root.classList.add("is-loading");
    try {
      const data = await astra.get(`/dashboard/data/agents/${id}/metrics?${parameters()}`);
      // A later choice has overtaken this one.
      if (mine !== asked) return;
      show(data);
      renewedAt = Date.now();
      failure.hidden = true;
    } catch (error) {
      if (mine !== asked) return;
      failure.textContent = error.message;
      failure.hidden = false;
      if (!error.status) console.warn(error.message);
    } finally {
      if (mine === asked) root.classList.remove("is-loading");
      sayAge();
    }
  };
  const sayAge = () => {
    if (!renewedAt || !isRelative()) age.textContent = "";
    else {
      const seconds = Math.round((Date.now() - renewedAt) / 1000);
      age.textContent = seconds < 1 ? "Updated just now" : `Updated ${astra.relative(seconds)}`;
    }
  };
  load();
  setInterval(() => {
    if (document.hidden) return;
    // A finger or pointer on a chart is not pulled away from what it reads.
    if (isRelative() && Date.now() - renewedAt >= EVERY && !root.querySelector(".u-over:active")) load();
    else sayAge();
  }, 1000);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && isRelative() && Date.now() - renewedAt >= EVERY) load();
  });

  const speedtests = root.querySelector('figure[data-chart="speedtest"]');
  if (speedtests) astraCharts.speedtests(speedtests, root.dataset.id, "range=30d").catch((error) => console.warn(error.message));
})();
