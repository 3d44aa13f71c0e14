/*
 * objects.h: the core's own structs, shared by its rooms and by functional/.
 *
 *   context ── frame (scope) ── frame ── ...        lifetimes: context/scope.c, context/context.c
 *      │          └ tensors, objects of other kinds, nodes, deferred calls
 *      ├── lane (its use of a device): queue, storage cache, resolved kernels   context/lane.c
 *      └── slots behind handles, chunks of arenas: recycled, so that a steady loop makes no heap
 *          call                                                                 memory/
 *
 *   handle ── tensor's body ── storage (counted) ── buffer of a device          tensor/, memory/
 *                └ edge: (node, output)                                         autograd/
 */
#ifndef TERN_CORE_OBJECTS_H
#define TERN_CORE_OBJECTS_H

#include <string.h>

#include "core/ground/alloc.h"
#include "core/ground/fault.h"
#include "core/plugin/registry.h"
#include "numerics/mt19937.h"
#include "tern/context.h"
#include "tern/grad.h"
#include "tern/memory.h"
#include "tern/replay.h"
#include "tern/tensor.h"
#include "tern/value.h"

typedef struct tern_frame tern_frame;
typedef struct tern_lane tern_lane;
typedef struct tern_storage tern_storage;
typedef struct tern_mark tern_mark;         /* core/memory/mark.h */
typedef struct tern_shared tern_shared;     /* core/memory/shared_buffer.h */
typedef struct tern_uploads tern_uploads;   /* core/memory/uploads.h */
typedef struct tern_plans tern_plans;       /* core/call/plan.h */
typedef struct tern_recorder tern_recorder; /* core/call/recorder.h */
typedef struct tern_origin tern_origin;     /* core/plugin/profiler.h */
typedef struct tern_node tern_node;
typedef struct tern_aliases tern_aliases;
typedef struct tern_op tern_op;
typedef struct tern_made_program tern_made_program;
typedef struct tern_block tern_block;
typedef struct tern_object_body tern_object_body;
typedef struct tern_generator_body tern_generator_body;

/* A shape whose dimensions follow. Of 32 that there is room for only the first ones are cleared, for whoever asks for
 * dimension 0 of a number, or for one that a wrong tensor does not have. */
static inline void tern_shape_begin(tern_shape *shape, int rank) {
    shape->rank = rank;
    memset(shape->dim, 0, 8 * sizeof *shape->dim);
}

/* Whether two shapes, or two lists of strides, of one rank are the same; both may be NULL where that is 0. */
static inline bool tern_dims_equal(int rank, const int64_t *a, const int64_t *b) {
    for (int d = 0; d < rank; d++)
        if (a[d] != b[d]) return false;
    return true;
}

/* ---- arenas and frames -------------------------------------------------------------------- */

typedef struct tern_arena_chunk {
    struct tern_arena_chunk *next;
    size_t size; /* bytes that follow the header */
    size_t used;
} tern_arena_chunk;

/* A call to make when a frame ends, newest first. */
typedef struct tern_deferred {
    struct tern_deferred *next;
    void (*fn)(void *arg);
    void *arg;
} tern_deferred;

/*
 * A scope. Frames on the context's stack have a parent; an owner's frame (what a module keeps)
 * hangs in the frame it was made in. `target` is where new objects go: the frame itself, or the
 * owner's frame that was entered.
 */
struct tern_frame {
    tern_ctx *ctx;
    tern_frame *parent;
    tern_frame *target;
    uint64_t serial;
    int depth;
    bool is_owner;    /* of what a module or an optimizer keeps */
    bool internal;    /* of the library's own: graphs made inside belong to the frame outside */
    bool with_caller; /* a variable of the function that opened it: not to be recycled */
    bool outer_grad_enabled, outer_inference;
    tern_arena_chunk *chunks;
    tern_tensor *tensors;
    tern_object_body *objects; /* behind the other handles */
    tern_node *nodes;
    tern_deferred *deferred;
    tern_frame *next_free;
};

/* ---- objects behind handles ------------------------------------------------------------------ */

/*
 * What a handle other than a tensor's stands for (core/memory/slab.h). `self` is the one handle that is
 * valid now, NULL where the slot waits for its next one.
 */
struct tern_object_body {
    const void *self;
    tern_ctx *ctx;
    tern_frame *frame;
    void *prev, *next; /* in the frame; next also links the slots that wait */
    uint32_t handle_generation;
    uint32_t unused;
    const char *kind; /* "optimizer": the noun of messages */
    void *object;
};

