#define _GNU_SOURCE /* secure_getenv */
#include "discovery.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "elf_file.h"
#include "numerics/cpu_features.h"
#include "static_backends.h"
#include "tern/host_library.h"
#include "tern/memory.h"

#define MAX_MANIFESTS 256 /* in one folder */

/* ---- candidates ------------------------------------------------------------------------------ */

void tern_candidate_fail(tern_candidate *candidate, tern_load_stage stage,
                         const tern_fault *fault) {
    candidate->sound = false;
    candidate->chosen = false;
    candidate->stage = stage;
    candidate->code = fault->status;
    tern_text_copy(candidate->message, sizeof candidate->message, fault->message);
}

bool tern_code_is_broken(tern_status code) {
    return code != TERN_OK && code != TERN_ERR_NOT_FOUND && code != TERN_ERR_UNSUPPORTED &&
           code != TERN_ERR_STATE;
}

static tern_status out_of_memory(tern_fault *fault) {
    return tern_fault_set(fault, TERN_ERR_OUT_OF_MEMORY, "out of memory while looking for devices");
}

static tern_candidate *append(tern_discovery *d, tern_fault *fault) {
    if (d->count == d->capacity) {
        size_t capacity = d->capacity ? 2 * d->capacity : 8;
        tern_candidate **grown =
            tern_realloc(d->items, d->capacity * sizeof *d->items, capacity * sizeof *d->items);
        if (!grown) {
            out_of_memory(fault);
            return NULL;
        }
        d->items = grown;
        d->capacity = capacity;
    }
    tern_candidate *candidate = tern_alloc_zeroed(1, sizeof *candidate);
    if (!candidate) {
        out_of_memory(fault);
        return NULL;
    }
    d->items[d->count++] = candidate;
    return candidate;
}

/* ---- does a plugin suit this machine? -------------------------------------------------------- */

static bool unsuitable(tern_candidate *c, tern_status code, const char *format, const char *a,
                       const char *b) {
    tern_fault fault = {0};
    tern_fault_set(&fault, code, format, a, b);
    tern_candidate_fail(c, TERN_STAGE_MANIFEST, &fault);
    return false;
}

static bool suits(tern_candidate *c) {
    const tern_manifest *m = &c->manifest;
    int abi = m->host[0] ? TERN_HOST_LIBRARY_ABI_MAJOR : TERN_BACKEND_ABI_MAJOR;
    if (m->abi != abi) {
        char theirs[16];
        char ours[16];
        snprintf(theirs, sizeof theirs, "%d", m->abi);
        snprintf(ours, sizeof ours, "%d", abi);
        return unsuitable(
            c, TERN_ERR_DEVICE,
            "it was built for plugin ABI %s, but this Tern has ABI %s: install a matching plugin",
            theirs, ours);
    }
    if (m->arch[0] && strcmp(m->arch, tern_cpu_arch()) != 0)
        return unsuitable(c, TERN_ERR_UNSUPPORTED, "it is for %s, but this machine is %s", m->arch,
                          tern_cpu_arch());
    tern_cpu_words words;
    tern_cpu_read(&words);
    for (int i = 0; i < m->feature_count; i++) {
        bool known;
        if (tern_cpu_has(&words, m->features[i], &known)) continue;
        return unsuitable(c, TERN_ERR_UNSUPPORTED,
                          known ? "it requires the CPU feature '%s', which this machine lacks%s"
                                : "it requires the CPU feature '%s', which this Tern does not know "
                                  "on %s",
                          m->features[i], known ? "" : tern_cpu_arch());
    }
    return true;
}

static const char *file_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The same sentence for a library that is no file and for one that was not linked in, so that both
 * kinds of build answer alike. */
static void not_installed(tern_candidate *c) {
    tern_fault fault = {0};
    tern_fault_set(&fault, TERN_ERR_NOT_FOUND, "not installed: %s is missing",
                   file_name(c->manifest.library));
    tern_candidate_fail(c, TERN_STAGE_FILE, &fault);
}

