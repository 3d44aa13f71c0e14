#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attempts.h"
#include "device_string.h"
#include "host_library.h"
#include "probe.h"
#include "tern/device.h"
#include "tern/memory.h"

/* A device entry and the texts that are its own. */
typedef struct row {
    tern_device_entry entry;
    const tern_candidate *candidate; /* NULL for the unknown one that TERN_DEVICE names */
    int32_t index;                   /* -1 where it was not probed */
    int32_t type;
    char name[64];
    char reason[TERN_FAULT_SIZE];
} row;

struct tern_load_report {
    tern_discovery *discovery;
    tern_probe *probes; /* one a candidate; all zero where it was not probed */
    char helper_missing[TERN_FAULT_SIZE];
    tern_search_entry *searches;
    tern_plugin_entry *plugins;
    char (*needs)[TERN_MANIFEST_FEATURES * TERN_MANIFEST_NAME_SIZE]; /* one a candidate */
    row *rows;
    size_t row_count;
};

/* ---- probing --------------------------------------------------------------------------------- */

/* Makes the probe's answer the candidate's. */
static void take_answer(tern_candidate *c, const tern_probe *probe) {
    c->stage = probe->stage;
    c->code = probe->code;
    tern_text_copy(c->message, sizeof c->message, probe->message);
    if (!c->manifest.warning[0]) return;
    tern_text_append(c->message, sizeof c->message, c->message[0] ? "; warning: " : "warning: ");
    tern_text_append(c->message, sizeof c->message, c->manifest.warning);
}

static void probe_all(tern_load_report *report, int milliseconds) {
    tern_trusted program;
    tern_fault fault = {0};
    tern_search_probe(&program, &fault);
    for (size_t i = 0; i < report->discovery->count && fault.status == TERN_OK; i++) {
        tern_candidate *c = report->discovery->items[i];
        if (!c->chosen) continue;
        tern_probe_run(&program, c, milliseconds, &report->probes[i]);
        if (report->probes[i].done)
            take_answer(c, &report->probes[i]);
        else
            tern_fault_set(&fault, TERN_ERR_IO, "%s", report->probes[i].message);
    }
    if (fault.status != TERN_OK)
        tern_text_copy(report->helper_missing, sizeof report->helper_missing, fault.message);
}

/* ---- the tables ------------------------------------------------------------------------------ */

/* Paths come from the environment and may hold anything; a report is valid UTF-8. */
static void clean(char *text) {
    tern_text_copy(text, strlen(text) + 1, text);
}

static void fill_searches(tern_load_report *report) {
    tern_search *search = &report->discovery->search;
    for (size_t i = 0; i < search->count; i++) {
        tern_search_dir *dir = &search->dirs[i];
        clean(dir->path);
        report->searches[i] =
            (tern_search_entry){dir->path, dir->origin, dir->usable, dir->message};
    }
}

static void list_needs(const tern_manifest *m, char *out_text) {
    for (int i = 0; i < m->feature_count; i++)
        out_text += sprintf(out_text, "%s%s", i ? " " : "", m->features[i]);
}

static void fill_plugins(tern_load_report *report) {
    for (size_t i = 0; i < report->discovery->count; i++) {
        tern_candidate *c = report->discovery->items[i];
        clean(c->manifest_path);
        clean(c->library_path);
        tern_plugin_entry *p = &report->plugins[i];
        p->manifest = c->manifest_path;
        p->library = c->library_path;
        p->device = c->manifest.device;
        p->host = c->manifest.host;
        p->variant = c->manifest.variant;
        p->arch = c->manifest.arch;
        p->needs = report->needs[i];
        p->abi = c->manifest.abi;
        p->priority = c->manifest.priority;
        list_needs(&c->manifest, report->needs[i]);
        p->stage = c->stage;
        p->code = c->code;
        p->ok = c->code == TERN_OK || c->code == TERN_ERR_STATE;
        p->message = c->chosen && c->code == TERN_OK && report->helper_missing[0]
                         ? report->helper_missing
                         : c->message;
    }
}

static row *add_row(tern_load_report *report, const tern_candidate *c, const char *name) {
    row *r = &report->rows[report->row_count++];
    r->candidate = c;
    r->index = -1;
    snprintf(r->name, sizeof r->name, "%s", name);
    r->entry = (tern_device_entry){.name = r->name,
                                   .plugin = c ? c->manifest.device : "",
                                   .variant = c ? c->manifest.variant : "",
                                   .reason = r->reason,
                                   .identity = ""};
    return r;
}

