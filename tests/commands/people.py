# SPDX-License-Identifier: Apache-2.0
"""Made-up people, spellings of their numbers, and the plain join every result is compared with."""
import csv
import datetime
import io
import random
import re

DAYS = 21915  # 1940-01-01 .. 1999-12-31: every number also has a 15-digit form
USCC = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def resident_check(d17):
    """ISO 7064 MOD 11-2, GB 11643-1999."""
    return "10X98765432"[sum(int(c) * pow(2, 17 - i, 11) for i, c in enumerate(d17)) % 11]


def resident(i):
    """Resident id of person i: different for different i below 6 * 10^10."""
    date = datetime.date(1940, 1, 1) + datetime.timedelta(days=i * 7919 % DAYS)
    rest = i // DAYS
    d17 = "%06d%s%03d" % (110101 + rest * 31 % 3000, date.strftime("%Y%m%d"), rest // 3000 % 1000)
    return d17 + resident_check(d17)


def old(id18):
    """The 15-digit form of before 1999."""
    assert id18[6:8] == "19"
    return id18[:6] + id18[8:17]


def uscc(i):
    """Unified social credit code of organisation i, GB 32100-2015: weights 3^k mod 31."""
    s17 = "91%06d%09d" % (110000 + i % 3000, i)
    value = (31 - sum(USCC.index(c) * pow(3, k, 31) for k, c in enumerate(s17)) % 31) % 31
    return s17 + USCC[value]


def phone(i):
    return "+8613%09d" % i


def wide(text):
    """Full-width digits and letters."""
    return "".join(chr(ord(c) - 0x20 + 0xFF00) if "!" <= c <= "~" else c for c in text)


def table(ids, name="id_number", line_end="\r\n", seed=1):
    """A list as a registry would export it: quotes, commas, a column beside; rows in an order of their own."""
    ids = list(ids)
    random.Random(seed).shuffle(ids)
    out = [name + ",name,amount"]
    out += ['%s,"Li, No. %d",%d' % (x, k, k * 37 % 9000) for k, x in enumerate(ids)]
    return (line_end.join(out) + line_end).encode()


def records(data):
    """Raw records with their line ends (RFC 4180; quotes open only at the start of a field)."""
    field = rb'(?:"(?:[^"]|"")*"[^,\r\n]*|[^,\r\n"][^,\r\n]*|)'
    found = re.findall(rb"(?:%s,)*%s(?:\r\n|\n|\r|\Z)" % (field, field), data)
    found = [r for r in found if r.rstrip(b"\r\n")]
    # The end-of-file mark of old systems is no record.
    return found[:-1] if found and found[-1].rstrip(b"\r\n") == b"\x1a" else found


def fields(record, encoding="utf-8"):
    return next(csv.reader(io.StringIO(record.decode(encoding).rstrip("\r\n"), newline=""), strict=True))


def keys_of(data, columns=(0,), header=True, encoding="utf-8", key=lambda x: x):
    """One key per raw record, None for records that lack a column."""
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    rows = records(data)[1 if header else 0:]
    out = []
    for r in rows:
        f = fields(r, encoding)
        out.append((tuple(key(f[c]) for c in columns) if len(f) > max(columns) else None, r))
    return out


def join(own, other, columns=(0,), other_columns=None, header=True, key=lambda x: x):
    """What a plain join of the two files gives: header and own rows, byte for byte."""
    theirs = {k for k, _ in keys_of(other, other_columns or columns, header, key=key) if k}
    head = records(own)[0] if header else b""
    return head + b"".join(r for k, r in keys_of(own, columns, header, key=key) if k in theirs)
