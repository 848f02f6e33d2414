#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A whole match through the shared library by ctypes, callbacks included. Usage: api_ctypes.py libtally.so"""
import ctypes as c
import json
import select
import sys
import threading

OK, IN_PROGRESS, USAGE, INTERRUPTED = 0, 1, -1, -9
RECEIVER, SENDER = 1, 2


class Error(c.Structure):
    _fields_ = [("status", c.c_int), ("message", c.c_char * 512), ("hint", c.c_char * 384),
                ("local_message", c.c_char * 512), ("local_hint", c.c_char * 384)]


class Transport(c.Structure):
    _fields_ = [("user", c.c_void_p), ("read", c.c_void_p), ("write", c.c_void_p), ("shutdown", c.c_void_p)]


class Text(c.Structure):
    _fields_ = [("p", c.c_char_p), ("len", c.c_size_t)]


class Result(c.Structure):
    _fields_ = [(name, c.c_uint64) for name in
                ("own_items", "peer_items", "matched_items", "matched_rows", "bytes_sent", "bytes_received")] + \
               [("learns_matches", c.c_int), ("learns_figures", c.c_int), ("run", c.c_uint64),
                ("disclosed", c.c_int), ("share_exceeded", c.c_int)]


Submit = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_void_p, c.c_void_p)
Match = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_uint64, c.c_uint64)
Progress = c.CFUNCTYPE(None, c.c_void_p, c.c_char_p, c.c_uint64, c.c_uint64)
Log = c.CFUNCTYPE(None, c.c_void_p, c.c_int, c.c_char_p)


class Executor(c.Structure):
    _fields_ = [("user", c.c_void_p), ("submit", Submit)]


tally = c.CDLL(sys.argv[1])
libc = c.CDLL(None)
tally.tally_version.restype = c.c_char_p
tally.tally_version_number.restype = c.c_uint32
tally.tally_session_learned.restype = c.c_char_p
tally.tally_session_summary_json.restype = c.c_void_p
tally.tally_session_error.restype = c.POINTER(Error)


class Party:
    def __init__(self, role, rows, end, stop_at=None):
        self.error, self.rows, self.phases, self.lines = Error(), [], set(), []
        self.input, self.session, self.stop_at = c.c_void_p(), c.c_void_p(), stop_at
        self.must(tally.tally_input_new(c.byref(self.input), c.byref(self.error)))
        self.must(tally.tally_input_add_key(self.input, b"id", b"exact", c.byref(self.error)))
        for row in rows:
            text = row.encode()
            key = Text(text, len(text))
            self.must(tally.tally_input_add_row(self.input, c.byref(key), c.c_size_t(1), c.byref(self.error)))
        self.must(tally.tally_session_new(c.byref(self.session), c.byref(self.error)))
        tally.tally_session_set_role(self.session, role)
        tally.tally_session_set_input(self.session, self.input)
        tally.tally_session_set_transport(self.session, c.byref(end), 0, 0)
        tally.tally_session_set_threads(self.session, c.c_uint32(2))
        tally.tally_session_set_memory_limit(self.session, c.c_uint64(1 << 28))
        # Objects of ctypes have to live as long as the library may call them.
        self.keep = [Match(self.on_match), Progress(self.on_progress), Log(self.on_log), Submit(lambda *_: 1)]
        executor = Executor(None, self.keep[3])
        tally.tally_session_set_executor(self.session, c.byref(executor))
        tally.tally_session_on_match(self.session, self.keep[0], None)
        tally.tally_session_on_progress(self.session, self.keep[1], None)
        tally.tally_session_on_log(self.session, self.keep[2], None)

    def must(self, status):
        if status != OK:
            raise RuntimeError(self.error.message.decode())

    def on_match(self, _user, row, _line):
        self.rows.append(row)
        return len(self.rows) == self.stop_at

    def on_progress(self, _user, phase, _done, _total):
        self.phases.add(phase.decode())

    def on_log(self, _user, _level, line):
        self.lines.append(line.decode())

    def run(self):
        self.status = tally.tally_session_run(self.session, c.byref(self.error))

    def loop(self):
        self.must(tally.tally_session_start(self.session, c.byref(self.error)))
        self.status = IN_PROGRESS
        while self.status == IN_PROGRESS:
            due = tally.tally_session_deadline_ms(self.session)
            select.select([tally.tally_session_poll_fd(self.session)], [], [], None if due < 0 else due / 1000)
            self.status = tally.tally_session_step(self.session, c.byref(self.error))

    def summary(self):
        text = tally.tally_session_summary_json(self.session)
        parsed = json.loads(c.string_at(text))
        libc.free(c.c_void_p(text))
        return parsed

    def free(self):
        tally.tally_session_free(self.session)
        tally.tally_input_free(self.input)


def match(stepped, stop_at=None):
    ends, error = (Transport * 2)(), Error()
    assert tally.tally_pipe_new(c.byref(ends[0]), c.byref(ends[1]), c.byref(error)) == OK, error.message
    bank = Party(RECEIVER, ["1", "2", "3", "4", "张伟"], ends[0], stop_at)
    court = Party(SENDER, ["张伟", "9", "2"], ends[1])
    thread = threading.Thread(target=court.run)
    thread.start()
    bank.loop() if stepped else bank.run()
    thread.join()
    assert court.status == OK, court.error.message
    if stop_at:
        assert bank.status == INTERRUPTED and bank.rows == [2]
        assert b"stopped" in tally.tally_session_error(bank.session).contents.message
    else:
        result = Result()
        tally.tally_session_get_result(bank.session, c.byref(result))
        assert bank.status == OK, bank.error.message
        assert bank.rows == [2, 5] and result.matched_rows == 2 and result.peer_items == 3
        assert {"reading", "matching", "writing"} <= bank.phases and any("protocol" in line for line in bank.lines)
        assert b"2" in tally.tally_session_learned(bank.session)
        assert bank.summary()["result"]["rows"] == 2
        assert tally.tally_session_run(bank.session, c.byref(bank.error)) == USAGE and bank.error.message
    bank.free()
    court.free()
    for end in ends:
        tally.tally_pipe_free(c.byref(end))


def main():
    numbers = [int(n) for n in tally.tally_version().split(b".")]
    assert tally.tally_version_number() == numbers[0] * 10000 + numbers[1] * 100 + numbers[2]
    for stepped in (False, True):
        match(stepped)
        match(stepped, stop_at=1)


main()
