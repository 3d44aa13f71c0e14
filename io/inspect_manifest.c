/* inspect_manifest.c: what a plugin's manifest says, and whether its library could be used on this machine. */
#define _XOPEN_SOURCE 700 /* realpath */
#include "inspect.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "tern/context.h"
#include "tern/device.h"

bool tern_is_manifest(const char *path) {
    size_t length = path ? strlen(path) : 0;
    return length > 5 && strcmp(path + length - 5, ".tern") == 0;
}

/* Keys that say nothing are left out. */
static void set_text(tern_ctx *ctx, tern_value values, const char *key, const char *text) {
    if (*text) tern_dict_set(values, key, tern_string(ctx, text));
}

static tern_value described(tern_ctx *ctx, const tern_plugin_entry *plugin) {
    tern_value report = tern_dict_new(ctx, false), values = tern_dict_new(ctx, false);
    set_text(ctx, values, "device", plugin->device);
    set_text(ctx, values, "variant", plugin->variant);
    set_text(ctx, values, "library", plugin->library);
    tern_dict_set(values, "abi", tern_int(plugin->abi));
    set_text(ctx, values, "arch", plugin->arch);
    set_text(ctx, values, "requires", plugin->needs);
    tern_dict_set(values, "priority", tern_int(plugin->priority));
    tern_dict_set(values, "usable", tern_bool(plugin->ok));
    tern_dict_set(report, "format", tern_text("manifest"));
    tern_dict_set(report, "tensors", tern_list_new(ctx));
    tern_dict_set(report, "values", values);
    if (*plugin->message) {
        tern_value warnings = tern_list_new(ctx);
        tern_list_append(warnings, tern_string(ctx, plugin->message));
        tern_dict_set(report, "warnings", warnings);
    }
    return report;
}

tern_value tern_manifest_inspect(tern_ctx *ctx, const char *path) {
    char real[PATH_MAX];
    if (!realpath(path, real)) {
        tern_fail(ctx, errno == ENOENT ? TERN_ERR_NOT_FOUND : TERN_ERR_IO, "cannot open %s: %s",
                  path, strerror(errno));
        return tern_none();
    }
    tern_load_report *report = tern_load_report_of(real, 0);
    const tern_plugin_entry *plugin = tern_load_report_plugin_at(report, 0);
    tern_value value = tern_none();
    if (!report)
        tern_fail(ctx, TERN_ERR_OUT_OF_MEMORY, "tern_file_inspect: out of memory");
    else if (!plugin)
        tern_fail(ctx, TERN_ERR_UNSUPPORTED,
                  "%s: a static Tern has its backends built in and loads none", path);
    else if (!*plugin->device) /* not a manifest: the message names its line */
        tern_fail(ctx, plugin->code, "%s", plugin->message);
    else
        value = described(ctx, plugin);
    tern_load_report_free(report);
    return tern_check(ctx) == TERN_OK ? value : tern_none();
}
