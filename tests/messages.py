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
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PO = os.path.join(ROOT, "cli/po/zh_CN.po")
TABLE = os.path.join(ROOT, "docs/messages.md")
BEGIN, END = "<!-- table: make messages-table -->\n", "<!-- end of the table -->\n"

# Functions by whose name a text is found: the arguments that are texts, counted from 0.
TEXTS = {"party_fail": [2], "party_hint": [1], "party_log": [2], "party_no_memory": [1], "party_channel_log": [2],
         "party_show": [2], "party_both": [2], "party_say": [1], "party_local": [0], "party_word": [0], "PARTY_TEXT": [0],
         "PARTY_WORD": [0], "party_io_failed": [1], "party_ledger_failed": [2], "party_ledger_damaged": [1],
         "party_agreed_fail": [4], "cli_fail": [2], "cli_hint": [1], "cli_note": [0], "cli_advise": [0], "cli_print": [0]}
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
          ("party/peer.c", r"tally_status party_peer_alert\("), ("party/rows.c", r"not_text\[\] = "), ("party/session.c", r"phase_names\["),
          ("party/plan.c", r"bounds\[\] ="), ("party/greeting.c", r"party_choose\("), ("proto/abort.c", r"texts\[\] ="),
          ("party/ledger_append.c", r"\*nearly\("), ("cli/estimate.c", r"hints\[\] = ")]
REASON = re.compile(r'\b(?:return|\*?why =|wrong =|(?:hint|what|message) =)\s+((?:"(?:[^"\\]|\\.)*"\s*)+)[;,]')
# What the system says of a file or a socket.
SYSTEM = ["ENOENT", "EACCES", "EPERM", "EISDIR", "ENOTDIR", "EEXIST", "ENOSPC", "EDQUOT", "EROFS", "EIO", "EMFILE", "ENFILE", "ENOMEM",
          "EINVAL", "EPIPE", "EBADF", "EFBIG", "ENAMETOOLONG", "ELOOP", "EBUSY", "ENODEV", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT",
          "EHOSTUNREACH", "ENETUNREACH", "EADDRINUSE", "EADDRNOTAVAIL", "EAGAIN", "ENOTEMPTY", "EXDEV"]

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
                out += [Text(path, line, s) for s in self.strings(m[1])]
        for path, begin in TABLES:
            m = re.search(begin, self.text[path])
            if not m:
                raise SystemExit(f"{path}: there is no {begin} any more: TABLES of tests/messages.py")
            rest = self.text[path][m.start():]
            end = re.search(r"^\}" if re.match(r"[^={;]*\([^;]*?\)\n\{", rest) else r";\n", rest, re.M).start()
            line = self.text[path].count("\n", 0, m.start()) + 1
            for part in re.findall(r'(?:"(?:[^"\\]|\\.)*"\s*)+', rest[:end]):
                out += [Text(path, line, s) for s in self.strings(part) if not re.search(r"[^ -~]", s)]
        out += [Text("errno", 0, os.strerror(getattr(errno, name))) for name in SYSTEM]
        return out

    def messages(self):
        """Each text once, in the order of the sources."""
        out = collections.OrderedDict()
        for t in self.all_texts():
            words = re.sub(r"%[-0-9.*#+ ]*[hlzjt]*[a-zA-Z]", "", t.text)
            if re.search(r"[A-Za-z]", words) or t.text in (", ", "."):
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


def is_format(text):
    return "%" in text


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
    with open(os.path.join(ROOT, "psi/tally-status.h"), encoding="utf-8") as f:
        return set(re.findall(r"\b(TALLY_ERR_\w+)", f.read()))


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
        return 1 if lacking or extra else 0
    elif what == "merge":
        have, fuzzy = read_po(PO)
        new, _ = read_po(sys.argv[2])
        both = {**{k: v for k, v in have.items() if k not in fuzzy}, **{k: v for k, v in new.items() if k and v}}
        write_po(PO, have.get("", ""), comments_of_head(PO), messages, both)
    else:
        print(__doc__)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
