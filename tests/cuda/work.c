/*
 * What streams do. In order, work is done when it is put in; late, when somebody waits for it, and then only what
 * has to be done for that; apart, kernels late and copies beside them early. So a wait that is missing shows as a
 * result that is wrong, on every run.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"

/* ---- doing it -------------------------------------------------------------------------------- */

static void do_kernel(const work *w) {
    struct CUfunc_st *function = w->start.function;
    void *arguments[ARGUMENTS];
    allocation *used[ARGUMENTS];
    int n = 0;
    function->module->pending--;
    if (function->base.context->lost) return;
    for (int i = 0; i < w->start.count; i++) {
        unsigned char *value = w->start.bytes + w->start.at[i];
        uint64_t at;
        arguments[i] = value;
        if (function->kernel.sizes[i]) continue;
        memcpy(&at, value, sizeof at);
        arguments[i] = NULL;
        if (!at) continue;
        allocation *own = standin_find(at, 1, function->name);
        if (!own) return;
        arguments[i] = standin_memory(own, at);
        used[n++] = own;
    }
    const char *wrong = standin_has("idle") ? NULL
                                            : host_form_run(&function->kernel, arguments,
                                                            w->start.groups, w->start.lanes);
    if (wrong) standin_report("%s: %s", function->name, wrong);
    for (int i = 0; i < n; i++) standin_check_bounds(used[i], function->name);
    standin_count_kernel();
    if (standin_loses()) function->base.context->lost = CUDA_ERROR_ILLEGAL_ADDRESS;
}

static void do_call(const struct CUstream_st *stream, const work *w) {
    if (stream->base.context->lost) return;
    if (!standin_has("idle")) w->call(w->argument);
    standin_count_kernel();
    if (standin_loses()) stream->base.context->lost = CUDA_ERROR_ILLEGAL_ADDRESS;
}

/* Memory may have been freed since the work was put in. */
static void do_bytes(const work *w) {
    if (w->to_at && !standin_find(w->to_at, w->bytes, "a copy's end")) return;
    if (w->from_at && !standin_find(w->from_at, w->bytes, "a copy's source")) return;
    if (!w->to_at && w->deed == DO_COPY && !standin_find_pinned(w->to, w->bytes) && !w->staged)
        standin_report("a copy: to pinned memory that was freed");
    if (w->deed == DO_FILL)
        memset(w->to, w->byte, w->bytes);
    else
        memmove(w->to, w->from, w->bytes);
}

static void force_record(struct CUevent_st *event, uint64_t record);

static void do_work(const struct CUstream_st *stream, const work *w) {
    switch (w->deed) {
    case DO_KERNEL: do_kernel(w); return;
    case DO_CALL: do_call(stream, w); return;
    case DO_COPY:
    case DO_FILL: do_bytes(w); return;
    case DO_RECORD: w->event->done = w->record; return;
    case DO_WAIT: force_record(w->event, w->record); return;
    }
}

void standin_force(struct CUstream_st *stream, uint64_t up_to) {
    while (stream->first && stream->first->sequence <= up_to) {
        work *w = stream->first;
        stream->first = w->next;
        if (!stream->first) stream->last = &stream->first;
        do_work(stream, w);
        if (!stream->first) stream->has_kernels = false;
        free(w->start.bytes);
        free(w->argument);
        free(w->staged);
        free(w);
    }
}

/* Does what is before a record of an event; its stream is known by the work that is left in it. */
static void force_record(struct CUevent_st *event, uint64_t record) {
    struct CUstream_st *stream = event->stream;
    while (event->done < record && stream && stream->first)
        standin_force(stream, stream->first->sequence);
}

CUresult standin_put(struct CUstream_st *stream, work *w) {
    w->next = NULL;
    w->sequence = ++stream->sequence;
    stream->clock.at[stream->slot] = stream->sequence;
    if (!stream->last) stream->last = &stream->first;
    *stream->last = w;
    stream->last = &w->next;
    if (w->deed == DO_KERNEL || w->deed == DO_CALL) stream->has_kernels = true;
    if (!standin_has("late") && !(standin_has("apart") && stream->has_kernels))
        standin_force(stream, stream->sequence);
    return stream->base.context->lost;
}

static work *new_work(deed what) {
    work *w = calloc(1, sizeof *w);
    if (!w) abort();
    w->deed = what;
    return w;
}

/* ---- streams and events ---------------------------------------------------------------------- */

static bool taken[STREAMS];
static uint64_t last_sequence[STREAMS]; /* a slot's clock goes on with the next stream */

