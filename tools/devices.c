/* tern devices: which devices there are, from manifests alone; with --probe what each driver answers. */
#include "json_out.h"
#include "table.h"
#include "verbs.h"

#include "tern/device.h"
#include "tern/memory.h"

#include <stdio.h>

/* A driver's first start may compile or wait for firmware; more than this is a hang. */
enum { PROBE_MILLISECONDS = 20000 };

typedef struct devices_options {
    common_options common;
    bool probe;
} devices_options;

static const option table[] = {
    {"probe", OPTION_FLAG, NULL, NULL, "open each device in a helper process and show the result",
     offsetof(devices_options, probe), 0, 0, false},
};

static void print_json(const tern_load_report *report) {
    json_out j = json_out_begin(stdout);
    json_out_array(&j, NULL);
    for (size_t i = 0; i < tern_load_report_device_count(report); i++) {
        const tern_device_entry *d = tern_load_report_device_at(report, i);
        json_out_object(&j, NULL);
        json_out_text(&j, "name", d->name);
        json_out_text(&j, "plugin", d->plugin);
        json_out_text(&j, "variant", d->variant);
        json_out_text(&j, "status", tern_device_state_name(d->state));
        json_out_text(&j, "reason", d->reason);
        json_out_text(&j, "identity", d->identity);
        json_out_int(&j, "memory", (int64_t)d->memory);
        json_out_bool(&j, "default", d->is_default);
        json_out_end(&j);
    }
    json_out_end(&j);
    json_out_finish(&j);
}

enum { COLUMNS = 4, NAME_SIZE = 128 };

static int print_table(const verb *v, const tern_load_report *report) {
    size_t count = tern_load_report_device_count(report);
    const char **cells = tern_alloc_zeroed((count + 1) * COLUMNS, sizeof *cells);
    char(*names)[NAME_SIZE] = tern_alloc_zeroed(count + 1, sizeof *names);
    if (!cells || !names) {
        tern_free(cells);
        tern_free(names);
        return work_failed(v, "out of memory");
    }
    const char *const head[COLUMNS] = {"  device", "variant", "status", "reason"};
    for (size_t c = 0; c < COLUMNS; c++) cells[c] = head[c];
    for (size_t i = 0; i < count; i++) {
        const tern_device_entry *d = tern_load_report_device_at(report, i);
        const char **row = cells + (i + 1) * COLUMNS;
        snprintf(names[i], NAME_SIZE, "%c %s", d->is_default ? '*' : ' ', d->name);
        row[0] = names[i];
        row[1] = d->variant;
        row[2] = tern_device_state_name(d->state);
        row[3] = d->reason;
    }
    table_print(cells, count + 1, COLUMNS);
    tern_free(cells);
    tern_free(names);
    return EXIT_OK;
}

static int run(const verb *v, void *options) {
    const devices_options *o = options;
    tern_load_report *report = tern_load_report_new(o->probe ? PROBE_MILLISECONDS : 0);
    if (!report) return work_failed(v, "out of memory");
    int status = EXIT_OK;
    if (o->common.json)
        print_json(report);
    else
        status = print_table(v, report);
    tern_load_report_free(report);
    return status;
}

const verb verb_devices = {
    .name = "devices",
    .arguments = "",
    .summary = "lists the devices",
    .details = "Reads the plugins' manifests and opens no driver, so that the list is quick and "
               "safe; a device\nis then 'not probed'. The device marked * is the default. `tern "
               "doctor` says more about\na device that is not available.",
    .seed = "0",
    .options = table,
    .n_options = sizeof table / sizeof table[0],
    .options_size = sizeof(devices_options),
    .run = run,
};
