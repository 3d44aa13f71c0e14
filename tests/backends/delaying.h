/*
 * delaying.h: two devices that have been given work and have not done it.
 *
 * Commands of one queue run in order, and only when something waits for them: the latest moment that
 * the contract allows. A wait for an event runs the other queue just as far as the event, so work on
 * two queues comes in the latest legal order.
 *
 * A command holds what its handles stood for when it was submitted, so the core may end a handle (a
 * plan, a buffer) while work that uses it is queued. Inside commands an operand's `buffer` is the
 * object itself.
 *
 * Tensors of delaying:0 have a buffer each; those of delaying:1 share buffers where they are small.
 */
#ifndef TERN_TEST_DELAYING_H
#define TERN_TEST_DELAYING_H

#include <pthread.h>

#include "contract.h"
#include "plan.h"

#define DELAYING_DEVICES   2
#define DELAYING_ALIGNMENT 64u

typedef struct delaying delaying;
typedef struct queue queue;

typedef struct buffer {
    delaying *device;
    char *memory;
    uint64_t bytes;
    int pending;          /* commands that will use it */
    bool ended;           /* its turn to be freed has come; gone when pending is 0 */
    bool imported;        /* the program's memory */
    bool lasting;         /* the backend's own (a skip flag): not the core's to free */
    struct command *last; /* what frees it, made beforehand because freeing cannot fail */
} buffer;

/* Host memory from host_alloc. */
typedef struct pinned {
    char *memory;
    uint64_t bytes;
    int pending; /* uploads that will read it */
    bool freed;  /* by the core; gone when pending is 0 */
    struct pinned *next;
} pinned;

/* Passes when its queue has done `position` commands. */
typedef struct event {
    delaying *device;
    queue *queue; /* NULL before it is recorded */
    uint64_t position;
} event;

typedef enum command_kind {
    COMMAND_LAUNCH,
    COMMAND_UPLOAD,
    COMMAND_DOWNLOAD,
    COMMAND_COPY,
    COMMAND_FREE, /* dst */
    COMMAND_WAIT
} command_kind;

typedef struct launch_work {
    int32_t kernel, n_inputs, n_outputs;
    uint32_t attrs_size;
    const void *attrs;
    test_plan *plan; /* NULL: by launch */
    buffer *workspace;
    uint64_t workspace_offset;
    tern_operand *operands;                       /* inputs, then outputs: MAP has any number */
    int64_t (*extents)[2][TERN_BACKEND_MAX_RANK]; /* their shapes and strides */
} launch_work;

/* One piece of work. A launch, its operands and attributes, and uploaded bytes follow in the same block. */
typedef struct command {
    struct command *next;
    command_kind kind;
    launch_work *launch;
    buffer *dst, *src; /* NULL where they do not apply */
    uint64_t dst_offset, src_offset, bytes;
    void *host;     /* an UPLOAD's source, a DOWNLOAD's destination */
    pinned *pinned; /* the source of an UPLOAD, where it is read late */
    queue *source;  /* WAIT */
    uint64_t position;
} command;

/* References: the core's, one for each event and each wait that names it. */
struct queue {
    delaying *device;
    int references;
    command *first, *last;
    uint64_t submitted, done; /* commands */
    tern_kit_flag flag;
    buffer *skip; /* four bytes */
    tern_bbuffer *skip_handle;
};

struct delaying {
    tern_kit_device kit;
    int32_t index;
    pinned *pinned;
    uint64_t live; /* handles and pinned memory that the core has */
    breach breach;
};

/* What both devices share; the lock guards it and all that they own. */
extern struct delaying_backend {
    const tern_host *host;
    pthread_mutex_t lock;
    handle_table buffers, queues, events, plans;
} delaying_backend;

void delaying_lock(void);
void delaying_unlock(void);
int32_t delaying_out_of_memory(tern_backend_error *err);

/* Everything below is called with the lock held, but the slots. */