#ifndef TERN_STATIC

/* ---- manifests and libraries in files -------------------------------------------------------- */

/* At most `size` bytes; -1 where they cannot be read. */
static ssize_t read_whole(int fd, char *text, size_t size) {
    size_t length = 0;
    ssize_t got = 1;
    while (got > 0 && length < size) {
        got = read(fd, text + length, size - length);
        if (got > 0) length += (size_t)got;
    }
    return got < 0 ? -1 : (ssize_t)length;
}

static void read_manifest(tern_candidate *c, tern_fault *fault) {
    const size_t size = TERN_MANIFEST_MAX_BYTES + 1;
    int fd = tern_trusted_open(&c->manifest_file, fault);
    if (fd < 0) return;
    char *text = tern_alloc(size);
    ssize_t length = text ? read_whole(fd, text, size) : 0;
    close(fd);
    if (!text)
        out_of_memory(fault);
    else if (length < 0)
        tern_fault_set(fault, TERN_ERR_IO, "cannot read %s", c->manifest_path);
    else
        c->parsed = tern_manifest_parse(c->manifest_path, text, (size_t)length, &c->manifest,
                                        fault) == TERN_OK;
    tern_free(text);
}

static void load_manifest(tern_candidate *c) {
    tern_fault fault = {0};
    if (tern_trusted_walk(c->manifest_path, &c->manifest_file, &fault) != TERN_OK) {
        bool missing = fault.status == TERN_ERR_NOT_FOUND;
        tern_candidate_fail(c, missing ? TERN_STAGE_MANIFEST : TERN_STAGE_PERMISSIONS, &fault);
        return;
    }
    if (c->manifest_file.is_directory)
        tern_fault_set(&fault, TERN_ERR_FORMAT, "%s is a folder, not a manifest", c->manifest_path);
    else
        read_manifest(c, &fault);
    if (!c->parsed) tern_candidate_fail(c, TERN_STAGE_MANIFEST, &fault);
}

/* The manifest's own folder is the real one, so that a link to a manifest finds its library. */
static bool name_library(tern_candidate *c) {
    char folder[TERN_PATH_SIZE];
    strcpy(folder, c->manifest_file.path);
    *strrchr(folder, '/') = '\0';
    if (tern_path_join(c->library_path, sizeof c->library_path, folder, c->manifest.library))
        return true;
    return unsuitable(c, TERN_ERR_IO, "the path of its library %s is too long%s",
                      c->manifest.library, "");
}

static void find_library(tern_candidate *c) {
    tern_fault fault = {0};
    tern_status status = tern_trusted_walk(c->library_path, &c->library, &fault);
    if (status == TERN_ERR_NOT_FOUND) {
        not_installed(c);
        return;
    }
    if (status != TERN_OK) {
        tern_candidate_fail(c, TERN_STAGE_PERMISSIONS, &fault);
        return;
    }
    strcpy(c->library_path, c->library.path);
    int fd = -1;
    if (c->library.is_directory)
        tern_fault_set(&fault, TERN_ERR_FORMAT, "%s is a folder, not a library", c->library_path);
    else
        fd = tern_trusted_open(&c->library, &fault);
    if (fd >= 0) {
        tern_elf_check(fd, c->library_path, &fault);
        close(fd);
    }
    if (fault.status != TERN_OK)
        tern_candidate_fail(c, TERN_STAGE_FILE, &fault);
    else
        c->sound = true;
}

