// Draws the figures from the embedded numbers, with the cells, colours and panels that the reader chooses.
const { axes, cells, figures } = JSON.parse(document.getElementById("data").textContent);
const LIGHT = ["#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"];  // Okabe and Ito
const DARK = ["#E8752B", "#4FA8E0", "#1FBF93", "#E09AC2", "#F0B840", "#8FD0F5", "#FFFFFF"];
const HEATS = 12, LEGEND = 24, HOVERED = 6000, INACTIVE = "–";
const dark = matchMedia("(prefers-color-scheme: dark)");
const coarse = matchMedia("(pointer: coarse)");
for (const figure of figures)
  for (const [name, column] of Object.entries(figure.rows))
    if (column.times) figure.rows[name] = column.values.flatMap((value, i) => Array(column.times[i]).fill(value));
const shown = axes.map(axis => new Set(axis.values));
const chosen = { colour: first(axis => axis.number) ?? (axes.length - 1), panel: first(axis => !axis.number) ?? -1 };
if (axes.length < 2) chosen.panel = -1;
else if (chosen.panel === chosen.colour) chosen.panel = axes.findIndex((axis, i) => i !== chosen.colour);

function first(wanted) { const i = axes.findIndex(wanted); return i < 0 ? null : i; }
function visible(cell) { return cells[cell].levels.every((level, i) => shown[i].has(level)); }

function element(tag, about = {}, ...children) {
  const made = Object.assign(document.createElement(tag), about);
  made.append(...children);
  return made;
}

function controls() {
  if (!axes.length) return;
  const form = document.getElementById("filters");
  axes.forEach((axis, i) => {
    const boxes = axis.values.map(value => {
      const box = element("input", { type: "checkbox", checked: true });
      box.addEventListener("change", () => { box.checked ? shown[i].add(value) : shown[i].delete(value); draw(); });
      return element("label", {}, box, value);
    });
    form.append(element("fieldset", {}, element("legend", {}, axis.name), ...boxes));
  });
  for (const [what, words] of [["colour", "colours"], ["panel", "panels"]]) {
    const options = axes.map((axis, i) => element("option", { value: i, selected: i === chosen[what] }, axis.name));
    options.push(element("option", { value: -1, selected: chosen[what] < 0 }, what === "panel" ? "none" : "whole cell"));
    const select = element("select", { id: what }, ...options);
    select.addEventListener("change", () => { chosen[what] = Number(select.value); draw(); });
    form.append(element("fieldset", {}, element("legend", {}, words), select));
  }
  const box = document.getElementById("controls");
  box.hidden = false;
  box.open = innerWidth > 700 && axes.flatMap(axis => axis.values).length < 20;
}

// The rows of a figure that the filter leaves, with the texts made from their cell's axes.
function rowsOf(figure, colour) {
  const names = Object.keys(figure.rows), count = names.length ? figure.rows[names[0]].length : 0;
  const about = cells.map((cell, i) => {
    const rest = cell.levels.filter((level, k) => axes[k].name !== figure.line && level !== INACTIVE);
    return { label: cell.label, series: rest.join(", ") || "all", colour: colour < 0 ? cell.label : cell.levels[colour],
      panel: chosen.panel < 0 ? "" : `${axes[chosen.panel].name} ${cell.levels[chosen.panel]}` };
  });
  const rows = [];
  for (let k = 0; k < count; k++) {
    const row = {};
    for (const name of names) row[name] = figure.rows[name][k];
    if (row.cell !== undefined && figure.filtered) {
      if (!visible(row.cell)) continue;
      Object.assign(row, about[row.cell]);
    }
    rows.push(row);
  }
  return rows;
}

// Colours stay with their value whatever the filter hides; beyond seven of them, an even scale.
function coloured(encoding, domain, title) {
  const palette = dark.matches ? DARK : LIGHT;
  const range = domain.length <= palette.length ? { range: palette.slice(0, domain.length) } : { scheme: "viridis" };
  encoding.scale = { domain, ...range };
  if (title) encoding.title = title;
}