/* What a live handle of the device stands for; NULL, with a breach, where it is none. */
buffer *delaying_find_buffer(delaying *device, const tern_bbuffer *handle, tern_backend_error *err);
queue *delaying_find_queue(delaying *device, const tern_bqueue *handle, tern_backend_error *err);

/* Frees a buffer of the backend's own, which no work uses any more. */
void delaying_free_at_once(delaying *self, tern_bbuffer *freed);

/* ---- delaying_work.c ---- */

/* A command with `extra` bytes behind it; NULL without memory. */
command *command_new(command_kind kind, size_t extra);

/* Appends to the queue, which owns the command then. */
void command_push(queue *own, command *work);

/* Runs the queue's commands until `position` of them are done. */
void queue_run(queue *own, uint64_t position);

void queue_retain(queue *own);
void queue_release(queue *own);

/* Ends a buffer whose turn has come: poisons its memory, and notes a breach where work still uses it. */
void buffer_end(buffer *own);
void buffer_release(buffer *own);
void pinned_release(pinned *block);

extern const tern_kit_memory delaying_memory;

/* ---- delaying_memory.c, the slots ---- */

int32_t delaying_buffer_alloc(tern_bdevice *base, uint64_t bytes, tern_bbuffer **out_buffer,
                              tern_backend_error *err);
int32_t delaying_buffer_import(tern_bdevice *base, void *memory, uint64_t bytes,
                               tern_bbuffer **out_buffer, tern_backend_error *err);
void delaying_buffer_free(tern_bdevice *base, tern_bqueue *handle, tern_bbuffer *buffer);
void *delaying_host_alloc(tern_bdevice *base, uint64_t bytes);
void delaying_host_free(tern_bdevice *base, void *memory);
int32_t delaying_copy_to_device(tern_bdevice *base, tern_bqueue *handle, tern_bbuffer *dst,
                                uint64_t dst_offset, const void *src, uint64_t bytes,
                                tern_backend_error *err);
int32_t delaying_copy_to_host(tern_bdevice *base, tern_bqueue *handle, void *dst, tern_bbuffer *src,
                              uint64_t src_offset, uint64_t bytes, tern_backend_error *err);
int32_t delaying_copy_between(tern_bdevice *base, tern_bqueue *handle, tern_bbuffer *dst,
                              uint64_t dst_offset, tern_bdevice *src_base, tern_bbuffer *src,
                              uint64_t src_offset, uint64_t bytes, tern_backend_error *err);

/* ---- delaying_queue.c, the slots ---- */

int32_t delaying_queue_create(tern_bdevice *base, tern_bqueue **out_queue, tern_backend_error *err);
void delaying_queue_destroy(tern_bdevice *base, tern_bqueue *handle);
int32_t delaying_queue_synchronize(tern_bdevice *base, tern_bqueue *handle,
                                   tern_backend_error *err);
int32_t delaying_event_create(tern_bdevice *base, tern_bevent **out_event, tern_backend_error *err);
void delaying_event_destroy(tern_bdevice *base, tern_bevent *handle);
int32_t delaying_event_record(tern_bdevice *base, tern_bqueue *handle, tern_bevent *event,
                              tern_backend_error *err);
int32_t delaying_event_wait(tern_bdevice *base, tern_bqueue *handle, tern_bevent *event,
                            tern_backend_error *err);
int32_t delaying_event_synchronize(tern_bdevice *base, tern_bevent *handle,
                                   tern_backend_error *err);
int32_t delaying_event_query(tern_bdevice *base, tern_bevent *handle, int32_t *out_passed,
                             tern_backend_error *err);
int32_t delaying_take_error(tern_bdevice *base, tern_bqueue *handle, tern_backend_error *err);
int32_t delaying_skip_flag(tern_bdevice *base, tern_bqueue *handle, tern_bbuffer **out_buffer,
                           uint64_t *out_offset, tern_backend_error *err);

#endif
