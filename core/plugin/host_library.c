#define _GNU_SOURCE /* secure_getenv */
#include "host_library.h"

#include <stdatomic.h>

#ifndef TERN_STATIC

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "library.h"
#include "tern/context.h"
#include "tern/memory.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool decided; /* what follows no longer changes */
static bool found;
static tern_host_library table;
static char table_name[TERN_MANIFEST_NAME_SIZE] = "plain";
static char failed_path[TERN_PATH_SIZE]; /* the library that could not be used, and why */
static tern_load_stage failed_stage;
static tern_fault failure;

static tern_status check_table(const tern_host_library *library, const tern_manifest *manifest,
                               tern_fault *fault) {
    if (library->abi != TERN_HOST_LIBRARY_ABI)
        return tern_fault_set(fault, TERN_ERR_DEVICE,
                              "it was built for host library ABI %u.%u, but this Tern has ABI "
                              "%d.%d: install a matching library",
                              (unsigned)(library->abi >> 16), (unsigned)(library->abi & 0xffffu),
                              TERN_HOST_LIBRARY_ABI_MAJOR, TERN_HOST_LIBRARY_ABI_MINOR);
    char name[TERN_MANIFEST_NAME_SIZE];
    tern_text_copy(name, sizeof name, library->name);
    if (strcmp(name, manifest->host) != 0)
        return tern_fault_set(fault, TERN_ERR_DEVICE,
                              "the library calls itself '%s', its manifest says '%s'", name,
                              manifest->host);
    return tern_library_check_sanitizers(library->sanitizers, fault);
}

tern_status tern_host_library_load(const tern_candidate *candidate,
                                   tern_host_library_query_fn *out_query, tern_fault *fault) {
    void *handle, *symbol;
    if (tern_library_map(candidate, TERN_HOST_LIBRARY_QUERY_SYMBOL, &handle, &symbol, fault) ==
        TERN_OK)
        memcpy(out_query, &symbol, sizeof symbol); /* POSIX allows it, ISO C has no such cast */
    return fault->status;
}

tern_status tern_host_library_ask(tern_host_library_query_fn query, const tern_manifest *manifest,
                                  tern_host_library *out_library, tern_fault *fault) {
    union { /* room for one of a later version that writes more than it was told there is */
        tern_host_library library;
        unsigned char room[4 * sizeof(tern_host_library)];
    } answer = {.room = {0}};
    tern_backend_error err = {{0}};
    answer.library.struct_size = sizeof answer.library;
    int32_t status = query(TERN_HOST_LIBRARY_ABI, tern_host_table(), &answer.library, &err);
    if (status != TERN_BACKEND_OK) {
        err.message[sizeof err.message - 1] = '\0';
        tern_text_copy(err.message, sizeof err.message, err.message);
        return tern_fault_set(
            fault, status == TERN_BACKEND_OUT_OF_MEMORY ? TERN_ERR_OUT_OF_MEMORY : TERN_ERR_DEVICE,
            "it refuses to work with this Tern: %s", err.message[0] ? err.message : "no reason");
    }
    uint32_t size = answer.library.struct_size;
    if (size < offsetof(tern_host_library, product))
        return tern_fault_set(fault, TERN_ERR_DEVICE, "its table has only %u bytes",
                              (unsigned)size);
    if (size < sizeof answer.library) memset(answer.room + size, 0, sizeof answer.library - size);
    *out_library = answer.library;
    return check_table(out_library, manifest, fault);
}

static tern_status start(const tern_candidate *candidate, tern_fault *fault) {
    tern_host_library_query_fn query;
    failed_stage = TERN_STAGE_LOAD;
    if (tern_host_library_load(candidate, &query, fault) != TERN_OK) return fault->status;
    failed_stage = TERN_STAGE_QUERY;
    return tern_host_library_ask(query, &candidate->manifest, &table, fault);
}

/* Takes what was chosen, or says why it cannot be used. */
static void take(const tern_candidate *chosen, tern_fault *fault) {
    tern_fault problem = {0};
    found = start(chosen, &problem) == TERN_OK;
    if (found) {
        strcpy(table_name, chosen->manifest.host);
        tern_notice(TERN_LOG_INFO, "host operations: %s (%s); TERN_HOST_LIBRARY=off is without",
                    table_name, table.description ? table.description : "");
    } else if (problem.status == TERN_ERR_OUT_OF_MEMORY) {
        *fault = problem;
    } else {
        failure = problem;
        strcpy(failed_path, chosen->library.path);
        tern_notice(TERN_LOG_WARNING,
                    "host library '%s' cannot be used: %s; plain functions compute instead",
                    chosen->manifest.host, problem.message);
    }
}