static tern_status scan_manifest(tern_discovery *d, const char *path, tern_fault *fault) {
    tern_candidate *c = append(d, fault);
    if (!c) return fault->status;
    if (strlen(path) >= sizeof c->manifest_path)
        return tern_fault_set(fault, TERN_ERR_IO, "the manifest's path is too long");
    strcpy(c->manifest_path, path);
    load_manifest(c);
    if (c->parsed) {
        c->stage = TERN_STAGE_FILE;
        if (name_library(c) && suits(c)) find_library(c);
    }
    /* Without memory another device must not be chosen in silence. */
    return c->code == TERN_ERR_OUT_OF_MEMORY ? out_of_memory(fault) : TERN_OK;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_manifest_name(const char *name) {
    size_t length = strlen(name);
    return name[0] != '.' && length > 5 && strcmp(name + length - 5, ".tern") == 0;
}

/* Collects the names in a folder, sorted, because readdir's order is the file system's own. */
static tern_status list_manifests(DIR *dir, char **names, size_t *out_count, tern_fault *fault) {
    const struct dirent *entry;
    while (*out_count < MAX_MANIFESTS && (entry = readdir(dir)) != NULL) {
        if (!is_manifest_name(entry->d_name)) continue;
        names[*out_count] = tern_strdup(entry->d_name);
        if (!names[*out_count]) return out_of_memory(fault);
        ++*out_count;
    }
    qsort(names, *out_count, sizeof *names, by_name);
    return TERN_OK;
}

static tern_status scan_folder(tern_discovery *d, tern_search_dir *folder, tern_fault *fault) {
    tern_fault unreadable = {0};
    int fd = tern_trusted_open(&folder->found, &unreadable);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        if (fd >= 0) close(fd);
        folder->usable = false;
        tern_text_copy(folder->message, sizeof folder->message,
                       fd < 0 ? unreadable.message : "cannot list this folder");
        return TERN_OK;
    }
    char *names[MAX_MANIFESTS];
    size_t count = 0;
    tern_status status = list_manifests(dir, names, &count, fault);
    closedir(dir);
    if (count == MAX_MANIFESTS)
        tern_text_copy(folder->message, sizeof folder->message,
                       "too many manifests: only 256 of them were read");
    for (size_t i = 0; i < count; i++) {
        char path[TERN_PATH_SIZE];
        if (status == TERN_OK && tern_path_join(path, sizeof path, folder->path, names[i]))
            status = scan_manifest(d, path, fault);
        tern_free(names[i]);
    }
    return status;
}

static tern_status scan(tern_discovery *d, const char *only, tern_fault *fault) {
    if (only) return scan_manifest(d, only, fault);
    tern_search_collect(&d->search);
    tern_status status = d->search.out_of_memory ? out_of_memory(fault) : TERN_OK;
    for (size_t i = 0; i < d->search.count && status == TERN_OK; i++)
        if (d->search.dirs[i].usable) status = scan_folder(d, &d->search.dirs[i], fault);
    return status;
}

static bool same_file(const tern_trusted *a, const tern_trusted *b) {
    return a->path[0] && a->device == b->device && a->inode == b->inode;
}

#else

/* ---- manifests in the generated table -------------------------------------------------------- */

static tern_status scan_entry(tern_discovery *d, const tern_static_backend *entry,
                              tern_fault *fault) {
    tern_candidate *c = append(d, fault);
    if (!c) return fault->status;
    tern_fault problem = {0};
    tern_text_copy(c->manifest_path, sizeof c->manifest_path, entry->name);
    c->query = entry->query;
    c->parsed = tern_manifest_parse(entry->name, entry->manifest, strlen(entry->manifest),
                                    &c->manifest, &problem) == TERN_OK;
    tern_text_copy(c->library_path, sizeof c->library_path, c->manifest.library);
    if (!c->parsed) {
        tern_candidate_fail(c, TERN_STAGE_MANIFEST, &problem);
        return TERN_OK;
    }
    c->stage = TERN_STAGE_FILE;
    if (!suits(c)) return TERN_OK;
    c->sound = c->query != NULL;
    if (!c->sound) not_installed(c);
    return TERN_OK;
}

