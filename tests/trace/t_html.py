#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""t_html.py MADE_TRACE: pages of models filled in by hand, opened in a browser without a screen:
all that is known is in them, hands work, names do no harm, a big trace stays usable; and a page
that is broken is not taken for a good one.

Output: TAP. Exit status: 0 all passed, 1 a case failed.
"""

import concurrent.futures
import html
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from tap import Tap

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SECONDS = 90
OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
           "--disable-background-networking", "--disable-component-update", "--disable-sync",
           "--hide-scrollbars", "--virtual-time-budget=10000", "--window-size=1280,1400"]

# --dump-dom makes no frames, for which the page waits before it draws.
FRAMES = "<script>window.requestAnimationFrame = act => setTimeout(act, 1);</script></head>"

# How many lines of pixels have 400 of the inversions' red beside one another.
LOOK = r"""
function redLines() {
	const plot = document.getElementById("plot");
	const {width, height} = plot;
	const data = plot.getContext("2d").getImageData(0, 0, width, height).data;
	let lines = 0;

	for (let y = 0; y < height; y++) {
		let run = 0, most = 0;

		for (let i = 4 * y * width; i < 4 * (y + 1) * width; i += 4) {
			const color = data[i] << 16 | data[i + 1] << 8 | data[i + 2];

			run = color === 0xcf222e ? run + 1 : 0;
			most = Math.max(most, run);
		}
		lines += most >= 400;
	}
	return lines;
}
"""

# As hands would do it; what comes of each is noted in the document.
HANDS = LOOK + r"""
(async () => {
	const root = document.documentElement, plot = document.getElementById("plot"), seen = {};
	const wait = () => new Promise(done => setTimeout(done, 60));
	const note = async name => {
		await wait();
		seen[name] = {from: Number(root.dataset.from), until: Number(root.dataset.until),
			      arrows: Number(root.dataset.arrows),
			      details: document.getElementById("details").textContent};
	};
	/* The address changes some time after a click, by the browser's own clock. */
	const until = async done => {
		for (let i = 0; i < 50 && !done(); i++)
			await wait();
	};
	const key = name => plot.dispatchEvent(new KeyboardEvent("keydown",
		{key: name, bubbles: true, cancelable: true}));
	const at = (ns, id) => {
		const box = plot.getBoundingClientRect();
		const row = document.getElementById(id).getBoundingClientRect();
		const {from, until} = root.dataset;

		return {clientX: box.left + (ns - from) / (until - from) * box.width,
			clientY: row.top + 15, bubbles: true, cancelable: true, pointerId: 1};
	};
	plot.setPointerCapture = () => {};
	await note("start");
	document.querySelector("#inversions a").click();
	await until(() => document.querySelector("#inversions li.here"));
	await note("clicked");
	seen.here = document.querySelectorAll("#inversions li.here").length;
	seen.red = redLines();
	key("0");
	await note("whole");
	plot.dispatchEvent(new PointerEvent("pointermove", at(3e6, "lock-0")));
	await wait();
	const tip = document.getElementById("tip"), told = () => tip.hidden ? "" : tip.textContent;
	seen.tip = told();
	plot.dispatchEvent(new PointerEvent("pointermove", at(3e6, "thread-4103")));
	await wait();
	seen.tip2 = told();
	plot.dispatchEvent(new WheelEvent("wheel", {...at(3e6, "lock-0"), deltaY: -200}));
	await note("wheel");
	plot.dispatchEvent(new PointerEvent("pointerdown", at(3e6, "lock-0")));
	plot.dispatchEvent(new PointerEvent("pointermove", at(4e6, "lock-0")));
	plot.dispatchEvent(new PointerEvent("pointerup", at(4e6, "lock-0")));
	await note("dragged");
	key("ArrowRight");
	await note("right");
	key("Escape");
	key("0");
	key("ArrowDown");
	await note("row");
	key("ArrowDown");
	key(".");
	await note("item");
	key("Enter");
	await note("entered");
	document.dispatchEvent(new KeyboardEvent("keydown", {key: "i", bubbles: true}));
	await until(() => document.getElementById("details").textContent.includes("Inversion 1"));
	await note("next");
	document.getElementById("of-lock").value = "2";
	document.getElementById("of-lock").dispatchEvent(new Event("change"));
	seen.filtered = document.querySelectorAll("#waits tbody tr").length;
	window.dispatchEvent(new Event("beforeprint"));
	seen.printed = [plot.clientHeight, document.getElementById("labels").clientHeight];
	window.dispatchEvent(new Event("afterprint"));
	root.dataset.seen = JSON.stringify(seen);
})();
"""


class Page:
    """What a browser makes of a file."""

    def __init__(self, dom):
        self.dom = dom
        head = re.search(r"<html[^>]*>", dom)
        self.root = dict((name, html.unescape(value)) for name, value in
                         re.findall(r'data-([\w-]+)="([^"]*)"', head.group(0) if head else ""))

    def count(self, pattern):
        return len(re.findall(pattern, self.dom))

    def text(self, ident):
        """All text in the element with this id, up to the end of its kind."""
        found = re.search(rf'<(\w+)[^>]*\bid="{ident}"[^>]*>(.*?)</\1>', self.dom, re.S)
        return html.unescape(re.sub(r"<[^>]*>", "", found.group(2))) if found else ""

    def fault(self):
        """Why it does not work; "": it does."""
        if "error" in self.root:
            return "script error: " + self.root["error"]
        return "" if self.root.get("ready") == "1" else "the script did not come to its end"


class Browser:
    def __init__(self, program, folder):
        self.program = program
        self.folder = folder

    def run(self, *options):
        profile = tempfile.mkdtemp(dir=self.folder)  # its own: two run at a time
        done = subprocess.run([self.program, *OPTIONS, f"--user-data-dir={profile}", *options],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=SECONDS,
                              env={**os.environ, "HOME": profile})
        return done.stdout.decode("utf-8", "replace")

    def open(self, path, fragment=""):
        return Page(self.run("--dump-dom", f"file://{path}{fragment}"))


def make(made, folder, scene):
    path = os.path.join(folder, scene + ".html")
    subprocess.run([made, "html", scene, path], check=True, timeout=SECONDS)
    return path


def changed(path, name, change):
    """A copy, with its text changed, which it must be."""
    with open(path, encoding="utf-8") as stream:
        text = stream.read()
    new = change(text)
    assert new != text
    copy = os.path.join(os.path.dirname(path), name + ".html")
    with open(copy, "w", encoding="utf-8") as stream:
        stream.write(new)
    return copy


def check_words(tap, page):
    tap.ok(not page.fault(), "the script runs to its end", page.fault())
    tap.ok(page.root.get("rows") == "9" and page.count('<div class="row"') == 9
           and all(page.count(f'id="{row}"') for row in (
               "lock-0", "lock-1", "lock-2", "thread-4100", "thread-4101", "thread-4102",
               "thread-4103", "cpu-0", "cpu-1")),
           "a row for each lock, thread and processor", page.root)
    tap.ok("controller[4101] FIFO 80" in page.text("thread-4101")
           and "1 inversion" in page.text("lock-0") and "does not inherit" in page.text("lock-0")
           and "mutex, inherits" in page.text("lock-1")
           and "owner in 1 inversion" in page.text("thread-4102"), "rows say who and what",
           page.text("lock-0"), page.text("thread-4101"))
    listed = page.text("inversions")
    tap.ok(page.text("verdict-title") == "1 priority inversion, 4.20 ms"
           and page.count("<li") == 1 and "controller[4101] FIFO 80 waited 4.20 ms for "
           "the_lock (plant), which logger[4102] FIFO 10 had." in listed
           and "hog, priority 50, ran 4.10 ms on CPU 1" in listed
           and "does not inherit" in listed and "rqpi run --force-pi" in page.text("advice"),
           "the inversion in words, and what to do", page.text("verdict"), listed)
    body = page.text("waits")
    tap.ok(page.count('<tr class="bad"') == 1 and page.count('href="#wait-') == 4
           and "1.200 ms4.20 mscontroller[4101] FIFO 80the_lock (plant)logger[4102] FIFO 10" in body
           and "timed out" in body, "a table of the waits", body)


def check_hands(tap, page):
    seen = json.loads(page.root.get("seen", "{}"))
    tap.ok(not page.fault() and seen, "hands do not break it", page.fault(), page.root)
    if not seen:
        return

    def length(name):
        return seen[name]["until"] - seen[name]["from"]

    tap.ok(seen["start"]["from"] <= 0 and seen["start"]["until"] >= 12000000
           and seen["start"]["arrows"] == 1,
           "it begins with the whole trace, and the boost's arrow", seen["start"])
    tap.ok(0 < seen["clicked"]["from"] < 1200345 and 5400678 < seen["clicked"]["until"] < 7000000
           and "Inversion 1: controller" in seen["clicked"]["details"] and seen["here"] == 1,
           "a click on an inversion goes there, and tells the details", seen["clicked"])
    tap.ok(seen["red"] >= 30, "and it is red, in the lock's row and in the thread's", seen["red"])
    tap.ok(seen["whole"]["from"] <= 0 and seen["whole"]["until"] >= 12000000, "0 shows all of it")
    tap.ok("Inversion 1: controller[4101]" in seen["tip"]
           and "ran on CPU 1 for 4.10 ms, priority 50" in seen["tip2"],
           "what is under the pointer is told", seen["tip"], seen["tip2"])
    tap.ok(length("wheel") < 0.8 * length("whole"), "the wheel zooms", seen["wheel"])
    tap.ok(abs(seen["wheel"]["from"] - seen["dragged"]["from"] - 1000000) < 20000
           and abs(length("wheel") - length("dragged")) < 10, "a drag moves it", seen["dragged"])
    tap.ok(seen["right"]["from"] > seen["dragged"]["from"], "an arrow key moves it")
    tap.ok("Inversion 1" in seen["row"]["details"] and "timed out" in seen["item"]["details"],
           "keys choose a row and what is in it", seen["row"], seen["item"])
    tap.ok(length("entered") < length("item") and 6e6 > seen["entered"]["from"] > 5e6,
           "Enter zooms to it", seen["entered"])
    tap.ok("Inversion 1" in seen["next"]["details"], "i goes to the next inversion")
    tap.ok(seen["filtered"] == 2, "the table can be had for one lock", seen["filtered"])
    tap.ok(seen["printed"][0] == seen["printed"][1] > 200, "all rows are printed", seen["printed"])


def check_names(tap, page, path):
    with open(path, "rb") as stream:
        data = stream.read()
    text = data.decode("utf-8")
    tap.ok(not page.fault() and page.root.get("rows") == "13", "names do not break the page",
           page.fault(), page.root)
    rows = [page.text(f"thread-{tid}") for tid in range(4110, 4120)]
    wanted = ['"quoted"\\[4110] FIFO 1', "</script>[4111]", "<!--<script>[4112]",
              "\ufffd\ufffd latin \ufffd[4113]", "\u00e9t\u00e9 \u20ac[4114]", "\ufffd\ufffd[4115]",
              "\ufffd" * 5 + "[4116]", "a\ufffdb\ufffdc\ufffd\ufffd[4117]", "&amp; %s %n[4118]",
              "__proto__[4119]"]
    tap.ok(all(want in row for want, row in zip(wanted, rows)), "and are shown as they are", rows)
    tap.ok(page.count("<img") == 0 and "<img src=x onerror=alert(1)>" in page.text("command"),
           "the command makes no elements", page.text("command"))
    tap.ok(text.count("</script") == 2 and len(re.findall("<script", text)) == 2,
           "nothing in the data looks like an element")
    away = re.findall(r"https?:|//\w+\.\w|\bsrc=|@import|\burl\(|<link|fetch\(|XMLHttp|import\(",
                      page_code(text))
    tap.ok(not away and "default-src 'none'" in text, "the page asks for nothing", away)


def page_code(text):
    """The page without its data."""
    return re.sub(r'(id="data">).*?(</script>)', r"\1\2", text, flags=re.S)


def check_others(tap, preload, crowd, empty, big):
    tap.ok(not preload.fault() and preload.root.get("rows") == "5"
           and preload.count('id="cpu-') == 0
           and "tracefs is not mounted" in preload.text("notes")
           and preload.text("verdict-title") == "2 priority inversions, the longest 1.50 s",
           "without events of the kernel: waits alone, and the reason", preload.fault(),
           preload.root, preload.text("notes"))
    tap.ok(not crowd.fault() and crowd.root.get("rows") == "14" and crowd.root.get("arrows") == "7"
           and crowd.text("slept-title") == "1 signal or broadcast slept inside of a condition "
           "variable, 17.0 ms" and "hog[4103] FIFO 50 slept in a broadcast of idle (crowd)"
           in crowd.text("slept") and 'id="slept" class="found warn" aria-labelledby='
           '"slept-title" hidden' in empty.dom,
           "a signal that slept inside of its condition variable is told", crowd.fault(),
           crowd.root, crowd.text("slept"))
    tap.ok(not empty.fault() and empty.root.get("rows") == "0"
           and empty.text("verdict-title") == "No priority inversion in this trace",
           "a trace in which nothing happened", empty.fault(), empty.root)
    drawn = int(big.root.get("drawn", "0"))
    tap.ok(not big.fault() and big.count("<li") == 10 and big.count('href="#wait-') == 200
           and "200 of 5000" in big.text("waits-shown"), "a big trace, its table in parts",
           big.fault(), big.text("waits-shown"))
    # 37 lines of 980 pixels: what there is for each, not the 200,000 things in them.
    tap.ok(0 < drawn < 37 * 980, f"of a big trace only what can be seen is drawn: {drawn} bars")


def main(made):
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not browser:
        print("ok 1 - the page in a browser # SKIP there is no chromium here")
        print("1..1")
        return 0
    tap = Tap()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        chrome = Browser(browser, folder)
        path = {scene: make(made, folder, scene)
                for scene in ("inversion", "names", "preload", "crowd", "empty", "big")}
        hands = changed(path["inversion"], "hands", lambda t: t.replace(
            "</head>", FRAMES).replace("</body>", f"<script>{HANDS}</script></body>"))
        calm = changed(path["inversion"], "calm", lambda t: re.sub(
            r"(\[0,4101,0,)33,", r"\g<1>32,", t).replace(
                "</head>", FRAMES).replace("</body>", f"<script>{LOOK}setTimeout(() => "
                "document.documentElement.dataset.red = redLines(), 60);</script></body>"))
        cut = changed(path["inversion"], "cut", lambda t: t.replace('"boosts":[', '"boosts":'))
        wild = changed(path["names"], "wild", lambda t: t.replace("\\u003c", "<"))
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            big = pool.submit(chrome.open, path["big"])
            words = pool.submit(chrome.open, path["inversion"])
            moved = pool.submit(chrome.open, hands)
            named = pool.submit(chrome.open, path["names"])
            preload = pool.submit(chrome.open, path["preload"], "#inversion-2")
            crowd = pool.submit(chrome.open, path["crowd"])
            empty = pool.submit(chrome.open, path["empty"])
            spoilt = pool.submit(chrome.open, cut)
            hurt = pool.submit(chrome.open, wild)
            orange = pool.submit(chrome.open, calm, "#wait-1")
        check_words(tap, words.result())
        check_hands(tap, moved.result())
        check_names(tap, named.result(), path["names"])
        check_others(tap, preload.result(), crowd.result(), empty.result(),
                     big.result())
        tap.ok(orange.result().root.get("red") == "0" and not orange.result().fault(),
               "planted: a wait that is no inversion is not red", orange.result().root)
        tap.ok(spoilt.result().fault() != "", "planted: data that is no JSON is a fault")
        tap.ok(hurt.result().fault() != "", "planted: names that end the element are a fault")
    print(f"1..{tap.number}")
    return 1 if tap.bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
