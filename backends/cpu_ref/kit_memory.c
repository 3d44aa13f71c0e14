/* kit_memory.c: buffers in host memory, and what a backend says of that memory. */
#define _GNU_SOURCE /* sysconf(_SC_PHYS_PAGES), _SC_AVPHYS_PAGES */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kit_memory.h"

static const tern_host *host_of(tern_bdevice *device) {
    return ((tern_kit_device *)device)->host;
}

static int32_t make_buffer(tern_bdevice *device, void *memory, bool imported,
                           tern_bbuffer **out_buffer, tern_backend_error *err) {
    const tern_host *host = host_of(device);
    tern_kit_host_buffer *buffer = memory ? host->alloc(sizeof *buffer) : NULL;
    if (!buffer) {
        if (!imported) host->free(memory);
        return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "out of host memory");
    }
    *buffer = (tern_kit_host_buffer){memory, imported};
    *out_buffer = (tern_bbuffer *)(void *)buffer;
    return TERN_BACKEND_OK;
}

int32_t tern_kit_buffer_alloc(tern_bdevice *device, uint64_t bytes, tern_bbuffer **out_buffer,
                              tern_backend_error *err) {
    return make_buffer(device, tern_kit_host_alloc(device, bytes), false, out_buffer, err);
}

int32_t tern_kit_buffer_import(tern_bdevice *device, void *memory, uint64_t bytes,
                               tern_bbuffer **out_buffer, tern_backend_error *err) {
    (void)bytes;
    return make_buffer(device, memory, true, out_buffer, err);
}

void tern_kit_buffer_free(tern_bdevice *device, tern_bqueue *queue, tern_bbuffer *buffer) {
    (void)queue;
    const tern_host *host = host_of(device);
    tern_kit_host_buffer *own = (tern_kit_host_buffer *)(void *)buffer;
    if (!own->imported) host->free(own->memory);
    host->free(own);
}

static void *reach(tern_bdevice *device, tern_bbuffer *buffer, tern_backend_error *err) {
    (void)device, (void)err;
    return tern_kit_host_address(buffer);
}

const tern_kit_memory tern_kit_host_memory = {reach, NULL};

void *tern_kit_host_alloc(tern_bdevice *device, uint64_t bytes) {
    return bytes <= PTRDIFF_MAX ? host_of(device)->alloc((size_t)bytes) : NULL;
}

void tern_kit_host_free(tern_bdevice *device, void *memory) {
    host_of(device)->free(memory);
}

static uint64_t pages(int name) {
    long count = sysconf(name), page = sysconf(_SC_PAGESIZE);
    return count > 0 && page > 0 ? (uint64_t)count * (uint64_t)page : 0;
}

/* Linux's own estimate, which counts caches that it would give up; 0 where there is none. */
static uint64_t available(void) {
    static const char name[] = "MemAvailable:";
    char line[128];
    uint64_t kilobytes = 0;
    FILE *file = fopen("/proc/meminfo", "re");
    if (!file) return 0;
    while (!kilobytes && fgets(line, sizeof line, file)) {
        if (strncmp(line, name, sizeof name - 1) == 0)
            kilobytes = strtoull(line + sizeof name - 1, NULL, 10);
    }
    fclose(file);
    return kilobytes * 1024;
}

uint64_t tern_kit_host_bytes(void) {
    return pages(_SC_PHYS_PAGES);
}

int32_t tern_kit_memory_info(tern_bdevice *device, uint64_t *out_free, uint64_t *out_total,
                             tern_backend_error *err) {
    (void)device;
    *out_total = tern_kit_host_bytes();
    *out_free = available();
    if (!*out_free) *out_free = pages(_SC_AVPHYS_PAGES);
    if (!*out_total) {
        return tern_kit_fail(err, TERN_BACKEND_FAILED,
                             "the host does not say how much memory it has");
    }
    if (*out_free > *out_total) *out_free = *out_total;
    return TERN_BACKEND_OK;
}
