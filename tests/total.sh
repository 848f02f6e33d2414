#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Adds up "name passed failed" lines; prints the one closing line. Status 1 if anything failed or nothing ran.
awk '{ p += $(NF-1); f += $NF } END { printf "%d passed, %d failed\n", p, f; exit !(p > 0 && f == 0) }' "$1"
