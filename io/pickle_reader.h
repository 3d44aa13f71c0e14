/*
 * pickle_reader.h: reads a pickle into a tree, and runs nothing.
 *
 * A pickle is a program for a stack machine that may call any function of Python. This reader is
 * that machine without the calls: what would be called becomes a node that says so, and whoever reads
 * the tree decides (pth_read.c). Names of functions and classes are looked up in a table of known
 * ones as they appear; any other ends the reading.
 *
 * Opcodes: those of protocols 0 to 5 except the registry of extensions, out-of-band buffers and the
 * objects of protocol 0. Memory is bounded by a multiple of the pickle's length.
 */
#ifndef TERN_IO_PICKLE_READER_H
#define TERN_IO_PICKLE_READER_H

#include "tern/context.h"
#include "tern/value.h"

typedef enum tern_pnode_kind {
    TERN_P_NONE,
    TERN_P_BOOL,
    TERN_P_INT,
    TERN_P_BIG_INT, /* beyond 64 bits: `length` bytes, little endian, two's complement */
    TERN_P_FLOAT,
    TERN_P_TEXT,
    TERN_P_BYTES,
    TERN_P_LIST,
    TERN_P_TUPLE,
    TERN_P_DICT, /* items: key, value, key, value */
    TERN_P_SET,
    TERN_P_GLOBAL,
    TERN_P_CALL,  /* items: function, arguments (a tuple), then the pairs that were set */
    TERN_P_STORED /* a persistent id; items: the id */
} tern_pnode_kind;

typedef struct tern_pnode tern_pnode;
struct tern_pnode {
    uint8_t kind;
    uint8_t state, made; /* the tree reader's */
    uint32_t capacity;
    size_t length; /* bytes or items */
    union {
        bool b;
        int64_t i;
        double f;
        const char *bytes; /* in the pickle: not terminated */
        tern_pnode **items;
        int known; /* of a global: its number in the table */
    } as;
    tern_pnode *built;  /* what BUILD set, NULL where nothing */
    const void *result; /* the tree reader's; of a STORED one the STORED that came before */
    uint64_t weight;    /* the tree reader's */
};

/* A function or class that the tree's reader knows. A module that ends in '*' stands for all names
 * that begin so and have no further dot. */
typedef struct tern_pglobal {
    const char *module, *name;
    int number;
} tern_pglobal;

typedef struct tern_pblock tern_pblock;

typedef struct tern_pickle_reader {
    tern_ctx *ctx;
    const char *path; /* for messages */
    const tern_pglobal *globals;
    size_t n_globals;
    const char *classes; /* modules that are this or lie in it hold classes; NULL: none do */
    int class_number;    /* the number of all of them */
    tern_pblock *blocks; /* of the nodes */
    tern_pnode *stored;  /* the last persistent id; those before hang on `result` */
} tern_pickle_reader;

/* Reads one pickle; out_length (may be NULL) is its length. NULL after latching an error. The nodes
 * live until tern_pickle_free and refer to the bytes. */
tern_pnode *tern_pickle_read(tern_pickle_reader *reader, const unsigned char *bytes, size_t size,
                             size_t *out_length);
void tern_pickle_free(tern_pickle_reader *reader);

#endif
