/*
 * probe.h: opening a plugin in a process of its own, for the load report.
 *
 * The helper program (tern-probe) is given a manifest and writes lines of fields between tabs:
 *
 *     stage   NAME                                     before each stage is entered
 *     device  INDEX  TYPE  BYTES  IDENTITY  NAME  WHY  WHY is empty where the device opened
 *     result  STATUS  MESSAGE                          last; where all is well, what the plugin says of libraries
 *
 * A result that never comes means a crash or a hang in the stage that was named last.
 */
#ifndef TERN_CORE_PLUGIN_PROBE_H
#define TERN_CORE_PLUGIN_PROBE_H

#include "discovery.h"

#define TERN_PROBE_DEVICES 160 /* more are not looked at */

typedef struct tern_probed_device {
    int32_t index;
    int32_t type; /* TERN_DEVICE_CPU, ... of backend.h */
    uint64_t memory;
    char identity[64];
    char name[64];
    char error[256]; /* "" where it opened */
} tern_probed_device;

typedef struct tern_probe {
    bool done; /* the helper was started; the rest counts */
    tern_load_stage stage;
    tern_status code;
    char message[512];
    tern_probed_device devices[TERN_PROBE_DEVICES];
    size_t count;
} tern_probe;

/* Starts the helper for a candidate and waits for it, at most `milliseconds`. */
void tern_probe_run(const tern_trusted *program, const tern_candidate *candidate, int milliseconds,
                    tern_probe *out_probe);

#endif
