#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The public interface as programs in C, C++ and Python use it, and what the shared library exports and calls.
# Usage: api.sh BUILD PROGRAM... (BUILD/libtally.so, BUILD/tests/PROGRAM), or api.sh BUILD --write or --names; CC, CXX, PYTHON.
build=$1
work=$(mktemp -d /tmp/tally-api-XXXXXX) || exit 2
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

# check NAME COMMAND...: one test
check() {
    name=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $name"
        sed 's/^/    /' "$work/log"
    fi
}

# What it exports is what was written down: a new name is added there, and one that goes is noticed.
symbols() {
    nm -D --defined-only "$build/libtally.so" | awk '$2 ~ /[TDBRV]/ { sub(/@.*/, "", $3); print $3 }' | LC_ALL=C sort
}
exported() {
    symbols >"$work/symbols" && diff "$work/symbols" party/libtally.symbols && return
    echo "after a change of the interface that is meant: tests/api.sh $build --write"
    return 1
}

# Each exported function is declared in the header, and each declared one is exported.
declared() {
    cat party/tally*.h | tr '\n' ' ' | grep -o 'TALLY_API [^;(]*(' | grep -o 'tally_[a-z0-9_]*($' | tr -d '(' | LC_ALL=C sort -u |
        diff - party/libtally.symbols
}

# What would end the process, print, or change what it shares with the program around it. A call that is refused
# here needs another way; __stack_chk_fail and the like of the compiler end a process whose memory was overrun.
forbidden='exit|_exit|quick_exit|abort|__assert_fail|printf|__printf_chk|vprintf|__vprintf_chk|puts|putchar|perror|stdout|stderr'
forbidden="$forbidden|signal|sigaction|raise|kill|alarm|setitimer|setlocale|umask|setenv|putenv|unsetenv|clearenv|chdir|fchdir"
forbidden="$forbidden|fork|vfork|execve|system|popen|atexit|on_exit|srand|srandom|rand|random|setrlimit|prctl|pthread_atfork"
calls() {
    ! nm -D --undefined-only "$build/libtally.so" | awk '{ sub(/@.*/, "", $2); print $2 }' | grep -xE "$forbidden"
}

no_long() {
    ! sed -e 's|/\*.*\*/||' -e '/\/\*/,/\*\//d' party/tally*.h | grep -wE 'long|short'
}

cplusplus() {
    ${CXX:-g++} -std=c++17 -Wall -Wextra -Wpedantic -Werror -O0 -Iparty -Ipsi tests/api_class.cpp -o "$work/class" \
        -L"$build" -Wl,-rpath,"$(realpath "$build")" -ltally -lpthread && "$work/class"
}

case $2 in
--write)
    symbols >party/libtally.symbols
    exit
    ;;
--names)
    exported
    exit
    ;;
esac
shift
for program; do
    shift
    set -- "$@" "$build/tests/$program"
done
tests/run.sh api "$@" >"$work/programs" 2>&1 & # they wait more than they compute
programs=$!
check "exported symbols" exported
check "declared functions" declared
check "calls of the library" calls
check "types of the header" no_long
check "header alone, C11" ${CC:-cc} -std=c11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -x c -Ipsi party/tally.h
if command -v "${CXX:-g++}" >/dev/null; then
    check "C++" cplusplus
fi
check "Python" ${PYTHON:-python3} tests/api_ctypes.py "$build/libtally.so"
echo "api: $passed passed, $failed failed"
[ -z "$TALLY_RESULTS" ] || echo "api $passed $failed" >>"$TALLY_RESULTS"
wait "$programs"
status=$?
cat "$work/programs"
[ $status -eq 0 ] && [ $failed -eq 0 ]
