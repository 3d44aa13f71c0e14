/*
 * heap.h: counts the heap calls of a whole process.
 *
 * heap.c defines malloc and its kin, which glibc lets a program do: every library of the process,
 * plugins included, then calls these. So the counts also hold what does not go through Tern's
 * allocation seam.
 */
#ifndef TERN_TEST_HEAP_H
#define TERN_TEST_HEAP_H

#include <stdbool.h>
#include <stdint.h>

typedef struct heap_counts {
    uint64_t allocations; /* calls that ask for memory */
    uint64_t releases;    /* calls of free with memory to give back */
} heap_counts;

/* Forgets what was counted and counts from now on, with places the stacks as well. */
void heap_watch(bool places);

/* Stops counting, and returns the counts since heap_watch. */
heap_counts heap_counted(void);

/* The stacks that asked for memory, most frequent first, with their counts over `steps`. They need
 * unwind tables, so a debug build; addr2line makes lines of them. */
void heap_print_places(unsigned steps);

#endif