CALL(cuStreamCreate, (CUstream * stream, unsigned flags), CUDA_ERROR_OUT_OF_MEMORY, {
    int slot = 0;
    if (flags != CU_STREAM_NON_BLOCKING)
        return standin_report("cuStreamCreate: a stream that waits for the stream NULL");
    while (slot < STREAMS && taken[slot]) slot++;
    if (slot == STREAMS) return CUDA_ERROR_OUT_OF_MEMORY;
    struct CUstream_st *own = standin_new(KIND_STREAM, sizeof *own);
    own->slot = slot;
    own->sequence = last_sequence[slot];
    own->clock.at[slot] = own->sequence;
    taken[slot] = true;
    *stream = own;
    return CUDA_SUCCESS;
})

FREE(cuStreamDestroy_v2, (CUstream stream), {
    if (!standin_check(stream, KIND_STREAM, "cuStreamDestroy")) return CUDA_ERROR_INVALID_HANDLE;
    if (standin_known()->at[stream->slot] < stream->sequence && !stream->base.context->lost)
        standin_report("cuStreamDestroy: work may be under way");
    standin_force(stream, UINT64_MAX);
    taken[stream->slot] = false;
    last_sequence[stream->slot] = stream->sequence;
    standin_end(stream);
    return CUDA_SUCCESS;
})

/* Waits are over in any case: who waits must not go on with work under way because a call failed. */
CUresult cuStreamSynchronize(CUstream stream) {
    BEGIN("cuStreamSynchronize", true, CUDA_SUCCESS)
    bool fails = !standin_call();
    if (!standin_check(stream, KIND_STREAM, "cuStreamSynchronize"))
        return CUDA_ERROR_INVALID_HANDLE;
    standin_force(stream, UINT64_MAX);
    standin_join(standin_known(), &stream->clock);
    return fails ? CUDA_ERROR_UNKNOWN : stream->base.context->lost;
}

static bool is_event(CUevent event, const char *what) {
    /* an event may belong to another device than the stream that waits for it */
    CUcontext own = standin_current();
    const object *base = (const object *)event;
    return base && base->kind == KIND_EVENT && base->context != own && !base->is_dead
               ? true
               : standin_check(event, KIND_EVENT, what);
}

CALL(cuEventCreate, (CUevent * event, unsigned flags), CUDA_ERROR_OUT_OF_MEMORY, {
    if (flags != CU_EVENT_DISABLE_TIMING) return standin_report("cuEventCreate: with timing");
    *event = standin_new(KIND_EVENT, sizeof **event);
    return CUDA_SUCCESS;
})

FREE(cuEventDestroy_v2, (CUevent event), {
    if (!standin_check(event, KIND_EVENT, "cuEventDestroy")) return CUDA_ERROR_INVALID_HANDLE;
    standin_end(event);
    return CUDA_SUCCESS;
})

CALL(cuEventRecord, (CUevent event, CUstream stream), CUDA_ERROR_UNKNOWN, {
    if (!standin_check(event, KIND_EVENT, "cuEventRecord") ||
        !standin_check(stream, KIND_STREAM, "cuEventRecord"))
        return CUDA_ERROR_INVALID_HANDLE;
    /* work that waits for the record before this one knows it by its number; its stream must not change under it */
    if (event->stream && event->stream != stream && event->done < event->wanted)
        standin_force(event->stream, UINT64_MAX);
    work *w = new_work(DO_RECORD);
    w->event = event;
    w->record = ++event->wanted;
    event->stream = stream;
    event->asked = 0;
    CUresult code = standin_put(stream, w);
    event->clock = stream->clock;
    return code;
})

CALL(cuStreamWaitEvent, (CUstream stream, CUevent event, unsigned flags), CUDA_ERROR_UNKNOWN, {
    if (flags || !is_event(event, "cuStreamWaitEvent") ||
        !standin_check(stream, KIND_STREAM, "cuStreamWaitEvent"))
        return CUDA_ERROR_INVALID_HANDLE;
    if (!event->wanted) return standin_report("cuStreamWaitEvent: an event before its record");
    work *w = new_work(DO_WAIT);
    w->event = event;
    w->record = event->wanted;
    standin_join(&stream->clock, &event->clock);
    return standin_put(stream, w);
})

CALL(cuEventQuery, (CUevent event), CUDA_ERROR_UNKNOWN, {
    if (!standin_check(event, KIND_EVENT, "cuEventQuery")) return CUDA_ERROR_INVALID_HANDLE;
    if (!event->wanted) return standin_report("cuEventQuery: an event before its record");
    if ((standin_has("late") || standin_has("apart")) && event->done < event->wanted &&
        event->asked++ < 2)
        return CUDA_ERROR_NOT_READY;
    force_record(event, event->wanted);
    standin_join(standin_known(), &event->clock);
    return CUDA_SUCCESS;
})

