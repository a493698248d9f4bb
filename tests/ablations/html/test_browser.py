"""The page in a browser: no complaint, no request, filters that filter, and nothing a record says is obeyed."""

from __future__ import annotations

import shutil
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from threading import Thread

import pytest

from ablations.__main__ import main
from ablations.html.page import page
from ablations.report.answer import Answer
from ablations.search.trials import trial_folder, write_trial
from tests.ablations.conftest import make_plan, make_records
from tests.ablations.html.study_folder import HOSTILE, write_study

pytestmark = pytest.mark.slow

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
CLAIM = {"says": HOSTILE, "source": HOSTILE, "metric": "test_error", "published": 1.5, "expect": "> 0"}


@pytest.fixture(scope="module")
def chromium():
    if CHROMIUM is None:
        pytest.skip("there is no Chromium: on Debian, apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install -e '.[test]' brings it")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium, tmp_path):
    """opened(plan, records): the page in a browser; whatever it complains of or asks for fails the test."""
    troubles, contexts = [], []

    def open_page(plan, records, **about):
        file = tmp_path / "report.html"
        file.write_text(page(Answer(plan, records, tmp_path)), encoding="utf-8")
        context = chromium.new_context(**({"viewport": {"width": 1200, "height": 900}} | about))
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: troubles.append(message.text))
        tab.on("pageerror", lambda error: troubles.append(str(error)))
        tab.on("request", lambda request: troubles.append(request.url) if request.url.startswith("http") else None)
        tab.goto(file.as_uri())
        drawn(tab)
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []


def drawn(tab):
    tab.wait_for_selector("body[data-drawn=all]", timeout=15_000)


def pixels(tab, name):
    return tab.evaluate(f"document.querySelector('#{name} canvas').toDataURL()")


def count(tab, name):
    return int(tab.get_attribute(f"#{name}", "data-rows"))


@pytest.fixture
def study(tmp_path):
    claim = {"contrast": {"plus": {"block": "plain", "depth": 56}, "minus": {"block": "residual", "depth": 56}}}
    plan = make_plan(claims=[CLAIM | claim])
    records = make_records(plan, lambda axes, seed: axes["depth"] / 10 + seed * (1 + (axes["block"] == "plain")))
    write_study(tmp_path, plan, records.values(), epochs=5, blocks=4)
    return plan, records


def test_the_filters_filter(opened, study):
    tab = opened(*study)
    names = ["claims-0", "errors", "curves", "interaction", "gradient_norm", "gate_openness", "costs"]
    assert [plot.get_attribute("id") for plot in tab.query_selector_all(".plot")] == names
    assert all(tab.query_selector(f"#{name} canvas") for name in names)
    everything, picture = count(tab, "curves"), pixels(tab, "curves")
    assert everything == 6 * 2 * 5
    tab.uncheck("label:text-is('plain') input")
    drawn(tab)
    assert count(tab, "curves") == everything / 2
    assert tab.locator("tr[data-cell]:visible").count() == 3
    assert tab.inner_text("#count") == "3 of 6 cells shown"
    assert "Zoom: Shift and the wheel" in tab.inner_text("#controls")
    assert pixels(tab, "curves") != picture
    tab.uncheck("label:text-is('residual') input")
    drawn(tab)
    assert "leaves nothing" in tab.inner_text("#curves")
    for name in ("plain", "residual"):
        tab.check(f"label:text-is('{name}') input")
    drawn(tab)
    assert count(tab, "curves") == everything
    assert pixels(tab, "curves") == picture


def test_what_is_in_sight_is_drawn_first(opened, study):
    tab = opened(*study, viewport={"width": 1200, "height": 300})
    tab.locator("#costs").scroll_into_view_if_needed()
    tab.evaluate(
        """() => {
          window.order = [];
          new MutationObserver(found => found.forEach(one => order.push(one.target.id)))
            .observe(document.querySelector("main"), { subtree: true, attributeFilter: ["data-rows"] });
        }"""
    )
    tab.uncheck("label:text-is('plain') input", force=True)
    drawn(tab)
    order = tab.evaluate("order")
    assert set(order) == {plot.get_attribute("id") for plot in tab.query_selector_all(".plot")}
    assert order[0] != "claims-0"


