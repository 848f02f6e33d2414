#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reports in a real browser (Debian's chromium): nothing wider than the page at 1280 and 390 px, whole in print, readable colours.

Usage: report_pages.py TEST_REPORT [--pictures FOLDER [NAME ...]]
TEST_REPORT is build/test/tests/test_report, which writes the pages. With --pictures they are also drawn, to be looked at.
"""
import concurrent.futures
import html
import html.parser
import os
import re
import shutil
import subprocess
import sys
import tempfile

WIDTHS = (1280, 390)
VOID = {"meta", "br", "hr"}
failures, checked = [], 0


def check(ok, what):
    global checked
    checked += 1
    if not ok:
        failures.append(what)
    return ok


def browser(folder, *args):
    """Standard output of one run of the browser; every run has a profile of its own."""
    with tempfile.TemporaryDirectory(dir=folder) as profile:
        done = subprocess.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-extensions",
                               f"--user-data-dir={profile}", *args], capture_output=True, timeout=120)
    return done.stdout.decode(errors="replace")


class Structure(html.parser.HTMLParser):
    """Every element closed in its turn, ids once, no attribute twice, tables with scopes, headings in order."""

    def __init__(self, name):
        super().__init__()
        self.name, self.open, self.ids, self.refers, self.level = name, [], set(), set(), 0

    def handle_starttag(self, tag, attrs):
        names = [k for k, _ in attrs]
        values = dict(attrs)
        check(len(names) == len(set(names)), f"{self.name}: an attribute twice in <{tag}>")
        if "id" in values:
            check(values["id"] not in self.ids, f"{self.name}: id {values['id']} twice")
            self.ids.add(values["id"])
        self.refers.update(values.get("aria-labelledby", "").split())
        check(tag not in ("script", "link", "img", "iframe", "object"), f"{self.name}: <{tag}>")
        check(not any(k.startswith("on") or k in ("src", "href", "style") for k in names), f"{self.name}: {names} in <{tag}>")
        if tag == "html":
            check(values.get("lang") in ("en", "zh-CN"), f"{self.name}: no language")
        if tag == "th":
            check(values.get("scope") in ("row", "col"), f"{self.name}: <th> without scope")
        if re.fullmatch("h[1-6]", tag):
            check(int(tag[1]) <= self.level + 1, f"{self.name}: <{tag}> after a heading of level {self.level}")
            self.level = int(tag[1])
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        check(self.open and self.open.pop() == tag, f"{self.name}: </{tag}> closes nothing")

    def done(self):
        check(not self.open, f"{self.name}: not closed: {self.open}")
        check(self.refers <= self.ids, f"{self.name}: no such id: {self.refers - self.ids}")


def luminance(colour):
    colour = colour if len(colour) == 6 else "".join(c * 2 for c in colour)
    parts = [int(colour[i:i + 2], 16) / 255 for i in (0, 2, 4)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrasts(page):
    """WCAG AA, 4.5 : 1, of each text on each ground it stands on, in both schemes."""
    schemes = re.findall(r":root\{([^}]*)\}", page)
    check(len(schemes) == 2, "not two colour schemes")
    for scheme in schemes:
        colours = dict(re.findall(r"--([a-z-]+):#([0-9a-f]+)", scheme))
        for text, ground in (("text", "page"), ("text", "box"), ("quiet", "page"), ("good", "good-box"), ("bad", "bad-box"), ("warn", "warn-box"),
                             ("good", "page"), ("bad", "page"), ("warn", "page")):
            a, b = sorted((luminance(colours[text]), luminance(colours[ground])))
            check((b + 0.05) / (a + 0.05) >= 4.5, f"--{text} on --{ground}: contrast {(b + 0.05) / (a + 0.05):.2f}")


def framed(folder, name, page, width, script):
    """A page that holds the report in a frame of this width (a window cannot be that narrow)."""
    path = os.path.join(folder, f"{name}-{width}.html")
    with open(path, "w", encoding="utf-8") as f:
        f.write('<!DOCTYPE html><html><head><meta charset="utf-8"><style>body{margin:0}iframe{border:0;display:block}</style></head><body>'
                f'<iframe id="f" width="{width}" height="600" srcdoc="{html.escape(page)}"></iframe>{script}</body></html>')
    return "file://" + path


MEASURE = """<script>f.onload = () => { const d = f.contentDocument.documentElement, wide = [];
for (const e of f.contentDocument.querySelectorAll("main *")) { const r = e.getBoundingClientRect(); if (r.right > f.clientWidth + 1) wide.push(e.tagName); }
document.title = "measured " + d.scrollWidth + " " + d.scrollHeight + " " + wide.join(","); }</script>"""


def measure(folder, name, page, width):
    """(scrollWidth, scrollHeight, elements that stick out)"""
    dom = browser(folder, "--virtual-time-budget=2000", f"--window-size={max(width, 600)},900", "--dump-dom", framed(folder, name, page, width, MEASURE))
    found = re.search(r"<title>measured (\d+) (\d+) ([A-Z0-9,]*)</title>", dom)
    if not check(found, f"{name} at {width}: the browser measured nothing: {dom[:200]!r}"):
        return width, 2000, ""
    return int(found[1]), int(found[2]), found[3]


def draw(folder, out, name, page, width, height, dark):
    url = framed(folder, name + "-drawn", page, width, f"<script>f.height = {height}</script>")
    path = os.path.join(out, f"{name}-{width}-{'dark' if dark else 'light'}.png")
    browser(folder, f"--blink-settings=preferredColorScheme={0 if dark else 1}", f"--window-size={max(width, 500)},{height}", f"--screenshot={path}", url)
    check(os.path.exists(path), f"{path}: not drawn")


def printed(folder, name, path):
    """Pages of the print as a PDF, which stays beside the page."""
    pdf = path[:-5] + ".pdf"
    browser(folder, "--no-pdf-header-footer", f"--print-to-pdf={pdf}", "file://" + path)
    if not check(os.path.exists(pdf), f"{name}: not printed"):
        return None
    with open(pdf, "rb") as f:
        data = f.read()
    check(len(re.findall(rb"/Type\s*/Page\b", data)) in range(1, 9), f"{name}: a strange number of printed pages")
    return pdf


def look_at(folder, out, wanted, file):
    name, path = file[:-5], os.path.join(folder, file)
    with open(path, encoding="utf-8") as f:
        page = f.read()
    structure = Structure(name)
    structure.feed(page)
    structure.close()
    structure.done()
    for width in WIDTHS:
        wide, height, sticks_out = measure(folder, name, page, width)
        check(wide <= width and not sticks_out, f"{name} at {width}: {wide} px wide; sticks out: {sticks_out}")
        if out and (not wanted or name in wanted):
            for dark in (False, True):
                draw(folder, out, name, page, width, height, dark)
    pdf = printed(folder, name, path)
    if pdf and out and (not wanted or name in wanted):
        subprocess.run(["pdftoppm", "-r", "60", "-png", pdf, os.path.join(out, name + "-print")], check=True)


def main():
    install = ["apt-get", "install", "-y", "--no-install-recommends", "chromium", "fonts-noto-cjk", "poppler-utils"]
    if not shutil.which("chromium") and os.geteuid() == 0:
        print(" ".join(install), flush=True)
        subprocess.run(install, env=dict(os.environ, DEBIAN_FRONTEND="noninteractive"), stdout=subprocess.DEVNULL)
    if not shutil.which("chromium"):
        print("report-pages: chromium is missing: " + " ".join(install))
        return 1
    test, out, wanted = sys.argv[1], None, ()
    if len(sys.argv) > 2:
        out, wanted = sys.argv[3], sys.argv[4:]
        os.makedirs(out, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([test, "samples"], env=dict(os.environ, TALLY_PAGES=folder, TALLY_RESULTS=""), check=True, stdout=subprocess.DEVNULL)
        files = sorted(f for f in os.listdir(folder) if f.endswith(".html"))
        check(len(files) >= 2, "no pages")
        with open(os.path.join(folder, files[0]), encoding="utf-8") as f:
            contrasts(f.read())
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda f: look_at(folder, out, wanted, f), files))
    for line in failures:
        print(line)
    print(f"report-pages: {len(files)} pages, {checked} checks, {len(failures)} failed")
    if os.environ.get("TALLY_RESULTS"):
        with open(os.environ["TALLY_RESULTS"], "a") as f:
            f.write(f"report-pages {len(files) if not failures else 0} {len(failures)}\n")
    return 1 if failures else 0


sys.exit(main())
