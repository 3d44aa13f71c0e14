/*
 * recording.h: what a captured body consists of.
 *
 *     commands   launches in order, each with operands of its own
 *       └ places   the storages behind the operands: inputs, what was there before, what the body made; once
 *                  memory is assigned, what lies in the block is a place no more
 *     draws, actions, cells   what the host does before the first launch
 *     grads, outputs          what outlives the body
 *
 * Recorded by capture.c and record.c; prune.c leaves out what nobody reads, order.c and again.c change the order of
 * what is left so that it needs less memory, merge.c makes one launch of several, block.c assigns the memory, run.c
 * runs.
 */
#ifndef TERN_REPLAY_RECORDING_H
#define TERN_REPLAY_RECORDING_H

#include "core/call/recorder.h"
#include "core/objects.h"
#include "core/plugin/profiler.h"

/* Storage that commands use; retained until it is known to lie in the block. */
typedef struct tern_place {
    tern_storage *storage;
    const tern_tensor
        *owner;  /* a parameter, buffer or .grad that is over it; NULL where there is none */
    int input;   /* of which input it is the storage; -1: of none */
    bool inside; /* made by the body */
    bool kept;   /* inside, and outlives the body: an output, a gradient, a constant */
    bool written;
    bool is_drawn;
    bool is_constant; /* for some command: read in inference mode */
    int first, last;  /* the commands that use it; first is -1 before there is one */
    int over; /* the place that it replaces element by element, written where that one ends; -1: none */
    uint64_t bytes;
    uint64_t at;  /* in the block */
    uint64_t key; /* the order in which places are put there */
} tern_place;

/* A launch; an upload of `attrs` (kernel TERN_COMMAND_UPLOAD, one output); or a look at one bool, which ends the
 * run with `attrs`, a text, where it is true (TERN_COMMAND_CHECK, one input). */
enum { TERN_COMMAND_UPLOAD = -1, TERN_COMMAND_CHECK = -2 };
typedef struct tern_command {
    int32_t kernel, fn;
    int n_inputs, n_outputs, n_tuples;
    uint32_t attrs_size;
    const void *attrs;
    tern_operand *operands; /* all inputs, then all outputs */
    int *places;            /* of each operand; -1 for an immediate */
    bool is_dead;
    bool is_merged;     /* its program was made here, of short ones */
    tern_origin origin; /* for a profile */
} tern_command;

static inline int tern_command_operands(const tern_command *c) {
    return (c->n_inputs + c->n_outputs) * c->n_tuples;
}

static inline bool tern_operand_has_shape(const tern_operand *o, const tern_operand *like) {
    return o->rank == like->rank && tern_dims_equal(o->rank, o->shape, like->shape);
}

/* Whether it reads or writes a place. */
static inline bool tern_command_uses(const tern_command *c, int place) {
    for (int k = 0; k < tern_command_operands(c); k++)
        if (c->places[k] == place) return true;
    return false;
}

/* An immediate that the host works out before each run. */
typedef struct tern_cell {
    tern_operand *operand;
    const double *number;
} tern_cell;

typedef struct tern_draw {
    void (*draw)(const void *job, tern_mt19937 *engine, void *out);
    const void *job;
    const tern_generator *generator;
    int place;
    tern_bbuffer *buffer; /* where the place lies */
    uint64_t offset, bytes;
} tern_draw;

typedef struct tern_host_action {
    tern_action_fn before, after, undo;
    void *kept;
} tern_host_action;

typedef struct tern_kept {
    const char *memory;
    size_t bytes;
} tern_kept;

/* What the body did to a leaf's .grad. */
typedef struct tern_graded {
    tern_tensor *leaf;
    tern_tensor *grad; /* the replay's own handle of it; NULL where the body left none */
    bool was_cleared;  /* before it was set */
} tern_graded;

/* An input as it was captured. */
typedef struct tern_bound {
    tern_tensor *tensor; /* while it is captured */
    tern_storage *storage;
    uint64_t byte_offset;
    tern_dtype dtype;
    int rank;
    const int64_t *shape, *strides;
    int same_as; /* an earlier input with the same elements; -1: none */
} tern_bound;