def test_the_pointer_is_answered_and_the_wheel_zooms(opened, study):
    tab = opened(*study)
    canvas = tab.locator("#errors canvas")
    canvas.scroll_into_view_if_needed()
    box, before = canvas.bounding_box(), canvas.screenshot()
    tab.mouse.move(box["x"] + 200, box["y"] + 200)
    tab.keyboard.down("Shift")
    tab.mouse.wheel(0, -300)
    tab.keyboard.up("Shift")
    tab.wait_for_timeout(300)
    assert canvas.screenshot() != before
    place = tab.locator("#claims-0 canvas").bounding_box()
    for y, x in product(range(10, int(place["height"]), 10), range(60, int(place["width"]), 12)):  # until a mark is met
        tab.mouse.move(place["x"] + x, place["y"] + y)
        if tab.locator("#vg-tooltip-element.visible").count():
            break
    assert "onerror=hacked" in tab.inner_text("#vg-tooltip-element")


def test_what_a_record_says_is_shown_and_not_obeyed(opened, tmp_path):
    plan = make_plan({"block": [HOSTILE, "b"], "norm": ["x", HOSTILE]}, claims=[CLAIM | {"contrast": {"plus": {}}}])
    plan["study"]["claims"][0]["contrast"] = {"plus": {"block": HOSTILE}, "minus": {"block": "b"}}
    plan["study"]["question"] = HOSTILE
    about = {"note": HOSTILE, "provenance": {"host": HOSTILE}}
    records = make_records(plan, lambda axes, seed: about | ({"cause": HOSTILE, "status": "failed"} if seed else {}))
    write_study(tmp_path, plan, records.values())
    tab = opened(plan, records)
    assert tab.evaluate("typeof hacked") == "undefined"
    assert tab.locator("img").count() == 0
    assert "onerror=hacked=1" in tab.inner_text("h1")


CONTRAST = """() => {
  const numbers = colour => colour.match(/[0-9.]+/g).map(Number);
  const linear = v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => [r, g, b].map(v => linear(v / 255))
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const behind = one => {
    for (let at = one; at; at = at.parentElement) {
      const colour = numbers(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
  };
  return [...document.body.querySelectorAll("*")].filter(one => one.checkVisibility()
    && !one.closest("script, style, .vega-embed") && [...one.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
    .map(one => {
      const [a, b] = [light(numbers(getComputedStyle(one).color)), light(behind(one))];
      return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), one.className + ": " + one.textContent.slice(0, 40)];
    }).filter(([ratio]) => ratio < 4.5);
}"""
CUT = """async () => {
  const found = [];
  for (const plot of document.querySelectorAll(".plot")) {
    const box = document.createElement("div");
    box.innerHTML = await plot.view.toSVG();
    document.body.append(box);
    const { left, right } = box.firstElementChild.getBoundingClientRect();
    for (const text of box.querySelectorAll("text")) {
      const at = text.getBoundingClientRect();
      if (text.textContent.includes("…") || at.left < left - 2 || at.right > right + 2) found.push(text.textContent);
    }
    const longest = one => { const at = one.getBoundingClientRect(); return Math.max(at.width, at.height); };
    for (const axis of box.querySelectorAll(".role-axis")) {  // a title is no longer than its axis
      const title = axis.querySelector(".role-axis-title text"), line = axis.querySelector(".role-axis-domain line");
      if (title && line && longest(title) > longest(line) + 2) found.push(title.textContent);
    }
    box.remove();
  }
  return found;
}"""


