/*
 * module.h: what a module holds, shared by the files of this room.
 */
#ifndef TERN_NN_MODULE_H
#define TERN_NN_MODULE_H

#include "tern/grad.h"
#include "tern/memory.h"
#include "tern/nn.h"
#include "tern/ops.h"
#include "tern/summary.h"

/* How deep modules may nest: every walk below is a recursion of at most this depth. */
#define TERN_MODULE_DEPTH 64

typedef struct tern_slot {
    const char *name;
    tern_tensor *tensor; /* NULL: registered as None */
    bool persistent;     /* of a buffer: in the state dict */
} tern_slot;

typedef struct tern_slots {
    tern_slot *items;
    size_t count, capacity;
} tern_slots;

typedef struct tern_child {
    const char *name;
    tern_module *module;
} tern_child;

/* A tensor that is computed of others before every forward (computed.c). */
typedef struct tern_computed {
    const char *name;
    bool pruned; /* name_orig times name_mask; else what parametrizations.name gives */
} tern_computed;

/* What is done with them; a module knows it from its first one on, so that a program without any does not
 * hold it. */
typedef struct tern_computing {
    tern_tensor *(*value)(tern_module *module, const tern_computed *computed);
    /* Computes all into the members of the struct for one forward, and takes them away again. */
    bool (*begin)(tern_module *module);
    void (*end)(tern_module *module);
    /* A state dict with today's keys for this module, which is at `path`. */
    tern_value (*current_keys)(tern_module *module, const char *path, tern_value state);
} tern_computing;

/* Where the module's own code looks for what is registered under a name. It stays when that is removed. */
typedef struct tern_member {
    const char *name;
    void *at; /* of a tern_tensor * or a tern_module * */
} tern_member;

/* Pointers met so far, for walks that take each thing once. Free with tern_free(items). */
typedef struct tern_seen {
    const void **items;
    size_t count, capacity;
    bool failed;
} tern_seen;

/* The memory of walks that began at a module, kept for the next one. */
typedef struct tern_walk_memory {
    tern_textbuf path;
    tern_seen seen;
    bool deferred; /* the module's end frees it */
} tern_walk_memory;

/* An operation that a module's forward has called, by the address of its name's literal. */
typedef struct tern_held_operation {
    const char *name;
    tern_operation operation;
} tern_held_operation;
#define TERN_HELD_OPERATIONS 8

typedef struct tern_module_hook tern_module_hook; /* hooks.h */

/* It lies in front of the module's struct, and like that struct's first members it can be read when the
 * module is gone. */
struct tern_module_inner {
    tern_ctx *ctx;
    bool gone;
    tern_owner *owner;
    const char *name; /* of the class */
    bool training;
    int level; /* the longest way down to here from a module without parent */
    tern_slots parameters, buffers;
    tern_child *children;
    size_t n_children, children_capacity;
    tern_member *members;
    size_t n_members, members_capacity;
    tern_computed *computed;
    const tern_computing *computing;
    size_t n_computed, computed_capacity;
    tern_schema *call_schema; /* parsed at the first call */
    tern_held_operation held[TERN_HELD_OPERATIONS];
    const char *formula;     /* of an activation behind a product; NULL before it is needed */
    tern_module_hook *hooks; /* in the order in which they were registered */
    /* The call with hooks, from the first hook on: a program without any does not hold it. */
    tern_value (*run_hooked)(tern_module *module, const tern_value *positional, int n_positional,
                             tern_value named);
    tern_summary_row *watch; /* takes the shapes of the next call; NULL but for summaries */
    tern_walk_memory walks;
};

static inline bool tern_latched(const tern_ctx *ctx) {
    return *tern_error(ctx) != '\0';
}

/* True the first time; false when it was met before or memory is out. */
bool tern_seen_add(tern_seen *seen, const void *pointer);

/*
 * Calls visit(user, key, slot, module) for parameters (what: 'p'), buffers ('b') or both ('a': the
 * parameters of a module, then its buffers), depth first, own before children's. The key is the
 * full one. Names without a tensor are passed over. `once` takes each module and tensor once.
 * Stops, and returns false, where visit does or memory is out (latched).
 */
