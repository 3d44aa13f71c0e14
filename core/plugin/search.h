/*
 * search.h: where manifests are looked for.
 *
 * TERN_PLUGIN_PATH replaces all else. Otherwise TERN_PLUGIN_PATH_ADD, then the user's folder
 * ($XDG_DATA_HOME/tern/plugins.d), the system's, and the one beside the library. The working
 * directory is never looked at: a relative folder is reported and skipped. The variables do not
 * count in a program with raised privileges.
 */
#ifndef TERN_CORE_PLUGIN_SEARCH_H
#define TERN_CORE_PLUGIN_SEARCH_H

#include "text.h"
#include "trusted.h"

#define TERN_SEARCH_MAX 32

typedef struct tern_search_dir {
    char path[TERN_PATH_SIZE];
    const char *origin;
    bool usable; /* walked to, trusted, and a directory */
    char message[256];
    tern_trusted found;
} tern_search_dir;

typedef struct tern_search {
    tern_search_dir dirs[TERN_SEARCH_MAX];
    size_t count;
    bool out_of_memory; /* some folder was not looked at */
} tern_search;

/* Lists and checks the folders. */
void tern_search_collect(tern_search *out_search);

/* The helper program that opens plugins for a report; TERN_PROBE names another than the one beside
 * the library. */
tern_status tern_search_probe(tern_trusted *out_program, tern_fault *fault);

#endif
