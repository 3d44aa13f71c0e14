/*
 * discrete.h: two devices whose memory is their own, on a machine that has no such device.
 *
 * Every buffer lies in pages that nobody may touch; they are opened only while a slot of this backend
 * works on them. So a host that reads or writes device memory behind the backend's back ends in
 * SIGSEGV.
 *
 *     page | page | ... | guard page        the buffer ends where the guard begins (to 64 bytes), so
 *               [buffer]                    that a kernel that runs over its end is seen as well
 *
 * The devices work synchronously, and offer every optional slot but buffer_import. Tensors of discrete:0
 * have a buffer each; those of discrete:1 share buffers where they are small.
 */
#ifndef TERN_TEST_DISCRETE_H
#define TERN_TEST_DISCRETE_H

#include <pthread.h>

#include "contract.h"
#include "plan.h"

#define DISCRETE_DEVICES   2
#define DISCRETE_ALIGNMENT 64u

/* Page counts are powers of two below this power. */
#define DISCRETE_CLASSES 40

/* What a buffer's handle stands for. */
typedef struct allocation {
    struct discrete *device;
    char *pages; /* a power of two of them, and a guard page */
    size_t page_bytes;
    size_t start; /* of the buffer in the pages */
    uint64_t bytes;
    int open;     /* how many slots use it now */
    bool lasting; /* the backend's own (a skip flag): not the core's to free */
    struct allocation *next_unused, *next;
} allocation;

/* Host memory from host_alloc. */
typedef struct pinned {
    char *memory;
    uint64_t bytes;
    uint64_t copied; /* how many waits the device had seen when it was copied from, plus one */
    struct pinned *next;
} pinned;

typedef struct discrete_queue {
    struct discrete *device;
    tern_kit_flag flag;
    tern_bbuffer *skip; /* four bytes */
} discrete_queue;

typedef struct discrete_event {
    struct discrete *device;
} discrete_event;

typedef struct discrete {
    tern_kit_device kit;
    int32_t index;
    allocation *all;
    allocation *unused[DISCRETE_CLASSES];
    char *region;
    uint64_t used;   /* address space of the region that was ever given out */
    uint64_t in_use; /* bytes of live buffers */
    pinned *pinned;
    uint64_t waits; /* how often something waited for this device */
    uint64_t live;  /* handles and pinned memory that the core has */
    breach breach;
} discrete;

/* What all devices share; the lock guards it and all that they own, but a queue's flag. */
extern struct discrete_backend {
    const tern_host *host;
    pthread_mutex_t lock;
    handle_table buffers, queues, events, plans;
} discrete_backend;

/* ---- discrete_memory.c ---- */

/* Maps a new device's memory; false without address space. */
bool discrete_memory_init(discrete *device);
void discrete_memory_fini(discrete *device);

extern const tern_kit_memory discrete_memory;

/* How many bytes a buffer of the device has; 0 where the handle is none of its. */
uint64_t discrete_room(discrete *device, const tern_bbuffer *buffer);

/* Marks a buffer as the backend's own, or gives it back. */
void discrete_make_lasting(tern_bbuffer *buffer);
void discrete_free_lasting(discrete *device, tern_bbuffer *buffer);

int32_t discrete_buffer_alloc(tern_bdevice *base, uint64_t bytes, tern_bbuffer **out_buffer,
                              tern_backend_error *err);
void discrete_buffer_free(tern_bdevice *base, tern_bqueue *queue, tern_bbuffer *buffer);
int32_t discrete_memory_info(tern_bdevice *base, uint64_t *out_free, uint64_t *out_total,
                             tern_backend_error *err);
void *discrete_host_alloc(tern_bdevice *base, uint64_t bytes);
void discrete_host_free(tern_bdevice *base, void *memory);
int32_t discrete_copy_to_device(tern_bdevice *base, tern_bqueue *queue, tern_bbuffer *dst,
                                uint64_t dst_offset, const void *src, uint64_t bytes,
                                tern_backend_error *err);
int32_t discrete_copy_to_host(tern_bdevice *base, tern_bqueue *queue, void *dst, tern_bbuffer *src,
                              uint64_t src_offset, uint64_t bytes, tern_backend_error *err);
int32_t discrete_copy_between(tern_bdevice *base, tern_bqueue *queue, tern_bbuffer *dst,
                              uint64_t dst_offset, tern_bdevice *src_base, tern_bbuffer *src,
                              uint64_t src_offset, uint64_t bytes, tern_backend_error *err);

/* ---- discrete_queue.c ---- */

/* The live queue of the device; NULL, with a message and a breach, where the handle is none. */
discrete_queue *discrete_find_queue(discrete *device, const tern_bqueue *queue,
                                    tern_backend_error *err);

/* Makes a kernel's error visible to later kernels. */
void discrete_raise_skip(discrete_queue *queue);

int32_t discrete_queue_create(tern_bdevice *base, tern_bqueue **out_queue, tern_backend_error *err);
void discrete_queue_destroy(tern_bdevice *base, tern_bqueue *queue);
int32_t discrete_queue_synchronize(tern_bdevice *base, tern_bqueue *queue, tern_backend_error *err);
int32_t discrete_event_create(tern_bdevice *base, tern_bevent **out_event, tern_backend_error *err);
void discrete_event_destroy(tern_bdevice *base, tern_bevent *event);
int32_t discrete_event_record(tern_bdevice *base, tern_bqueue *queue, tern_bevent *event,
                              tern_backend_error *err);
int32_t discrete_event_wait(tern_bdevice *base, tern_bqueue *queue, tern_bevent *event,
                            tern_backend_error *err);
int32_t discrete_event_synchronize(tern_bdevice *base, tern_bevent *event, tern_backend_error *err);
int32_t discrete_event_query(tern_bdevice *base, tern_bevent *event, int32_t *out_passed,
                             tern_backend_error *err);
int32_t discrete_take_error(tern_bdevice *base, tern_bqueue *queue, tern_backend_error *err);
int32_t discrete_skip_flag(tern_bdevice *base, tern_bqueue *queue, tern_bbuffer **out_buffer,
                           uint64_t *out_offset, tern_backend_error *err);

#endif