static tern_status scan(tern_discovery *d, const char *only, tern_fault *fault) {
    tern_search_dir *table = &d->search.dirs[d->search.count++];
    memset(table, 0, sizeof *table);
    strcpy(table->path, "built in");
    table->origin = "built in";
    table->usable = true;
    tern_status status = TERN_OK;
    for (const tern_static_backend *b = tern_static_backends; b->name && status == TERN_OK; b++)
        if (!only || strcmp(only, b->name) == 0) status = scan_entry(d, b, fault);
    return status;
}

static bool same_file(const tern_trusted *a, const tern_trusted *b) {
    (void)a;
    (void)b;
    return false;
}

#endif

/* ---- which one of several -------------------------------------------------------------------- */

static void set_aside(tern_candidate *c, const char *why, const tern_candidate *other) {
    tern_fault fault = {0};
    tern_fault_set(&fault, TERN_ERR_STATE, "%s %s", why, other->manifest_path);
    tern_load_stage stage = c->stage;
    tern_candidate_fail(c, stage, &fault);
}

static void drop_duplicates(tern_discovery *d) {
    for (size_t i = 1; i < d->count; i++) {
        tern_candidate *c = d->items[i];
        for (size_t j = 0; j < i; j++) {
            const tern_candidate *first = d->items[j];
            if (same_file(&c->manifest_file, &first->manifest_file)) {
                set_aside(c, "this is the same file as", first);
                break;
            }
            if (!c->sound || !first->sound) continue;
            if (strcmp(c->manifest.device, first->manifest.device) != 0 ||
                strcmp(c->manifest.host, first->manifest.host) != 0)
                continue;
            if (strcmp(c->manifest.variant, first->manifest.variant) == 0)
                set_aside(c, "not used: the same device and variant was found earlier, in", first);
            else if (same_file(&c->library, &first->library))
                set_aside(c, "not used: its library is also that of", first);
        }
    }
}

/*
 * TERN_CPU_VARIANT=avx2 leaves of the CPU's plugins with variants that one. Where it cannot be used,
 * "cpu" and "auto" must not turn to a slower device in silence, so the wish is remembered.
 */
static void keep_variant(tern_discovery *d) {
    const char *wanted = secure_getenv("TERN_CPU_VARIANT");
    d->variant_missing = wanted && wanted[0];
    if (!d->variant_missing) return;
    for (size_t i = 0; i < d->count; i++) {
        tern_candidate *c = d->items[i];
        if (!c->parsed || !c->manifest.variant[0] ||
            !tern_device_in_family(c->manifest.device, "cpu"))
            continue;
        if (strcmp(c->manifest.variant, wanted) == 0) {
            if (c->sound) d->variant_missing = false;
            continue;
        }
        if (!c->sound) continue;
        tern_fault fault = {0};
        tern_fault_set(&fault, TERN_ERR_STATE,
                       "not used: TERN_CPU_VARIANT selects the variant '%s', this is '%s'", wanted,
                       c->manifest.variant);
        tern_candidate_fail(c, c->stage, &fault);
    }
}

/* TERN_HOST_LIBRARY: "off", or the one library for host operations to keep. */
static void keep_host_library(tern_discovery *d) {
    const char *wanted = secure_getenv("TERN_HOST_LIBRARY");
    char shown[TERN_MANIFEST_NAME_SIZE];
    tern_text_copy(shown, sizeof shown, wanted);
    for (size_t i = 0; i < d->count && shown[0]; i++) {
        tern_candidate *c = d->items[i];
        tern_fault fault = {0};
        if (!c->sound || !c->manifest.host[0] || strcmp(c->manifest.host, wanted) == 0) continue;
        tern_fault_set(&fault, TERN_ERR_STATE, "not used: TERN_HOST_LIBRARY is '%s'", shown);
        tern_candidate_fail(c, c->stage, &fault);
    }
}

