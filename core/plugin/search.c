#define _GNU_SOURCE /* secure_getenv, dladdr */
#include "search.h"

#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#ifndef TERN_STATIC
#include <dlfcn.h>
#endif

#ifndef TERN_INSTALL_LIBDIR
#define TERN_INSTALL_LIBDIR "/usr/local/lib"
#endif

static const char *variable(const char *name) {
    const char *value = secure_getenv(name);
    return value && value[0] ? value : NULL;
}

/* ---- where this library lies ----------------------------------------------------------------- */

#ifndef TERN_STATIC
/*
 * dladdr gives a shared library's path; of a program it may give argv[0], which whoever started it
 * chose, so there the kernel is asked.
 */
static const char *shared_library_path(void) {
    static const char anchor = 0;
    Dl_info ours;
    Dl_info program;
    if (dladdr(&anchor, &ours) == 0 || !ours.dli_fname) return NULL;
    unsigned long headers = getauxval(AT_PHDR);
    if (headers &&
        dladdr((const void *)headers, &program) && /* NOLINT(performance-no-int-to-ptr) */
        program.dli_fbase == ours.dli_fbase)
        return NULL;
    return ours.dli_fname[0] == '/' ? ours.dli_fname : NULL;
}
#else
static const char *shared_library_path(void) {
    return NULL;
}
#endif

/* The folder of the library, or of the program that it is linked into. */
static bool own_directory(char *out, size_t size) {
    const char *library = shared_library_path();
    if (library) {
        if (strlen(library) >= size) return false;
        strcpy(out, library);
    } else {
        ssize_t length = readlink("/proc/self/exe", out, size - 1);
        if (length <= 0) return false;
        out[length] = '\0';
    }
    char *slash = strrchr(out, '/');
    if (!slash) return false;
    *slash = '\0';
    return true;
}

/* ---- folders of manifests -------------------------------------------------------------------- */

static void inspect(tern_search *search, tern_search_dir *dir) {
    if (dir->path[0] != '/') {
        tern_text_copy(
            dir->message, sizeof dir->message,
            "skipped: not an absolute path, and the working directory is never searched");
        return;
    }
    tern_fault fault = {0};
    if (tern_trusted_walk(dir->path, &dir->found, &fault) != TERN_OK) {
        search->out_of_memory |= fault.status == TERN_ERR_OUT_OF_MEMORY;
        const char *why =
            fault.status == TERN_ERR_NOT_FOUND ? "there is no such folder" : fault.message;
        tern_text_copy(dir->message, sizeof dir->message, why);
        return;
    }
    dir->usable = dir->found.is_directory;
    if (!dir->usable) tern_text_copy(dir->message, sizeof dir->message, "this is not a folder");
    for (tern_search_dir *other = search->dirs; other < dir && dir->usable; other++) {
        if (!other->usable || strcmp(other->found.path, dir->found.path) != 0) continue;
        dir->usable = false;
        tern_text_copy(dir->message, sizeof dir->message, "searched already: listed twice");
    }
}

static void add(tern_search *search, const char *origin, const char *path, size_t length) {
    if (search->count == TERN_SEARCH_MAX) {
        tern_search_dir *last = &search->dirs[TERN_SEARCH_MAX - 1];
        tern_text_copy(last->message, sizeof last->message,
                       "there are more than 32 folders; those after this one are not searched");
        return;
    }
    if (length >= TERN_PATH_SIZE) length = TERN_PATH_SIZE - 1; /* cannot exist, and is reported */
    tern_search_dir *dir = &search->dirs[search->count++];
    memset(dir, 0, sizeof *dir);
    dir->origin = origin;
    memcpy(dir->path, path, length);
    dir->path[length] = '\0';
    inspect(search, dir);
}

static void add_list(tern_search *search, const char *origin, const char *list) {
    while (list) {
        const char *colon = strchr(list, ':');
        size_t length = colon ? (size_t)(colon - list) : strlen(list);
        if (length > 0) add(search, origin, list, length);
        list = colon ? colon + 1 : NULL;
    }
}

static void add_joined(tern_search *search, const char *origin, const char *base,
                       const char *rest) {
    char path[TERN_PATH_SIZE];
    if (tern_path_join(path, sizeof path, base, rest)) add(search, origin, path, strlen(path));
}

static void add_user(tern_search *search) {
    const char *data = variable("XDG_DATA_HOME");
    const char *home = variable("HOME");
    /* The XDG specification: a relative XDG_DATA_HOME is to be ignored. */
    if (data && data[0] == '/')
        add_joined(search, "user", data, "tern/plugins.d");
    else if (home && home[0] == '/')
        add_joined(search, "user", home, ".local/share/tern/plugins.d");
}

/* lib/libtern_core.so and lib/tern/plugins.d; a program lies in bin/ beside lib/. */
static void add_own(tern_search *search) {
    static const char *const places[] = {"tern/plugins.d", "../lib/tern/plugins.d"};
    char own[TERN_PATH_SIZE];
    if (!own_directory(own, sizeof own)) return;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        add_joined(search, "library", own, places[i]);
        if (search->count > 0 && search->dirs[search->count - 1].usable) return;
    }
}

void tern_search_collect(tern_search *out_search) {
    out_search->count = 0;
    out_search->out_of_memory = false;
    const char *replacement = variable("TERN_PLUGIN_PATH");
    if (replacement) {
        add_list(out_search, "TERN_PLUGIN_PATH", replacement);
        return;
    }
    add_list(out_search, "TERN_PLUGIN_PATH_ADD", variable("TERN_PLUGIN_PATH_ADD"));
    add_user(out_search);
    add_joined(out_search, "system", TERN_INSTALL_LIBDIR, "tern/plugins.d");
    add_own(out_search);
}

tern_status tern_search_probe(tern_trusted *out_program, tern_fault *fault) {
    static const char *const places[] = {"tern-probe", "../bin/tern-probe", "../../bin/tern-probe"};
    const char *named = variable("TERN_PROBE");
    if (named) return tern_trusted_walk(named, out_program, fault);
    char own[TERN_PATH_SIZE];
    char path[TERN_PATH_SIZE];
    bool known = own_directory(own, sizeof own);
    for (size_t i = 0; known && i < sizeof places / sizeof places[0]; i++) {
        tern_fault missing = {0};
        if (!tern_path_join(path, sizeof path, own, places[i])) continue;
        tern_status status = tern_trusted_walk(path, out_program, &missing);
        if (status == TERN_OK && !out_program->is_directory) return TERN_OK;
        if (status == TERN_ERR_IO) return tern_fault_set(fault, status, "%s", missing.message);
    }
    return tern_fault_set(fault, TERN_ERR_NOT_FOUND,
                          "the helper program tern-probe is not in the library's folder; install "
                          "it or set TERN_PROBE");
}
