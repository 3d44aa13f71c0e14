/*
 * discrete: a device whose memory is its own, on a machine that has no such device.
 *
 * Every buffer lies in pages that nobody may touch; they are opened only while a slot of this
 * backend works on them. A buffer's handle is a number, no address. So a host that reads or writes
 * device memory behind the backend's back ends in SIGSEGV, and one that looks into a handle too.
 *
 *     page | page | ... | guard page        the buffer ends where the guard begins (to 64 bytes), so
 *               [buffer]                    that a kernel that runs over its end is seen as well
 *
 * The device works synchronously.
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS, MADV_DONTNEED */
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cpu_ref/kit.h"

#define ALIGNMENT 64u

/* Address space for all buffers of a device. One mapping, because the kernel limits their number. */
#define REGION ((size_t)1 << 36)

/* Page counts are powers of two below this power. */
#define CLASSES 40

#define NONE SIZE_MAX

typedef struct allocation {
    char *pages; /* a power of two of them, and a guard page */
    size_t page_bytes;
    size_t start; /* of the buffer in the pages */
    int open;     /* how many slots use it now; -1 while it is free */
    size_t next;  /* free entry of the same size */
} allocation;

typedef struct device {
    tern_kit_device kit;
    pthread_mutex_t lock; /* guards all below */
    allocation *table;    /* a handle is an index into it, plus one */
    size_t count, capacity;
    size_t free[CLASSES]; /* entries to use again, by the power of their page count */
    char *region;
    size_t used;
} device;

static const tern_host *host;

static tern_bbuffer *handle_of(size_t index) {
    return (tern_bbuffer *)(uintptr_t)(index + 1);
}
static size_t index_of(const tern_bbuffer *buffer) {
    return (size_t)(uintptr_t)buffer - 1;
}

static bool grow_table(device *self) {
    size_t capacity = self->capacity ? 2 * self->capacity : 64;
    allocation *table = host->alloc(capacity * sizeof *table);
    if (!table) return false;
    if (self->count) memcpy(table, self->table, self->count * sizeof *table);
    host->free(self->table);
    self->table = table;
    self->capacity = capacity;
    return true;
}

/* An entry with 2^power pages; NONE without memory. */
static size_t take_entry(device *self, int power, size_t page) {
    size_t index = self->free[power], bytes = page << power;
    if (index != NONE) {
        self->free[power] = self->table[index].next;
        return index;
    }
    if (bytes + page > REGION - self->used) return NONE;
    if (self->count == self->capacity && !grow_table(self)) return NONE;
    self->table[self->count] = (allocation){self->region + self->used, bytes, 0, 0, NONE};
    self->used += bytes + page;
    return self->count++;
}

static int32_t buffer_alloc(tern_bdevice *base, uint64_t bytes, tern_bbuffer **out_buffer,
                            tern_backend_error *err) {
    device *self = (device *)base;
    size_t page = (size_t)sysconf(_SC_PAGESIZE), index = NONE;
    if (bytes <= REGION / 2) {
        int power = 0;
        while (page << power < bytes) power++;
        pthread_mutex_lock(&self->lock);
        index = take_entry(self, power, page);
        if (index != NONE) {
            size_t rounded = ((size_t)bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
            self->table[index].start = self->table[index].page_bytes - rounded;
            self->table[index].open = 0;
        }
        pthread_mutex_unlock(&self->lock);
    }
    if (index == NONE) {
        return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "discrete: out of memory");
    }
    *out_buffer = handle_of(index);
    return TERN_BACKEND_OK;
}

static void buffer_free(tern_bdevice *base, tern_bqueue *queue, tern_bbuffer *buffer) {
    (void)queue;
    device *self = (device *)base;
    size_t index = index_of(buffer);
    int power = 0;
    pthread_mutex_lock(&self->lock);
    allocation *entry = &self->table[index];
    while ((size_t)sysconf(_SC_PAGESIZE) << power < entry->page_bytes) power++;
    madvise(entry->pages, entry->page_bytes, MADV_DONTNEED);
    entry->open = -1;
    entry->next = self->free[power];
    self->free[power] = index;
    pthread_mutex_unlock(&self->lock);
}

