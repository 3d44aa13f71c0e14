/*
 * device_list [MILLISECONDS]: the load report's devices, one a line; the time is for probing.
 *
 * Built in a shared and in a static build, which must print the same.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tern/device.h"

int main(int argc, char **argv) {
    tern_load_report *report = tern_load_report_new(argc > 1 ? (int)strtol(argv[1], NULL, 10) : 0);
    if (!report) return 1;
    for (size_t i = 0; i < tern_load_report_device_count(report); i++) {
        const tern_device_entry *d = tern_load_report_device_at(report, i);
        printf("%s|%s|%s|%s|%s|%s|%d\n", d->name, d->plugin, d->variant,
               tern_device_state_name(d->state), d->reason, d->identity, d->is_default);
    }
    int status = tern_load_report_ok(report) ? 0 : 1;
    tern_load_report_free(report);
    return status;
}