/* ---- memory that outlives its scope (lasting.c) ---------------------------------------------- */

typedef struct tern_lasting tern_lasting;

/* The pieces that were given back, the oldest first. */
typedef struct tern_waiting {
    tern_lasting *first, *last;
    int count;
} tern_waiting;

/* ---- context (context.c) -------------------------------------------------------------------- */

#define TERN_MAX_LANES     16
#define TERN_MADE_PROGRAMS 64 /* lists of programs, by hash */

/* Sizes of blocks: four for each power of two that an address has room for. */
#define TERN_BLOCK_CLASSES (32 * (int)sizeof(size_t) - 56)

/* Which parameters of an operation take none, a bit each (call/operands.c). */
typedef struct tern_nones {
    const tern_op *op;
    uint32_t taken;
} tern_nones;
#define TERN_KNOWN_NONES 16

/* Who hears of an error that a lane's kernels met, once its work is done (tern_watch_add). */
typedef struct tern_watch {
    struct tern_watch *next;
    void (*failed)(struct tern_watch *watch, tern_lane *lane);
} tern_watch;

#ifndef NDEBUG
/* The thread that is in a context, how deep and in what, and another one that came (entered.c). */
typedef struct tern_entered {
    _Atomic long thread, intruder; /* 0: none */
    const char *_Atomic operation;
    const char *_Atomic intruding;
    int depth;
} tern_entered;
#endif

struct tern_ctx {
#ifndef NDEBUG
    tern_entered entered;
#endif
    tern_status status;
    char error[TERN_FAULT_SIZE];
    tern_error_fn on_error;
    void *on_error_user;
    tern_error_place_fn error_place;
    void *error_place_user;
    bool is_static; /* the context of last resort, when there was no memory for a real one */
    bool allow_fallback, warn_fallback;
    uint32_t composed; /* fused kernels that are not tried: bit k for id TERN_KERNEL_FUSED + k */

    tern_frame *root;
    tern_frame *top;
    uint64_t next_serial;
    bool grad_enabled;
    bool inference;

    tern_lane *lanes[TERN_MAX_LANES];
    int n_lanes; /* lanes[0] is the default device */
    tern_watch *watches;
    tern_recorder *recorder;   /* of a body that is captured; else NULL */
    const tern_origin *origin; /* of the launch that a replay repeats; else NULL */
    uint32_t n_captures;       /* so far */
    uint64_t n_pending; /* of memory that goes back when queued work is done, over all lanes */
    tern_generator_body *generator; /* the default one */
    tern_tensor *nil;

    uint64_t next_sequence;          /* of graph nodes: a node is younger than its inputs */
    uint64_t next_stamp, last_stamp; /* of contents: a range that no other context has */
    tern_arena_chunk *free_chunks;
    tern_block *free_blocks[TERN_BLOCK_CLASSES];
    size_t free_block_bytes;
    tern_frame *free_frames;
    tern_object_body *first_waiting,
        *last_waiting; /* slots that were given back, the oldest first */
    uint32_t n_waiting;
    void *slot_blocks;
    tern_lasting *lasting;
    tern_waiting waiting;
    tern_aliases *free_aliases;
    void *alias_blocks;
    void *free_dims; /* shapes and strides of high ranks that were given back */
    void *updaters;  /* programs that write: whoever makes them keeps them here */
    tern_made_program *made_programs[TERN_MADE_PROGRAMS]; /* functional/programs/made.h */
    int n_made_programs;
    void *known_formulas; /* where those of the library's own were found last */
    tern_nones nones[TERN_KNOWN_NONES];
    void *schemas;       /* of operations called by name: whoever parses them keeps them here */
    void *backward_heap; /* the engine's queue, kept from step to step; NULL while one runs */
    size_t backward_capacity;
    int backward_depth;       /* of engines: a gradient formula may run one of its own */
    const tern_node *running; /* whose formula the innermost engine runs, while there is one */
    tern_tensor *(*grad_hook)(tern_tensor *leaf, tern_tensor *grad); /* functional/hook.c */
    void *grad_hooks;
    tern_stats stats;
};

/* ---- lanes and storage (lane.c, storage.c) -------------------------------------------------- */

#define TERN_SIZE_CLASSES 256

/* The most operands that a launch has: TERN_KERNEL_INDEX_GET takes an input and an index for each
 * dimension. */
#define TERN_MAX_OPERANDS 24