function complete(figure, width) {
  const spec = structuredClone(figure.spec), inner = spec.spec ?? spec;
  let colour = chosen.colour;
  if (colour >= 0 && axes[colour].name === figure.line) colour = axes.findIndex(axis => axis.name !== figure.line);
  const alone = colour < 0 && figure.line && axes.length === 1;  // the line's axis is the only one
  let rows = rowsOf(figure, colour);
  if (alone) for (const row of rows) row.colour = row.series;
  const there = new Set(rows.map(row => row.colour));
  const domain = alone ? ["all"] : colour < 0 ? [...new Set(cells.map(cell => cell.label))] : axes[colour].values;
  for (const view of [inner, ...(inner.layer ?? [])])
    for (const channel of ["color", "shape"]) {
      const encoding = view.encoding?.[channel];
      if (encoding?.field === "by") coloured(encoding, encoding.scale.domain);
      else if (encoding?.field !== "colour") continue;
      else if (channel === "color") coloured(encoding, domain, alone ? "cells" : colour < 0 ? "cell" : axes[colour].name);
      else Object.assign(encoding, { scale: { domain }, title: alone ? "cells" : colour < 0 ? "cell" : axes[colour].name });
      const values = encoding.scale.domain.filter(value => encoding.field === "by" || there.has(value));
      const every = Math.ceil(values.length / LEGEND);
      encoding.legend = { ...encoding.legend, values: values.filter((value, i) => i % every === 0),
        columns: width < 500 ? 3 : 8, labelLimit: 160 };
    }
  if (spec.facet) {
    const field = spec.facet.field;
    let panels = [...new Set(rows.map(row => row[field]))];
    if (field === "panel" && chosen.panel >= 0)
      spec.facet.sort = axes[chosen.panel].values.map(value => `${axes[chosen.panel].name} ${value}`);
    if (inner.mark?.type === "rect" && panels.length > HEATS) {
      panels = panels.slice(0, HEATS);
      rows = rows.filter(row => panels.includes(row[field]));
    }
    if (field === "label") spec.facet.sort = panels;
    const fit = Math.max(1, Math.min(figure.panels, panels.length, Math.floor(width / figure.least)));
    const most = Math.ceil(panels.length / Math.ceil(panels.length / fit));
    spec.columns = most;
    const longest = Math.min(150, 7 * Math.max(...rows.map(row => row.label.length), 0));
    const labels = inner.encoding?.y?.field === "label" ? longest + 20 : 56;
    inner.width = Math.max(90, Math.floor((width - labels - 30) / most - 20));
    if (inner.mark?.type === "rect") {  // whole pixels, or the gaps between them show
      const epochs = new Set(rows.map(row => row.epoch)).size, blocks = Math.max(...rows.map(row => row.block));
      inner.width = Math.max(1, Math.floor(inner.width / epochs)) * epochs;
      inner.height = Math.min(14, Math.max(2, Math.round(170 / blocks))) * blocks;
    }
  } else if (spec.hconcat) {
    if (width < 460 * spec.hconcat.length) { spec.vconcat = spec.hconcat; delete spec.hconcat; }
    for (const view of spec.hconcat ?? spec.vconcat) view.width = Math.min(460, width / (spec.hconcat?.length ?? 1) - 80);
  } else inner.width = Math.min(width - 80, 760);
  if (inner.layer && rows.length > HOVERED) inner.layer = inner.layer.filter(view => view.name !== "hover");
  if (coarse.matches) for (const view of [inner, ...(inner.layer ?? [])]) delete view.params;  // a finger scrolls
  if (figure.rows && Object.keys(figure.rows).length) spec.data = { values: rows };
  return { spec, empty: !rows.length && Object.keys(figure.rows).length > 0 };
}

function theme() {
  const style = getComputedStyle(document.documentElement), of = name => style.getPropertyValue(name).trim();
  const words = { labelColor: of("--quiet"), titleColor: of("--text"), titleFontWeight: "normal" };
  return { background: null, font: "system-ui, sans-serif", padding: 4, view: { stroke: null },
    axis: { ...words, gridColor: of("--line"), domainColor: of("--quiet"), tickColor: of("--quiet"), gridOpacity: .6,
      labelFontSize: 11, titleFontSize: 12 },
    legend: { ...words, labelFontSize: 12, titleFontSize: 12, symbolOpacity: 1 }, header: { labelColor: of("--text") },
    title: { color: of("--text") }, rule: { color: of("--quiet") }, facet: { spacing: 18 } };
}

const drawn = new Map(), pending = new Set();
async function drawOne(figure) {
  const place = document.getElementById(figure.name);
  const { spec, empty } = complete(figure, place.clientWidth);
  place.dataset.rows = spec.data?.values.length ?? "";
  drawn.get(figure.name)?.finalize();
  drawn.delete(figure.name);
  if (empty) { place.replaceChildren(element("p", { className: "quiet" }, "The filter leaves nothing here.")); return; }
  const actions = { export: true, source: false, compiled: false, editor: false };
  drawn.set(figure.name, await window.vegaEmbed(place, spec, {
    mode: "vega-lite", renderer: "canvas", actions, config: theme(), downloadFileName: `${document.title}-${figure.name}`,
    tooltip: { theme: dark.matches ? "dark" : "light" } }));
}

// One figure after the other, those in sight first; a newer choice overtakes an older one.
let round = 0;
async function draw() {
  const mine = ++round;
  for (const row of document.querySelectorAll("tr[data-cell]")) row.hidden = !visible(Number(row.dataset.cell));
  const left = cells.filter((cell, i) => visible(i)).length;
  document.getElementById("count").textContent = `${left} of ${cells.length} cells shown`;
  document.body.dataset.drawn = "";
  for (const figure of figures) {
    if (mine !== round) return;
    await drawOne(figure);
    await new Promise(resolve => setTimeout(resolve));
  }
  if (mine === round) document.body.dataset.drawn = "all";
}

controls();
draw();
dark.addEventListener("change", draw);
let width = innerWidth;
addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; draw(); } });
