# SPDX-License-Identifier: Apache-2.0
# Runs a command and writes "wall cpu peak-KiB" of it to a file. Usage: timed.py FILE COMMAND...
import os, sys, time

started = time.monotonic()
pid = os.spawnv(os.P_NOWAIT, sys.argv[2], sys.argv[2:])
_, status, used = os.wait4(pid, 0)
wall = time.monotonic() - started
with open(sys.argv[1], "w") as f:
    f.write(f"{wall:.3f} {used.ru_utime + used.ru_stime:.3f} {used.ru_maxrss}\n")
sys.exit(os.waitstatus_to_exitcode(status))