/* What a device answered for (kernel, member, dtypes), which are compared whole: 4 bits a dtype. */
typedef struct tern_resolved {
    uint64_t kernel; /* its id, member and numbers of operands; 0 is an empty slot */
    uint64_t dtypes[2];
    const char *reason; /* NULL: supported */
} tern_resolved;
_Static_assert((int)TERN_DTYPE_COUNT <= 16, "a dtype fits into 4 bits");
_Static_assert(TERN_MAX_OPERANDS <= 32, "the operands' dtypes fit into two words");

#define TERN_RESOLVED_SLOTS 256

/* The element-wise families whose operands have one dtype, for the short path. */
#define TERN_MAP_FAMILIES 2 /* TERN_KERNEL_UNARY, TERN_KERNEL_BINARY */
#define TERN_MAP_MEMBERS  64

/* A context's use of one device. */
struct tern_lane {
    tern_ctx *ctx;
    tern_device *device;
    tern_bqueue *queue; /* NULL where the device is synchronous */
    tern_storage *cached[TERN_SIZE_CLASSES];
    tern_storage *bare;    /* structs without a buffer, to be used again */
    tern_storage *imports; /* over memory of the program's */
    uint64_t cached_bytes; /* those of uploads included */
    uint64_t cache_limit;
    tern_shared *shared; /* from which small storages are cut, the newest first */
    tern_mark *marks;    /* in no use */
    tern_mark *first_pending, *last_pending;
    tern_uploads *uploads;   /* NULL before the first */
    tern_plans *plans;       /* NULL before the first */
    tern_bbuffer *skip_flag; /* what kernels that update weights read; NULL where there is none */
    uint64_t skip_flag_offset;
    uint64_t waits; /* how often all of the queue's work was waited for */
    bool mapped[TERN_MAP_FAMILIES][TERN_MAP_MEMBERS][TERN_DTYPE_COUNT]; /* known to be supported */
    tern_resolved resolved[TERN_RESOLVED_SLOTS];
};

/*
 * Storage belongs to one context, so its counts are plain integers. It may have no bytes yet, or bytes
 * that are not written yet: one number everywhere (TERN_STORAGE_UNIFORM), which maps take as an immediate.
 * tern_storage_settle writes it as soon as anything else looks.
 */
struct tern_storage {
    int references;
    int size_class;
    uint32_t traits; /* TERN_STORAGE_* */
    tern_lane *lane;
    tern_bbuffer *buffer; /* NULL where bytes is 0, and where they are not there yet */
    uint64_t offset;      /* of its first byte in the buffer: not 0 in a shared one */
    tern_shared *shared;  /* that it is a piece of; NULL where the buffer is its own */
    uint64_t bytes;       /* as asked for */
    uint64_t capacity;    /* as allocated */
    tern_mark
        *ready; /* where the upload that fills it ends, until the kernels' queue waits for that;
                             while it is kept for another upload: where its last use ends */
    uint64_t version;
    uint64_t stamp; /* of the contents, unique in the process */
    tern_dtype uniform_dtype;
    double uniform_f; /* where the dtype is floating; a value of the dtype */
    int64_t uniform_i;
    tern_storage *next;          /* in the lane's cache */
    void (*release)(void *user); /* of memory that is the program's; NULL for the device's own */
    void *release_user;

    /* of memory that is the program's: where it lies, and the context's others */
    const char *memory;
    tern_storage *previous_import, *next_import;
    bool has_twin;    /* overlaps another; false for the device's own */
    uint32_t made_in; /* the serial of the recorder that saw it made; 0: none did */
};

/* Traits of its contents, then of its memory. */
enum {
    TERN_STORAGE_UNIFORM = 1u, /* one number everywhere, not written yet */
    TERN_STORAGE_FILLING = 2u, /* an upload may not have ended: `ready` */
    TERN_STORAGE_UNSETTLED = TERN_STORAGE_UNIFORM | TERN_STORAGE_FILLING,
    TERN_STORAGE_IMPORTED = 4u, /* the program's: `release` gives it back */
    TERN_STORAGE_PIECE = 8u,    /* of a shared buffer */
    TERN_STORAGE_UPLOAD = 16u,  /* filled on the queue of uploads, and kept for it */
    TERN_STORAGE_ODD = 32u      /* of no class's size: it serves no other request */
};

/* ---- tensors (tensor.c) --------------------------------------------------------------------- */