static void *reach(tern_bdevice *base, tern_bbuffer *buffer, tern_backend_error *err) {
    device *self = (device *)base;
    char *address = NULL;
    pthread_mutex_lock(&self->lock);
    size_t index = index_of(buffer);
    allocation *entry = index < self->count ? &self->table[index] : NULL;
    if (!entry || entry->open < 0) {
        tern_kit_fail(err, TERN_BACKEND_INVALID, "discrete: %p is no buffer", (void *)buffer);
    } else if (entry->open == 0 &&
               mprotect(entry->pages, entry->page_bytes, PROT_READ | PROT_WRITE) != 0) {
        tern_kit_fail(err, TERN_BACKEND_FAILED, "discrete: the buffer's pages do not open");
    } else {
        entry->open++;
        address = entry->pages + entry->start;
    }
    pthread_mutex_unlock(&self->lock);
    return address;
}

static void leave(tern_bdevice *base, tern_bbuffer *buffer) {
    device *self = (device *)base;
    pthread_mutex_lock(&self->lock);
    allocation *entry = &self->table[index_of(buffer)];
    if (--entry->open == 0) mprotect(entry->pages, entry->page_bytes, PROT_NONE);
    pthread_mutex_unlock(&self->lock);
}

static void close_device(tern_bdevice *base) {
    device *self = (device *)base;
    tern_kit_device_fini(&self->kit);
    pthread_mutex_destroy(&self->lock);
    munmap(self->region, REGION);
    host->free(self->table);
    host->free(self);
}

static const tern_kit_memory memory = {reach, leave};

static const tern_bdevice_vtable vtable = {
    .struct_size = sizeof vtable,
    .alignment = ALIGNMENT,
    .speed = TERN_SPEED_REFERENCE,
    .close = close_device,
    .buffer_alloc = buffer_alloc,
    .buffer_free = buffer_free,
    .copy_to_device = tern_kit_copy_to_device,
    .copy_to_host = tern_kit_copy_to_host,
    .supports = tern_kit_supports,
    .launch = tern_kit_launch,
};

static int32_t device_info(int32_t index, tern_device_info *out_info, tern_backend_error *err) {
    if (index != 0) return tern_kit_fail(err, TERN_BACKEND_INVALID, "discrete has one device");
    return tern_kit_device_info(out_info, "host memory out of the host's reach", "");
}

static int32_t device_open(int32_t index, tern_bdevice **out_device, tern_backend_error *err) {
    if (index != 0) return tern_kit_fail(err, TERN_BACKEND_INVALID, "discrete has one device");
    device *self = host->alloc(sizeof *self);
    if (!self) return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "discrete: out of memory");
    memset(self, 0, sizeof *self);
    self->region =
        mmap(NULL, REGION, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (self->region == MAP_FAILED) {
        host->free(self);
        return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "discrete: no address space");
    }
    for (int i = 0; i < CLASSES; i++) self->free[i] = NONE;
    tern_kit_device_init(&self->kit, &vtable, host, &memory);
    pthread_mutex_init(&self->lock, NULL);
    *out_device = &self->kit.base;
    return TERN_BACKEND_OK;
}

static const tern_backend_desc description = {
    .name = "discrete",
    .version = "0.1.0",
    .speed = TERN_SPEED_REFERENCE,
    .can_unload = 1,
    .device_count = tern_kit_one_device,
    .device_info = device_info,
    .device_open = device_open,
};

int32_t TERN_BACKEND_QUERY_NAME(uint32_t host_abi, const tern_host *host_table,
                                tern_backend_desc *out_desc, tern_backend_error *err) {
    host = host_table;
    return tern_kit_describe(host_abi, &description, out_desc, err);
}