/* An operand over an input: its place in each run. */
typedef struct tern_binding {
    tern_operand *operand;
    int input;
    int64_t from_first; /* bytes behind the input's first element */
} tern_binding;

/* An operand of which a device may keep something derived as long as its stamp stays; or, without an operand, a
 * write that renews the stamp. In the order of the commands. */
typedef struct tern_stamped {
    tern_operand *operand;
    tern_storage *storage;
} tern_stamped;

/* One array that grows: in the memory of the recording. */
#define TERN_GROWING(type, name)                                                                   \
    type *name;                                                                                    \
    int n_##name, name##_capacity

typedef struct tern_recording {
    tern_recorder recorder; /* while it is captured */
    tern_ctx *ctx;
    tern_lane *lane;
    tern_owner *owner;
    tern_replay *handle;
    const char *refusal;

    TERN_GROWING(tern_bound, inputs);
    TERN_GROWING(tern_command, commands);
    TERN_GROWING(tern_place, places);
    TERN_GROWING(tern_cell, cells);
    TERN_GROWING(tern_draw, draws);
    TERN_GROWING(tern_host_action, actions);
    TERN_GROWING(tern_kept, kept);
    TERN_GROWING(tern_graded, grads);
    TERN_GROWING(tern_binding, bindings);
    TERN_GROWING(tern_stamped, stamped);
    tern_tensor **outputs;
    size_t n_outputs;

    int *place_slots; /* by hash of the storage's address: the place's number plus 1 */
    int n_place_slots;

    /* the lane's cache, hidden while the body is captured: what the body makes is then new */
    tern_storage *hidden[TERN_SIZE_CLASSES];
    uint64_t hidden_bytes, cache_limit;

    tern_storage *block;
    tern_breplay *device; /* what the device keeps of the launches */
    tern_replay_info info;
} tern_recording;

/* ---- recording.c ---- */

/* Memory of the recording, zeroed; NULL after latching. */
void *tern_recording_alloc(tern_recording *r, size_t count, size_t size);

/* Room for one more element behind `count`; false after latching. */
bool tern_recording_grow(tern_recording *r, void *array, int count, int *capacity, size_t size);

/* The place of a storage, which is retained; -1 after latching. */
int tern_place_of(tern_recording *r, tern_storage *storage);

/* Whether a number among its operands may be another one in each run. */
bool tern_has_cell(const tern_recording *r, const tern_command *c);

/* Why the body cannot be replayed; the first reason counts. */
void tern_recording_refuse(tern_recording *r, const char *reason);

/* ---- record.c ---- */

/* The recorder's functions. */
void tern_recording_listen(tern_recording *r);

/* ---- prune.c ---- */

/* Leaves out commands whose results nobody reads, and uploads of constants. Latches. */
void tern_recording_prune(tern_recording *r);

/* ---- order.c ---- */

/* Sets the first and the last use of each place. */
void tern_find_lifetimes(tern_recording *r);

/* Puts the commands into an order that needs less memory. Latches. */
void tern_recording_order(tern_recording *r);

/* ---- again.c ---- */

/* Computes again what is cheap and would wait in memory. The commands are in order. Latches. */
void tern_recording_again(tern_recording *r);

/* The command at which a run needs most, -1 if there is none; finds the lifetimes, and how many bytes live at each
 * command, of which there is room for two more. */
int tern_recording_peak(tern_recording *r, uint64_t *live);

/* ---- merge.c ---- */

/* Makes one launch of several where the run needs no more memory then. The commands are in order. Latches. */
void tern_recording_merge(tern_recording *r);

/* ---- block.c ---- */

/* Whether operand `k` of a command is the whole of its place. */
bool tern_fills_place(const tern_recording *r, const tern_command *c, int k);

/* Whether its memory is the block's, where commands use it. */
static inline bool tern_is_in_block(const tern_place *p) {
    return p->inside && !p->kept && p->first >= 0;
}

/* Finds which places replace others, from their uses. */
void tern_find_replaced(tern_recording *r);

/* Assigns memory and points the operands at it. False after latching. */
bool tern_recording_place(tern_recording *r);

#endif
