/*
 * value.h: how lists and dicts lie in memory.
 *
 * Both lie in the slots of their handles. They belong to the frame in which they were made and grow
 * there, whatever scope is open when an item is added. The arena frees nothing before its scope ends;
 * arrays double, so that what growth leaves behind is at most what is in use.
 */
#ifndef TERN_CORE_VALUE_H
#define TERN_CORE_VALUE_H

#include "core/objects.h"

typedef struct tern_list_body {
    tern_object_body head;
    tern_value *items;
    size_t count, capacity;
} tern_list_body;

typedef struct tern_entry {
    uint64_t hash;
    tern_value key, item;
} tern_entry;

/* Entries in order of insertion. Small dicts are searched; larger ones have `slots`, a table with
 * linear probing of entry numbers plus one (0 is free), at most half full. */
typedef struct tern_dict_body {
    tern_object_body head;
    tern_entry *entries;
    size_t count, capacity;
    uint32_t *slots;
    size_t n_slots; /* a power of two, or 0 */
    bool ordered;
    tern_value attributes;
} tern_dict_body;

/* Deeper than this values are taken to be cyclic: they are not equal to anything, and their text
 * ends in "...". */
#define TERN_VALUE_MAX_DEPTH 256

#endif
