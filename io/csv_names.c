/* csv_names.c: what the columns of a table are called: as its header says, but each name once, as in pandas. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csv.h"
#include "tern/memory.h"

enum { DIGITS = 12 }; /* of a number behind a name */

/* A column's name, and which column it is of. */
typedef struct named {
    const char *name;
    int column;
} named;

static int by_text(const void *a, const void *b) {
    return strcmp(((const named *)a)->name, ((const named *)b)->name);
}

static int by_name(const void *a, const void *b) {
    const named *x = a, *y = b;
    int order = by_text(a, b);
    return order ? order : (x->column > y->column) - (x->column < y->column);
}

static char *numbered(const char *before, int number) {
    size_t room = strlen(before) + DIGITS;
    char *name = tern_alloc(room);
    if (name) snprintf(name, room, "%s%d", before, number);
    return name;
}

/* "a.1" for a second column "a", "a.2" for a third; a name that the header has itself is passed over. */
static char *next_name(const named *sorted, int columns, const char *name, int *number) {
    size_t length = strlen(name);
    char *before = tern_alloc(length + 2), *next = NULL;
    if (!before) return NULL;
    memcpy(before, name, length);
    memcpy(before + length, ".", 2);
    for (bool taken = true; taken;) {
        tern_free(next);
        next = numbered(before, ++*number);
        named wanted = {next, 0};
        taken = next && bsearch(&wanted, sorted, (size_t)columns, sizeof *sorted, by_text);
    }
    tern_free(before);
    return next;
}

static bool name_repeated(const char **names, int columns, named *sorted, char **made) {
    int number = 0;
    for (int i = 0; i < columns; i++) sorted[i] = (named){names[i], i};
    qsort(sorted, (size_t)columns, sizeof *sorted, by_name);
    for (int i = 1; i < columns; i++) {
        int column = sorted[i].column;
        if (strcmp(sorted[i].name, sorted[i - 1].name) != 0) {
            number = 0;
            continue;
        }
        made[column] = next_name(sorted, columns, sorted[i].name, &number);
        if (!made[column]) return false;
        names[column] = made[column];
    }
    return true;
}

bool tern_csv_name_columns(const char **names, int columns, bool header, char **made) {
    for (int i = 0; i < columns; i++) {
        if (header && *names[i]) continue;
        names[i] = made[i] = numbered(header ? "Unnamed: " : "", i);
        if (!names[i]) return false;
    }
    if (!header) return true;
    named *sorted = tern_alloc_zeroed((size_t)columns, sizeof *sorted);
    bool good = sorted && name_repeated(names, columns, sorted, made + columns);
    tern_free(sorted);
    return good;
}