enum {
    TERN_T_REQUIRES_GRAD = 1u, /* of a leaf */
    TERN_T_INFERENCE = 2u,
    TERN_T_RETAIN_GRAD = 4u,
    TERN_T_NIL = 8u,
    TERN_T_NUMBER = 16u,   /* a Python number in tensor form: lowest in type promotion */
    TERN_T_GRAD_SET = 32u, /* .grad holds a value (the handle in `grad` outlives a reset) */
    TERN_T_DROPPED = 64u,
    TERN_T_OWNED = 256u, /* a .grad: released by its leaf, in no frame's list */
    TERN_T_VIEW = 128u,  /* a view of its alias's base, not the base itself */
    TERN_T_CONTIGUOUS = 512u,
    TERN_T_HOOKED = 2048u,   /* a leaf whose gradient goes through grad_hook */
    TERN_T_TEMPORARY = 1024u /* the core's own, read once: dead after the launch that reads it */
};

#define TERN_INLINE_RANK 6

/* Where a gradient flows to: output `output` of `node`. */
typedef struct tern_edge {
    tern_node *node;
    int32_t output;
} tern_edge;

/*
 * What a tensor handle stands for. A tern_tensor is never defined: its pointer is the address of a
 * body with a generation in the bits that an address leaves free (core/memory/slab.h). `self` is the
 * one handle that is valid now; a body that has been given back holds none.
 */
typedef struct tern_tensor_body {
    const tern_tensor *self; /* the first six as in tern_object_body */
    tern_ctx *ctx;
    tern_frame *frame;
    tern_tensor *prev, *next; /* in the frame */
    uint32_t handle_generation;
    uint32_t flags;
    tern_storage *storage;
    tern_lane *lane;
    int64_t offset; /* elements */
    int64_t numel;
    int64_t *shape, *strides; /* into dims, or one heap block for high ranks */
    int64_t dims[2 * TERN_INLINE_RANK];
    tern_dtype dtype;
    int32_t rank;

    /* autograd */
    uint32_t generation;    /* of the alias that `edge` was taken at */
    tern_edge edge;         /* {NULL, 0} for a leaf */
    tern_node *accumulator; /* of a leaf, made when first needed */
    tern_aliases *alias;    /* shared by a base and its views, NULL before the first view */
    tern_tensor *grad;
} tern_tensor_body;

/* The low and the high bits of a handle hold its generation; what is between is the body's address. */
#define TERN_HANDLE_LOW_BITS 8
#if UINTPTR_MAX == UINT64_MAX
#define TERN_HANDLE_ADDRESS UINT64_C(0x0000ffffffffff00)
#else
#define TERN_HANDLE_ADDRESS UINT32_C(0xffffff00)
#endif

/* The body of a live handle. */
static inline tern_tensor_body *BODY(const tern_tensor *tensor) {
    return (tern_tensor_body *)((uintptr_t)tensor & TERN_HANDLE_ADDRESS);
}

/* Of a dtype that is known to be one, without a call. */
static inline bool tern_is_float(tern_dtype dtype) {
    return dtype <= TERN_BFLOAT16;
}
static inline bool tern_is_complex(tern_dtype dtype) {
#ifdef TERN_NO_COMPLEX
    return (void)dtype, false;
#else
    return dtype >= TERN_COMPLEX64;
#endif
}
/* Whether gradients flow through it. */
static inline bool tern_is_continuous(tern_dtype dtype) {
    return tern_is_float(dtype) || tern_is_complex(dtype);
}
/* The dtype of a complex one's parts; a real one itself. */
static inline tern_dtype tern_real_dtype(tern_dtype dtype) {
    if (!tern_is_complex(dtype)) return dtype;
    return dtype == TERN_COMPLEX128 ? TERN_FLOAT64 : TERN_FLOAT32;
}
/* The complex dtype that a real one promotes to; a complex one itself. */
static inline tern_dtype tern_complex_dtype(tern_dtype dtype) {
    return tern_promote_types(dtype, TERN_COMPLEX64);
}
static inline uint64_t tern_bytes_of(tern_dtype dtype) {
    static const uint8_t bytes[TERN_COMPLEX128 + 1] = {
        4, 8, 2, 2, 8, 4, 2, 1, 1, 1, [TERN_COMPLEX64] = 8, [TERN_COMPLEX128] = 16};
    return bytes[dtype];
}

/* False for NULL and for a handle whose object is gone. */
static inline bool tern_is_live(const tern_tensor *tensor) {
    return tensor && BODY(tensor)->self == tensor;
}

/*
 * What a base tensor and its views share, so that a write through one is seen in the history of
 * all: the base's geometry and its current history. Views regenerate their edge when their
 * generation is behind (autograd/alias.c).
 */
struct tern_aliases {
    int references;
    uint32_t generation;
    tern_tensor *base; /* a hidden handle with the base's geometry and history */
    tern_aliases *next_free;
};

#endif