static void add_probed_rows(tern_load_report *report, const tern_candidate *c,
                            const tern_probe *probe) {
    for (size_t i = 0; i < probe->count; i++) {
        const tern_probed_device *d = &probe->devices[i];
        row *r = add_row(report, c, c->manifest.device);
        tern_device_full_name(c->manifest.device, d->index, r->name, sizeof r->name);
        r->index = d->index;
        r->type = d->type;
        r->entry.state = d->error[0] ? TERN_STATE_UNAVAILABLE : TERN_STATE_READY;
        r->entry.identity = d->identity;
        r->entry.memory = d->memory;
        tern_text_copy(r->reason, sizeof r->reason, d->error[0] ? d->error : d->name);
    }
}

static void add_rows(tern_load_report *report, const tern_candidate *c, const tern_probe *probe) {
    if (probe->done && probe->count > 0 && c->code == TERN_OK) {
        add_probed_rows(report, c, probe);
        return;
    }
    row *r = add_row(report, c, c->manifest.device);
    bool usable = c->chosen && c->code == TERN_OK;
    r->entry.state = usable ? TERN_STATE_NOT_PROBED : TERN_STATE_UNAVAILABLE;
    tern_text_copy(r->reason, sizeof r->reason, usable ? report->helper_missing : c->message);
}

/* One device after the other, the greatest priority first. */
static void fill_rows(tern_load_report *report) {
    const tern_discovery *d = report->discovery;
    for (int priority = TERN_MANIFEST_PRIORITY; priority >= -TERN_MANIFEST_PRIORITY;) {
        int next = -TERN_MANIFEST_PRIORITY - 1;
        for (size_t i = 0; i < d->count; i++) {
            const tern_candidate *c = d->items[i];
            int own = c->manifest.priority;
            if (!c->parsed || tern_discovery_speaker(d, c->manifest.device) != c) continue;
            if (own == priority) add_rows(report, c, &report->probes[i]);
            if (own < priority && own > next) next = own;
        }
        priority = next;
    }
}

/* Two interfaces to one piece of hardware are both of use; the report says that they are one. */
static void mark_same_hardware(tern_load_report *report) {
    for (size_t i = 1; i < report->row_count; i++) {
        row *r = &report->rows[i];
        for (size_t j = 0; j < i && r->entry.identity[0]; j++) {
            if (strcmp(r->entry.identity, report->rows[j].entry.identity) != 0) continue;
            tern_text_append(r->reason, sizeof r->reason, "; the same hardware as ");
            tern_text_append(r->reason, sizeof r->reason, report->rows[j].name);
            break;
        }
    }
}

/* ---- the default device ---------------------------------------------------------------------- */

static bool usable(const row *r) {
    return r->entry.state >= TERN_STATE_NOT_PROBED;
}

/* As the registry does it: what is the CPU behind another interface comes last. */
static row *auto_row(tern_load_report *report) {
    row *last_resort = NULL;
    for (size_t i = 0; i < report->row_count; i++) {
        row *r = &report->rows[i];
        if (!usable(r) || !tern_discovery_stands(report->discovery, r->candidate, NULL)) continue;
        bool disguised = r->index >= 0 && r->type == TERN_DEVICE_CPU &&
                         !tern_device_in_family(r->candidate->manifest.device, "cpu");
        if (!disguised) return r;
        if (!last_resort) last_resort = r;
    }
    return last_resort;
}

/* The row of the candidate that opens for a name, with the index that was asked for. */
static row *named_row(tern_load_report *report, const tern_device_string *string) {
    row *unavailable = NULL;
    const tern_candidate *best = NULL;
    int32_t index = string->index < 0 ? 0 : string->index;
    for (size_t i = 0; i < report->row_count; i++) {
        row *r = &report->rows[i];
        const tern_candidate *c = r->candidate;
        if (!tern_device_in_family(c->manifest.device, string->name)) continue;
        bool opens = c->chosen && tern_discovery_stands(report->discovery, c, string->name);
        if (opens && !best) best = c;
        if (c == best && (r->index < 0 || r->index == index)) return r;
        if (!opens && !unavailable) unavailable = r;
    }
    return best ? NULL : unavailable;
}