CUresult cuEventSynchronize(CUevent event) {
    BEGIN("cuEventSynchronize", true, CUDA_SUCCESS)
    bool fails = !standin_call();
    if (!standin_check(event, KIND_EVENT, "cuEventSynchronize")) return CUDA_ERROR_INVALID_HANDLE;
    if (!event->wanted) return standin_report("cuEventSynchronize: an event before its record");
    force_record(event, event->wanted);
    standin_join(standin_known(), &event->clock);
    return fails ? CUDA_ERROR_UNKNOWN : event->base.context->lost;
}

/* ---- copies ---------------------------------------------------------------------------------- */

/* A device's side of a copy; NULL after a report. */
static allocation *side(uint64_t at, uint64_t bytes, CUcontext context, const char *what) {
    allocation *own = standin_find(at, bytes, what);
    if (own && own->context != context) {
        standin_report("%s: memory of another context", what);
        return NULL;
    }
    return own;
}

CALL(cuMemcpyHtoDAsync_v2, (CUdeviceptr to, const void *from, size_t bytes, CUstream stream),
     CUDA_ERROR_UNKNOWN, {
         if (!standin_check(stream, KIND_STREAM, "cuMemcpyHtoDAsync"))
             return CUDA_ERROR_INVALID_HANDLE;
         allocation *own = side(to, bytes, standin_current(), "cuMemcpyHtoDAsync");
         if (!own) return CUDA_ERROR_INVALID_VALUE;
         work *w = new_work(DO_COPY);
         w->to = standin_memory(own, to);
         w->to_at = to;
         w->from = from;
         w->bytes = bytes;
         allocation *pinned = standin_find_pinned(from, bytes);
         if (!pinned) { /* a driver reads pageable memory before it returns */
             w->staged = malloc(bytes);
             if (!w->staged) abort();
             memcpy(w->staged, from, bytes);
             w->from = w->staged;
         }
         CUresult code = standin_put(stream, w);
         standin_use(own, stream);
         if (pinned) standin_use(pinned, stream);
         return code;
     })

CALL(cuMemcpyDtoHAsync_v2, (void *to, CUdeviceptr from, size_t bytes, CUstream stream),
     CUDA_ERROR_UNKNOWN, {
         if (!standin_check(stream, KIND_STREAM, "cuMemcpyDtoHAsync"))
             return CUDA_ERROR_INVALID_HANDLE;
         allocation *own = side(from, bytes, standin_current(), "cuMemcpyDtoHAsync");
         if (!own) return CUDA_ERROR_INVALID_VALUE;
         allocation *pinned = standin_find_pinned(to, bytes);
         if (!pinned) { /* a driver has written pageable memory when it returns */
             standin_force(stream, UINT64_MAX);
             standin_join(standin_known(), &stream->clock);
             memcpy(to, standin_memory(own, from), bytes);
             return stream->base.context->lost;
         }
         work *w = new_work(DO_COPY);
         w->to = to;
         w->from = standin_memory(own, from);
         w->from_at = from;
         w->bytes = bytes;
         CUresult code = standin_put(stream, w);
         standin_use(own, stream);
         standin_use(pinned, stream);
         return code;
     })

CALL(cuMemcpyPeerAsync,
     (CUdeviceptr to, CUcontext to_context, CUdeviceptr from, CUcontext from_context, size_t bytes,
      CUstream stream),
     CUDA_ERROR_UNKNOWN, {
         if (!standin_check(stream, KIND_STREAM, "cuMemcpyPeerAsync") ||
             !standin_check(to_context, KIND_CONTEXT, "cuMemcpyPeerAsync") ||
             !standin_check(from_context, KIND_CONTEXT, "cuMemcpyPeerAsync"))
             return CUDA_ERROR_INVALID_HANDLE;
         allocation *into = side(to, bytes, to_context, "cuMemcpyPeerAsync");
         allocation *own = side(from, bytes, from_context, "cuMemcpyPeerAsync");
         if (!into || !own) return CUDA_ERROR_INVALID_VALUE;
         work *w = new_work(DO_COPY);
         w->to = standin_memory(into, to);
         w->to_at = to;
         w->from = standin_memory(own, from);
         w->from_at = from;
         w->bytes = bytes;
         CUresult code = standin_put(stream, w);
         standin_use(into, stream);
         standin_use(own, stream);
         return code;
     })

