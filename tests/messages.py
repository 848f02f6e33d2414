#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The texts for people that the sources hold, and their translations (docs/messages.md).

messages.py template      a catalogue without translations, on standard output
messages.py missing       texts that cli/po/zh_CN.po lacks, as entries to be filled in, and those it has too many
messages.py merge FILE    takes the entries of FILE into cli/po/zh_CN.po, and drops those that are none any more
messages.py table         rewrites the table of docs/messages.md
messages.py check         all of it is complete: the test
"""
import collections
import errno
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PO = os.path.join(ROOT, "cli/po/zh_CN.po")
TABLE = os.path.join(ROOT, "docs/messages.md")
BEGIN, END = "<!-- table: make messages-table -->\n", "<!-- end of the table -->\n"

# Functions by whose name a text is found: the arguments that are texts, counted from 0.
TEXTS = {"party_fail": [2], "party_hint": [1], "party_log": [2], "party_warn": [2], "party_no_memory": [1], "party_channel_log": [2],
         "party_show": [2], "party_both": [2], "party_say": [1], "party_local": [0], "party_word": [0], "PARTY_TEXT": [0],
         "PARTY_WORD": [0], "party_io_failed": [1], "party_ledger_failed": [2], "party_ledger_damaged": [1],
         "party_agreed_fail": [4], "cli_fail": [2], "cli_hint": [1], "cli_note": [0], "cli_advise": [0], "cli_print": [0], "cli_yaml_refuse": [2, 3], "stage": [1]}
FAIL = {"party_fail": (1, 2), "cli_fail": (1, 2)}  # status, message
HINT = {"party_hint": 1, "cli_hint": 1}
NOT_TEXTS = {"party_text_add", "party_text", "party_csv_next", "party_csv_field_write", "cli_catalogue_find",
             "cli_format_same", "translate", "conversions", "needs_quotes"}  # of checkpoints and proofs: what is signed is English
MACROS = {"PRIu64": "lu", "PRId64": "ld", "PRIu32": "u", "PRId32": "d", "PRIu16": "u", "PRIx64": "lx"}

# Texts that no function's name finds: the literals of a definition, by a regular expression for its beginning. Those of
# psi/ and proto/ are reasons, which party/ puts into a message.
TABLES = [("party/profile.c", r"reject_names\[\] = "), ("party/csv.c", r"\*party_csv_\w+\("), ("party/summary.c", r"\*tally_status_name\("),
          ("party/agreement_value.c", r"\*strange_number\("), ("party/held.c", r"narrow\[\] ="), ("party/held.c", r"others_key\[\] ="),
          ("party/held.c", r"static const char hint\[\] ="), ("party/link.c", r"see_log\[\] ="), ("party/link.c", r"const char \*hint ="),
          ("party/peer.c", r"tally_status party_peer_alert\("), ("party/session.c", r"phase_names\["),
          ("party/plan.c", r"bounds\[\] ="), ("party/greeting.c", r"party_choose\("), ("proto/abort.c", r"texts\[\] ="),
          ("party/ledger_append.c", r"\*nearly\("), ("cli/estimate.c", r"hints\[\] = "),
          ("cli/ping.c", r"step_names\[\] = "), ("party/ledger_read.c", r"const char \*const names\[\] = \{\"\", \"intent")]
REASON = re.compile(r'\b(?:return|\*?why =|wrong =|(?:hint|what|message) =)\s+((?:"(?:[^"\\]|\\.)*"\s*)+)[;,]')
# What the system says of a file or a socket.
SYSTEM = ["ENOENT", "EACCES", "EPERM", "EISDIR", "ENOTDIR", "EEXIST", "ENOSPC", "EDQUOT", "EROFS", "EIO", "EMFILE", "ENFILE", "ENOMEM",
          "EINVAL", "EPIPE", "EBADF", "EFBIG", "ENAMETOOLONG", "ELOOP", "EBUSY", "ENODEV", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT",
          "EHOSTUNREACH", "ENETUNREACH", "EADDRINUSE", "EADDRNOTAVAIL", "EAGAIN", "ENOTEMPTY", "EXDEV"]
RESOLVER = ["Name or service not known", "Temporary failure in name resolution", "Non-recoverable failure in name resolution",
            "No address associated with hostname", "Address family for hostname not supported"]
# What OpenSSL calls the alerts that a peer may end TLS 1.3 with and that have no words of ours.
ALERTS = ["unexpected_message", "bad record mac", "record overflow", "handshake failure", "illegal parameter", "decode error",
          "decrypt error", "protocol version", "insufficient security", "internal error", "user canceled", "unsupported extension",
          "unrecognized name"]

Call = collections.namedtuple("Call", "file line name args")
Text = collections.namedtuple("Text", "file line text")


def literal(token):
    """The text of a C literal."""
    body = token[1:-1]
    plain = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'", "0": "\0", "a": "\a"}

    def one(m):
        c = m[1]
        if re.fullmatch(r"[0-7]{1,3}", c):
            return chr(int(c, 8))
        if c[0] == "x":
            return chr(int(c[1:], 16))
        return plain.get(c, c)
    return re.sub(r"\\([0-7]{1,3}|x[0-9a-fA-F]+|.)", one, body)


TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|[A-Za-z_]\w*|\d[\w.]*|\s+|.', re.S)


def strip_comments(text):
    """Comments become blanks, lines stay."""
    def blank(m):
        return m[0] if m[0][0] in "\"'" else re.sub(r"[^\n]", " ", m[0])
    return re.sub(r'"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'|/\*.*?\*/|//[^\n]*', blank, text, flags=re.S)


def pieces(text):
    """Help as cli_show_help translates it; lines that are a command stay."""
    out, at, lines = [], 0, text.rstrip("\n").split("\n")
    while at < len(lines):
        one, at = lines[at], at + 1
        while one and at < len(lines) and (lines[at].startswith(" " * 7) or (
                not one.endswith(":") and one[0] != " " and lines[at] and lines[at][0] != " ")):
            one, at = one + "\n" + lines[at], at + 1
        if one and (not one.startswith(("  tally ", "      --identity bank-id --peer", "      --peer sha256:...", "      --input bank", "      --key sha256:...",
                                        "      --output over")) or "#" in one):
            out.append(one)
    return out


class Sources:
    def __init__(self):
        self.text, self.defines = {}, dict(MACROS)
        for folder in ("party", "cli", "proto", "psi"):
            for name in sorted(os.listdir(os.path.join(ROOT, folder))):
                if name.endswith((".c", ".h")):
                    path = f"{folder}/{name}"
                    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
                        self.text[path] = strip_comments(f.read())
        for text in self.text.values():
            for m in re.finditer(r"^#define (\w+)[ \t]+((?:[^\n\\]|\\\n|\\.)*)", text, re.M):
                self.defines.setdefault(m[1], m[2].replace("\\\n", " "))
        self.wrappers = collections.defaultdict(dict)  # of a file (or "" for all): name -> arguments
        self.find_wrappers()

    def strings(self, source, depth=0):
        """The texts of an expression: literals that stand together are one, those of ?: are two."""
        found, current = [], None
        tokens = [t for t in TOKEN.findall(source) if not t.isspace()]
        i = 0
        while i < len(tokens):
            t = tokens[i]
            value = None
            if t[0] == '"':
                value = literal(t)
            elif t in ("PARTY_WORD", "PARTY_TEXT") and i + 1 < len(tokens) and tokens[i + 1] == "(":
                current = None  # a text of its own, found by its name
                deep = 0
                while True:
                    i += 1
                    deep += {"(": 1, ")": -1}.get(tokens[i], 0)
                    if not deep:
                        break
                i += 1
                continue
            elif t in ("PARTY_WHOLE", "PARTY_OF_WHOLE"):
                pass
            elif t in MACROS:
                value = MACROS[t]
            elif t in self.defines and depth < 4:
                inner = self.strings(self.defines[t], depth + 1)
                value = inner[0] if len(inner) == 1 and '"' in self.defines[t] else None
            if value is None:
                current = None
                if t == "(" and i and re.fullmatch(r"[A-Za-z_]\w*", tokens[i - 1]) and tokens[i - 1] != "return":
                    deep = 0  # the arguments of another call are its own
                    while True:
                        deep += {"(": 1, ")": -1}.get(tokens[i], 0)
                        if not deep:
                            break
                        i += 1
            elif current is None:
                found.append(value)
                current = len(found) - 1
            else:
                found[current] += value
            i += 1
        return found

    def arguments(self, text, at):
        """From behind the opening bracket: the arguments, and where they end."""
        out, deep, start = [], 0, at
        for m in TOKEN.finditer(text, at):
            t = m[0]
            if t in "([{":
                deep += 1
            elif t in ")]}":
                if not deep:
                    out.append(text[start:m.start()])
                    return out, m.start()
                deep -= 1
            elif t == "," and not deep:
                out.append(text[start:m.start()])
                start = m.end()
        return out, len(text)

    def functions(self, path):
        """Name, parameters, body and whether it is static."""
        text = self.text[path]
        for m in re.finditer(r"^((?:static )?[A-Za-z_][\w \*]*?)\b(\w+)\(([^;{}]*?)\)\n\{\n(.*?)^\}", text, re.M | re.S):
            names = [re.sub(r"\[.*", "", p.strip()).split(" ")[-1].lstrip("*") for p in self.arguments(m[3] + ")", 0)[0]]
            yield m[2], names, m[4], m[1].startswith("static")

    def texts_of(self, path, name):
        return TEXTS.get(name) or self.wrappers[path].get(name) or self.wrappers[""].get(name) or []

    def calls(self, path, text=None):
        text = self.text[path] if text is None else text
        for m in re.finditer(r"\b([A-Za-z_]\w*)\(", text):
            line_start = text.rfind("\n", 0, m.start()) + 1
            if text[line_start:m.start()].startswith("#define") or not self.texts_of(path, m[1]):
                continue
            args, end = self.arguments(text, m.end())
            if re.match(r"\s*(\n\{|;|__attribute__)", text[end + 1:]) and re.match(r"\s*(const )?[a-z_]+ \*?\w+$", args[0]) \
                    and not text[line_start:m.start()].startswith(" "):
                continue  # it is declared or defined here
            yield Call(path, text.count("\n", 0, m.start()) + 1, m[1], args)

    def find_wrappers(self):
        """Functions that pass a parameter on as a text, or take a format."""
        changed = True
        while changed:
            changed = False
            for path in [p for p in self.text if p.startswith(("party/", "cli/"))]:
                for name, parameters, body, is_static in self.functions(path):
                    if name in NOT_TEXTS or name in TEXTS or (name.startswith("party_") and path == "party/error.c"):
                        continue
                    passed = {i for i, p in enumerate(parameters) if p == "format"}
                    for call in self.calls(path, body):
                        named = self.texts_of(path, call.name)
                        for i, arg in enumerate(call.args):
                            whole = i in named and call.args[i].strip() in parameters
                            behind = i > 0 and any("WHOLE" in call.args[k] for k in named if k < len(call.args))
                            if (whole or behind) and arg.strip() in parameters:
                                if whole or i == len(call.args) - 1:
                                    passed.add(parameters.index(arg.strip()))
                    where = self.wrappers[path if is_static else ""]
                    if passed and where.get(name) != sorted(passed):
                        where[name] = sorted(passed | set(where.get(name, [])))
                        changed = True

    def all_texts(self):
        out = []
        for path, text in self.text.items():
            for call in self.calls(path) if path.startswith(("party/", "cli/")) else ():
                for i in self.texts_of(path, call.name):
                    if i < len(call.args):
                        out += [Text(path, call.line, s) for s in self.strings(call.args[i])]
            for m in REASON.finditer(text):
                line = text.count("\n", 0, m.start()) + 1
                out += [Text(path, line, s) for s in self.strings(m[1]) if " " in s]
            for m in re.finditer(r"\b\w*help_\w+\[\] =(.*?);\n", text, re.S):
                line = text.count("\n", 0, m.start()) + 1
                out += [Text(path, line, s) for text in self.strings(m[1]) for s in pieces(text)]
        for path, begin in TABLES:
            m = re.search(begin, self.text[path])
            if not m:
                raise SystemExit(f"{path}: there is no {begin} any more: TABLES of tests/messages.py")
            rest = self.text[path][m.start():]
            end = re.search(r"^\}" if re.match(r"[^={;]*\([^;]*?\)\n\{", rest) else r";\n", rest, re.M).start()
            line = self.text[path].count("\n", 0, m.start()) + 1
            for part in re.findall(r'(?:"(?:[^"\\]|\\.)*"\s*)+', rest[:end]):
                out += [Text(path, line, s) for s in self.strings(part) if not re.search(r"[^ -~]|^[a-z]+[A-Z]\w*$", s)]
        out += [Text("errno", 0, os.strerror(getattr(errno, name))) for name in SYSTEM]
        out += [Text("openssl", 0, name) for name in ALERTS] + [Text("getaddrinfo", 0, name) for name in RESOLVER]
        return out

    def messages(self):
        """Each text once, in the order of the sources."""
        out = collections.OrderedDict()
        for t in self.all_texts():
            words = re.sub(r"%[-0-9.*#+ ]*[hlzjt]*[a-zA-Z]", "", t.text)
            if t.text.startswith("serve: "):
                continue  # log lines that programs read (docs/serve.md)
            if re.search(r"[A-Za-z]", words) or t.text in (", ", "; ", ".", ": ", "%s: %s", "  %s:\n"):
                out.setdefault(t.text, []).append(t)
        return out


# ---- Catalogues ----


def quoted(text):
    def one(c):
        return {"\n": "\\n", "\t": "\\t", '"': '\\"', "\\": "\\\\", "\r": "\\r"}.get(c, c if c >= " " else f"\\{ord(c):03o}")
    lines = text.split("\n")
    if len(lines) > 2 or (len(lines) == 2 and lines[1]):
        parts = [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
        return '""\n' + "\n".join('"' + "".join(map(one, p)) + '"' for p in parts)
    return '"' + "".join(map(one, text)) + '"'


def entry(text, translation, is_format):
    return f"{'#, c-format' + chr(10) if is_format else ''}msgid {quoted(text)}\nmsgstr {quoted(translation)}\n"


def read_po(path):
    """Text -> translation, and the texts marked fuzzy. The head has the text ""."""
    found, fuzzy, flags, key, parts = collections.OrderedDict(), set(), "", None, {}

    def done():
        nonlocal flags, parts, key
        if "msgid" in parts:
            found[parts["msgid"]] = parts.get("msgstr", "")
            if "fuzzy" in flags:
                fuzzy.add(parts["msgid"])
        flags, parts, key = "", {}, None
    with open(path, encoding="utf-8") as f:
        for line in f:
            line = line.rstrip("\n")
            if not line or line.startswith("#~"):
                done()
            elif line.startswith("#,"):
                flags += line
            elif line.startswith("#"):
                continue
            else:
                m = re.match(r'(?:(msgid|msgstr) )?(".*")$', line)
                if not m:
                    raise SystemExit(f"{path}: cannot read: {line}")
                if m[1]:
                    key = m[1]
                    parts[key] = ""
                parts[key] += literal(m[2])
    done()
    return found, fuzzy


def comments_of_head(path):
    with open(path, encoding="utf-8") as f:
        return "".join(line for line in f.read().split("msgid", 1)[0].splitlines(True))


CONVERSION = re.compile(r"%(?:(%)|(?:(\d+)\$)?[-+#0]*(\*|\d+)?(?:\.(\*|\d*))?(hh|h|ll|l|z|j|t)?([diouxXcsfgeE]))")


def conversions(text):
    """What a format takes, argument by argument; None: "5% or more" is no format."""
    out, position, at, numbered = {}, 1, 0, False
    while (at := text.find("%", at)) >= 0:
        m = CONVERSION.match(text, at)
        if not m:
            return None
        at = m.end()
        if m[1]:
            continue
        for star in (m[3], m[4]):
            if star == "*":
                out[position] = "*"
                position += 1
        key = int(m[2]) if m[2] else position
        position += 0 if m[2] else 1
        out[key] = (m[5] or "") + m[6]
        if len(out) > 1 and numbered != bool(m[2]):
            return {0: "numbered and not numbered"}
        numbered = bool(m[2])
    return out


def is_format(text):
    return bool(conversions(text))


def write_po(path, head, comments, messages, translations):
    with open(path, "w", encoding="utf-8") as f:
        f.write(comments + f"msgid \"\"\nmsgstr {quoted(head)}\n")
        for text in messages:
            f.write("\n" + entry(text, translations.get(text, ""), is_format(text)))


def missing(messages):
    have, fuzzy = read_po(PO)
    return ([t for t in messages if not have.get(t) or t in fuzzy], [t for t in have if t and t not in messages])


# ---- The table ----


def statuses():
    """Name of a status -> exit status."""
    with open(os.path.join(ROOT, "psi/tally-status.h"), encoding="utf-8") as f:
        return {name: int(number) % 100 for name, number in re.findall(r"\b(TALLY_ERR_\w+) = -(\d+)", f.read())}


Error = collections.namedtuple("Error", "text statuses hints")
VARIES = "varies"


def status_of(source):
    named = set(re.findall(r"TALLY_ERR_\w+", source))
    return {str(statuses()[n]) for n in named} or ({"10"} if "no_memory" in source else {VARIES})


class Errors:
    """Each message of an error with its exit status and the hints that go with it."""

    def __init__(self, sources):
        self.sources, self.found, self.wrappers = sources, collections.OrderedDict(), {}
        for _ in range(3):
            for path in self.paths():
                for name, parameters, body, is_static in sources.functions(path):
                    self.learn(path, name, parameters, body, is_static)
        for path in self.paths():
            for name, parameters, body, _ in sources.functions(path):
                self.collect(path, name, parameters, body)

    def paths(self):
        return [p for p in self.sources.text if p.startswith(("party/", "cli/")) and p not in ("party/error.c", "cli/message.c")]

    def wrapper(self, path, name):
        return self.wrappers.get((path, name)) or self.wrappers.get(("", name))

    def steps(self, path, body):
        """The errors and hints of a function in the order of its text: kind, texts or parameters, statuses."""
        for call in self.sources.calls(path, body):
            wrapper = self.wrapper(path, call.name)
            if call.name in FAIL:
                status, message = FAIL[call.name]
                rest = call.args[message:]
                if len(rest) > 1 and "WHOLE" in rest[0]:
                    rest = [rest[-1]]
                yield "error", rest[0], status_of(call.args[status]), call.args[status]
            elif call.name == "party_no_memory":
                yield "error", '"out of memory for %s"', {"10"}, ""
            elif call.name in HINT:
                rest = call.args[HINT[call.name]:]
                yield "hint", rest[-1] if len(rest) > 1 and "WHOLE" in rest[0] else rest[0], set(), ""
            elif wrapper:
                def arg(i):
                    return call.args[i] if i is not None and i < len(call.args) else ""
                given = status_of(arg(wrapper["status_at"])) if wrapper["status_at"] is not None else wrapper["statuses"]
                yield "error", arg(wrapper["text"]), given, arg(wrapper["status_at"])
                if wrapper["hint"] is not None:
                    yield "hint", arg(wrapper["hint"]), set(), ""
                for hint in wrapper["hints"]:
                    yield "hint", hint, set(), ""

    def learn(self, path, name, parameters, body, is_static):
        if name in FAIL or name in HINT or name == "party_no_memory":
            return
        text = hint = status_at = None
        found, hints = set(), []
        for kind, source, status, status_source in self.steps(path, body):
            source = source.strip()
            word = re.fullmatch(r"party_word\((\w+)\)", source)
            source = word[1] if word else source
            if kind == "error" and source in parameters and text is None:
                text, found = parameters.index(source), status
                if status_source.strip() in parameters:
                    status_at = parameters.index(status_source.strip())
            elif kind == "hint" and source in parameters:
                hint = parameters.index(source)
            elif kind == "hint" and text is not None:
                hints.append(source)
        if text is None and "format" in parameters and re.search(r"party_both_of\(|party_fail_of\(", body):
            text = parameters.index("format")
            for kind, source, status, _ in self.steps(path, body):
                found |= status if kind == "error" else set()
                if kind == "hint" and source.strip() in parameters:
                    hint = parameters.index(source.strip())
                elif kind == "hint":
                    hints.append(source)
        if text is not None:
            self.wrappers[(path if is_static else "", name)] = {"text": text, "hint": hint, "status_at": status_at,
                                                               "statuses": found or {VARIES}, "hints": hints}

    def collect(self, path, name, parameters, body):
        if name == "party_no_memory":
            return
        last = []
        follows_hint = False
        for kind, source, status, _ in self.steps(path, body):
            texts = self.sources.strings(source)
            if kind == "hint":
                follows_hint = True
                for text in last:
                    for hint in texts:
                        if hint not in self.found[text].hints:
                            self.found[text].hints.append(hint)
                continue
            if follows_hint or not texts or len(last) > 6:
                last = []
            follows_hint = False
            for text in texts:
                if not re.search(r"[A-Za-z]", re.sub(r"%[-0-9.*#+ ]*[hlzjt]*[a-zA-Z]", "", text)):
                    continue
                self.found.setdefault(text, Error(text, set(), []))
                self.found[text].statuses.update(status)
                last = [text] if texts.index(text) == 0 else last + [text]


def shown(text):
    text = re.sub(r"%(?:\d+\$)?[-+#0-9.*]*(?:hh|h|ll|l|z|j|t)?[diouxXcsfgeE]", "…", text).replace("%%", "%")
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ").replace("*", "\\*")


def table(sources):
    """Generated from the sources: what docs/messages.md holds between its two marks."""
    errors = Errors(sources).found
    advice = dict(re.findall(r'\{(TALLY_ERR_\w+),\s*PARTY_TEXT\(((?:"(?:[^"\\]|\\.)*"\s*)+)\)\}', sources.text["cli/message.c"]))
    out = ["| status | what to do where the message has no hint of its own |", "|---|---|"]
    for name, number in sorted(statuses().items(), key=lambda s: (s[1], s[0])):
        if name in advice:
            what = name[len("TALLY_ERR_"):].lower().replace("_", " ")
            out.append(f"| {number} ({what}) | {shown(sources.strings(advice[name])[0])} |")
    out += ["", "| message | status | hint |", "|---|---|---|"]

    def order(e):
        numbers = sorted(int(s) for s in e.statuses if s != VARIES)
        return (numbers[0] if numbers else 99, shown(e.text).lstrip("…:\"' ").lower())
    for e in sorted(errors.values(), key=order):
        numbers = [str(n) for n in sorted(int(s) for s in e.statuses if s != VARIES)] or [VARIES]
        out.append(f"| {shown(e.text)} | {', '.join(numbers)} | {'; or: '.join(shown(h) for h in e.hints)} |")
    return "\n".join(out) + "\n"


def with_table(sources):
    with open(TABLE, encoding="utf-8") as f:
        text = f.read()
    before, rest = text.split(BEGIN, 1)
    return text, before + BEGIN + "\n" + table(sources) + "\n" + END + rest.split(END, 1)[1]


# ---- The test ----


def check(sources, messages):
    """What is wrong, one line each."""
    out = []
    lacking, extra = missing(messages)
    have, fuzzy = read_po(PO)
    out += [f"cli/po/zh_CN.po: not translated: {t[:90]!r} (make messages-missing)" for t in lacking]
    out += [f"cli/po/zh_CN.po: not in the sources: {t[:90]!r}" for t in extra]
    out += [f"cli/po/zh_CN.po: fuzzy: {t[:90]!r}" for t in fuzzy]
    for text, translation in have.items():
        if not text or not translation:
            continue
        wanted = conversions(text)
        if wanted is not None and conversions(translation) != wanted:
            out.append(f"cli/po/zh_CN.po: other conversions than in {text[:90]!r}")
        if text.endswith("\n") != translation.endswith("\n") or text.startswith("\n") != translation.startswith("\n"):
            out.append(f"cli/po/zh_CN.po: line ends differ at begin or end: {text[:90]!r}")
    before, after = with_table(sources)
    if before != after:
        out.append("docs/messages.md: the table is not what the sources say (make messages-table)")
    for name in sorted(os.listdir(os.path.join(ROOT, "docs/man"))):
        if not name.endswith(".1"):
            continue
        translated = os.path.join(ROOT, "docs/man/zh_CN", name)
        if not os.path.exists(translated):
            out.append(f"docs/man/zh_CN/{name}: not translated")
            continue
        options = [set(re.findall(r"\\-\\-[a-z]+(?:\\-[a-z]+)*", open(p, encoding="utf-8").read()))
                   for p in (os.path.join(ROOT, "docs/man", name), translated)]
        out += [f"docs/man/zh_CN/{name}: has no {o.replace(chr(92), '')}" for o in sorted(options[0] - options[1])]
    advised = set(re.findall(r"\{(TALLY_ERR_\w+),", sources.text["cli/message.c"]))
    out += [f"cli/message.c: no general hint for {n}" for n in statuses() if n not in advised | {"TALLY_ERR_INTERRUPTED"}]
    for path, text in sources.text.items():
        if not path.startswith(("party/", "cli/")) or path in ("party/error.c", "cli/message.c"):
            continue
        for call in sources.calls(path):
            named = FAIL[call.name][1] if call.name in FAIL else HINT.get(call.name)
            if named is not None and named < len(call.args) and re.match(r'"(%s(: )?)+"$', call.args[named].strip()) and \
                    call.args[named].count("%s") == len(call.args) - named - 1 and \
                    not re.search(r"party_(message_of|hint_of|word|system_text)\(|PARTY_WORD|name|path", call.args[-1]):
                out.append(f"{path}:{call.line}: a message that is passed on as %s is not translated: PARTY_WHOLE (party/error.h)")
    return out


def main():
    what = sys.argv[1] if len(sys.argv) > 1 else ""
    sources = Sources()
    messages = sources.messages()
    if what == "template":
        for text, places in messages.items():
            print("#: " + " ".join(f"{p.file}:{p.line}" for p in places[:3]))
            print(entry(text, "", is_format(text)))
    elif what == "missing":
        lacking, extra = missing(messages)
        for text in lacking:
            print("#: " + " ".join(f"{p.file}:{p.line}" for p in messages[text][:3]))
            print(entry(text, "", is_format(text)))
        for text in extra:
            print("# not in the sources any more: " + repr(text))
        return 0
    elif what == "merge":
        have, fuzzy = read_po(PO)
        new, _ = read_po(sys.argv[2])
        both = {**{k: v for k, v in have.items() if k not in fuzzy}, **{k: v for k, v in new.items() if k and v}}
        write_po(PO, have.get("", ""), comments_of_head(PO), messages, both)
    elif what == "table":
        _, text = with_table(sources)
        with open(TABLE, "w", encoding="utf-8") as f:
            f.write(text)
    elif what == "check":
        wrong = check(sources, messages)
        print("\n".join(wrong + [f"messages  {len(messages)} texts, {len(wrong)} faults"]))
        if os.environ.get("TALLY_RESULTS"):
            with open(os.environ["TALLY_RESULTS"], "a") as f:
                f.write(f"messages {0 if wrong else 1} {1 if wrong else 0}\n")
        return 1 if wrong else 0
    else:
        print(__doc__)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
