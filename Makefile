# SPDX-License-Identifier: Apache-2.0
# Tally. `make help` lists the targets. V=1 shows commands; CC, CFLAGS, LDFLAGS, PREFIX, DESTDIR and WERROR=1 are yours.

VERSION    := 0.1.0
SOVERSION  := 0

CC         ?= cc
PREFIX     ?= /usr/local
BINDIR     ?= $(PREFIX)/bin
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR     ?= $(PREFIX)/share/man
LOCALEDIR  ?= $(PREFIX)/share/locale
DOCDIR     ?= $(PREFIX)/share/doc/tally-psi
BASHDIR    ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR     ?= $(PREFIX)/share/zsh/site-functions
UNITDIR    ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
CFLAGS     ?= -O3 -g
LDFLAGS    ?=
SECONDS_PER_FUZZER ?= 60

# VARIANT picks the build: release, test (invariants and fault hooks), plain (tests without invariants), asan, ubsan, ct.
VARIANT    ?= release
# Another build folder only from the command line: an environment variable of that name is not meant.
ifneq ($(origin B),command line)
B          := build/$(VARIANT)$(if $(findstring clang,$(CC)),-clang)
endif

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)')

# Empty when the libraries are not installed yet: `make deps` comes first, in a make of its own.
PACKAGES   := libsodium libcrypto libssl libprotobuf-c libutf8proc jansson gmp yaml-0.1 sqlite3
# Of p11-kit only the header of PKCS#11; its modules are loaded when a key is in a token.
PKG_CFLAGS := $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null) $(shell pkg-config --cflags p11-kit-1 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null)

WARN := -std=c11 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wmissing-prototypes \
        -Wstrict-prototypes -Wcast-qual -Wundef -Wvla -Wformat=2 $(if $(WERROR)$(CI),-Werror)
HARD := -fPIC -fvisibility=hidden -fstack-protector-strong
HARDLINK := -Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,--as-needed
FORTIFY := -D_FORTIFY_SOURCE=2
DEFS := -D_GNU_SOURCE -I. -Ipsi

VARIANT_release :=
VARIANT_test    := -DTALLY_TEST -DPSI_VERIFY
VARIANT_plain   := -DTALLY_TEST
VARIANT_asan    := -DTALLY_TEST -DPSI_VERIFY -fsanitize=address -fno-omit-frame-pointer
VARIANT_ubsan   := -DTALLY_TEST -DPSI_VERIFY -fsanitize=undefined -fno-sanitize-recover=all
VARIANT_tsan    := -DTALLY_TEST -DPSI_VERIFY -fsanitize=thread
VARIANT_ct      := -DTALLY_TEST -DPSI_CTGRIND
VARIANT_fuzz    := -DTALLY_TEST -DPSI_VERIFY -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
EXTRA := $(VARIANT_$(VARIANT))
$(if $(filter asan ubsan tsan fuzz,$(VARIANT)),$(eval FORTIFY :=))