/* Priority, then the order of search, which is `i`. All host libraries are for the one place that there is. */
static void choose_variants(tern_discovery *d) {
    for (size_t i = 0; i < d->count; i++) {
        tern_candidate *c = d->items[i];
        if (!c->sound) continue;
        const tern_candidate *better = NULL;
        for (size_t j = 0; j < d->count; j++) {
            const tern_candidate *other = d->items[j];
            int lead = other->manifest.priority - c->manifest.priority;
            if (other->sound && strcmp(other->manifest.device, c->manifest.device) == 0 &&
                (lead > 0 || (lead == 0 && j < i)))
                better = other;
        }
        c->chosen = !better;
        if (!better) continue;
        const tern_manifest *m = &better->manifest;
        snprintf(c->message, sizeof c->message,
                 "not used: the %s '%s' suits this machine too and has priority %d",
                 m->host[0] ? "host library" : "variant", m->host[0] ? m->host : m->variant,
                 m->priority);
        c->code = TERN_ERR_STATE;
    }
}

static void add_warnings(tern_discovery *d) {
    for (size_t i = 0; i < d->count; i++) {
        tern_candidate *c = d->items[i];
        if (!c->manifest.warning[0]) continue;
        if (c->message[0]) tern_text_append(c->message, sizeof c->message, "; ");
        tern_text_append(c->message, sizeof c->message, "warning: ");
        tern_text_append(c->message, sizeof c->message, c->manifest.warning);
    }
}

static tern_status discover(const char *only, tern_discovery **out_discovery, tern_fault *fault) {
    *out_discovery = NULL;
    tern_discovery *d = tern_alloc(sizeof *d);
    if (!d) return out_of_memory(fault);
    d->search.count = 0;
    d->items = NULL;
    d->count = d->capacity = 0;
    d->variant_missing = false;
    tern_status status = scan(d, only, fault);
    if (status != TERN_OK) {
        tern_discovery_free(d);
        return status;
    }
    drop_duplicates(d);
    keep_variant(d);
    keep_host_library(d);
    choose_variants(d);
    add_warnings(d);
    *out_discovery = d;
    return TERN_OK;
}

tern_status tern_discovery_new(tern_discovery **out_discovery, tern_fault *fault) {
    return discover(NULL, out_discovery, fault);
}

tern_status tern_discovery_of(const char *manifest, tern_discovery **out_discovery,
                              tern_fault *fault) {
    return discover(manifest, out_discovery, fault);
}

void tern_discovery_free(tern_discovery *discovery) {
    if (!discovery) return;
    for (size_t i = 0; i < discovery->count; i++) tern_free(discovery->items[i]);
    tern_free(discovery->items);
    tern_free(discovery);
}

/* ---- devices by name ------------------------------------------------------------------------- */

bool tern_device_in_family(const char *device, const char *name) {
    size_t length = strlen(name);
    return strncmp(device, name, length) == 0 && (device[length] == '\0' || device[length] == '_');
}

void tern_device_full_name(const char *device, int32_t index, char *out_name, size_t size) {
    if (index == 0 && tern_device_in_family(device, "cpu"))
        snprintf(out_name, size, "%s", device);
    else
        snprintf(out_name, size, "%s:%d", device, (int)index);
}

bool tern_discovery_stands(const tern_discovery *discovery, const tern_candidate *candidate,
                           const char *name) {
    const char *device = candidate->manifest.device;
    if (!device[0]) return false; /* a host library */
    if (name && !tern_device_in_family(device, name)) return false;
    if (!discovery->variant_missing || !tern_device_in_family(device, "cpu")) return true;
    return name && strcmp(name, device) == 0;
}

size_t tern_discovery_rank(const tern_discovery *discovery, const char *name,
                           tern_candidate **out_candidates) {
    size_t count = 0;
    for (size_t i = 0; i < discovery->count; i++) {
        tern_candidate *c = discovery->items[i];
        if (!c->chosen || !tern_discovery_stands(discovery, c, name)) continue;
        size_t at = count++;
        while (at > 0 && out_candidates[at - 1]->manifest.priority < c->manifest.priority) {
            out_candidates[at] = out_candidates[at - 1];
            at--;
        }
        out_candidates[at] = c;
    }
    return count;
}

