/*
 * patched_device.h: a device some of whose functions are a test's own.
 *
 * The core copies a device's table when it opens the device, so a test may change that copy for contexts
 * that it opens later. While `keeper` is open the device is; closing it ends the device and the changes.
 */
#ifndef TERN_TESTS_PATCHED_DEVICE_H
#define TERN_TESTS_PATCHED_DEVICE_H

#include <criterion/criterion.h>

#include "core/objects.h"
#include "tern/ops.h"

static tern_ctx *keeper;
static tern_bdevice_vtable *table; /* what contexts use that are opened from now on */
static tern_bdevice_vtable real;   /* what the device itself has */

static inline void patch_device(const char *name) {
    keeper = tern_open(name);
    cr_assert_eq(tern_check(keeper), TERN_OK, "%s", tern_error(keeper));
    table = &keeper->lanes[0]->device->vtable;
    real = *table;
}

static inline void unpatch_device(void) {
    *table = real;
    tern_close(keeper);
    keeper = NULL;
}

/* A context on the device, without an error. */
static inline tern_ctx *open_patched(void) {
    tern_ctx *ctx = tern_open(keeper->lanes[0]->device->name);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    return ctx;
}

#endif
