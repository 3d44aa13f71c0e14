/* tern doctor: the load report: every folder searched, every plugin found and how far it came. */
#include "json_out.h"
#include "verbs.h"

#include "tern/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROBE_MILLISECONDS = 20000, USABLE_SIZE = 512 };

typedef struct doctor_options {
    common_options common;
} doctor_options;

static void search_json(json_out *j, const tern_load_report *report) {
    json_out_array(j, "search");
    for (size_t i = 0; i < tern_load_report_search_count(report); i++) {
        const tern_search_entry *s = tern_load_report_search_at(report, i);
        json_out_object(j, NULL);
        json_out_text(j, "path", s->path);
        json_out_text(j, "origin", s->origin);
        json_out_bool(j, "found", s->found);
        json_out_text(j, "message", s->message);
        json_out_end(j);
    }
    json_out_end(j);
}

static void plugins_json(json_out *j, const tern_load_report *report) {
    json_out_array(j, "plugins");
    for (size_t i = 0; i < tern_load_report_plugin_count(report); i++) {
        const tern_plugin_entry *p = tern_load_report_plugin_at(report, i);
        json_out_object(j, NULL);
        json_out_text(j, "manifest", p->manifest);
        json_out_text(j, "library", p->library);
        json_out_text(j, "device", p->device);
        json_out_text(j, "host", p->host);
        json_out_text(j, "variant", p->variant);
        json_out_text(j, "stage", tern_load_stage_name(p->stage));
        json_out_text(j, "code", tern_status_name(p->code));
        json_out_bool(j, "ok", p->ok);
        json_out_text(j, "message", p->message);
        json_out_end(j);
    }
    json_out_end(j);
}

static void print_json(const tern_load_report *report) {
    json_out j = json_out_begin(stdout);
    json_out_object(&j, NULL);
    json_out_bool(&j, "ok", tern_load_report_ok(report));
    search_json(&j, report);
    plugins_json(&j, report);
    json_out_end(&j);
    json_out_finish(&j);
}

static void print_text(const tern_load_report *report) {
    puts("folders searched:");
    for (size_t i = 0; i < tern_load_report_search_count(report); i++) {
        const tern_search_entry *s = tern_load_report_search_at(report, i);
        printf("  %s  %s (%s)%s%s\n", s->found ? "ok" : "--", s->path, s->origin,
               *s->message ? ": " : "", s->message);
    }
    puts("plugins:");
    for (size_t i = 0; i < tern_load_report_plugin_count(report); i++) {
        const tern_plugin_entry *p = tern_load_report_plugin_at(report, i);
        printf("  %s  %s%s%s at stage %s\n", p->ok ? "ok" : "--",
               *p->device ? p->device
               : *p->host ? p->host
                          : "?",
               *p->variant ? " " : "", p->variant, tern_load_stage_name(p->stage));
        printf("      manifest %s\n", p->manifest);
        if (*p->library) printf("      library  %s\n", p->library);
        if (*p->message) printf("      %s: %s\n", tern_status_name(p->code), p->message);
    }
}

/* The plugin that makes the report not ok, NULL where it is that no device can be used. */
static const tern_plugin_entry *broken_plugin(const tern_load_report *report) {
    for (size_t i = 0; i < tern_load_report_plugin_count(report); i++) {
        const tern_plugin_entry *p = tern_load_report_plugin_at(report, i);
        bool excused = p->code == TERN_ERR_NOT_FOUND || p->code == TERN_ERR_UNSUPPORTED ||
                       p->code == TERN_ERR_STATE;
        if (!p->ok && !excused) return p;
    }
    return NULL;
}

/* TERN_DEVICE names a device that there is not, or that cannot be used: its row in the report says so. */
static int bad_choice(const verb *v, const tern_load_report *report) {
    char usable[USABLE_SIZE] = "";
    const tern_device_entry *bad = NULL;
    const char *chosen = getenv("TERN_DEVICE");
    for (size_t i = 0; i < tern_load_report_device_count(report); i++) {
        const tern_device_entry *d = tern_load_report_device_at(report, i);
        size_t used = strlen(usable);
        if (d->state == TERN_STATE_NOT_PROBED || d->state == TERN_STATE_READY)
            snprintf(usable + used, sizeof usable - used, ", %s", d->name);
        else if (d->is_default)
            bad = d;
    }
    if (!chosen || !*chosen || !bad) return EXIT_OK;
    return work_failed(v, "TERN_DEVICE is '%s': %s; set it to one of auto%s, or unset it", chosen,
                       bad->state == TERN_STATE_UNKNOWN ? "there is no such device" : bad->reason,
                       usable);
}

static int verdict(const verb *v, const tern_load_report *report) {
    if (tern_load_report_ok(report)) return EXIT_OK;
    const tern_plugin_entry *p = broken_plugin(report);
    if (p) return work_failed(v, "%s: %s", p->manifest, p->message);
    int status = bad_choice(v, report);
    if (status != EXIT_OK) return status;
    return work_failed(
        v, "no device can be used; install a backend or set TERN_PLUGIN_PATH_ADD to its "
           "folder of manifests");
}

static int run(const verb *v, void *options) {
    const doctor_options *o = options;
    tern_load_report *report = tern_load_report_new(PROBE_MILLISECONDS);
    if (!report) return work_failed(v, "out of memory");
    if (o->common.json)
        print_json(report);
    else if (!o->common.quiet)
        print_text(report);
    int status = verdict(v, report);
    tern_load_report_free(report);
    return status;
}

const verb verb_doctor = {
    .name = "doctor",
    .arguments = "",
    .summary = "says why a device is available or not",
    .details =
        "Opens each plugin in a helper process, so that a plugin that crashes or hangs becomes a "
        "line of\nthe report. The exit status is 1 where a plugin is broken, no device can be "
        "used, "
        "or TERN_DEVICE\nnames an unknown one; missing hardware does not count as a failure.",
    .seed = "0",
    .options = NULL,
    .n_options = 0,
    .options_size = sizeof(doctor_options),
    .run = run,
};
