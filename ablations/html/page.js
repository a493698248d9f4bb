// Shows the figures, of the cells that the reader leaves in, as wide as the window.
const { axes, cells, figures, light, dark: darkColours } = JSON.parse(document.getElementById("data").textContent);
const PANELS = 12, ENTRIES = 24, HOVERED = 6000;  // the most panels, legend entries, points that can be pointed at
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
  Object.assign(encoding.legend, { values: values.filter((value, i) => i % every === 0),
    columns: Math.max(1, Math.floor(width / (60 + 6.5 * longest(values)))) });
}

// The letters of the longest line of these texts.
function longest(texts) {
  return Math.max(0, ...texts.flatMap(text => String(text ?? "").split("\n").map(line => line.length)));
}

function complete(figure, width) {
  const spec = structuredClone(figure.spec), panels = spec.concat ?? [spec.spec ?? spec];
  const views = panels.flatMap(panel => [panel, ...(panel.layer ?? [])]), field = spec.facet?.field;
  let rows = figure.rows.filter(row => row.cell === undefined || visible(row.cell));
  const there = new Set(rows.map(row => row[field]));
  const order = (spec.facet?.sort ?? [...there]).filter(panel => there.has(panel)).slice(0, PANELS);
  if (field) rows = rows.filter(row => order.includes(row[field]));
  for (const encoding of views.flatMap(view => Object.values(view.encoding ?? {}))) trimmed(encoding, rows, width);
  const names = panels.some(panel => panel.encoding?.y?.field === "row") ? 6.2 * longest(rows.map(row => row.row)) : 0;
  const count = spec.concat?.length ?? order.length;
  if (figure.panels) {
    const fit = Math.max(1, Math.min(figure.panels, count, Math.floor(width / (figure.least + names / 2))));
    spec.columns = Math.ceil(count / Math.ceil(count / fit));  // rows of the same length
  }
  // beside a facet only the first panel of a row has the names; every panel of a concatenation has its own
  const columns = spec.columns ?? 1, beside = names ? names + 20 : 56;
  const space = spec.concat ? width / columns - beside - 24 : (width - beside - 30) / columns - 20;
  for (const panel of panels) {
    const alone = Math.min(width - (panel.encoding.y?.axis === null ? 24 : 72), 760);
    panel.width = figure.panels ? Math.max(60, Math.floor(space)) : alone;
    if (figure.epochs) panel.width = { step: Math.max(1, Math.floor(panel.width / figure.epochs)) };
    if (panel.layer && rows.length > HOVERED) panel.layer = panel.layer.filter(view => view.name !== "hover");
  }
  if (coarse.matches) for (const view of views) delete view.params;  // a finger scrolls
  return { ...spec, data: { values: rows } };
}

function theme() {
  const style = getComputedStyle(document.documentElement), of = name => style.getPropertyValue(name).trim();
  const words = { labelColor: of("--quiet"), titleColor: of("--text"), titleFontWeight: "normal" };
  const narrow = innerWidth < 600 ? { layout: { top: { direction: "vertical" } } } : {};
  return { background: null, font: "system-ui, sans-serif", padding: 4, view: { stroke: null },
    range: { category: dark.matches ? darkColours : light },
    axis: { ...words, gridColor: of("--line"), domainColor: of("--quiet"), tickColor: of("--quiet"), gridOpacity: .6,
      labelFontSize: 11, titleFontSize: 12 },
    legend: { ...words, ...narrow, labelFontSize: 12, titleFontSize: 12, symbolOpacity: 1 },
    header: { labelColor: of("--text") }, title: { color: of("--text"), subtitleColor: of("--quiet") }, text: { color: of("--text") }, rule: { color: of("--quiet") },
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
