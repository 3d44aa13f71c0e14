/*
 * delaying.h: the work that the delaying device has been given and has not done.
 *
 * Commands of one queue run in order, and only when something waits for them: the latest moment that
 * the contract allows. A wait for an event runs the other queue just as far as the event, so work on
 * two queues comes in the latest legal order.
 */
#ifndef TERN_TEST_DELAYING_H
#define TERN_TEST_DELAYING_H

#include <pthread.h>

#include "cpu_ref/kit.h"

struct tern_bbuffer {
    char *memory;
    int pending; /* commands that will use it */
    bool freed;  /* by the core; gone when pending is 0 */
};

/* References: the creator's, and one for each command that names it. */
struct tern_bevent {
    int references;
    uint64_t recorded; /* how often it was recorded, and how many of these are done */
    uint64_t done;
    tern_bqueue *queue; /* where it was recorded last */
};

typedef enum command_kind {
    COMMAND_LAUNCH,
    COMMAND_UPLOAD,
    COMMAND_DOWNLOAD,
    COMMAND_COPY,
    COMMAND_RECORD,
    COMMAND_WAIT
} command_kind;

/* One piece of work. Arrays and uploaded bytes follow in the same block of memory. */
typedef struct command {
    struct command *next;
    command_kind kind;
    /* LAUNCH */
    int32_t kernel, n_inputs, n_outputs;
    uint32_t attrs_size;
    const void *attrs;
    tern_operand operands[TERN_KIT_OPERANDS];
    int64_t extents[TERN_KIT_OPERANDS][2][TERN_BACKEND_MAX_RANK]; /* shapes and strides */
    /* copies; buffers are NULL where they do not apply */
    tern_bbuffer *dst, *src;
    uint64_t dst_offset, src_offset, bytes;
    void *host; /* staged bytes of an UPLOAD, the caller's memory of a DOWNLOAD */
    /* RECORD and WAIT */
    tern_bevent *event;
    uint64_t ticket;
    tern_bqueue *source; /* WAIT: where the event was recorded */
} command;

struct tern_bqueue {
    struct delaying *device;
    command *first, *last;
    tern_kit_flag flag;
};

typedef struct delaying {
    tern_kit_device kit;
    pthread_mutex_t lock; /* guards queues, events and buffers */
    bool freed_early;     /* a buffer went while work on it was queued */
} delaying;

/* A command with `extra` bytes behind it; NULL without memory. */
command *command_new(const tern_host *host, command_kind kind, size_t extra);

/* Appends to the queue, which owns the command then. The device's lock is held, as below. */
void command_push(tern_bqueue *queue, command *work);

/* Runs the queue's work up to and with the event's record number `ticket`; all where event is NULL. */
void queue_run(tern_bqueue *queue, const tern_bevent *event, uint64_t ticket);

void event_release(const tern_host *host, tern_bevent *event);
void buffer_release(const tern_host *host, tern_bbuffer *buffer);

#endif
