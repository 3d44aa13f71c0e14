/* discrete_memory.c: buffers out of the host's reach, pinned host memory, and the copies. */
#define _GNU_SOURCE /* MAP_ANONYMOUS, MADV_DONTNEED */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "discrete.h"

/* Address space for all buffers of a device. One mapping, because the kernel limits their number. */
#define REGION ((size_t)1 << 36)

/* What a device says it has. */
#define MEMORY ((uint64_t)1 << 33)

static int32_t out_of_memory(tern_backend_error *err) {
    return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "discrete: out of memory");
}

static void lock(void) {
    pthread_mutex_lock(&discrete_backend.lock);
}
static void unlock(void) {
    pthread_mutex_unlock(&discrete_backend.lock);
}

bool discrete_memory_init(discrete *device) {
    device->region =
        mmap(NULL, REGION, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return device->region != MAP_FAILED;
}

void discrete_memory_fini(discrete *device) {
    munmap(device->region, REGION);
    while (device->all) {
        allocation *entry = device->all;
        device->all = entry->next;
        discrete_backend.host->free(entry);
    }
}

/* The live buffer of this device, and not of the other one. The lock is held. */
static allocation *find(const discrete *device, const tern_bbuffer *buffer) {
    allocation *entry = handle_find(&discrete_backend.buffers, HANDLE_BUFFER, buffer);
    return entry && entry->device == device ? entry : NULL;
}

static int power_of(size_t bytes) {
    int power = 0;
    while ((size_t)sysconf(_SC_PAGESIZE) << power < bytes) power++;
    return power;
}

/* An entry with 2^power pages; NULL without memory. */
static allocation *take_entry(discrete *self, int power) {
    allocation *entry = self->unused[power];
    size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = page << power;
    if (entry) {
        self->unused[power] = entry->next_unused;
        return entry;
    }
    if (bytes + page > REGION - self->used) return NULL;
    entry = discrete_backend.host->alloc(sizeof *entry);
    if (!entry) return NULL;
    *entry = (allocation){.device = self, .pages = self->region + self->used, .page_bytes = bytes};
    entry->next = self->all;
    self->all = entry;
    self->used += bytes + page;
    return entry;
}

static void give_entry_back(discrete *self, allocation *entry) {
    int power = power_of(entry->page_bytes);
    entry->next_unused = self->unused[power];
    self->unused[power] = entry;
}

static tern_bbuffer *make_buffer(discrete *self, uint64_t bytes) {
    if (bytes > MEMORY - self->in_use) return NULL;
    allocation *entry = take_entry(self, power_of((size_t)bytes));
    if (!entry) return NULL;
    tern_bbuffer *handle =
        handle_new(&discrete_backend.buffers, HANDLE_BUFFER, discrete_backend.host, entry);
    if (!handle) {
        give_entry_back(self, entry);
        return NULL;
    }
    size_t rounded =
        ((size_t)bytes + DISCRETE_ALIGNMENT - 1) / DISCRETE_ALIGNMENT * DISCRETE_ALIGNMENT;
    entry->start = entry->page_bytes - rounded;
    entry->bytes = bytes;
    entry->open = 0;
    entry->lasting = false;
    self->in_use += bytes;
    self->live++;
    return handle;
}

int32_t discrete_buffer_alloc(tern_bdevice *base, uint64_t bytes, tern_bbuffer **out_buffer,
                              tern_backend_error *err) {
    lock();
    *out_buffer = make_buffer((discrete *)base, bytes);
    unlock();
    return *out_buffer ? TERN_BACKEND_OK : out_of_memory(err);
}

static void end_buffer(discrete *self, tern_bbuffer *buffer, allocation *entry) {
    handle_end(&discrete_backend.buffers, buffer);
    madvise(entry->pages, entry->page_bytes, MADV_DONTNEED);
    self->in_use -= entry->bytes;
    self->live--;
    give_entry_back(self, entry);
}

void discrete_buffer_free(tern_bdevice *base, tern_bqueue *queue, tern_bbuffer *buffer) {
    discrete *self = (discrete *)base;
    tern_backend_error err;
    discrete_find_queue(self, queue, &err);
    lock();
    allocation *entry = find(self, buffer);
    if (!entry)
        breach_note(&self->breach, NULL, "discrete:%d: what is freed is no buffer of its own",
                    (int)self->index);
    else if (entry->lasting)
        breach_note(&self->breach, NULL, "discrete: the core freed a buffer of the backend's");
    else
        end_buffer(self, buffer, entry);
    unlock();
}

void discrete_make_lasting(tern_bbuffer *buffer) {
    lock();
    allocation *entry = handle_find(&discrete_backend.buffers, HANDLE_BUFFER, buffer);
    entry->lasting = true;
    unlock();
}

void discrete_free_lasting(discrete *device, tern_bbuffer *buffer) {
    lock();
    end_buffer(device, buffer, find(device, buffer));
    unlock();
}

uint64_t discrete_room(discrete *device, const tern_bbuffer *buffer) {
    lock();
    const allocation *entry = find(device, buffer);
    uint64_t bytes = entry ? entry->bytes : 0;
    unlock();
    return bytes;
}

static void *reach(tern_bdevice *base, tern_bbuffer *buffer, tern_backend_error *err) {
    discrete *self = (discrete *)base;
    char *address = NULL;
    lock();
    allocation *entry = find(self, buffer);
    if (!entry) {
        breach_note(&self->breach, err, "discrete:%d: %p is no buffer of its own", (int)self->index,
                    (void *)buffer);
    } else if (entry->open == 0 &&
               mprotect(entry->pages, entry->page_bytes, PROT_READ | PROT_WRITE) != 0) {
        tern_kit_fail(err, TERN_BACKEND_FAILED, "discrete: the buffer's pages do not open");
    } else {
        entry->open++;
        address = entry->pages + entry->start;
    }
    unlock();
    return address;
}

static void leave(tern_bdevice *base, tern_bbuffer *buffer) {
    lock();
    allocation *entry = find((discrete *)base, buffer);
    if (--entry->open == 0) mprotect(entry->pages, entry->page_bytes, PROT_NONE);
    unlock();
}

const tern_kit_memory discrete_memory = {reach, leave};

int32_t discrete_memory_info(tern_bdevice *base, uint64_t *out_free, uint64_t *out_total,
                             tern_backend_error *err) {
    (void)err;
    discrete *self = (discrete *)base;
    lock();
    *out_total = MEMORY;
    *out_free = MEMORY - self->in_use;
    unlock();
    return TERN_BACKEND_OK;
}

/* ---- pinned host memory ---- */

void *discrete_host_alloc(tern_bdevice *base, uint64_t bytes) {
    discrete *self = (discrete *)base;
    const tern_host *host = discrete_backend.host;
    pinned *block = host->alloc(sizeof *block);
    char *memory = block ? tern_kit_host_alloc(base, bytes) : NULL;
    if (!memory) {
        host->free(block);
        return NULL;
    }
    lock();
    *block = (pinned){memory, bytes, 0, self->pinned};
    self->pinned = block;
    self->live++;
    unlock();
    return memory;
}

void discrete_host_free(tern_bdevice *base, void *memory) {
    discrete *self = (discrete *)base;
    lock();
    pinned **link = &self->pinned, *block;
    while ((block = *link) && block->memory != memory) link = &block->next;
    if (!block) {
        breach_note(&self->breach, NULL, "discrete: host_free of memory that is not pinned");
    } else {
        if (block->copied == self->waits + 1)
            breach_note(&self->breach, NULL,
                        "discrete: pinned memory was freed while a copy from it was pending");
        *link = block->next;
        self->live--;
    }
    unlock();
    if (!block) return;
    discrete_backend.host->free(memory);
    discrete_backend.host->free(block);
}

/* The copy is done, but the core cannot know until something waits for the device. */
static void note_source(discrete *self, const char *src) {
    lock();
    for (pinned *block = self->pinned; block; block = block->next) {
        if (src >= block->memory && src < block->memory + block->bytes)
            block->copied = self->waits + 1;
    }
    unlock();
}

/* ---- copies ---- */

static int32_t check_range(discrete *self, const tern_bbuffer *buffer, uint64_t offset,
                           uint64_t bytes, tern_backend_error *err) {
    uint64_t room = discrete_room(self, buffer);
    if (offset <= room && room - offset >= bytes) return TERN_BACKEND_OK;
    lock();
    breach_note(&self->breach, err, "discrete:%d: a copy leaves its buffer", (int)self->index);
    unlock();
    return TERN_BACKEND_INVALID;
}

int32_t discrete_copy_to_device(tern_bdevice *base, tern_bqueue *queue, tern_bbuffer *dst,
                                uint64_t dst_offset, const void *src, uint64_t bytes,
                                tern_backend_error *err) {
    discrete *self = (discrete *)base;
    if (!discrete_find_queue(self, queue, err)) return TERN_BACKEND_INVALID;
    int32_t status = check_range(self, dst, dst_offset, bytes, err);
    if (status != TERN_BACKEND_OK) return status;
    note_source(self, src);
    return tern_kit_copy_to_device(base, queue, dst, dst_offset, src, bytes, err);
}

int32_t discrete_copy_to_host(tern_bdevice *base, tern_bqueue *queue, void *dst, tern_bbuffer *src,
                              uint64_t src_offset, uint64_t bytes, tern_backend_error *err) {
    discrete *self = (discrete *)base;
    if (!discrete_find_queue(self, queue, err)) return TERN_BACKEND_INVALID;
    int32_t status = check_range(self, src, src_offset, bytes, err);
    if (status != TERN_BACKEND_OK) return status;
    return tern_kit_copy_to_host(base, queue, dst, src, src_offset, bytes, err);
}

int32_t discrete_copy_between(tern_bdevice *base, tern_bqueue *queue, tern_bbuffer *dst,
                              uint64_t dst_offset, tern_bdevice *src_base, tern_bbuffer *src,
                              uint64_t src_offset, uint64_t bytes, tern_backend_error *err) {
    discrete *self = (discrete *)base, *other = (discrete *)src_base;
    if (!discrete_find_queue(self, queue, err)) return TERN_BACKEND_INVALID;
    int32_t status = check_range(self, dst, dst_offset, bytes, err);
    if (status == TERN_BACKEND_OK) status = check_range(other, src, src_offset, bytes, err);
    if (status != TERN_BACKEND_OK) return status;
    const char *from = reach(src_base, src, err);
    if (!from) return TERN_BACKEND_FAILED;
    status = tern_kit_copy_to_device(base, queue, dst, dst_offset, from + src_offset, bytes, err);
    leave(src_base, src);
    return status;
}
