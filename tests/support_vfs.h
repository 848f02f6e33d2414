/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk in memory, as SQLite's default VFS, that loses power or runs full. What was not synced may be there
 * after the cut, or not, or in part. One connection at a time.
 */
#ifndef TESTS_SUPPORT_VFS_H
#define TESTS_SUPPORT_VFS_H

enum vfs_keeps {
    VFS_KEEPS_SYNCED, /* nothing else */
    VFS_KEEPS_ALL,    /* every write up to the cut */
    VFS_KEEPS_SOME,   /* of what was not synced some sectors, and some of the names */
    VFS_KEEPS_VARIANTS
};

void vfs_install(void); /* an empty disk */
void vfs_remove(void);
void vfs_format(void); /* empties it; no file may be open */
/* The n-th call from now that changes the disk (1: the next), and all after it, fail: the power is off. 0: it
 * stays on. */
void vfs_cut_at(unsigned long n);
int vfs_is_cut(void);
/* The n-th write from now, and all after it, finds no room; 0: there is room again. */
void vfs_full_at(unsigned long n);
int vfs_was_full(void);
/* On again, with what the disk has kept. No file may be open. */
void vfs_restart(enum vfs_keeps keeps);
unsigned long vfs_syncs(void); /* of files and folders, so far */

#endif
