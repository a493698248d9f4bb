// Draws the figures from the embedded numbers, with the cells, colours and panels that the reader chooses.
const { axes, cells, figures } = JSON.parse(document.getElementById("data").textContent);
const LIGHT = ["#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"];  // Okabe and Ito
const DARK = ["#E8752B", "#4FA8E0", "#1FBF93", "#E09AC2", "#F0B840", "#8FD0F5", "#FFFFFF"];
const DASHES = [[1, 0], [6, 3], [2, 2], [9, 3, 2, 3]];  // for the axes that have no colour; as figures.py
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
const lined = figures.filter(figure => figure.spec.spec?.layer?.some(view => view.encoding.strokeDash));
if (lined.some(figure => rolesOf(figure).dashes.length > DASHES.length)) chosen.colour = -1;

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

// What a cell is called, beside the axes that are shown otherwise; among words, a number says what it is of.
function named(cell, without) {
  const left = axes.map((axis, i) => i).filter(i => !without.includes(i));
  const said = i => left.length > 1 && isFinite(cell.levels[i]) ? `${axes[i].name.split(".").pop()}=` : "";
  return left.filter(i => cell.levels[i] !== INACTIVE).map(i => said(i) + cell.levels[i]).join(", ");
}

// Which axis a figure has as colour, and what its dashes and, without such an axis, its colours tell apart.
function rolesOf(figure) {
  const line = axes.findIndex(axis => axis.name === figure.line);
  const panel = figure.spec.facet?.field === "panel" ? chosen.panel : -1;
  const colour = chosen.colour >= 0 && chosen.colour === line ? axes.findIndex((axis, i) => i !== line) : chosen.colour;
  const about = cells.map(cell => {
    const rest = named(cell, [line, panel]) || "all";
    return { label: cell.label, series: named(cell, [line]) || "all", colour: colour < 0 ? rest : cell.levels[colour],
      dash: colour < 0 ? "" : named(cell, [line, panel, colour]) || INACTIVE,
      panel: panel < 0 ? "" : `${axes[panel].name} ${cell.levels[panel]}` };
  });
  const groups = new Map();  // dashes are needed only where one colour of a panel has several
  for (const one of about) groups.set(one.panel + one.colour, (groups.get(one.panel + one.colour) ?? new Set()).add(one.dash));
  if (![...groups.values()].some(dashes => dashes.size > 1)) for (const one of about) one.dash = "";
  const rest = axes.filter((axis, i) => ![line, panel, colour].includes(i)).map(axis => axis.name).join(", ");
  return { colour, about, rest, dashes: [...new Set(about.map(one => one.dash))],
    domain: colour < 0 ? [...new Set(about.map(one => one.colour))] : axes[colour].values };
}

// The rows of a figure that the filter leaves, with the texts made from their cell's axes.
function rowsOf(figure, about) {
  const names = Object.keys(figure.rows), count = names.length ? figure.rows[names[0]].length : 0;
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

// Lines of a colour are told apart by dashes; more than seven cells by colours and dashes in turn, with one legend.
function told(views, roles) {
  const { colour, dashes, domain, rest } = roles, title = colour < 0 ? "cell" : axes[colour].name;
  const turns = colour < 0 && domain.length > LIGHT.length && domain.length <= LIGHT.length * DASHES.length;
  for (const encoding of views.map(view => view.encoding ?? {})) {
    if (encoding.color?.field === "colour") coloured(encoding.color, domain, title);
    if (encoding.shape?.field === "colour") Object.assign(encoding.shape, { scale: { domain }, title });
    if (encoding.color?.field === "by") coloured(encoding.color, encoding.color.scale.domain);
    if (!views.some(view => view.encoding?.strokeDash)) continue;
    if (turns) {
      const palette = dark.matches ? DARK : LIGHT, turn = some => domain.map((value, i) => some(i));
      if (encoding.color?.field === "colour") Object.assign(encoding.color, {
        scale: { domain, range: turn(i => palette[i % palette.length]) },
        legend: { ...encoding.color.legend, symbolType: "stroke", symbolSize: 500 } });
      if (encoding.strokeDash) Object.assign(encoding.strokeDash, { field: "colour", title,
        scale: { domain, range: turn(i => DASHES[Math.floor(i / palette.length)]) } });
      delete encoding.shape;
    } else if (encoding.strokeDash && dashes.length > 1 && dashes.length <= DASHES.length)
      Object.assign(encoding.strokeDash, { title: rest, scale: { domain: dashes, range: DASHES.slice(0, dashes.length) } });
    else delete encoding.strokeDash;
  }
}

function complete(figure, width) {
  const spec = structuredClone(figure.spec), inner = spec.spec ?? spec, views = [inner, ...(inner.layer ?? [])];
  const roles = rolesOf(figure);
  let rows = rowsOf(figure, roles.about);
  told(views, roles);
  for (const encoding of views.flatMap(view => Object.values(view.encoding ?? {}))) {
    if (!["colour", "dash", "by"].includes(encoding?.field)) continue;
    const there = new Set(rows.map(row => row[encoding.field]));
    const values = encoding.scale.domain.filter(value => there.has(value)), every = Math.ceil(values.length / LEGEND);
    encoding.legend = { ...encoding.legend, values: values.filter((value, i) => i % every === 0),
      columns: Math.max(1, Math.floor(width / (60 + 6.5 * Math.min(34, Math.max(...values.map(value => value.length)))))),
      labelLimit: 230 };
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
    const longest = Math.min(240, width * .55, 6.5 * Math.max(...rows.map(row => row.label.length), 0));
    const labels = inner.encoding?.y?.field === "label" ? longest + 20 : 56;
    if (inner.encoding?.y?.field === "label") inner.encoding.y.axis.labelLimit = longest;
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
  if (inner.layer && !rows.some(row => row.note))  // an empty layer would be complained of
    inner.layer = inner.layer.filter(view => !view.name?.startsWith("once"));
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
    legend: { ...words, ...(innerWidth < 600 ? { layout: { top: { direction: "vertical" } } } : {}), labelFontSize: 12, titleFontSize: 12, symbolOpacity: 1 }, header: { labelColor: of("--text") },
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
  const seen = figure => {
    const { top, bottom } = document.getElementById(figure.name).getBoundingClientRect();
    return bottom > 0 && top < innerHeight;
  };
  for (const figure of [...figures.filter(seen), ...figures.filter(figure => !seen(figure))]) {
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