typedef bool (*tern_slot_visit)(void *user, const char *key, tern_slot *slot, tern_module *module);
bool tern_walk_slots(tern_module *module, char what, bool once, tern_slot_visit visit, void *user);

/* named_modules, each once or, with `once` false, once a path. */
bool tern_walk_modules(tern_module *module, bool once, tern_module_visit visit, void *user);

/* Latches "out of memory" for `who` and returns the status. */
static inline tern_status tern_nn_no_memory(tern_ctx *ctx, const char *who) {
    return tern_fail(ctx, TERN_ERR_OUT_OF_MEMORY, "%s: out of memory", who);
}

/* False for NULL, and after latching TERN_ERR_STATE for a module that is gone. */
bool tern_module_there(const tern_module *module, const char *who);

/* What a verb returns for a module that is not there. */
tern_status tern_module_absent(const tern_module *module);

/* What a function does with a tensor where its module is not there. For NULL the error goes to the
 * tensor's context, whose nil is returned; NULL for NULL. */
tern_tensor *tern_nn_no_module(const tern_module *module, const char *who, tern_tensor *tensor);

/* What is registered under a name; NULL where nothing is. */
tern_slot *tern_slot_find(const tern_slots *slots, const char *name);
tern_child *tern_child_find(const tern_module_inner *inner, const char *name, size_t length);

/* Follows all names of a path but the last; *out_last is that one. NULL where there is no such module. */
tern_module *tern_module_holder(tern_module *module, const char *path, const char **out_last);

/* Puts another tensor into a slot of the module, and into the member of its struct where the old one is.
 * Cannot fail. */
void tern_slot_replace(tern_module *module, tern_slot *slot, tern_tensor *tensor);

/* Room for one more item in the module's owner; NULL after latching. */
void *tern_module_grown(tern_module_inner *inner, void *items, size_t count, size_t *capacity,
                        size_t item_size);

/* A copy of a text in the module's owner; NULL after latching. */
const char *tern_module_own_text(tern_module_inner *inner, const char *text);

/* Finds out which member of the struct is the slot's, before its tensor gets another name too. False after
 * latching. */
bool tern_module_settle(tern_module *module, const tern_slot *slot);

/* Writes to the member that is known of a name, if any. */
void tern_module_set_member(tern_module *module, const char *name, tern_tensor *tensor);

/* ---- computed.c ---- */

/* What is computed under a name; NULL where nothing is. */
const tern_computed *tern_computed_find(const tern_module_inner *inner, const char *name);
bool tern_computed_add(tern_module *module, const char *name, bool pruned);
void tern_computed_remove(tern_module *module, const char *name);

/* The length of a class's name, which its schema begins with. */
size_t tern_class_name_length(const tern_module_class *cls);

/* tern_call for a forward: a module looks a name up once and holds the operation. `name` is a literal. */
tern_value tern_module_operation(tern_module *module, const char *name,
                                 const tern_value *positional, int n_positional, tern_value named);

/* The forward itself, without hooks; arguments as tern_module_call takes them. */
tern_value tern_module_run(tern_module *module, const tern_value *positional, int n_positional,
                           tern_value named);

/* A forward that is under way, on the stack of who runs it: errors name the innermost module's path. Calls of a
 * module enter and leave by themselves; so does what runs a module's work without calling it. */
typedef struct tern_module_frame {
    const tern_module *module;
    const struct tern_module_frame *outer;
} tern_module_frame;
void tern_module_enter(tern_module_frame *frame, tern_module *module);
void tern_module_leave(const tern_module_frame *frame);

/* Children one after the other, as a Sequential runs them (layers/containers.c). */
tern_tensor *tern_module_run_children(tern_module *self, size_t first, size_t count,
                                      tern_tensor *input);

/* Calls an operation with the forward's arguments and members of the module: `words` as in
 * tern_module_class.operation. */
tern_value tern_nn_operation(tern_module *module, const char *words, const tern_value *args,
                             int n_args);

/* Makes the module a parsed call or a dict {"module", "args"} describes. */
tern_module *tern_nn_from_value(tern_ctx *ctx, const char *what, tern_value call);

#endif
