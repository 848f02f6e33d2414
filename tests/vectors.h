/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the published vectors under tests/vectors in the form they were published in. */
#ifndef TESTS_VECTORS_H
#define TESTS_VECTORS_H

#include <stdio.h>

/*
 * One entry is "name = value" or "name: value"; lines without a separator continue the value. A line of hex
 * that follows no named entry is an entry of its own with an empty name. A heading ("## text" and deeper) has
 * name "##". Comments ("# text") end an entry.
 */
typedef struct vectors {
    FILE *file;
    char name[64];
    char value[2048];
    char line[1024]; /* read ahead; empty when there is none */
} vectors;

/* Opens tests/vectors/NAME below the working directory; ends the program if it cannot. */
void vectors_open(vectors *v, const char *name);
/* 1 with the next entry, or 0 at the end, where the file is closed. */
int vectors_next(vectors *v);

#endif
