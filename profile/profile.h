/*
 * profile.h: a profile while it is taken, shared by the files of this room.
 *
 *   hook.c      puts itself between the core and a device's functions, and times them
 *   describe.c  what a launch is called
 *   record.c    keeps what was timed: events, texts by number
 *   trace.c     writes the trace, tables.c the tables
 */
#ifndef TERN_PROFILE_PROFILE_H
#define TERN_PROFILE_PROFILE_H

#include "core/objects.h"
#include "tern/profile.h"

typedef enum profile_phase { PHASE_OTHER, PHASE_FORWARD, PHASE_BACKWARD } profile_phase;
typedef enum profile_kind { KIND_LAUNCH, KIND_COPY, KIND_PREPARE, KIND_WAIT } profile_kind;

/* Times are nanoseconds from the profile's beginning; texts are numbers. */
typedef struct profile_event {
    uint64_t begin, length;
    uint64_t held; /* bytes on devices */
    uint32_t name, place, detail, track;
    uint8_t kind, phase;
} profile_event;

typedef struct profile {
    char path[4001];
    bool taken;      /* else nothing is recorded */
    bool incomplete; /* memory is out, or the limit is reached */
    long process;    /* a fork does not write its parent's profile */
    uint64_t start;
    profile_event *events;
    size_t n_events, events_capacity;
    char **texts; /* number 0 is "" */
    uint32_t n_texts, texts_capacity;
    uint32_t *slots; /* of texts by hash, number + 1; a power of two, more than twice as many */
    uint32_t n_slots;
    bool waits_for_launches; /* some device has queues */
} profile;

/* ---- record.c ---- */

/* The one of the process. All of this under its lock, but for profile_now. */
extern profile profile_taken;
void profile_lock(void);
void profile_unlock(void);

/* The clock that the times are of. */
uint64_t profile_now(void);

/* The number of a text, new or known; 0 where memory is out. */
uint32_t profile_text(const char *text);

/* What runs now: where in the model (a text) and in which phase, as a context knows it; NULL knows nothing. A launch
 * of a replay is where it was captured. */
uint32_t profile_place(const tern_ctx *ctx, profile_phase *out_phase);

void profile_add(const profile_event *event);

/* Forgets all events and texts. */
void profile_clear(void);

/* ---- describe.c ---- */

enum { PROFILE_NAME = 128, PROFILE_DETAIL = 256 };

/* "binary add", "map mul, add, relu" */
void profile_name(int32_t kernel, const void *attrs, uint32_t attrs_size, char *out_text);

/* "float32 [32, 10], [10] -> [32, 10]" */
void profile_detail(const tern_operand *inputs, int32_t n_inputs, const tern_operand *outputs,
                    int32_t n_outputs, char *out_text);

/* ---- trace.c, tables.c ---- */

/* Both return false where the file could not be written whole. */
bool profile_write_trace(const profile *p, const char *path);
bool profile_write_tables(const profile *p, const char *path);

#endif
