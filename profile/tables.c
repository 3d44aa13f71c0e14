/* tables.c: a profile as text: sums by operation, by module, and by both. */
#include <stdio.h>
#include <stdlib.h>

#include "profile.h"

/* Of events with one name, in one place, or both. */
typedef struct row {
    uint32_t name, place;
    uint64_t calls, total, forward, backward;
} row;

enum { BY_NAME = 1, BY_PLACE = 2 };

static int by_key(const void *a, const void *b) {
    const row *x = a, *y = b;
    if (x->place != y->place) return x->place < y->place ? -1 : 1;
    return (x->name > y->name) - (x->name < y->name);
}

static int by_total(const void *a, const void *b) {
    const row *x = a, *y = b;
    if (x->total != y->total) return x->total > y->total ? -1 : 1;
    return by_key(a, b);
}

/* Rows of `rows`, which has room for each event, the longest first. Returns their number. */
static size_t sum_up(const profile *p, int what, row *rows) {
    size_t n = 0, count = 0;
    for (size_t i = 0; i < p->n_events; i++) {
        const profile_event *e = &p->events[i];
        if (what == BY_PLACE && e->kind != KIND_LAUNCH) continue;
        rows[n++] = (row){.name = what & BY_NAME ? e->name : 0,
                          .place = what & BY_PLACE ? e->place : 0,
                          .calls = 1,
                          .total = e->length,
                          .forward = e->phase == PHASE_FORWARD ? e->length : 0,
                          .backward = e->phase == PHASE_BACKWARD ? e->length : 0};
    }
    qsort(rows, n, sizeof *rows, by_key);
    for (size_t i = 0; i < n; i++) {
        if (count == 0 || by_key(&rows[count - 1], &rows[i]) != 0) {
            rows[count++] = rows[i];
            continue;
        }
        rows[count - 1].calls += rows[i].calls;
        rows[count - 1].total += rows[i].total;
        rows[count - 1].forward += rows[i].forward;
        rows[count - 1].backward += rows[i].backward;
    }
    qsort(rows, count, sizeof *rows, by_total);
    return count;
}

static double ms(uint64_t ns) {
    return (double)ns / 1e6;
}

static const char *place_text(const profile *p, uint32_t place) {
    return place ? p->texts[place] : "(outside of modules)";
}

static void put_row(FILE *f, const profile *p, const row *r, int what, uint64_t all) {
    fprintf(f, "%10.3f %6.1f%% %10.3f %10.3f %8llu %10.2f  ", ms(r->total),
            all ? 100.0 * (double)r->total / (double)all : 0.0, ms(r->forward), ms(r->backward),
            (unsigned long long)r->calls, (double)r->total / 1e3 / (double)r->calls);
    if (what == BY_NAME)
        fprintf(f, "%s\n", p->texts[r->name]);
    else if (what == BY_PLACE)
        fprintf(f, "%s\n", place_text(p, r->place));
    else
        fprintf(f, "%-28s %s\n", place_text(p, r->place), p->texts[r->name]);
}

static void put_table(FILE *f, const profile *p, int what, const char *title, row *rows,
                      uint64_t all) {
    enum { SHOWN = 60 };
    size_t count = sum_up(p, what, rows);
    fprintf(f, "\n%10s %7s %10s %10s %8s %10s  %s\n", "ms", "share", "forward", "backward", "calls",
            "us each", title);
    for (size_t i = 0; i < count && i < SHOWN; i++) put_row(f, p, &rows[i], what, all);
    if (count > SHOWN) fprintf(f, "and %zu rows more\n", count - SHOWN);
}

/* What all of it is about, in a few lines. Returns the time of all events. */
static uint64_t put_summary(FILE *f, const profile *p) {
    uint64_t all = 0, launched = 0, launches = 0, first = UINT64_MAX, last = 0, most = 0;
    for (size_t i = 0; i < p->n_events; i++) {
        const profile_event *e = &p->events[i];
        all += e->length;
        if (e->kind == KIND_LAUNCH) launched += e->length, launches++;
        if (e->begin < first) first = e->begin;
        if (e->begin + e->length > last) last = e->begin + e->length;
        if (e->held > most) most = e->held;
    }
    uint64_t span = p->n_events ? last - first : 0;
    fprintf(f,
            "%llu launches took %.3f ms of the %.3f ms from the first to the last one.\n"
            "The most memory that a context held on a device: %.2f MiB.\n",
            (unsigned long long)launches, ms(launched), ms(span), (double)most / 1048576.0);
    fprintf(f, "Times are the host's around each launch%s.\n",
            p->waits_for_launches
                ? "; on a device with queues each launch was waited for, so they did not overlap"
                : ", which returns when the work is done");
    if (p->incomplete) fprintf(f, "Incomplete: what came after the first events did not fit.\n");
    return all;
}

bool profile_write_tables(const profile *p, const char *path) {
    row *rows = tern_alloc((p->n_events + 1) * sizeof *rows);
    FILE *f = rows ? fopen(path, "w") : NULL;
    bool whole = false;
    if (f) {
        uint64_t all = put_summary(f, p);
        put_table(f, p, BY_NAME, "operation", rows, all);
        put_table(f, p, BY_PLACE, "module", rows, all);
        put_table(f, p, BY_NAME | BY_PLACE, "module and operation", rows, all);
        whole = !ferror(f);
        whole = fclose(f) == 0 && whole;
    }
    tern_free(rows);
    return whole;
}