const tern_candidate *tern_discovery_speaker(const tern_discovery *d, const char *device) {
    const tern_candidate *first = NULL;
    for (size_t i = 0; i < d->count; i++) {
        const tern_candidate *c = d->items[i];
        if (!device[0] || !c->parsed || strcmp(c->manifest.device, device) != 0) continue;
        if (c->chosen) return c;
        if (!first) first = c;
    }
    return first;
}

/* Appends "item (remark)" to a list. */
static void append_item(char *text, size_t size, const char *item, const char *remark) {
    if (text[0]) tern_text_append(text, size, ", ");
    tern_text_append(text, size, item);
    if (!remark[0]) return;
    tern_text_append(text, size, " (");
    tern_text_append(text, size, remark);
    tern_text_append(text, size, ")");
}

/* What device strings this installation understands, with the reason where one cannot be opened. */
static void list_known(const tern_discovery *d, char *text, size_t size) {
    const char *family = "cpu";
    for (size_t i = 0; i < d->count; i++) {
        const tern_candidate *c = d->items[i];
        if (!c->parsed || tern_discovery_speaker(d, c->manifest.device) != c) continue;
        if (strcmp(c->manifest.device, family) != 0 &&
            tern_device_in_family(c->manifest.device, family)) {
            append_item(text, size, family, "");
            break;
        }
    }
    for (size_t i = 0; i < d->count; i++) {
        const tern_candidate *c = d->items[i];
        if (!c->parsed || tern_discovery_speaker(d, c->manifest.device) != c) continue;
        append_item(text, size, c->manifest.device, c->chosen ? "" : c->message);
    }
}

static void list_folders(const tern_discovery *d, char *text, size_t size) {
    for (size_t i = 0; i < d->search.count; i++) {
        const tern_search_dir *dir = &d->search.dirs[i];
        append_item(text, size, dir->path, dir->message);
    }
}

/* A manifest that cannot be read says nothing of its device; its file name usually does. */
static bool named_after(const tern_candidate *c, const char *device) {
    const char *file = file_name(c->manifest_path);
    size_t length = strlen(device);
    return strncmp(file, device, length) == 0 && strcmp(file + length, ".tern") == 0;
}

static tern_status unavailable(const tern_candidate *c, const char *name, tern_fault *fault) {
    bool absent = c->code == TERN_ERR_NOT_FOUND || c->code == TERN_ERR_UNSUPPORTED;
    return tern_fault_set(fault, absent ? c->code : TERN_ERR_DEVICE,
                          "device '%s' is not available: %s", name, c->message);
}

tern_status tern_discovery_explain(const tern_discovery *discovery, const char *name,
                                   tern_fault *fault) {
    const tern_candidate *speaker = NULL; /* one that was chosen has no reason to give */
    for (size_t i = 0; i < discovery->count; i++) {
        const tern_candidate *c = discovery->items[i];
        if (!(c->parsed ? tern_device_in_family(c->manifest.device, name) : named_after(c, name)))
            continue;
        if (c->parsed) c = tern_discovery_speaker(discovery, c->manifest.device);
        if (!speaker || (speaker->chosen && !c->chosen)) speaker = c;
    }
    if (speaker) return unavailable(speaker, name, fault);
    char text[TERN_FAULT_SIZE - 128] = "";
    if (discovery->count == 0) {
        list_folders(discovery, text, sizeof text);
        return tern_fault_set(fault, TERN_ERR_NOT_FOUND,
                              "device '%s': no plugin was found; searched %s", name, text);
    }
    list_known(discovery, text, sizeof text);
    return tern_fault_set(fault, TERN_ERR_NOT_FOUND,
                          "unknown device '%s': this installation knows %s", name,
                          text[0] ? text : "none, because no manifest is valid");
}
