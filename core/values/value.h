/*
 * value.h: how lists and dicts lie in memory, shared by value.c and value_repr.c.
 *
 * Both belong to the frame in which they were made and grow there, whatever scope is open when an
 * item is added. The arena frees nothing before its scope ends; arrays double, so that what growth
 * leaves behind is at most what is in use.
 */
#ifndef TERN_CORE_VALUE_H
#define TERN_CORE_VALUE_H

#include "core/objects.h"

struct tern_list {
    tern_frame *frame;
    tern_value *items;
    size_t count, capacity;
};

typedef struct tern_entry {
    uint64_t hash;
    tern_value key, item;
} tern_entry;

/* Entries in order of insertion. Small dicts are searched; larger ones have `slots`, a table with
 * linear probing of entry numbers plus one (0 is free), at most half full. */
struct tern_dict {
    tern_frame *frame;
    tern_entry *entries;
    size_t count, capacity;
    uint32_t *slots;
    size_t n_slots; /* a power of two, or 0 */
    bool ordered;
    tern_value attributes;
};

/* Deeper than this values are taken to be cyclic: they are not equal to anything, and their text
 * ends in "...". */
#define TERN_VALUE_MAX_DEPTH 256

#endif