CALL(cuMemsetD8Async, (CUdeviceptr at, unsigned char byte, size_t bytes, CUstream stream),
     CUDA_ERROR_UNKNOWN, {
         if (!standin_check(stream, KIND_STREAM, "cuMemsetD8Async"))
             return CUDA_ERROR_INVALID_HANDLE;
         allocation *own = side(at, bytes, standin_current(), "cuMemsetD8Async");
         if (!own) return CUDA_ERROR_INVALID_VALUE;
         work *w = new_work(DO_FILL);
         w->to = standin_memory(own, at);
         w->to_at = at;
         w->byte = byte;
         w->bytes = bytes;
         CUresult code = standin_put(stream, w);
         standin_use(own, stream);
         return code;
     })

/* ---- kernels --------------------------------------------------------------------------------- */

CUresult standin_take(started *out, CUfunction function, unsigned x, unsigned y, unsigned z,
                      unsigned lanes, void **parameters) {
    const int32_t *sizes = function->kernel.sizes;
    size_t bytes = 0;
    *out = (started){.function = function, .groups = {x, y, z}, .lanes = (int32_t)lanes};
    if (!x || !y || !z || x > INT32_MAX || y > 65535 || z > 65535)
        return standin_report("%s: %u by %u by %u groups", function->name, x, y, z);
    if ((int32_t)lanes != function->kernel.lanes)
        return standin_report("%s: %u lanes, compiled for %d", function->name, lanes,
                              function->kernel.lanes);
    for (; sizes[out->count] >= 0; out->count++) {
        out->at[out->count] = bytes;
        bytes += ((size_t)(sizes[out->count] ? sizes[out->count] : 8) + 7) / 8 * 8;
    }
    if (bytes > 4096) return standin_report("%s: %zu bytes of arguments", function->name, bytes);
    out->bytes = malloc(bytes ? bytes : 1);
    if (!out->bytes) abort();
    for (int i = 0; i < out->count; i++)
        memcpy(out->bytes + out->at[i], parameters[i], sizes[i] ? (size_t)sizes[i] : 8);
    return CUDA_SUCCESS;
}

CUresult standin_start(const started *start, CUstream stream) {
    allocation *used[ARGUMENTS];
    int n = 0;
    for (int i = 0; i < start->count; i++) {
        uint64_t at;
        if (start->function->kernel.sizes[i]) continue;
        memcpy(&at, start->bytes + start->at[i], sizeof at);
        if (!at) continue;
        used[n] = side(at, 1, standin_current(), start->function->name);
        if (!used[n++]) {
            free(start->bytes);
            return CUDA_ERROR_INVALID_VALUE;
        }
    }
    work *w = new_work(DO_KERNEL);
    w->start = *start;
    start->function->module->pending++;
    CUresult code = standin_put(stream, w);
    for (int i = 0; i < n; i++) standin_use(used[i], stream);
    return code;
}

#define MOST_USED 8 /* addresses, of a library's call */

CUresult standin_put_call(CUstream stream, const char *what, void (*call)(void *argument),
                          void *argument, const standin_bytes *used, int64_t count) {
    allocation *found[MOST_USED];
    if (count > MOST_USED) abort();
    for (int64_t i = 0; i < count; i++) {
        found[i] = side(used[i].at, used[i].count, standin_current(), what);
        if (!found[i]) {
            free(argument);
            return CUDA_ERROR_INVALID_VALUE;
        }
    }
    work *w = new_work(DO_CALL);
    w->call = call;
    w->argument = argument;
    CUresult code = standin_put(stream, w);
    for (int64_t i = 0; i < count; i++) standin_use(found[i], stream);
    return code;
}

CALL(cuLaunchKernel,
     (CUfunction function, unsigned x, unsigned y, unsigned z, unsigned lanes, unsigned lanes_y,
      unsigned lanes_z, unsigned shared, CUstream stream, void **parameters, void **extra),
     CUDA_ERROR_UNKNOWN, {
         started start;
         if (!standin_check(function, KIND_FUNCTION, "cuLaunchKernel") ||
             !standin_check(stream, KIND_STREAM, "cuLaunchKernel"))
             return CUDA_ERROR_INVALID_HANDLE;
         if (lanes_y != 1 || lanes_z != 1 || shared || extra)
             return standin_report("%s: a group that is no line", function->name);
         CUresult code = standin_take(&start, function, x, y, z, lanes, parameters);
         return code == CUDA_SUCCESS ? standin_start(&start, stream) : code;
     })
