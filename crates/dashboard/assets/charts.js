// Charts over time on top of uPlot, and how their numbers are written.
"use strict";

const astraCharts = (() => {
  const { element } = astra;
  const JOINED = "\u00a0";

  /* Numbers */

  /** About three significant digits. */
  const short = (value) => {
    const size = Math.abs(value);
    const decimals = size >= 99.95 || size === 0 ? 0 : size >= 9.95 ? 1 : 2;
    return String(Number(value.toFixed(decimals))).replace("-", "\u2212");
  };
  const scaled = (value, step, prefixes, unit) => {
    let index = 0;
    while (index < prefixes.length - 1 && Math.abs(value) >= step - 0.5) {
      value /= step;
      index += 1;
    }
    return `${short(value)}${JOINED}${prefixes[index]}${unit}`;
  };
  const UNITS = {
    percent: (value) => `${short(value)}${JOINED}%`,
    bytesPerSecond: (value) => scaled(value, 1000, ["", "k", "M", "G", "T", "P"], "B/s"),
    milliseconds: (value) => `${short(value)}${JOINED}ms`,
    celsius: (value) => `${short(value)}${JOINED}°C`,
    mbps: (value) => `${short(value)}${JOINED}Mbps`,
    number: short,
  };
  const written = (value, unit) => (value === null || value === undefined ? "–" : UNITS[unit](value));

  /* Colours: read from the style sheet's tokens, again whenever the theme changes */

  const probe = element("span", { hidden: true });
  document.body.append(probe);
  const colours = {};
  const readColours = () => {
    for (const name of ["text", "muted", "line", "surface", "series-1", "series-2", "series-3", "series-4", "bad"]) {
      probe.style.color = `var(--${name})`;
      colours[name] = getComputedStyle(probe).color;
    }
  };
  const translucent = (name, alpha) => {
    const parts = colours[name].match(/[\d.]+/g) ?? [128, 128, 128];
    return `rgba(${parts.slice(0, 3).join(", ")}, ${alpha})`;
  };
  readColours();

  /* Time */

  const clock = new Intl.DateTimeFormat(undefined, {
    weekday: "short", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit",
  });
  const clockText = (seconds) => clock.format(seconds * 1000);
  const two = (number) => String(number).padStart(2, "0");
  const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
  /** Labels of the time axis: the day at midnight, else hours and minutes. */
  const timeLabels = (_, splits, __, ___, step) => splits.map((at) => {
    const date = new Date(at * 1000);
    if (step >= 86400 || (date.getHours() === 0 && date.getMinutes() === 0)) return day.format(date);
    const text = `${two(date.getHours())}:${two(date.getMinutes())}`;
    return step < 60 ? `${text}:${two(date.getSeconds())}` : text;
  });

  const FONT = '11px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif';
  const sync = uPlot.sync("astra");
  const all = new Set();

  /**
   * A chart in its <figure>. `definition`: `series` of { key, name, unit, colour, scale?, band?, bars?, area?, points?, dash? }, `top`
   * (fixed upper end), `least` (the upper end is at least that). `onZoom(from, to)`: a span was dragged, in seconds.
   */
  class Chart {
    constructor(figure, definition, onZoom) {
      Object.assign(this, { figure, definition, onZoom, data: null, plot: null });
      this.title = figure.querySelector("h3").textContent;
      this.place = figure.querySelector(".plot");
      this.note = element("p", { class: "plot-note", hidden: true });
      this.tip = element("div", { class: "plot-tip", hidden: true });
      this.place.append(this.note, this.tip);
      this.values = new Map();
      this.legend = figure.querySelector(".legend");
      for (const series of definition.series) {
        const value = element("b", {}, "–");
        this.values.set(series.key, value);
        this.legend.append(element("li", {}, element("i", { class: `swatch ${series.colour}${series.dash ? " dashed" : ""}` }), series.name, " ", value));
      }
      new ResizeObserver(() => this.resize()).observe(this.place);
      all.add(this);
    }

    /** Shows `data`: { start, end, t, count?, series: { key: { avg, min?, max? } } }. */
    show(data) {
      this.data = data;
      const { t, series } = data;
      const columns = [t];
      for (const { key, band } of this.definition.series) {
        const column = series[key] ?? { avg: [] };
        columns.push(column.avg);
        if (band) columns.push(column.min, column.max);
      }
      const isEmpty = !this.hasData();
      this.note.textContent = "Nothing was measured in this range";
      this.note.hidden = !isEmpty;
      if (this.plot) {
        this.plot.batch(() => {
          this.plot.setData(columns, false);
          this.plot.setScale("x", { min: data.start, max: data.end });
        });
      } else {
        this.plot = new uPlot(this.options(), columns, this.place);
      }
      this.describe();
      this.sayValues(null);
    }

    hasData() {
      return this.definition.series.some(({ key }) => this.data?.series[key]?.avg.some((value) => value !== null));
    }

    options() {
      const series = [{}];
      const bands = [];
      for (const { colour, unit, scale = "y", band, bars, points, dash, area } of this.definition.series) {
        const stroke = () => colours[colour];
        series.push({
          scale, stroke, width: bars ? 0 : dash ? 1.25 : 1.5, dash: dash ? [4, 3] : undefined,
          fill: bars ? () => translucent(colour, 0.45) : area ? () => translucent(colour, 0.1) : undefined,
          paths: bars ? uPlot.paths.bars({ size: [1, 12], gap: 1 }) : undefined,
          points: points ? { show: true, size: 5, fill: stroke } : { show: this.showsPoint, size: 4, fill: stroke },
          unit,
        });
        if (band) {
          const low = series.length;
          series.push({ scale, stroke: "transparent", width: 0, points: { show: false } });
          series.push({ scale, stroke: "transparent", width: 0, points: { show: false } });
          bands.push({ series: [low + 1, low], fill: () => translucent(colour, 0.18) });
        }
      }
      const scales = { x: { time: true, range: () => [this.data.start, this.data.end] } };
      const axes = [{
        stroke: () => colours.muted, font: FONT, size: 28, gap: 4, values: timeLabels,
        grid: { show: false }, ticks: { stroke: () => colours.line, width: 1, size: 4 }, space: 64,
      }];
      const names = new Set(this.definition.series.map(({ scale = "y" }) => scale));
      for (const name of names) {
        const members = this.definition.series.filter(({ scale = "y" }) => scale === name);
        const { unit } = members[0];
        const top = name === "y" ? this.definition.top : this.definition.secondTop;
        const least = name === "y" ? this.definition.least : this.definition.secondLeast;
        scales[name] = { range: (_, low, high) => {
          if (top) return [0, top];
          const [from, to] = uPlot.rangeNum(Math.min(low ?? 0, 0), Math.max(high ?? 0, least ?? 0) || 1, 0.08, true);
          return [Math.min(low ?? 0, 0) < 0 ? from : 0, to];
        } };
        axes.push({
          scale: name, side: name === "y" ? 3 : 1, stroke: () => colours.muted, font: FONT, gap: 6, space: 34,
          size: (plot, values) => {
            if (!values?.length) return 40;
            plot.ctx.font = FONT;
            return Math.ceil(Math.max(...values.map((text) => plot.ctx.measureText(text ?? "").width)) / devicePixelRatio) + 16;
          },
          values: (_, splits) => splits.map((value) => UNITS[unit](value)),
          grid: { show: name === "y", stroke: () => colours.line, width: 1 }, ticks: { show: false },
        });
      }
      return {
        ...this.size(), series, bands, scales, axes, legend: { show: false },
        cursor: {
          y: false, points: { size: 7 },
          drag: { x: Boolean(this.onZoom), y: false, setScale: false },
          sync: { key: sync.key, setSeries: false, filters: { pub: (type) => type === "mousemove" || type === "mouseleave" } },
        },
        hooks: {
          setCursor: [(plot) => this.sayValues(plot.cursor.idx, plot)],
          setSelect: [(plot) => {
            const { left, width } = plot.select;
            if (width < 8) return;
            const [from, to] = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")];
            plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
            this.onZoom?.(from, to);
          }],
        },
      };
    }

    /** Lone values between gaps have no line: they are dots. */
    showsPoint(plot, seriesIndex, from, to) {
      const values = plot.data[seriesIndex];
      const lone = [];
      for (let index = from; index <= to; index += 1) {
        if (values[index] != null && values[index - 1] == null && values[index + 1] == null) lone.push(index);
      }
      return lone.length ? lone : false;
    }

    size() {
      return { width: Math.max(this.place.clientWidth, 120), height: this.place.clientHeight };
    }

    resize() {
      if (this.plot && this.place.clientWidth) this.plot.setSize(this.size());
    }

    /** Values in the legend: at the cursor, else the newest; and at the cursor beside it. */
    sayValues(index, plot) {
      const { series, t } = this.data;
      for (const { key, unit } of this.definition.series) {
        const column = series[key]?.avg ?? [];
        const value = index === null || index === undefined ? newest(column) : column[index];
        const text = written(value, unit);
        const place = this.values.get(key);
        if (place.textContent !== text) place.textContent = text;
      }
      // Charts that follow another one's cursor need not say the time again.
      const own = plot && index !== null && index !== undefined && plot.cursor.event && plot.over.matches(":hover");
      this.tip.hidden = !own;
      if (!own) return;
      const lines = this.definition.series.map(({ key, name, unit, colour, band }) => {
        const { avg, min, max } = series[key] ?? { avg: [] };
        const spread = band && min[index] !== null && min[index] !== max[index]
          ? ` (${written(min[index], unit)} – ${written(max[index], unit)})` : "";
        return element("div", {}, element("i", { class: `swatch ${colour}` }), `${name} `, element("b", {}, written(avg[index], unit)), spread);
      });
      this.tip.replaceChildren(element("div", { class: "muted" }, clockText(t[index])), ...lines);
      const left = plot.over.offsetLeft + plot.cursor.left;
      const width = this.tip.offsetWidth;
      const room = this.place.clientWidth;
      this.tip.style.left = `${Math.max(0, left + 14 + width > room ? left - width - 14 : left + 14)}px`;
    }

    /** The chart in words and figures. */
    describe() {
      const rows = [];
      const words = [];
      for (const { key, name, unit } of this.definition.series) {
        const { avg, min = avg, max = avg } = this.data.series[key] ?? { avg: [] };
        let [least, most, sum, weight] = [null, null, 0, 0];
        for (let index = 0; index < avg.length; index += 1) {
          if (avg[index] === null) continue;
          const count = this.data.count?.[index] ?? 1;
          least = least === null ? min[index] : Math.min(least, min[index]);
          most = most === null ? max[index] : Math.max(most, max[index]);
          sum += avg[index] * count;
          weight += count;
        }
        const figures = [newest(avg), least, weight ? sum / weight : null, most].map((value) => written(value, unit));
        rows.push(element("tr", {}, element("th", { scope: "row" }, name),
          ...figures.map((text) => element("td", { class: "num" }, text))));
        if (weight) words.push(`${name}: newest ${figures[0]}, lowest ${figures[1]}, average ${figures[2]}, highest ${figures[3]}`);
      }
      this.figure.querySelector("tbody").replaceChildren(...rows);
      this.place.setAttribute("aria-label", `${this.title}. ${words.join(". ") || "Nothing was measured in this range"}.`);
    }
  }

  const newest = (column) => {
    for (let index = column.length - 1; index >= 0; index -= 1) if (column[index] !== null) return column[index];
    return null;
  };

  document.addEventListener("astra:theme", () => {
    readColours();
    for (const chart of all) chart.plot?.redraw(false, true);
  });

  const SPEEDTEST = {
    series: [
      { key: "download_mbps", name: "Download", unit: "mbps", colour: "series-1", points: true },
      { key: "upload_mbps", name: "Upload", unit: "mbps", colour: "series-2", points: true },
      { key: "ping_ms", name: "Ping", unit: "milliseconds", colour: "series-3", points: true, scale: "y2", dash: true },
    ],
  };

  /** The chart of an agent's speed tests within the range that `parameters` say. */
  const speedtests = async (figure, id, parameters) => {
    const chart = new Chart(figure, SPEEDTEST);
    const { start, end, t, ...columns } = await astra.get(`/dashboard/data/agents/${encodeURIComponent(id)}/speedtests?${parameters}`);
    // A short history fills the chart's width.
    const from = t.length ? Math.max(start, t[0] - 0.02 * (end - t[0])) : start;
    const series = Object.fromEntries(Object.entries(columns).map(([key, avg]) => [key, { avg }]));
    chart.show({ start: from, end, t, series });
  };

  return { Chart, speedtests };
})();
