#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Audit of the compiled vector backends (the list is in audit.sh): no branch and no address depends on a secret.

Usage: audit.py [--list] NAME=OBJECT...   (run by `make audit`; appends "audit PASSED FAILED" to $TALLY_RESULTS)
--list shows each jump on what is released and each move from a vector register to a general one. The name controls
is for tests/audit_leaks.s, whose leaks must be found.

Follows secrets through every function of the objects, as objdump shows them. Secret from the start is everything
that is loaded from memory, but for what the list below calls public; so nothing need be said about which variable
holds what. A register, a mask register, a vector register or the flags are secret when a secret went into them.
Public: arguments of functions (pointers, sizes, ints: their callers hold them in registers), constants, static
tables by a fixed address, arguments on the stack, and a stack slot that was last written, by a fixed address, with
something public (a spilled pointer or counter), until its address is passed to a function.

An object passes if no conditional jump takes secret flags, no memory operand has a secret base or index, no write
has a secret mask, no string instruction a secret count or pointer, no external function a secret argument, and if no
indirect jump or call, jump on a count (jrcxz, loop), bit of memory by a number in a register (bt), division, square
root or instruction that is not classified below occurs. What remains is the list ALLOWED, with reasons. An unknown
instruction is an error that names it: classify it here.

Not shown: that objdump is right; that an array on the stack does not reach into spill slots; that a function which
gets the address of words on the stack, set to constants before, fills no other than the first, and none by an
address that came to it through memory; that arguments on the stack are public, vectors too; that the instructions
which take secrets (additions, multiplications, shifts, blends, multiply-add of doubles) run in constant time, for
which see docs/curve.md and tests/long_curve.c; anything outside these objects.
"""
import os
import re
import subprocess
import sys

# (functions, what, why)
ALLOWED = [
    (r'group_first_bad|mul_any|base_mul|combine|sum_var', 'flags of a comparison of 64 bits with all ones',
     'group_first_bad: whether an encoding is valid, or a product the identity, is released (PSI_DECLASSIFY)'),
]

GENERAL = 'rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15'.split()
NAMES = {}
for i, r in enumerate(GENERAL):
    NAMES[r] = (r, 8)
    if i < 8:
        NAMES['e' + r[1:]] = (r, 4)
        NAMES[r[1:]] = (r, 2)
        NAMES[r[1:2] + 'l' if i < 4 else r[1:] + 'l'] = (r, 1)
        if i < 4:
            NAMES[r[1:2] + 'h'] = (r, 0)  # 0: not the low byte
    else:
        NAMES[r + 'd'], NAMES[r + 'w'], NAMES[r + 'b'] = (r, 4), (r, 2), (r, 1)
for i in range(32):
    for kind, size in (('xmm', 16), ('ymm', 32), ('zmm', 64)):
        NAMES[kind + str(i)] = ('v' + str(i), size)
for i in range(8):
    NAMES['k' + str(i)] = ('k' + str(i), 8)

# External functions with the number of arguments that are pointers, sizes or ints. None returns a secret.
EXTERNAL = {'memcpy': 3, 'memset': 3, '__memcpy_chk': 4, '__memset_chk': 4, 'psi_wipe': 2, 'psi_digits': 2,
            'psi_scalar_half': 2, 'psi_sha512_schedule': 2, '__stack_chk_fail': 0}
ARGUMENTS = ['rdi', 'rsi', 'rdx', 'rcx', 'r8', 'r9']
RESULTS = ['rax', 'rdx', 'rcx', 'v0', 'v1', 'v2', 'v3']  # all that gcc and clang return in

SUFFIX = '[bwlq]?'
MOVE = re.compile(r'mov(abs|[sz][bwl][wlq]|[sz]|slq|[bwlq]|ups|aps|upd|apd|dqa|dqu|d)?$')
ARITHMETIC = re.compile(r'(add|sub|and|or|xor|adc|sbb|imul|mul|shl|shr|sar|sal|rol|ror|shld|shrd|inc|dec|neg)' + SUFFIX
                        + '$|(andn|bextr|blsr|blsi|blsmsk|bzhi|popcnt|tzcnt|lzcnt|bsf|bsr|bt[src]?)' + SUFFIX + '$')
NO_FLAGS = re.compile(r'(not|bswap|lea|mulx|rorx|sarx|shlx|shrx)' + SUFFIX
                      + '$|set[a-z]+$|cmov[a-z]+$|clt[qd]$|cqto$|cwt[ld]$|cbtw$')
COMPARE = re.compile(r'(cmp|test|vptest|vtestp[sd]|v?u?comis[sd]|kortest|ktest)[bwlq]?$')
VECTOR = re.compile(
    r'v?p(mask|add|sub|and|andn|or|xor|sll|srl|sra|shuf|unpck|blend|broadcast|cmp|insr|extr|mov|perm|ternlog|madd|mul|'
    r'abs|align|sign|min|max|ack|testm|testnm|rol|ror|sad|gather|scatter)\w*$|'
    r'v(mov|add|sub|mul|fmadd|fmsub|fnmadd|fnmsub|and|andn|or|xor|blend|broadcast|insert|extract|shuf|unpck|perm|align|'
    r'zeroupper|zeroall)\w*$|(and|or|xor|andn|shuf|unpckh|unpckl|movh|movl)p[sd]$|movs[sd]$|'
    r'k(mov|and|andn|or|xor|xnor|not|shift[lr]|add|unpck)\w*$|'
    r'(v?aes|v?pclmul|vgf2p8|sha256)\w+$')  # on Intel's list of those whose time does not depend on operands
READS_TARGET = re.compile(r'v(fm|fn)|vpmadd52|vpternlog|vperm[it]2')
FORBIDDEN = re.compile(r'i?div|sqrt|compress|expand|^f[a-z]|(ld|st)mxcsr')
NOTHING = re.compile(r'(nop[wl]?|endbr64|leave|ud2|int3|hlt)$')
JUMP = re.compile(r'(j(mp|[a-z]+)|loop[a-z]*)$')

SECRET, ALL_ONES = 1, 2  # of flags, ALL_ONES: a comparison of 64 bits with -1


class Instruction:
    __slots__ = ('at', 'prefix', 'name', 'operands', 'text', 'symbol', 'target')

    def __init__(self, at, text):
        self.at, self.text, self.symbol, self.target = at, text, None, None
        words = text.split(None, 1)
        self.prefix = []
        while words and words[0] in ('rep', 'repz', 'repnz', 'cs', 'ds', 'data16', 'notrack', 'bnd', 'lock', 'rex.W'):
            self.prefix.append(words[0])
            words = words[1].split(None, 1) if len(words) > 1 else []
        self.name = words[0] if words else 'nop'
        self.operands = []
        rest = words[1] if len(words) > 1 else ''
        rest = re.sub(r'\s*#.*$', '', rest)
        m = re.match(r'([0-9a-f]+) <([^>]+)>$', rest)
        if m and JUMP.match(self.name) or m and self.name == 'call':
            self.target = (int(m.group(1), 16), m.group(2))
        else:
            self.operands = [operand(o) for o in split(re.sub(r'\s*<[^>]*>', '', rest))]


def split(text):
    out, depth, word = [], 0, ''
    for c in text:
        depth += (c == '(') - (c == ')')
        if c == ',' and not depth:
            out.append(word.strip())
            word = ''
        else:
            word += c
    return out + [word.strip()] if word.strip() else out


def operand(text):
    """One of ('reg', name, size, mask, zeroing), ('imm', n), ('mem', displacement, base, index, segment, mask)."""
    mask, zero = re.search(r'\{%(k\d)\}', text), '{z}' in text
    mask = mask.group(1) if mask else None
    text = re.sub(r'\{[^}]*\}', '', text)
    text = text.lstrip('*')
    if text.startswith('$'):
        return ('imm', int(text[1:], 16) if text[1:].lstrip('-').startswith('0x') else 0)
    m = re.match(r'%(\w+)$', text)
    if m and m.group(1) in NAMES:
        return ('reg', *NAMES[m.group(1)], mask, zero)
    m = re.match(r'(?:%(\w\w):)?(-?0x[0-9a-f]+|-?[0-9]+)?(?:\((?:%(\w+))?(?:,%(\w+)(?:,\d)?)?\))?$', text)
    if not m:
        raise ValueError('operand ' + text)
    number = int(m.group(2), 0) if m.group(2) else 0
    base, index = m.group(3), m.group(4)
    return ('mem', number, base if base in (None, 'rip') else NAMES[base][0],
            None if index is None else NAMES[index][0], m.group(1), mask)


def disassemble(path):
    text = subprocess.run(['objdump', '-d', '-r', '--no-show-raw-insn', '-M', 'att', path], check=True, text=True,
                          stdout=subprocess.PIPE, env={**os.environ, 'LC_ALL': 'C'}).stdout
    functions, now = {}, None
    for line in text.splitlines():
        m = re.match(r'[0-9a-f]+ <([^>]+)>:$', line)
        if m:
            now = functions.setdefault(m.group(1), [])
            continue
        m = re.match(r'\s+[0-9a-f]+: R_X86_64_(\w+)\s+([^+\s-]+)', line)
        if m and now:
            now[-1].symbol = m.group(2)
            continue
        m = re.match(r'\s+([0-9a-f]+):\s+(\S.*?)\s*$', line)
        if m and now is not None:
            now.append(Instruction(int(m.group(1), 16), m.group(2)))
    return {name: code for name, code in functions.items() if code}


class State:
    """What is secret: registers, flags (0, SECRET, ALL_ONES); public stack slots. low: registers whose low byte
    is public though they are secret. place: registers that hold an address of the stack, as (frame, offset)."""
    __slots__ = ('secret', 'low', 'place', 'flags', 'slots')

    def __init__(self, secret=(), place=None, flags=0, slots=None, low=()):
        self.secret, self.low, self.flags = set(secret), set(low), flags
        self.place, self.slots = dict(place or {}), dict(slots or {})

    def copy(self):
        return State(self.secret, self.place, self.flags, self.slots, self.low)

    def size(self):
        return len(self.secret), len(self.low), len(self.place), self.flags, len(self.slots)

    def reads_secret(self, o):
        """Of a register as an operand."""
        return o[1] in self.secret and not (o[2] == 1 and o[1] in self.low)

    def join(self, other):
        """Both ways at once. True if that changed this one."""
        before = self.size()
        mine, theirs = ({r for r in GENERAL if r not in s.secret or r in s.low} for s in (self, other))
        self.secret |= other.secret
        self.low = self.secret & mine & theirs
        self.place = {r: p for r, p in self.place.items() if other.place.get(r) == p}
        if self.flags != other.flags:
            self.flags = self.flags or other.flags if 0 in (self.flags, other.flags) else SECRET
        changed = False
        for key, (size, place) in list(self.slots.items()):
            theirs = other.slots.get(key)
            if theirs is None or theirs[0] != size:
                del self.slots[key]
            elif place is not None and theirs[1] != place:
                self.slots[key] = (size, None)
                changed = True
        return changed or before != self.size()


class Audit:
    def __init__(self, name, path):
        self.name, self.functions = name, disassemble(path)
        self.entry = {f: State(place={'rsp': ('frame', 0)}) for f in self.functions}
        self.leaves = {f: set() for f in self.functions}  # function -> which of RESULTS are secret at its end
        self.takes = self.arguments()
        self.problems, self.notes, self.counts = set(), set(), {}

    def run(self):
        again = True
        while again:
            again = False
            self.problems, self.notes = set(), set()
            self.counts = {'instructions': 0, 'jumps': 0, 'vector to general': 0, 'allowed': 0}
            self.calls = []
            for f in self.functions:
                end = self.function(f)
                if self.leaves[f] != end:
                    self.leaves[f], again = end, True
            for callee, secret in self.calls:
                new = secret - self.entry[callee].secret
                if new:
                    self.entry[callee].secret |= new
                    again = True

    def function(self, f):
        code = self.functions[f]
        at = {ins.at: i for i, ins in enumerate(code)}
        leaders = {0}
        for i, ins in enumerate(code):
            if JUMP.match(ins.name):
                leaders.add(i + 1)
                if ins.target and ins.target[0] in at:
                    leaders.add(at[ins.target[0]])
        states, work = {0: self.entry[f].copy()}, [0]
        while work:
            i = work.pop()
            state = states[i].copy()
            for next_block in self.block(f, code, at, i, leaders, state, None):
                if next_block not in states:
                    states[next_block] = state.copy()
                    work.append(next_block)
                elif states[next_block].join(state):
                    work.append(next_block)
        end = set()
        for i in states:  # once more over what is reached, for the findings
            self.block(f, code, at, i, leaders, states[i].copy(), end)
        return end

    def block(self, f, code, at, i, leaders, state, end):
        """Runs one block; returns where it goes on. end not None: report."""
        while True:
            ins = code[i]
            if end is not None:
                self.counts['instructions'] += 1
            if ins.name == 'ret':
                if end is not None:
                    end |= state.secret & set(RESULTS)
                return []
            if JUMP.match(ins.name):
                going = []
                if ins.name != 'jmp':
                    if end is not None:
                        self.counts['jumps'] += 1
                        if re.search('cxz|loop', ins.name):
                            self.problem(f, ins, 'a jump on a count')
                        self.judge_flags(f, ins, state)
                    going.append(i + 1)
                if ins.target and ins.target[0] in at and not ins.symbol:
                    going.append(at[ins.target[0]])
                elif ins.target or ins.symbol:  # a tail call
                    self.call(f, ins, state, end)
                    if end is not None:
                        end |= state.secret & set(RESULTS)
                elif end is not None:
                    self.problem(f, ins, 'an indirect jump')
                return going
            self.step(f, ins, state, end is not None)
            if ins.name in ('ud2', 'hlt') or ins.symbol == '__stack_chk_fail':
                return []
            i += 1
            if i >= len(code):
                return []
            if i in leaders:
                return [i]

    def arguments(self):
        """The argument registers that each function reads before it writes them. Others hold what is left there."""
        takes = {f: set() for f in self.functions}
        again = True
        while again:
            again = False
            for f, code in self.functions.items():
                at = {ins.at: i for i, ins in enumerate(code)}
                live, changed = [set() for _ in range(len(code) + 1)], True
                while changed:
                    changed = False
                    for i in range(len(code) - 1, -1, -1):
                        new = self.live_before(code[i], live, i, at, takes)
                        if new != live[i]:
                            live[i], changed = new, True
                if live[0] != takes[f]:
                    takes[f], again = live[0], True
        return takes

    @staticmethod
    def live_before(ins, live, i, at, takes):
        callee = ins.symbol or ins.target and ins.target[1]
        if ins.name == 'ret':
            return set()
        if ins.name == 'call' or JUMP.match(ins.name) and (ins.symbol or ins.target and ins.target[0] not in at):
            after = live[i + 1] - set(ARGUMENTS) if ins.name != 'jmp' else set()
            return after | (takes[callee] if callee in takes else set(ARGUMENTS[:EXTERNAL.get(callee, 6)]))
        if JUMP.match(ins.name):
            after = set(live[at[ins.target[0]]]) if ins.target else set()
            return after | live[i + 1] if ins.name != 'jmp' else after
        reads, writes, ops = set(), set(), ins.operands
        for n, o in enumerate(ops):
            if o[0] == 'mem':
                reads |= {o[2], o[3]}
            elif o[0] == 'reg' and n == len(ops) - 1 and len(ops) > 1 and not COMPARE.match(ins.name):
                zeroed = re.match('(xor|sub)', ins.name) and ops[0] == o
                if not (MOVE.match(ins.name) or ins.name.startswith(('lea', 'set', 'v', 'k'))) and not zeroed:
                    reads.add(o[1])
                if o[2] >= 4:
                    writes.add(o[1])
            elif o[0] == 'reg' and not (re.match('(xor|sub|sbb)', ins.name) and ops[1] == o):
                reads.add(o[1])
        if any(o[0] == 'mem' and o[4] == 'es' for o in ops):
            reads.add('rcx')
        if ins.name == 'pop':
            reads, writes = set(), {ops[0][1]}
        return live[i + 1] - writes | reads & set(ARGUMENTS)

    # ---- findings ----

    def problem(self, f, ins, what):
        self.problems.add('%s: %s+0x%x: %s: %s' % (self.name, f, ins.at - self.functions[f][0].at, what, ins.text))

    def note(self, f, ins, what):
        self.notes.add('%s: %s+0x%x: %s: %s' % (self.name, f, ins.at - self.functions[f][0].at, what, ins.text))

    def allowed(self, f, what):
        plain = f.split('.')[0]
        return any(what == kind and re.fullmatch(functions, plain) for functions, kind, _ in ALLOWED)

    def judge_flags(self, f, ins, state):
        if state.flags == ALL_ONES and self.allowed(f, ALLOWED[0][1]):
            self.counts['allowed'] += 1
            self.note(f, ins, 'released')
        elif state.flags:
            self.problem(f, ins, 'a jump on secret flags')

    # ---- one instruction ----

    def access(self, f, ins, state, o, report):
        """Checks the address of a memory operand; returns its stack address if it is one."""
        _, number, base, index, segment, mask = o
        if report:
            for r in (base, index):
                if r in state.secret:
                    self.problem(f, ins, 'a secret in an address (%s)' % r)
            # A read under a mask: the sources have none, so the compiler made it of a whole one, which is in
            # bounds; only where the processor has to hold back a page fault does its time depend on the mask.
            if o is ins.operands[-1] and mask in state.secret:
                self.problem(f, ins, 'a write under a secret mask')
        place = state.place.get(base)
        return (place[0], place[1] + number) if place and index is None and not segment else None

    def load(self, f, ins, state, o, size, report):
        """(secret, stack address held)"""
        place = self.access(f, ins, state, o, report)
        if o[4] == 'fs' or o[2] == 'rip' and o[3] is None:
            return False, None
        if place:
            if place[0] == 'frame' and place[1] >= 8:
                return False, None
            for (frame, offset), (length, held) in state.slots.items():
                if frame == place[0] and offset <= place[1] and place[1] + size <= offset + length:
                    return False, held if offset == place[1] and size == 8 else None
        return True, None

    def store(self, f, ins, state, o, size, secret, held, report, low=False):
        place = self.access(f, ins, state, o, report)
        if place:
            for key, (length, _) in list(state.slots.items()):
                if key[0] == place[0] and key[1] < place[1] + size and place[1] < key[1] + length:
                    del state.slots[key]
            if not secret or low:
                state.slots[place] = (1 if secret else size, held)

    def set(self, state, o, secret, place=None):
        _, r, size, mask, zero = o
        if r in GENERAL and size < 4 and r in state.secret:
            if size == 1:
                (state.low.discard if secret else state.low.add)(r)
            secret = True
        else:
            state.low.discard(r)
        (state.secret.add if secret else state.secret.discard)(r)
        if place and size == 8:
            state.place[r] = place
        else:
            state.place.pop(r, None)

    def size_of(self, ins):
        registers = [o[2] for o in ins.operands if o[0] == 'reg' and o[1] not in ('k' + str(i) for i in range(8))]
        if ins.name.startswith('set'):
            return 1
        m = re.search(r'(extracti?f?)(128|64x2|32x4)|(extracti?f?)(64x4|32x8)', ins.name)
        if m:
            return 16 if m.group(1) else 32
        if re.match(r'v?(p(extr|insr)|mov(q|d|hp|lp|ss|sd)$|broadcast|pbroadcast|pmov)', ins.name):
            return {'b': 1, 'w': 2, 'd': 4, 'q': 8}.get(ins.name[-1], 8)
        if registers:
            m = re.match(r'mov[sz]([bwl])[wlq]$', ins.name)
            return {'b': 1, 'w': 2, 'l': 4}[m.group(1)] if m else max(registers[-1], 1)
        return {'b': 1, 'w': 2, 'l': 4, 'd': 4, 'q': 8}.get(ins.name[-1], 8)

    def call(self, f, ins, state, end):
        callee = ins.symbol or (ins.target and ins.target[1])
        if callee in self.functions:
            if end is not None:
                self.calls.append((callee, {r for r in state.secret if r not in GENERAL or r in self.takes[callee]}))
            secret = self.leaves[callee]
        elif callee in EXTERNAL:
            secret = set()
            for r in ARGUMENTS[:EXTERNAL[callee]]:
                if end is not None and r in state.secret:
                    self.problem(f, ins, 'a secret argument (%s) of %s' % (r, callee))
        else:
            secret = set(RESULTS)
            if end is not None:
                self.problem(f, ins, 'a call of something that is not listed')
        # The word at an address that is passed may be filled by the callee.
        for r in self.takes[callee] if callee in self.functions else ARGUMENTS[:EXTERNAL.get(callee, 6)]:
            at = state.place.get(r)
            for key, (length, _) in list(state.slots.items()) if at else ():
                if key[0] == at[0] and key[1] <= at[1] < key[1] + length:
                    del state.slots[key]
        self.set(state, ('reg', 'rax', 8, None, False), False)
        state.secret |= secret
        state.flags = 0  # not kept by a call, and not read after it

    def step(self, f, ins, state, report):
        name, ops = ins.name, ins.operands
        if name == 'call':
            if not ins.target and not ins.symbol and report:
                self.problem(f, ins, 'an indirect call')
            self.call(f, ins, state, True if report else None)
            return
        if FORBIDDEN.search(name):
            if report:
                self.problem(f, ins, 'an instruction whose time or address may depend on data')
            return
        if any(o[0] == 'mem' and o[4] == 'es' for o in ops):  # string instructions
            for r in ('rcx', 'rsi', 'rdi') if name.startswith('movs') else ('rcx', 'rdi'):
                if report and r in state.secret:
                    self.problem(f, ins, 'a secret count or pointer (%s)' % r)
            if report and not re.match('movs|stos', name):
                self.problem(f, ins, 'an instruction that is not classified')
            for r in ('rcx', 'rsi', 'rdi'):
                state.place.pop(r, None)
            return
        if NOTHING.match(name):
            if name == 'leave':
                self.move_frame(state)
            return
        if name in ('push', 'pop'):
            return self.push_pop(f, ins, state, report)
        if name in ('xchg', 'cmpxchg') and len(ops) == 2 and ops[0] == ops[1]:
            return
        if name == 'vzeroupper' or name == 'vzeroall':
            return
        compare = COMPARE.match(name)
        arithmetic = ARITHMETIC.match(name)
        if not (compare or arithmetic or MOVE.match(name) or NO_FLAGS.match(name) or VECTOR.match(name)):
            if report:
                self.problem(f, ins, 'an instruction that is not classified')
            return

        if name.startswith('bt') and ops[0][0] == 'reg' and ops[1][0] == 'mem' and report:
            self.problem(f, ins, 'an address that is a bit number')

        # lea computes; it does not access.
        if name.startswith('lea'):
            _, number, base, index, _, _ = ops[0]
            secret = base in state.secret or index in state.secret
            place = state.place.get(base) if index is None else None
            return self.set(state, ops[1], secret, (place[0], place[1] + number) if place else None)

        if not ops:  # sign extensions of rax
            if name in ('cltd', 'cqto', 'cwtd'):
                self.set(state, ('reg', 'rdx', 8, None, False), 'rax' in state.secret)
            return
        size = self.size_of(ins)
        sources = ops if compare or len(ops) == 1 else ops[:-1]
        target = None if compare else ops[-1]
        reads_target = arithmetic or READS_TARGET.match(name) or not name.startswith('v')
        if MOVE.match(name) or name.startswith(('set', 'k')) or name.startswith('imul') and len(ops) == 3:
            reads_target = False
        if target is not None and reads_target:
            sources = ops
        if target is not None and (name.startswith('cmov') or target[0] == 'reg' and target[3] and not target[4]):
            sources = ops
        if name.startswith('set'):
            sources = []
        secret, held, registers = False, None, []
        for o in sources:
            if o[0] == 'reg':
                registers.append(o[1])
                secret = secret or state.reads_secret(o)
                held = state.place.get(o[1])
            elif o[0] == 'mem':
                s, held = self.load(f, ins, state, o, size, report)
                secret = secret or s
        if target is not None and target[0] == 'reg' and target[3]:
            secret = secret or target[3] in state.secret
        if re.search('maskmov', name) and report:
            mask = ops[0] if target[0] == 'mem' and ops[0][0] == 'reg' and len(ops) == 2 else ops[1]
            if mask[0] == 'reg' and mask[1] in state.secret:
                self.problem(f, ins, 'an access under a secret mask')
        if re.match(r'(adc|sbb|set|cmov)', name) and state.flags:
            if not (state.flags == ALL_ONES and self.allowed(f, ALLOWED[0][1])):
                secret = True
        # x ^ x, x - x, x == x, ternary logic 0xff and 0: constants
        if re.match(r'(v?p?(xor|sub|andn)|vxorp|xorp|v?pcmpeq|sbb$)', name) and len(set(registers)) == 1 and len(
                registers) == 2 and not any(o[0] == 'mem' for o in ops):
            secret = bool(state.flags) if name == 'sbb' else False
        if name.startswith('vpternlog') and ops[0] in (('imm', 0xff), ('imm', 0)):
            secret = False

        if compare:
            state.flags = SECRET if secret else 0
            if secret and name in ('cmp', 'cmpq') and size == 8 and ops[0][0] == 'imm' and ops[0][1] in (-1, 2**64 - 1):
                state.flags = ALL_ONES
            return
        if arithmetic:
            state.flags = SECRET if secret else 0
            if name.startswith('mul') or len(ops) == 1 and name.startswith('imul'):
                for r in ('rax', 'rdx'):
                    if secret or 'rax' in state.secret:
                        state.secret.add(r)
                return
        if target[0] == 'reg':
            place = held if MOVE.match(name) and len(ops) == 2 and ops[0][0] != 'imm' else None
            if target[1] == 'rsp' or target[1] == 'rbp' and arithmetic:
                place = self.adjust(ins, state, target[1])
            elif arithmetic and target[1] in state.place and name in ('add', 'sub') and ops[0][0] == 'imm':
                place = self.adjust(ins, state, target[1])
            if report and target[1] in GENERAL and any(r[0] == 'v' for r in registers):
                self.counts['vector to general'] += 1
                self.note(f, ins, 'secret' if secret else 'public')
            self.set(state, target, secret, place)
        elif target[0] == 'mem':
            low = bool(MOVE.match(name)) and bool(registers) and registers[0] in state.low
            self.store(f, ins, state, target, size, secret, held if MOVE.match(name) else None, report, low)

    # ---- stack pointer ----

    def adjust(self, ins, state, r):
        place, first = state.place.get(r), ins.operands[0]
        if place is None:
            return None
        if ins.name in ('add', 'sub') and first[0] == 'imm':
            n = first[1] - 2**64 if first[1] >= 2**63 else first[1]
            return (place[0], place[1] + (n if ins.name == 'add' else -n))
        if ins.name == 'and' and first[0] == 'imm':
            return ('aligned', 0)  # once a function: the distance to the frame is not known from here on
        if MOVE.match(ins.name) and first[0] == 'reg':
            return state.place.get(first[1])
        return None

    def move_frame(self, state):
        place = state.place.get('rbp')
        state.place.pop('rbp', None)
        if place:
            state.place['rsp'] = (place[0], place[1] + 8)

    def push_pop(self, f, ins, state, report):
        place, o = state.place.get('rsp'), ins.operands[0]
        if ins.name == 'push':
            secret, held = False, None
            if o[0] == 'reg':
                secret, held = o[1] in state.secret, state.place.get(o[1])
            elif o[0] == 'mem':
                secret, held = self.load(f, ins, state, o, 8, report)
            if place:
                state.place['rsp'] = (place[0], place[1] - 8)
            self.store(f, ins, state, ('mem', 0, 'rsp', None, None, None), 8, secret, held, report)
        else:
            secret, held = self.load(f, ins, state, ('mem', 0, 'rsp', None, None, None), 8, report)
            self.set(state, o, secret, held)
            if place:
                state.place['rsp'] = (place[0], place[1] + 8)


def main():
    passed = failed = 0
    print('audit of the disassembly')
    arguments = sys.argv[1:]
    listing = arguments[:1] == ['--list']
    for argument in arguments[listing:]:
        name, path = argument.split('=', 1)
        audit = Audit(name, path)
        audit.run()
        if name == 'controls':  # every leak_ must be found, nothing in clean_
            for f in audit.functions:
                found = any(p.startswith('controls: %s+' % f) for p in audit.problems)
                ok = found == f.startswith('leak_')
                if not ok:
                    print('audit: control %s: %s' % (f, 'found without reason' if found else 'not found'))
                passed, failed = passed + ok, failed + (not ok)
            continue
        c = audit.counts
        print('  %-24s %d functions, %d instructions: %d conditional jumps (%d on what is released), '
              '%d moves from vector to general registers' % (name, len(audit.functions), c['instructions'], c['jumps'],
                                                             c['allowed'], c['vector to general']))
        for p in sorted(audit.problems):
            print('audit: ' + p)
        for p in sorted(audit.notes) if listing else ():
            print('    ' + p)
        ok = not audit.problems and len(audit.functions) > 0
        passed, failed = passed + ok, failed + (not ok)
    print('%-24s %d checks, %d failed' % ('audit', passed + failed, failed))
    results = os.environ.get('TALLY_RESULTS')
    if results:
        with open(results, 'a') as f:
            f.write('audit %d %d\n' % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == '__main__':
    sys.exit(main())
