/*
 * registry.h: the process's devices, opened from plugins by device string.
 *
 * A tern_device is shared by all contexts that opened the same device; each context has its own
 * queue on it. All functions are thread safe.
 */
#ifndef TERN_CORE_REGISTRY_H
#define TERN_CORE_REGISTRY_H

#include "core/ground/fault.h"
#include "tern/backend.h"

typedef struct tern_device {
    char name[96];    /* as an error names it: "cpu_ref", "cuda:1" */
    char plugin[64];  /* the backend's own name */
    char reason[256]; /* why this one: "TERN_DEVICE=cpu", "auto: ..." */
    bool is_cpu;      /* of the CPU family ("cpu", "cpu_ref", ...): PyTorch prints no device */
    uint32_t speed;   /* TERN_SPEED_* */
    /* The plugin's table cut or zero-padded to the size that this core knows. */
    tern_bdevice_vtable vtable;
    tern_bdevice *object;
    int references; /* guarded by the registry's lock */
} tern_device;

/*
 * Opens a device by its string: "cpu", "cpu_ref", "cuda:1", "auto". NULL reads TERN_DEVICE, unset
 * or empty is "auto". A named device never falls back. The same device opened twice is one object.
 */
tern_status tern_registry_open(const char *spec, tern_device **out_device, tern_fault *fault);

/* Drops one reference; the last closes the device. NULL is fine. */
void tern_registry_close(tern_device *device);

/* Whether both come from one plugin, so that its functions take either. */
bool tern_device_same_library(const tern_device *a, const tern_device *b);

#endif
