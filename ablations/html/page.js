// Shows the figures, of the cells that the reader leaves in, as wide as the window.
const { axes, cells, figures, light, dark: darkColours } = JSON.parse(document.getElementById("data").textContent);
const PANELS = 12, ENTRIES = 24, HOVERED = 6000;  // the most panels, legend entries, points that can be pointed at
const MENU = 40, TALL = 2400;  // pixels: of the button that saves a figure; of a figure that scrolls by itself
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

// The lines of a text that are no wider than so many pixels; a word that is wider is broken.
const pen = document.createElement("canvas").getContext("2d");
function lines(text, pixels, font = "12px system-ui, sans-serif") {
  pen.font = font;
  const found = [];
  for (const line of String(text).split("\n")) {
    let now = "";
    for (const piece of line.split(/(?<=[\s_/-])/).flatMap(word => pen.measureText(word).width > pixels ? [...word] : word)) {
      if (now && pen.measureText((now + piece).trimEnd()).width > pixels) { found.push(now.trimEnd()); now = ""; }
      now += piece;
    }
    found.push(now.trimEnd());
  }
  return found;
}

// The expression that shows each of these words in as many lines as it needs.
function inLines(values, pixels, font) {
  const known = values.map(value => [value, lines(value, pixels, font)]);
  const most = Math.max(1, ...known.map(([, of]) => of.length));
  const wide = Math.max(0, ...known.flatMap(([, of]) => of).map(line => pen.measureText(line).width));
  return { expression: `${JSON.stringify(Object.fromEntries(known))}[datum.label]`, most, wide };
}

// A legend names only what is drawn, whole, in as many columns as fit.
function trimmed(encoding, rows, width) {
  if (!encoding?.legend || encoding.type !== "nominal") return;
  const there = new Set(rows.map(row => row[encoding.field]));
  const values = encoding.scale.domain.filter(value => there.has(value)), every = Math.ceil(values.length / ENTRIES);
  const named = values.filter((value, i) => i % every === 0), { expression, wide } = inLines(named, width - MENU - 60);
  const columns = Math.max(1, Math.floor((width - MENU) / (wide + 45)));
  Object.assign(encoding.legend, { values: named, labelExpr: expression, labelLimit: 0, titleLimit: 0, columns,
    title: encoding.title && lines(encoding.title, width - MENU) });
}

// The names beside an axis, whole, in at most so many pixels; returns how many they take.
function named(panel, rows, most) {
  const y = panel.encoding?.y ?? panel.layer?.map(view => view.encoding?.y).find(y => y?.axis);
  if (y?.axis === null) return 0;
  if (y?.type !== "nominal" || !rows.length) return 56;
  const { expression, most: high, wide } = inLines([...new Set(rows.map(row => row[y.field]))], most, "11px system-ui, sans-serif");
  y.axis = { ...y.axis, labelExpr: expression, labelLimit: 0 };
  if (high > 1 && panel.height?.step) panel.height = { ...panel.height, step: Math.max(panel.height.step, 6 + 13 * high) };
  return wide + 20;
}

// Words inside a panel, in as many lines as they need; the marks below them move down.
function wrapped(panel, rows) {
  const text = panel.layer?.find(view => view.mark?.type === "text" && view.encoding.text?.field === "words");
  if (!text || !panel.height?.step) return rows;
  const found = rows.map(row => lines(row.words.replaceAll("\n", " ").trim(), panel.width - 8, "11px system-ui, sans-serif"));
  const most = column => Math.max(1, ...column.map(one => one.length));
  for (const one of found) one.unshift(...Array(most(found) - one.length).fill(""));
  const more = 13 * (most(found) - most(rows.map(row => row.words.split("\n"))));
  panel.height.step += more;
  for (const { mark } of panel.layer) if (mark.yOffset) mark.yOffset += more / 2;
  text.mark.dy -= more / 2;
  return rows.map((row, i) => ({ ...row, words: found[i].join("\n") }));
}

// The spec of a figure of this width, with its rows; panels beside each other where they fit.
function complete(figure, width) {
  const spec = structuredClone(figure.spec), field = spec.facet?.field;
  const inside = spec.concat ?? [spec.spec ?? spec], views = inside.flatMap(panel => [panel, ...(panel.layer ?? [])]);
  let rows = figure.rows.filter(row => row.cell === undefined || visible(row.cell));
  const there = new Set(rows.map(row => row[field])), order = spec.facet?.sort ?? [...there];
  const panels = field ? order.filter(panel => there.has(panel)).slice(0, PANELS) : inside;
  if (field) rows = rows.filter(row => panels.includes(row[field]));
  for (const encoding of views.flatMap(view => Object.values(view.encoding ?? {}))) trimmed(encoding, rows, width);
  const beside = Math.max(...inside.map(panel => named(panel, rows, Math.min(260, width * .45))));
  if (field || spec.concat) {
    const fit = Math.max(1, Math.min(figure.panels, panels.length, Math.floor(width / figure.least)));
    spec.columns = Math.ceil(panels.length / Math.ceil(panels.length / fit));  // rows of the same length
    const each = spec.concat ? (width - 10) / spec.columns - beside - 20 : (width - beside - 30) / spec.columns - 20;
    const wide = Math.max(90, Math.floor(each));
    for (const panel of inside) panel.width = figure.epochs ? { step: Math.max(1, Math.floor(wide / figure.epochs)) } : wide;
    if (field) {
      const { expression } = inLines(panels, wide, "bold 12px system-ui, sans-serif");
      spec.facet.header = { ...spec.facet.header, labelExpr: expression, labelLimit: 0 };
    }
  } else inside[0].width = Math.min(width - beside - 30, 900);
  for (const panel of inside) if (panel.layer && rows.length > HOVERED) panel.layer = panel.layer.filter(view => view.name !== "hover");
  for (const { encoding } of views) {
    if (typeof encoding?.x?.title === "string") encoding.x.title = lines(encoding.x.title, inside[0].width ?? width - 80);
    if (typeof encoding?.y?.title === "string") encoding.y.title = lines(encoding.y.title, Math.max(170, inside[0].height || 0));
  }
  for (const panel of inside) rows = wrapped(panel, rows);
  if (coarse.matches) for (const view of views) delete view.params;  // a finger scrolls
  return { spec: { ...spec, data: { values: rows } }, more: field ? order.filter(panel => there.has(panel)).length - panels.length : 0 };
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
  const place = document.getElementById(figure.name), room = place.clientWidth;
  for (let width = room, tries = 0; tries < 3; tries++) {
    const { spec, more } = complete(figure, width);
    place.dataset.rows = spec.data.values.length;
    drawn.get(figure.name)?.finalize();
    drawn.delete(figure.name);
    if (!spec.data.values.length) {
      place.replaceChildren(element("p", { className: "quiet" }, "The filter leaves nothing to draw."));
      return;
    }
    const actions = { export: true, source: false, compiled: false, editor: false };
    const { view, finalize } = await window.vegaEmbed(place, spec, {
      mode: "vega-lite", renderer: "canvas", actions, config: theme(), downloadFileName: `${document.title}-${figure.name}`,
      tooltip: { theme: dark.matches ? "dark" : "light" } });
    drawn.set(figure.name, { finalize });
    if (more) place.append(element("p", { className: "quiet" }, `and ${more} more: choose fewer values above to see them`));
    place.view = view;
    place.classList.toggle("tall", place.scrollHeight > TALL);
    const over = place.scrollWidth - place.clientWidth;
    if (over <= 0) return;
    width -= over + 4;  // and drawn once more, narrower
  }
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