@pytest.fixture
def wordy(tmp_path):
    """A study whose cells have long names, with the longest sentences in its claims."""
    grid = {
        "block": ["preactivation_bottleneck", "residual"],
        "norm": ["group_norm_of_thirty_two", "none"],
        "depth": [8, 56],
    }
    claim = {"contrast": {"plus": {"block": "residual", "norm": "none", "depth": 56}}}
    claim["contrast"]["minus"] = claim["contrast"]["plus"] | {"depth": 8}
    long = CLAIM | claim | {"metric": "epochs until train_error <= 25", "published": None}
    plan = make_plan(grid, claims=[CLAIM | claim | {"says": "Deeper nets err more than shallow ones do. " * 4}, long])
    records = make_records(plan, lambda axes, seed: axes["depth"] / 10 + seed * (1 + (axes["block"] == "residual")))
    write_study(tmp_path, plan, records.values(), epochs=5, blocks=4)
    return plan, records


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 1280, 800, 390])
def test_it_fits_and_can_be_read(opened, wordy, width, scheme):
    phone = {"is_mobile": True, "has_touch": True} if width < 500 else {}
    tab = opened(*wordy, viewport={"width": width, "height": 900}, color_scheme=scheme, **phone)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    wide = tab.evaluate("[...document.querySelectorAll('.plot')].filter(p => p.scrollWidth > p.clientWidth + 1).length")
    assert wide == 0
    assert tab.evaluate(CUT) == []
    assert tab.evaluate(CONTRAST) == []
    dark = tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 25, 30)"
    assert dark == (scheme == "dark")
    tab.eval_on_selector("#controls", "details => details.open = true")
    assert ("Tap a line" in tab.inner_text("#controls")) == ("has_touch" in phone)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_site_fits_and_can_be_read_from_a_file_and_from_any_path(chromium, wordy, tmp_path, scheme):
    """Each two of scheme, width and address meet once."""
    out = tmp_path / "www" / "some" / "path"
    assert main(["site", str(out), "--runs", str(tmp_path)]) == 0
    served = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "www"))
    with ThreadingHTTPServer(("127.0.0.1", 0), served) as server:
        Thread(target=server.serve_forever).start()
        addresses = [out.as_uri(), f"http://127.0.0.1:{server.server_port}/some/path"]
        for k, width in enumerate((1400, 800, 390)):
            tab = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            tab.goto(f"{addresses[(k + (scheme == 'dark')) % 2]}/index.html")
            assert tab.evaluate("document.documentElement.scrollWidth") <= width
            assert tab.evaluate(CONTRAST) == []
            assert tab.evaluate("[...document.images].map(one => one.complete && one.naturalWidth > 0)") == [True]
            tab.click("a.says")
            drawn(tab)
            assert tab.locator("li:target .says").count() == 1
            tab.close()
        server.shutdown()


@pytest.mark.long
def test_a_large_study_opens_quickly(opened, tmp_path):
    plan = make_plan({"block": ["plain", "residual"], "depth": list(range(8, 308, 6))})
    records = make_records(plan, lambda axes, seed: axes["depth"] / 7 + seed)
    write_study(tmp_path, plan, records.values(), epochs=100, blocks=8)
    tab = opened(plan, records)
    start = time.monotonic()
    tab.reload()
    tab.wait_for_selector("#errors canvas", timeout=15_000)
    assert time.monotonic() - start < 6  # 0.5 s on two busy cores; the words 0.2 s, all figures 2.8 s
    drawn(tab)


@pytest.mark.parametrize("objectives", [["val_error", "macs"], ["val_error"]], ids=["front", "history"])
def test_a_search_shows_its_trials_and_what_fresh_seeds_made_of_the_best(opened, tmp_path, objectives):
    plan = make_plan({"block": ["plain", "residual"], "depth": [20]})
    space = {"depth": [8, 20, 56], "width": [1, 2]}
    plan["study"] |= {"space": space, "search": {"trials": 12, "objectives": objectives}}
    plan["study"]["tunings"] = [{"name": "t-12345678", "point": {}}]
    records = make_records(plan, lambda axes, seed: 3 + seed)
    write_study(tmp_path, plan, records.values())
    for number in range(12):
        values = dict(zip(objectives, (30.0 - 2 * number, 1e6 * (number + 1)), strict=False))
        at = {"depth": (8, 20, 56)[number % 3], "width": 1 + number % 2}
        about = {"tuning": "t-12345678", "number": number, "state": "complete", "values": values, "point": at}
        about |= {"suggested": at, "constraints": {}, "runs": [], "cell": f"c{number}", "label": f"{number} {HOSTILE}"}
        write_trial(trial_folder(tmp_path, plan["name"], "t-12345678", number), about)
    tab = opened(plan, records)
    canvas = tab.locator("#search canvas")
    canvas.scroll_into_view_if_needed()
    box, said = canvas.bounding_box(), ""
    for x, y in product(range(40, 120, 4), range(16, 120, 4)):  # the first trials are near the upper left corner
        tab.mouse.move(box["x"] + x, box["y"] + y)
        if tab.locator("#vg-tooltip-element.visible").count():
            said = tab.inner_text("#vg-tooltip-element")
            break
    assert "onerror=hacked" in said
    assert tab.evaluate("typeof hacked") == "undefined"
    there = {plot.get_attribute("id") for plot in tab.query_selector_all(".plot")}
    assert there >= {"search", "importance", "slices", "parallel"}
    assert ("progress" in there) == (len(objectives) > 1)
    assert tab.evaluate(CUT) == []