LIB_SRC  := $(sort $(wildcard psi/*.c) $(filter-out proto/tally.pb-c.c,$(wildcard proto/*.c)) $(wildcard party/*.c))
CLI_SRC  := $(sort $(wildcard cli/*.c))
PB       := $(B)/gen/proto/tally.pb-c
LIB_OBJ  := $(LIB_SRC:%.c=$(B)/%.o) $(PB).o
CLI_OBJ  := $(CLI_SRC:%.c=$(B)/%.o)
TEST_SRC := $(sort $(wildcard tests/test_*.c))
TEST_LIB := $(sort $(wildcard tests/support_*.c))
TESTS    := $(TEST_SRC:tests/%.c=$(B)/tests/%)
FUZZ_SRC := $(sort $(wildcard tests/fuzz_*.c))
FUZZERS  := $(FUZZ_SRC:tests/%.c=build/fuzz-clang/tests/%)
EXAMPLES := $(patsubst docs/examples/%.c,build/examples/%,$(sort $(wildcard docs/examples/*.c)))
MAN1     := $(sort $(wildcard docs/man/*.1))
MAN7     := $(sort $(wildcard docs/man/*.7))
UNITS    := $(notdir $(sort $(wildcard docs/systemd/*.service docs/systemd/*.timer)))
LINGUAS  := $(basename $(notdir $(sort $(wildcard cli/po/*.po))))
MO       := $(LINGUAS:%=$(B)/share/locale/%/LC_MESSAGES/tally.mo)

SONAME   := libtally.so.$(SOVERSION)
SHARED   := libtally.so.$(VERSION)

.PHONY: all deps demo check check-long lint format asan ubsan tsan fuzz bench install uninstall dist clean help \
        unit unit-plain ct audit commands examples library objects
.DELETE_ON_ERROR:

all: $(B)/tally $(B)/$(SHARED) $(B)/libtally.a $(MO)

help:
	@printf '%s\n' \
	  'make demo         install what is missing, build, run a match between two parties on this machine' \
	  'make check        install what is missing, build, run all tests; last line: N passed, N failed' \
	  'make all          build the command and the libraries in $(B)' \
	  'make install      into PREFIX ($(PREFIX)), DESTDIR respected; make uninstall keeps keys and data' \
	  'make deps         install build dependencies (Debian, Ubuntu)' \
	  'make audit        no branch and no address of most compiled vector backends depends on a secret' \
	  'make lint         include direction, names, forbidden calls, format, static analysis' \
	  'make format       rewrite the sources as lint wants them' \
	  'make asan|ubsan|tsan  unit tests under a sanitizer' \
	  'make api          the public interface: symbols, programs in C, C++, Python; part of make check' \
	  'make api-tsan     the same programs under ThreadSanitizer' \
	  'make abi          the binary interface against the last release, by abidiff' \
	  'make fuzz         every fuzz target for SECONDS_PER_FUZZER ($(SECONDS_PER_FUZZER)) seconds' \
	  'make check-long   soak and scale tests' \
	  'make bench        sizes, links, functions and protocols, every result checked; charts in results/' \
	  'make bench-protocol  subspace VOLE alone, in memory; N rows' \
	  'make bench-smoke  bytes and instruction counts against stored figures; part of make check' \
	  'make bench-counts  stores the instruction counts of this build' \
	  'make bench-compare  against the plain exchange of hashes' \
	  'make bench-table  identifiers from 10^4 to 10^8: measured in RESULTS, else estimated' \
	  'make bench-page   charts and tables of RESULTS=results/results.json, one HTML page' \
	  'make bench-kernels  every kernel and backend alone, beside OpenSSL and libsodium' \
	  'make bench-model  the curve with AVX-512 IFMA by a model of ports, for machines without' \
	  'make messages-missing  texts for people that have no translation yet; docs/messages.md' \
	  'make dist         source archive in dist/' \
	  'make deb          Debian packages in dist/: tally-psi, libtally0, libtally-dev, tally-psi-doc'

# ---- Compiling --------------------------------------------------------------------------------------------------

COMPILE = $(CC) $(WARN) $(HARD) $(FORTIFY) $(DEFS) -I$(B)/gen $(PKG_CFLAGS) $(EXTRA) $(CFLAGS) -MMD -MP

$(B)/gen/proto/tally.pb-c.c: proto/tally.proto
	$(call say,PROTOC,$<)
	$(Q)mkdir -p $(B)/gen && protoc-c --c_out=$(B)/gen $<
$(B)/gen/proto/tally.pb-c.h: $(B)/gen/proto/tally.pb-c.c ;

# Generated code is not held to our warnings. Its assertions would end a program.
$(PB).o: $(PB).c
	$(call say,CC,$<)
	$(Q)$(CC) -std=c11 -w -DNDEBUG $(HARD) $(DEFS) -I$(B)/gen $(PKG_CFLAGS) $(EXTRA) $(CFLAGS) -c -o $@ $<

$(B)/%.o: %.c | $(B)/gen/proto/tally.pb-c.h
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(COMPILE) -c -o $@ $<

$(B)/libtally.a: $(LIB_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcsD $@ $^

$(B)/$(SHARED): $(LIB_OBJ) party/libtally.map
	$(call say,LINK,$@)
	$(Q)$(CC) -shared $(EXTRA) $(CFLAGS) $(HARDLINK) -Wl,-soname,$(SONAME) -Wl,--version-script=party/libtally.map \
	  -Wl,-z,defs $(LDFLAGS) -o $@ $(LIB_OBJ) $(PKG_LIBS) -lm -lpthread
	$(Q)ln -sf $(SHARED) $(B)/$(SONAME) && ln -sf $(SONAME) $(B)/libtally.so

# The messages in another language, where the command looks for them.
$(B)/share/locale/%/LC_MESSAGES/tally.mo: cli/po/%.po
	$(call say,MSGFMT,$@)
	$(Q)mkdir -p $(@D) && msgfmt --check-format -o $@ $<

# The command takes the public API and texts of people (party/error.h), and holds the library so that it runs from anywhere.
$(B)/tally: $(CLI_OBJ) $(B)/libtally.a
	$(call say,LINK,$@)
	$(Q)$(CC) -pie $(EXTRA) $(CFLAGS) $(HARDLINK) $(LDFLAGS) -o $@ $(CLI_OBJ) $(B)/libtally.a $(PKG_LIBS) -lm -lpthread

$(B)/tests/test_%: $(B)/tests/test_%.o $(TEST_LIB:%.c=$(B)/%.o) $(B)/libtally.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(EXTRA) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) -lcunit -lcsv -lm -lpthread

# The public interface as a program sees it: the header and the shared library, nothing else.
$(B)/tests/api_%: $(B)/tests/api_%.o $(B)/tests/api_common.o $(B)/tests/support_unit.o $(B)/$(SHARED)
	$(call say,LINK,$@)
	$(Q)$(CC) $(EXTRA) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) -L$(B) -Wl,-rpath,'$$ORIGIN/..' -ltally -lcunit -lpthread

# Statistics, minutes long: check-long only.
$(B)/tests/long_%: $(B)/tests/long_%.o $(B)/libtally.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(EXTRA) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) -lm -lpthread

# This one takes ledgers from the tests' support.
$(B)/tests/long_ledger: $(B)/tests/long_ledger.o $(TEST_LIB:%.c=$(B)/%.o) $(B)/libtally.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(EXTRA) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) -lcunit -lcsv -lm -lpthread

.PRECIOUS: $(B)/%.o

# ---- Tests ------------------------------------------------------------------------------------------------------

deps:
	@tests/deps.sh

demo: deps
	@$(MAKE) --no-print-directory all
	@docs/examples/demo.sh build/release/tally

# Every runner appends "name passed failed" to RESULTS, step.sh does it for those that die; the last line adds them up.
RESULTS := $(CURDIR)/build/results.txt
export TALLY_RESULTS := $(RESULTS)

check: deps
	@rm -f $(RESULTS) && mkdir -p build
	@$(MAKE) --no-print-directory check-run

# Compilers side by side, as many as there are processors.
JOBS := $(shell nproc 2>/dev/null || echo 2)
.PHONY: check-run
check-run:
	@tests/step.sh build $(MAKE) --no-print-directory -j$(JOBS) all; :
	@tests/step.sh unit-test $(MAKE) --no-print-directory -j$(JOBS) unit VARIANT=test; :
	@tests/step.sh unit-plain $(MAKE) --no-print-directory -j$(JOBS) unit VARIANT=plain; :
	@tests/step.sh constant-time $(MAKE) --no-print-directory ct; :
	@tests/step.sh without $(MAKE) --no-print-directory without; :
	@tests/step.sh audit $(MAKE) --no-print-directory audit; :
	@tests/step.sh messages python3 tests/messages.py check; :
	@tests/step.sh api $(MAKE) --no-print-directory api; :
	@tests/step.sh commands $(MAKE) --no-print-directory commands; :
	@tests/step.sh bench-harness $(MAKE) --no-print-directory bench-harness; :
	@tests/step.sh bench-page python3 tests/bench_page.py; :
	@tests/step.sh bench-smoke $(MAKE) --no-print-directory bench-smoke; :
	@tests/total.sh $(RESULTS)

unit: $(TESTS)
	@tests/run.sh $(VARIANT) $(TESTS)
	@for b in portable avx2 avx512; do for t in group rowhash subspace; do \
	  TALLY_BACKEND=$$b tests/step.sh "$$b" $(B)/tests/test_psi_$$t chosen || exit 1; done; done

ct:
	@$(MAKE) --no-print-directory VARIANT=ct build/ct/tests/test_ct
	@tests/ct.sh build/ct/tests/test_ct

# The curve's part of it as both compilers make it at each level: they have turned masked copies into
# branches. Valgrind reads no newer debugging format of clang than DWARF 4.
.PHONY: ct-levels
ct-levels:
	@for cc in gcc clang; do for level in 1 2 3; do \
	  b=build/ct-$$cc-O$$level; echo "$$cc -O$$level"; \
	  $(MAKE) --no-print-directory VARIANT=ct CC=$$cc CFLAGS="-O$$level -gdwarf-4" B=$$b $$b/tests/test_ct >/dev/null && \
	  tests/ct.sh $$b/tests/test_ct curve-multiply curve-map curve-sums expand scalars || exit 1; done; done

# The public interface: what the library exports and calls, and programs in C, C++ and Python.
API_TESTS := $(patsubst tests/%.c,%,$(filter-out tests/api_common.c,$(sort $(wildcard tests/api_*.c))))
.PHONY: api api-tsan abi
api: $(B)/$(SHARED) $(API_TESTS:%=$(B)/tests/%)
	@CC="$(CC)" tests/api.sh $(B) $(API_TESTS)

api-tsan:
	@$(MAKE) --no-print-directory VARIANT=tsan $(API_TESTS:%=build/tsan/tests/%)
	@tests/run.sh api-tsan build/tsan/tests/api_sessions build/tsan/tests/api_rules

# The binary interface against the last release.
abi: all
	@tests/abi.sh $(B)

# The group without one backend or the other.
.PHONY: without
without:
	@$(MAKE) --no-print-directory VARIANT=plain build/plain/tests/test_psi_group
	@tests/without.sh build/plain $(CC) -O1 $(filter-out -Werror,$(WARN)) $(DEFS) $(PKG_CFLAGS) -DTALLY_TEST

# The compiled group backends, read instruction by instruction; by clang too where it is installed.
audit:
	@python3 tests/curve_bounds.py >/dev/null || { echo "a bound of docs/curve.md does not hold: tests/curve_bounds.py"; false; }
	@MAKE="$(MAKE)" CC="$(CC)" tests/audit.sh $(or $(LEVELS),-O3)

# What needs AVX-512, on an emulated processor that has it: an hour or two on one core.
EMULATED := psi_expand psi_field psi_curve psi_group psi_oprf psi_ecdh psi_rowhash psi_subspace psi_ntt psi_rlwe
.PHONY: emulated
emulated:
	@$(MAKE) --no-print-directory VARIANT=test B=build/emulated-tests LDFLAGS=-static \
	  PKG_LIBS="-lsodium -lprotobuf-c -lutf8proc -ljansson -lyaml -lsqlite3 -lgmp -lssl -lcrypto -ldl" \
	  $(EMULATED:%=build/emulated-tests/tests/test_%)
	@for t in $(EMULATED); do TIMEOUT=3600 tests/emulated.sh build/emulated-tests/tests/test_$$t || exit 1; done

# Installs into a folder of its own and runs the installed command as two organisations would.
STAGE := $(CURDIR)/build/stage
commands: all examples
	@rm -rf $(STAGE) && $(MAKE) --no-print-directory install PREFIX=$(STAGE) DESTDIR= >/dev/null
	@python3 tests/commands.py $(STAGE)/bin/tally

# The benchmark itself: its lists, its links, and that it notices a wrong result.
.PHONY: bench-harness
bench-harness: all bench-programs $(B)/benchmarks/kernels
	@python3 tests/bench_harness.py $(B)

examples:
	@rm -rf build/stage-examples && $(MAKE) --no-print-directory install PREFIX=$(CURDIR)/build/stage-examples DESTDIR= >/dev/null
	@tests/examples.sh $(CURDIR)/build/stage-examples docs/examples

asan ubsan tsan:
	@rm -f $(RESULTS) && mkdir -p build
	@tests/step.sh $@ $(MAKE) --no-print-directory -j$(JOBS) unit VARIANT=$@; :
	@tests/total.sh $(RESULTS)

build/fuzz-clang/tests/fuzz_%: build/fuzz-clang/tests/fuzz_%.o build/fuzz-clang/libtally.a
	$(call say,LINK,$@)
	$(Q)clang -fsanitize=fuzzer,address,undefined $(CFLAGS) -o $@ $^ $(PKG_LIBS) -lm -lpthread

.PHONY: fuzzers
fuzzers: $(FUZZERS)
fuzz:
	@$(MAKE) --no-print-directory VARIANT=fuzz CC=clang fuzzers
	@tests/fuzz.sh $(SECONDS_PER_FUZZER) $(FUZZERS)

lint:
	@tests/lint.sh $(LIB_SRC) $(CLI_SRC) $(TEST_SRC)

format:
	@clang-format -i $$(git ls-files -co --exclude-standard '*.c' '*.h')

check-long: deps
	@rm -f $(RESULTS) && mkdir -p build
	@$(MAKE) --no-print-directory all
	@$(MAKE) --no-print-directory $(B)/tests/long_okvs
	@tests/step.sh long-okvs $(B)/tests/long_okvs; :
	@$(MAKE) --no-print-directory $(B)/tests/long_rlwe
	@tests/step.sh long-rlwe $(B)/tests/long_rlwe; :
	@$(MAKE) --no-print-directory $(B)/tests/long_curve
	@tests/step.sh long-curve $(B)/tests/long_curve; :
	@$(MAKE) --no-print-directory VARIANT=plain build/plain/tests/long_ledger
	@tests/step.sh long-ledger build/plain/tests/long_ledger; :
	@tests/step.sh audit $(MAKE) --no-print-directory audit LEVELS='-O1 -O2 -O3'; :
	@$(MAKE) --no-print-directory VARIANT=plain build/plain/tests/test_psi_vole
	@TALLY_LONG=1000 tests/step.sh psi-vole build/plain/tests/test_psi_vole many powers; :
	@$(MAKE) --no-print-directory VARIANT=plain build/plain/tests/test_psi_curve
	@TALLY_LONG=1000000 tests/step.sh psi-curve build/plain/tests/test_psi_curve; :
	@$(MAKE) --no-print-directory VARIANT=plain build/plain/tests/test_calibration
	@TALLY_LONG=1 tests/step.sh calibration build/plain/tests/test_calibration measure; :
	@tests/step.sh ct-levels $(MAKE) --no-print-directory ct-levels; :
	@$(MAKE) --no-print-directory $(API_TESTS:%=$(B)/tests/%)
	@TALLY_LONG=10000 tests/step.sh api-sessions $(B)/tests/api_sessions; :
	@TALLY_LONG=1 tests/step.sh api-memory $(B)/tests/api_memory; :
	@tests/step.sh api-tsan $(MAKE) --no-print-directory api-tsan; :
	@tests/step.sh abi $(MAKE) --no-print-directory abi; :
	@tests/step.sh emulated $(MAKE) --no-print-directory emulated; :
	@tests/step.sh arm64 tests/arm64.sh; :
	@tests/step.sh first-day python3 tests/first_day.py build/release/tally; :
	@tests/step.sh debian tests/debian.sh; :
	@$(MAKE) --no-print-directory VARIANT=test build/test/tests/test_report
	@tests/step.sh report-pages python3 tests/report_pages.py build/test/tests/test_report; :
	@tests/step.sh commands-long python3 tests/commands.py --long build/release/tally; :
	@tests/total.sh $(RESULTS)

# Programs of the benchmarks stand alone.
$(B)/benchmarks/%: benchmarks/%.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(WARN) $(DEFS) $(CFLAGS) $(LDFLAGS) -o $@ $<

# Subspace VOLE alone, from the library's inside.
$(B)/benchmarks/protocol: benchmarks/protocol.c $(B)/libtally.a
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(COMPILE) $(LDFLAGS) -o $@ $< $(B)/libtally.a $(PKG_LIBS) -lm -lpthread

# Paillier alone, against a plain table of powers in GMP.
$(B)/benchmarks/paillier: benchmarks/paillier.c $(B)/libtally.a
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(COMPILE) $(LDFLAGS) -o $@ $< $(B)/libtally.a $(PKG_LIBS) -lpthread

# A scheme of additively homomorphic aggregation alone.
$(B)/benchmarks/ahe: benchmarks/ahe.c $(B)/libtally.a
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(COMPILE) $(LDFLAGS) -o $@ $< $(B)/libtally.a $(PKG_LIBS) -lpthread

# What callgrind counts: VARIANT=plain only, which has the door to the seed of the random generator. Names of functions are
# enough, and valgrind 3.19 cannot read the debugging format of clang.
$(B)/benchmarks/counted: $(B)/benchmarks/counted.o $(B)/libtally.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(EXTRA) $(CFLAGS) $(LDFLAGS) -Wl,--strip-debug -o $@ $^ $(PKG_LIBS) -lm -lpthread

# Every kernel and backend, beside OpenSSL and libsodium.
$(B)/benchmarks/kernels: $(B)/benchmarks/kernels.o $(B)/benchmarks/kernel_rows.o $(B)/libtally.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(EXTRA) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) -lm -lpthread

# The insecure baseline shares reader and writer with Tally.
$(B)/benchmarks/plain: benchmarks/plain.c $(B)/libtally.a
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(COMPILE) $(LDFLAGS) -o $@ $< $(B)/libtally.a $(PKG_LIBS) -lm -lpthread

# What benchmarks/run needs beside the command.
BENCH_PROGRAMS := $(addprefix $(B)/benchmarks/,lists plain link launch)
.PHONY: bench-programs
bench-programs: $(BENCH_PROGRAMS)

# Sizes, links, functions and protocols, checked, with charts; less than 40 minutes on two cores.
# OPTIONS="--sizes 2^18 --links wan100"
bench: all bench-programs
	@benchmarks/run --build $(B) $(or $(OPTIONS),--repeats 3)

# Subspace VOLE alone, in memory. N=2^18 rows on both sides unless said otherwise: make bench-protocol N=1000000
N ?= 262144
.PHONY: bench-protocol
bench-protocol: $(B)/benchmarks/protocol
	@$(B)/benchmarks/protocol 4 $(N) $(N) $$(($(N) / 10)) 1
	@$(B)/benchmarks/protocol 6 $(N) $(N) $$(($(N) / 10)) 1
	@$(B)/benchmarks/protocol 4 $(N) $(N) $$(($(N) / 10)) 2

# Regressions without a clock: bytes and answers of small runs, instructions of the kernels. bench-counts stores the latter.
COUNTED := build/plain$(if $(findstring clang,$(CC)),-clang)/benchmarks/counted
COUNTS = python3 benchmarks/counts.py --cc="$(CC)" --flags="$(CFLAGS)" $(COUNTED)
.PHONY: bench-smoke bench-counts counted
counted:
	@$(MAKE) -s --no-print-directory VARIANT=plain $(COUNTED)
bench-smoke: all counted
	@tests/step.sh bench-smoke-bytes python3 benchmarks/smoke.py $(B)/tally; bytes=$$?; \
	tests/step.sh bench-smoke-counts $(COUNTS) && exit $$bytes
bench-counts: counted
	@$(COUNTS) --store

# OPTIONS="--json --only scalar_mul,openssl_x25519"
.PHONY: bench-kernels
bench-kernels:
	@$(MAKE) --no-print-directory $(B)/benchmarks/kernels >&2
	@$(B)/benchmarks/kernels $(OPTIONS)

# The curve in eight lanes on a processor that is not at hand.
.PHONY: bench-model
bench-model:
	@$(MAKE) --no-print-directory $(B)/psi/group_ifma.o >&2
	@python3 benchmarks/model.py $(B)/psi/group_ifma.o 8 $(or $(PROCESSOR),icelake-server)

# Tally against the insecure baseline: make bench-compare N=16384 RUNS=3 OPTIONS="--processors 1"
RUNS ?= 5
.PHONY: bench-compare
bench-compare: all bench-programs
	@benchmarks/run --build $(B) --sizes $(N) --functions match --protocols plain,vole --links loopback --placement shared \
	  --scaling none --repeats $(RUNS) --no-estimates --out results/compare $(OPTIONS)

# The page of a run of the benchmarks, beside its results: make bench-page RESULTS=results/results.json
.PHONY: bench-page
bench-page:
	@python3 benchmarks/page.py "$(if $(filter command,$(origin RESULTS)),$(RESULTS),results/results.json)"

# The table of docs/sizing.md; what RESULTS="results/results.json ..." has not is estimated.
.PHONY: bench-table
bench-table: all
	@python3 benchmarks/table.py $(B)/tally $(if $(filter command,$(origin RESULTS)),$(RESULTS))

# ---- Installing -------------------------------------------------------------------------------------------------

D := $(DESTDIR)
install: all
	install -d $(D)$(BINDIR) $(D)$(LIBDIR)/pkgconfig $(D)$(INCLUDEDIR)/tally $(D)$(MANDIR)/man1 $(if $(MAN7),$(D)$(MANDIR)/man7) $(D)$(DOCDIR)/examples
	install -d $(D)$(BASHDIR) $(D)$(ZSHDIR) $(D)$(UNITDIR) $(D)$(SYSUSERSDIR) $(D)$(TMPFILESDIR)
	install -m 755 $(B)/tally $(D)$(BINDIR)/tally
	install -m 755 $(B)/$(SHARED) $(D)$(LIBDIR)/$(SHARED)
	ln -sf $(SHARED) $(D)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(D)$(LIBDIR)/libtally.so
	install -m 644 $(B)/libtally.a $(D)$(LIBDIR)/libtally.a
	install -m 644 party/tally*.h psi/tally-status.h $(D)$(INCLUDEDIR)/tally/
	sed -e 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@INCLUDEDIR@|$(INCLUDEDIR)|; s|@VERSION@|$(VERSION)|' \
	  party/tally.pc.in > $(D)$(LIBDIR)/pkgconfig/tally.pc
	$(if $(MAN1),install -m 644 $(MAN1) $(D)$(MANDIR)/man1/)
	$(if $(MAN7),install -m 644 $(MAN7) $(D)$(MANDIR)/man7/)
	$(foreach l,$(LINGUAS),install -d $(D)$(LOCALEDIR)/$l/LC_MESSAGES $(D)$(MANDIR)/$l/man1 && \
	  install -m 644 $(B)/share/locale/$l/LC_MESSAGES/tally.mo $(D)$(LOCALEDIR)/$l/LC_MESSAGES/ && \
	  $(if $(wildcard docs/man/$l/*.1),install -m 644 $(wildcard docs/man/$l/*.1) $(D)$(MANDIR)/$l/man1/ &&)) :
	install -m 644 README.md $(wildcard docs/*.md docs/*.svg) $(D)$(DOCDIR)/
	install -m 644 $(wildcard docs/examples/*) $(D)$(DOCDIR)/examples/
	install -m 644 cli/completions/tally.bash $(D)$(BASHDIR)/tally
	install -m 644 cli/completions/_tally $(D)$(ZSHDIR)/_tally
	for f in $(UNITS); do sed 's|/usr/bin/tally|$(BINDIR)/tally|' docs/systemd/$$f > $(D)$(UNITDIR)/$$f || exit 1; done
	install -m 644 docs/systemd/tally.sysusers $(D)$(SYSUSERSDIR)/tally.conf
	install -m 644 docs/systemd/tally.tmpfiles $(D)$(TMPFILESDIR)/tally.conf

# Removes what install put there. Keys, settings and ledgers live in the users' homes, and stay.
uninstall:
	rm -f $(LINGUAS:%=$(D)$(LOCALEDIR)/%/LC_MESSAGES/tally.mo)
	rm -f $(D)$(BINDIR)/tally $(D)$(LIBDIR)/libtally.so* $(D)$(LIBDIR)/libtally.a $(D)$(LIBDIR)/pkgconfig/tally.pc
	rm -f $(foreach l,$(LINGUAS),$(addprefix $(D)$(MANDIR)/$l/man1/,$(notdir $(wildcard docs/man/$l/*.1))))
	rm -f $(addprefix $(D)$(MANDIR)/man1/,$(notdir $(MAN1))) $(addprefix $(D)$(MANDIR)/man7/,$(notdir $(MAN7)))
	rm -f $(D)$(BASHDIR)/tally $(D)$(ZSHDIR)/_tally $(addprefix $(D)$(UNITDIR)/,$(UNITS))
	rm -f $(D)$(SYSUSERSDIR)/tally.conf $(D)$(TMPFILESDIR)/tally.conf
	rm -rf $(D)$(INCLUDEDIR)/tally $(D)$(DOCDIR)
	@echo 'Kept: keys, settings and ledgers, in ~/.config/tally of every user (or where TALLY_HOME points)'; \
	for d in $(D)/etc/tally $(D)/var/lib/tally $(D)/var/log/tally; do [ ! -d $$d ] || echo "Kept: $$d"; done

# Texts for people: what cli/po lacks, entries to be filled in and taken in (FILE=new.po), the table of docs/messages.md.
.PHONY: messages messages-missing messages-merge messages-table
messages:
	@mkdir -p build && python3 tests/messages.py template > build/tally.pot && echo "build/tally.pot: every text for people"
messages-missing:
	@python3 tests/messages.py missing
messages-merge:
	@python3 tests/messages.py merge $(FILE)
messages-table:
	@python3 tests/messages.py table

dist:
	mkdir -p dist
	git archive --prefix=tally-$(VERSION)/ -o dist/tally-$(VERSION).tar.gz HEAD

# Debian packages in dist/, from a copy of this tree; see debian/.
.PHONY: deb
deb:
	@tests/deps.sh debian
	@debian/build dist && ls dist/*.deb

clean:
	rm -rf build dist

-include $(shell find $(B) -name '*.d' 2>/dev/null)
