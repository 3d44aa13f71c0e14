/*
 * trace.c: a profile as a trace in Chrome's format, which Perfetto opens.
 *
 * The format: "Trace Event Format", complete events (ph X) in microseconds, counters (C) and names (M).
 */
#include <stdio.h>

#include "profile.h"

/* A JSON string. What is not ASCII is written as the bytes' numbers, so that every file is valid. */
static void put_text(FILE *f, const char *text) {
    putc('"', f);
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        if (*c == '"' || *c == '\\')
            fprintf(f, "\\%c", *c);
        else if (*c < 0x20 || *c >= 0x7f)
            fprintf(f, "\\u%04x", *c);
        else
            putc(*c, f);
    putc('"', f);
}

static void put_member(FILE *f, const char *key, const char *text) {
    fprintf(f, ",\"%s\":", key);
    put_text(f, text);
}

/* Nanoseconds as microseconds, whatever the locale's decimal point is. */
static void put_time(FILE *f, const char *key, uint64_t ns) {
    fprintf(f, ",\"%s\":%llu.%03u", key, (unsigned long long)(ns / 1000), (unsigned)(ns % 1000));
}

static const char *category_of(const profile_event *e) {
    static const char *const kinds[] = {"launch", "copy", "prepare", "wait"};
    static const char *const phases[] = {"other", "forward", "backward"};
    return e->kind == KIND_LAUNCH ? phases[e->phase] : kinds[e->kind];
}

static void put_event(FILE *f, const profile *p, const profile_event *e) {
    fprintf(f, ",\n{\"ph\":\"X\",\"pid\":1,\"tid\":%u", e->track);
    put_member(f, "name", p->texts[e->name]);
    put_member(f, "cat", category_of(e));
    put_time(f, "ts", e->begin);
    put_time(f, "dur", e->length);
    fprintf(f, ",\"args\":{\"phase\":\"%s\"", category_of(e));
    if (e->place) put_member(f, "module", p->texts[e->place]);
    if (e->detail) put_member(f, "operands", p->texts[e->detail]);
    fprintf(f, "}}");
}

static void put_track_name(FILE *f, const profile *p, uint32_t track) {
    fprintf(f, ",\n{\"ph\":\"M\",\"pid\":1,\"tid\":%u,\"name\":\"thread_name\",\"args\":{\"name\":",
            track);
    put_text(f, p->texts[track]);
    fprintf(f, "}}");
}

static void put_memory(FILE *f, const profile *p, const profile_event *e) {
    fprintf(f, ",\n{\"ph\":\"C\",\"pid\":1,\"name\":\"memory of ");
    for (const char *c = p->texts[e->track]; *c; c++)
        putc(*c >= 0x20 && *c < 0x7f && *c != '"' && *c != '\\' ? *c : '?', f);
    putc('"', f);
    put_time(f, "ts", e->begin + e->length);
    fprintf(f, ",\"args\":{\"bytes\":%llu}}", (unsigned long long)e->held);
}

/* The tracks met so far, of which there are few, and what each held last. */
typedef struct tracks {
    uint32_t texts[256];
    uint64_t held[256];
    size_t count;
} tracks;

/* The place of an event's track, whose name is written where it is new; the last one serves for all others. */
static size_t track_of(FILE *f, const profile *p, tracks *t, const profile_event *e) {
    size_t last = sizeof t->texts / sizeof t->texts[0] - 1, i = 0;
    while (i < t->count && t->texts[i] != e->track) i++;
    if (i < t->count) return i;
    put_track_name(f, p, e->track);
    if (t->count > last) return last;
    t->texts[i] = e->track;
    return t->count++;
}

bool profile_write_trace(const profile *p, const char *path) {
    tracks t = {.count = 0};
    FILE *f = fopen(path, "w");
    if (!f) return false;
    fprintf(f, "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n{\"ph\":\"M\",\"pid\":1,"
               "\"name\":\"process_name\",\"args\":{\"name\":\"Tern\"}}");
    for (size_t i = 0; i < p->n_events; i++) {
        const profile_event *e = &p->events[i];
        size_t track = track_of(f, p, &t, e);
        put_event(f, p, e);
        if (t.held[track] == e->held) continue;
        t.held[track] = e->held;
        put_memory(f, p, e);
    }
    fprintf(f, "\n]}\n");
    bool whole = !ferror(f);
    return fclose(f) == 0 && whole;
}
