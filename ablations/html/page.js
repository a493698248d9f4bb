// Shows the figures, of the cells that the reader leaves in, as wide as the window.
const { axes, cells, figures } = JSON.parse(document.getElementById("data").textContent);
const LIGHT = ["#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"];  // Okabe and Ito
const DARK = ["#E8752B", "#4FA8E0", "#1FBF93", "#E09AC2", "#F0B840", "#8FD0F5", "#FFFFFF"];
const MAPS = 12, ENTRIES = 24, HOVERED = 6000;  // the most heat maps, legend entries, points that can be pointed at
const dark = matchMedia("(prefers-color-scheme: dark)");
const coarse = matchMedia("(pointer: coarse)");
for (const figure of figures) figure.rows = unpacked(figure.rows);
const shown = axes.map(axis => new Set(axis.values));

function visible(cell) { return axes.every((axis, i) => shown[i].has(axis.levels[cell])); }

// A list of rows, from columns of which some hold values and how often each is repeated.
function unpacked(table) {
  const names = Object.keys(table);
  const columns = names.map(name => table[name].times
    ? table[name].values.flatMap((value, i) => Array(table[name].times[i]).fill(value)) : table[name]);
  return (columns[0] ?? []).map((_, k) => Object.fromEntries(names.map((name, i) => [name, columns[i][k]])));
}

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
  const box = document.getElementById("controls");
  box.hidden = false;
  box.open = innerWidth > 700 && axes.flatMap(axis => axis.values).length < 20;
}

// A legend names only what is drawn, in as many columns as fit.
function trimmed(encoding, rows, width) {
  if (!encoding?.legend || encoding.type !== "nominal") return;
  const there = new Set(rows.map(row => row[encoding.field]));
  const values = encoding.scale.domain.filter(value => there.has(value)), every = Math.ceil(values.length / ENTRIES);
  const longest = Math.min(34, Math.max(...values.map(value => value.length)));
  Object.assign(encoding.legend, { values: values.filter((value, i) => i % every === 0), labelLimit: 230,
    columns: Math.max(1, Math.floor(width / (60 + 6.5 * longest))) });
}

function complete(figure, width) {
  const spec = structuredClone(figure.spec), inner = spec.spec ?? spec, views = [inner, ...(inner.layer ?? [])];
  const field = spec.facet?.field;
  let rows = figure.rows.filter(row => row.cell === undefined || visible(row.cell));
  let panels = [...new Set(rows.map(row => row[field]))];
  if (figure.epochs && panels.length > MAPS) {
    panels = panels.slice(0, MAPS);
    rows = rows.filter(row => panels.includes(row[field]));
  }
  for (const encoding of views.flatMap(view => Object.values(view.encoding ?? {}))) trimmed(encoding, rows, width);
  if (field) {
    const names = inner.encoding.y?.field === "label";
    const longest = Math.min(240, width * .55, 6.5 * Math.max(...rows.map(row => row.label.length), 0));
    if (names) inner.encoding.y.axis.labelLimit = longest;
    const fit = Math.max(1, Math.min(figure.panels, panels.length, Math.floor(width / figure.least)));
    spec.columns = Math.ceil(panels.length / Math.ceil(panels.length / fit));  // rows of the same length
    inner.width = Math.max(90, Math.floor((width - (names ? longest + 20 : 56) - 30) / spec.columns - 20));
    if (figure.epochs) inner.width = { step: Math.max(1, Math.floor(inner.width / figure.epochs)) };
  } else inner.width = Math.min(width - 80, 760);
  if (inner.layer && rows.length > HOVERED) inner.layer = inner.layer.filter(view => view.name !== "hover");
  if (coarse.matches) for (const view of views) delete view.params;  // a finger scrolls
  return { ...spec, data: { values: rows } };
}

function theme() {
  const style = getComputedStyle(document.documentElement), of = name => style.getPropertyValue(name).trim();
  const words = { labelColor: of("--quiet"), titleColor: of("--text"), titleFontWeight: "normal" };
  const narrow = innerWidth < 600 ? { layout: { top: { direction: "vertical" } } } : {};
  return { background: null, font: "system-ui, sans-serif", padding: 4, view: { stroke: null },
    range: { category: dark.matches ? DARK : LIGHT },
    axis: { ...words, gridColor: of("--line"), domainColor: of("--quiet"), tickColor: of("--quiet"), gridOpacity: .6,
      labelFontSize: 11, titleFontSize: 12 },
    legend: { ...words, ...narrow, labelFontSize: 12, titleFontSize: 12, symbolOpacity: 1 },
    header: { labelColor: of("--text") }, title: { color: of("--text") }, rule: { color: of("--quiet") },
    facet: { spacing: 18 } };
}

const drawn = new Map();
async function drawOne(figure) {
  const place = document.getElementById(figure.name), spec = complete(figure, place.clientWidth);
  place.dataset.rows = spec.data.values.length;
  drawn.get(figure.name)?.finalize();
  drawn.delete(figure.name);
  if (!spec.data.values.length) {
    place.replaceChildren(element("p", { className: "quiet" }, "The filter leaves nothing to draw."));
    return;
  }
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
  const left = [...Array(cells).keys()].filter(visible).length;
  document.getElementById("count").textContent = `${left} of ${cells} cells shown`;
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
