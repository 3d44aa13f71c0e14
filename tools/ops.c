/* tern ops: the table of operations and what a device does for each, by dtype. */
#include "json_out.h"
#include "table.h"
#include "verbs.h"

#include "tern/context.h"
#include "tern/device.h"
#include "tern/memory.h"
#include "tern/ops.h"

#include <stdio.h>
#include <string.h>

enum {
    PROBE_MILLISECONDS = 20000,
    MOST_DEVICES = 16,
    NAME_SIZE = 96,
    COLUMNS = 3 + TERN_DTYPE_COUNT
};

typedef struct ops_options {
    common_options common;
    bool all;
} ops_options;

static const option table[] = {
    {"all", OPTION_FLAG, NULL, NULL, "all devices that can be opened", offsetof(ops_options, all),
     0, 0, false},
};

typedef struct device_list {
    size_t count;
    tern_ctx *contexts[MOST_DEVICES];
} device_list;

static void close_all(device_list *list) {
    for (size_t i = 0; i < list->count; i++) tern_close(list->contexts[i]);
}

static int open_one(const verb *v, const char *device, device_list *out) {
    tern_ctx *ctx = tern_open(device);
    out->contexts[out->count++] = ctx;
    return tern_check(ctx) == TERN_OK ? EXIT_OK : work_failed(v, "%s", tern_error(ctx));
}

/* Devices are probed in a helper process first, so that one that crashes is left out. */
static int open_all(const verb *v, device_list *out) {
    tern_load_report *report = tern_load_report_new(PROBE_MILLISECONDS);
    int status = report ? EXIT_OK : work_failed(v, "out of memory");
    for (size_t i = 0; report && status == EXIT_OK && i < tern_load_report_device_count(report);
         i++) {
        const tern_device_entry *d = tern_load_report_device_at(report, i);
        if (d->state == TERN_STATE_READY && out->count < MOST_DEVICES)
            status = open_one(v, d->name, out);
    }
    tern_load_report_free(report);
    if (status == EXIT_OK && out->count == 0)
        return work_failed(v, "no device can be opened; `tern doctor` says why");
    return status;
}

/* "max" of "max:dim(Tensor input, ...)". */
static void operation_name(const char *schema, char *out_name) {
    snprintf(out_name, NAME_SIZE, "%.*s", (int)strcspn(schema, ":("), schema);
}

static void print_json(const device_list *devices) {
    json_out j = json_out_begin(stdout);
    tern_op_info info;
    json_out_array(&j, NULL);
    for (size_t i = 0; tern_op_at(i, &info); i++) {
        char name[NAME_SIZE];
        operation_name(info.schema, name);
        json_out_object(&j, NULL);
        json_out_text(&j, "name", name);
        json_out_text(&j, "kind", info.kind);
        json_out_bool(&j, "differentiable", info.differentiable);
        json_out_text(&j, "schema", info.schema);
        json_out_object(&j, "devices");
        for (size_t d = 0; d < devices->count; d++) {
            json_out_object(&j, tern_device_name(devices->contexts[d]));
            for (int t = 0; t < TERN_DTYPE_COUNT; t++)
                json_out_text(&j, tern_dtype_name((tern_dtype)t),
                              tern_op_support(devices->contexts[d], i, (tern_dtype)t));
            json_out_end(&j);
        }
        json_out_end(&j);
        json_out_end(&j);
    }
    json_out_end(&j);
    json_out_finish(&j);
}

/* The families of fused kernels, and the dtypes for which the device has them. */
static void print_fused(tern_ctx *ctx) {
    const char *family;
    printf("fused:");
    for (size_t i = 0; (family = tern_fused_family_at(i)) != NULL; i++) {
        int dtypes = 0;
        for (int t = 0; t < TERN_DTYPE_COUNT; t++) {
            if (!tern_fuses(ctx, family, (tern_dtype)t)) continue;
            if (dtypes++ == 0) printf(" %s (", family);
            printf("%s%s", dtypes > 1 ? ", " : "", tern_dtype_name((tern_dtype)t));
        }
        if (dtypes) putchar(')');
    }
    putchar('\n');
}

static int print_device(const verb *v, tern_ctx *ctx) {
    tern_op_info info;
    size_t count = 0;
    while (tern_op_at(count, &info)) count++;
    const char **cells = tern_alloc_zeroed((count + 1) * COLUMNS, sizeof *cells);
    char(*names)[NAME_SIZE] = tern_alloc_zeroed(count + 1, sizeof *names);
    if (!cells || !names) {
        tern_free(cells);
        tern_free(names);
        return work_failed(v, "out of memory");
    }
    cells[0] = "operation";
    cells[1] = "kind";
    cells[2] = "gradient";
    for (int t = 0; t < TERN_DTYPE_COUNT; t++) cells[3 + t] = tern_dtype_name((tern_dtype)t);
    for (size_t i = 0; tern_op_at(i, &info); i++) {
        const char **row = cells + (i + 1) * COLUMNS;
        snprintf(names[i], NAME_SIZE, "%.*s", (int)strcspn(info.schema, "("), info.schema);
        row[0] = names[i];
        row[1] = info.kind;
        row[2] = info.differentiable ? "yes" : "";
        for (int t = 0; t < TERN_DTYPE_COUNT; t++)
            row[3 + t] = tern_op_support(ctx, i, (tern_dtype)t);
    }
    printf("%s\n", tern_device_name(ctx));
    table_print(cells, count + 1, COLUMNS);
    print_fused(ctx);
    tern_free(cells);
    tern_free(names);
    return EXIT_OK;
}

static int run(const verb *v, void *options) {
    const ops_options *o = options;
    device_list devices = {0};
    int status = o->all ? open_all(v, &devices) : open_one(v, o->common.device, &devices);
    if (status == EXIT_OK && o->common.json) print_json(&devices);
    for (size_t i = 0; status == EXIT_OK && !o->common.json && i < devices.count; i++)
        status = print_device(v, devices.contexts[i]);
    close_all(&devices);
    return status;
}

const verb verb_ops = {
    .name = "ops",
    .arguments = "",
    .summary = "lists the operations and how a device runs each",
    .details = "For each dtype: 'kernel' runs as one kernel of the device, 'composite' is built "
               "from several,\n'host' runs in host memory, 'missing' is not supported.",
    .seed = "0",
    .options = table,
    .n_options = sizeof table / sizeof table[0],
    .options_size = sizeof(ops_options),
    .run = run,
};