static void mark_default(tern_load_report *report) {
    const char *variable = getenv("TERN_DEVICE");
    const char *text = variable && variable[0] ? variable : "auto";
    tern_fault fault = {0};
    tern_device_string string;
    row *found = NULL;
    if (tern_device_string_parse(text, &string, &fault) == TERN_OK) {
        found = string.is_auto ? auto_row(report) : named_row(report, &string);
        if (string.is_auto && !found) return;
        if (!found)
            tern_fault_set(&fault, TERN_ERR_NOT_FOUND,
                           "TERN_DEVICE names it, but there is no such device");
    }
    if (!found) {
        found = add_row(report, NULL, "");
        tern_text_copy(found->name, sizeof found->name, text);
        tern_text_copy(found->reason, sizeof found->reason, fault.message);
        found->entry.state = TERN_STATE_UNKNOWN;
    }
    found->entry.is_default = true;
}

/* ---- the report ------------------------------------------------------------------------------ */

static bool allocate_tables(tern_load_report *report) {
    size_t plugins = report->discovery->count;
    size_t rows = 1; /* for the unknown one */
    for (size_t i = 0; i < plugins; i++)
        rows += report->probes[i].count ? report->probes[i].count : 1;
    report->searches = tern_alloc_zeroed(report->discovery->search.count, sizeof *report->searches);
    report->plugins = tern_alloc_zeroed(plugins, sizeof *report->plugins);
    report->needs = tern_alloc_zeroed(plugins, sizeof *report->needs);
    report->rows = tern_alloc_zeroed(rows, sizeof *report->rows);
    return report->searches && report->plugins && report->needs && report->rows;
}

/* Of one manifest, or (NULL) of all that are found. */
static tern_load_report *make_report(const char *manifest, int probe_ms) {
    tern_fault fault = {0};
    tern_load_report *report = tern_alloc_zeroed(1, sizeof *report);
    if (!report) return NULL;
    bool ok = (manifest ? tern_discovery_of(manifest, &report->discovery, &fault)
                        : tern_discovery_new(&report->discovery, &fault)) == TERN_OK;
    if (ok) {
        tern_attempts_apply(report->discovery);
        tern_host_library_apply(report->discovery);
        report->probes = tern_alloc_zeroed(report->discovery->count, sizeof *report->probes);
        ok = report->probes != NULL;
    }
    if (ok && probe_ms > 0) probe_all(report, probe_ms);
    if (!ok || !allocate_tables(report)) {
        tern_load_report_free(report);
        return NULL;
    }
    fill_searches(report);
    fill_plugins(report);
    fill_rows(report);
    mark_same_hardware(report);
    if (!manifest) mark_default(report);
    return report;
}

tern_load_report *tern_load_report_new(int probe_ms) {
    return make_report(NULL, probe_ms);
}

tern_load_report *tern_load_report_of(const char *manifest, int probe_ms) {
    return make_report(manifest ? manifest : "", probe_ms);
}

void tern_load_report_free(tern_load_report *report) {
    if (!report) return;
    tern_discovery_free(report->discovery);
    tern_free(report->probes);
    tern_free(report->searches);
    tern_free(report->plugins);
    tern_free(report->needs);
    tern_free(report->rows);
    tern_free(report);
}

bool tern_load_report_ok(const tern_load_report *report) {
    bool default_works = false;
    if (!report) return false;
    for (size_t i = 0; i < report->row_count; i++)
        if (report->rows[i].entry.is_default) default_works = usable(&report->rows[i]);
    for (size_t i = 0; i < report->discovery->count; i++)
        if (tern_code_is_broken(report->plugins[i].code)) return false;
    return default_works && !report->helper_missing[0];
}

size_t tern_load_report_search_count(const tern_load_report *report) {
    return report ? report->discovery->search.count : 0;
}

const tern_search_entry *tern_load_report_search_at(const tern_load_report *report, size_t index) {
    return index < tern_load_report_search_count(report) ? &report->searches[index] : NULL;
}

size_t tern_load_report_plugin_count(const tern_load_report *report) {
    return report ? report->discovery->count : 0;
}

const tern_plugin_entry *tern_load_report_plugin_at(const tern_load_report *report, size_t index) {
    return index < tern_load_report_plugin_count(report) ? &report->plugins[index] : NULL;
}

size_t tern_load_report_device_count(const tern_load_report *report) {
    return report ? report->row_count : 0;
}

const tern_device_entry *tern_load_report_device_at(const tern_load_report *report, size_t index) {
    return index < tern_load_report_device_count(report) ? &report->rows[index].entry : NULL;
}