/* Nothing was chosen: whether that is what the user wants. */
static void explain_none(const tern_discovery *d) {
    const char *wanted = secure_getenv("TERN_HOST_LIBRARY");
    char shown[TERN_MANIFEST_NAME_SIZE];
    if (!wanted || !wanted[0] || strcmp(wanted, "off") == 0) return;
    tern_text_copy(shown, sizeof shown, wanted);
    for (size_t i = 0; i < d->count; i++)
        if (strcmp(d->items[i]->manifest.host, wanted) == 0) {
            tern_notice(TERN_LOG_WARNING,
                        "TERN_HOST_LIBRARY is '%s', which cannot be used: %s; plain functions "
                        "compute instead",
                        shown, d->items[i]->message);
            return;
        }
    tern_notice(TERN_LOG_WARNING,
                "TERN_HOST_LIBRARY is '%s', but no manifest names such a library: use 'off' or "
                "one that `tern doctor` lists; plain functions compute instead",
                shown);
}

static tern_status decide(tern_fault *fault) {
    tern_discovery *d;
    const tern_candidate *chosen = NULL;
    if (tern_discovery_new(&d, fault) != TERN_OK) return fault->status;
    for (size_t i = 0; i < d->count; i++)
        if (d->items[i]->chosen && d->items[i]->manifest.host[0]) chosen = d->items[i];
    if (!chosen) explain_none(d);
    if (chosen) take(chosen, fault);
    tern_discovery_free(d);
    return fault->status;
}

tern_status tern_host_library_get(const tern_host_library **out_library, tern_fault *fault) {
    tern_status status = TERN_OK;
    *out_library = NULL;
    if (!atomic_load_explicit(&decided, memory_order_acquire)) {
        pthread_mutex_lock(&lock);
        if (!atomic_load_explicit(&decided, memory_order_relaxed)) {
            status = decide(fault);
            atomic_store_explicit(&decided, status == TERN_OK, memory_order_release);
        }
        pthread_mutex_unlock(&lock);
    }
    if (status == TERN_OK && found) *out_library = &table;
    return status;
}

const char *tern_host_library_name(void) {
    return atomic_load_explicit(&decided, memory_order_acquire) ? table_name : "";
}

void tern_host_library_forget(void) {
    memset(&table, 0, sizeof table);
    memset(&failure, 0, sizeof failure);
    strcpy(table_name, "plain");
    failed_path[0] = '\0';
    found = false;
    atomic_store(&decided, false);
}

void tern_host_library_apply(tern_discovery *discovery) {
    if (!atomic_load_explicit(&decided, memory_order_acquire) || !failed_path[0]) return;
    for (size_t i = 0; i < discovery->count; i++) {
        tern_candidate *c = discovery->items[i];
        if (!c->chosen || strcmp(c->library.path, failed_path) != 0) continue;
        c->stage = failed_stage;
        c->code = failure.status;
        tern_text_copy(c->message, sizeof c->message, failure.message);
    }
}

#else /* a static build has no dynamic linker */

static atomic_bool asked;

tern_status tern_host_library_load(const tern_candidate *candidate,
                                   tern_host_library_query_fn *out_query, tern_fault *fault) {
    (void)candidate;
    *out_query = NULL;
    return tern_fault_set(fault, TERN_ERR_UNSUPPORTED, "a static build has no host libraries");
}

tern_status tern_host_library_ask(tern_host_library_query_fn query, const tern_manifest *manifest,
                                  tern_host_library *out_library, tern_fault *fault) {
    (void)query;
    (void)manifest;
    (void)out_library;
    return fault->status;
}

tern_status tern_host_library_get(const tern_host_library **out_library, tern_fault *fault) {
    (void)fault;
    *out_library = NULL;
    atomic_store(&asked, true);
    return TERN_OK;
}

const char *tern_host_library_name(void) {
    return atomic_load(&asked) ? "plain" : "";
}

void tern_host_library_forget(void) {
    atomic_store(&asked, false);
}

void tern_host_library_apply(tern_discovery *discovery) {
    (void)discovery;
}

#endif
