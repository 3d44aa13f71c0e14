/*
 * pickle_writer.h: writes pickles (protocol 2) as Python's own pickler does, byte for byte.
 *
 * Python writes an object that it met before as a reference ("memo"), and it knows objects by
 * identity. Here lists, dicts, tensors and texts are known by their address; texts that Python keeps
 * only once (interned: identifiers, single letters, the empty text) by their content.
 */
#ifndef TERN_IO_PICKLE_WRITER_H
#define TERN_IO_PICKLE_WRITER_H

#include "file.h"
#include "tern/value.h"

typedef struct tern_memo {
    uint64_t hash; /* 0 is a free slot */
    const void *object;
    uint32_t length; /* of a text known by its content, else 0 */
    uint32_t number;
    bool by_content;
    bool open; /* a container that is being written */
} tern_memo;

typedef struct tern_pickle_writer tern_pickle_writer;
struct tern_pickle_writer {
    tern_ctx *ctx;
    tern_sink out; /* in memory */
    tern_memo *memos;
    size_t n_slots, n_memos;
    uint32_t next_number;
    int depth;
    bool computed_keys; /* the next dict's keys were put together by Python code: not interned */

    /* Writes a tensor by the calls below; registers it with tern_pickle_remember. */
    void (*tensor)(tern_pickle_writer *w, tern_tensor *tensor);
    void *user;
};

void tern_pickle_writer_init(tern_pickle_writer *w, tern_ctx *ctx);
void tern_pickle_writer_fini(tern_pickle_writer *w);

/* A whole pickle: protocol, value, end. Errors latch; the status is that of w->out. */
tern_status tern_pickle_dump(tern_pickle_writer *w, tern_value value);

/* ---- pieces ---------------------------------------------------------------------------------- */

void tern_pickle_op(tern_pickle_writer *w, char opcode);
void tern_pickle_int(tern_pickle_writer *w, int64_t number);
void tern_pickle_text(tern_pickle_writer *w, const char *text, size_t length);

/* A text that is an object of its own, whatever it says; returns its number. */
uint32_t tern_pickle_fresh_text(tern_pickle_writer *w, const char *text, size_t length);

/* "module name", by GLOBAL the first time. The text must be a literal. */
void tern_pickle_global(tern_pickle_writer *w, const char *module_and_name);

/* A tuple of ints. */
void tern_pickle_int_tuple(tern_pickle_writer *w, const int64_t *ints, size_t count);

/* BINPUT: gives the object on top of the stack a number. */
uint32_t tern_pickle_put(tern_pickle_writer *w);

/* BINGET */
void tern_pickle_get(tern_pickle_writer *w, uint32_t number);

/* References an object that was written before; false where it was not. */
bool tern_pickle_again(tern_pickle_writer *w, const void *object);

/* BINPUT, and `object` is known by that number from now on. */
void tern_pickle_remember(tern_pickle_writer *w, const void *object);

#endif
