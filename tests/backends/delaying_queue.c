#include <stdio.h>
#include <string.h>

#include "delaying.h"

command *command_new(const tern_host *host, command_kind kind, size_t extra) {
    if (extra > SIZE_MAX - sizeof(command)) return NULL;
    command *work = host->alloc(sizeof *work + extra);
    if (!work) return NULL;
    memset(work, 0, sizeof *work);
    work->kind = kind;
    return work;
}

static void count_buffers(command *work, int step) {
    for (int32_t i = 0; i < work->n_inputs + work->n_outputs; i++) {
        work->operands[i].buffer->pending += step;
    }
    if (work->dst) work->dst->pending += step;
    if (work->src) work->src->pending += step;
}

void command_push(tern_bqueue *queue, command *work) {
    count_buffers(work, 1);
    if (queue->last)
        queue->last->next = work;
    else
        queue->first = work;
    queue->last = work;
}

void event_release(const tern_host *host, tern_bevent *event) {
    if (--event->references == 0) host->free(event);
}

void buffer_release(const tern_host *host, tern_bbuffer *buffer) {
    if (!buffer->freed || buffer->pending > 0) return;
    host->free(buffer->memory);
    host->free(buffer);
}

static void release_buffers(const tern_host *host, command *work) {
    count_buffers(work, -1);
    for (int32_t i = 0; i < work->n_inputs + work->n_outputs; i++) {
        bool again = false; /* a buffer named twice is released once */
        for (int32_t j = 0; j < i; j++)
            again |= work->operands[j].buffer == work->operands[i].buffer;
        if (!again) buffer_release(host, work->operands[i].buffer);
    }
    if (work->dst) buffer_release(host, work->dst);
    if (work->src && work->src != work->dst) buffer_release(host, work->src);
}

/* A launch that fails late is an error of the queue's, as a kernel's is. */
static void note_failure(tern_bqueue *queue, int32_t status, const tern_backend_error *err) {
    if (status == TERN_BACKEND_OK || queue->flag.status != TERN_BACKEND_OK) return;
    queue->flag.status = status;
    snprintf(queue->flag.message, sizeof queue->flag.message, "%s", err->message);
}

static void execute(tern_bqueue *queue, command *work) {
    tern_backend_error err = {""};
    int32_t status;
    switch (work->kind) {
    case COMMAND_LAUNCH:
        status = tern_kit_run(&queue->device->kit, work->kernel, work->operands, work->n_inputs,
                              work->operands + work->n_inputs, work->n_outputs, work->attrs,
                              work->attrs_size, &queue->flag, &err);
        note_failure(queue, status, &err);
        break;
    case COMMAND_UPLOAD:
        memcpy(work->dst->memory + work->dst_offset, work->host, work->bytes);
        break;
    case COMMAND_DOWNLOAD:
        memcpy(work->host, work->src->memory + work->src_offset, work->bytes);
        break;
    case COMMAND_COPY:
        memmove(work->dst->memory + work->dst_offset, work->src->memory + work->src_offset,
                work->bytes);
        break;
    case COMMAND_RECORD: work->event->done = work->ticket; break;
    case COMMAND_WAIT:
        if (work->event->done < work->ticket) queue_run(work->source, work->event, work->ticket);
        break;
    }
}

void queue_run(tern_bqueue *queue, const tern_bevent *event, uint64_t ticket) {
    const tern_host *host = queue->device->kit.host;
    while (queue->first && !(event && event->done >= ticket)) {
        command *work = queue->first;
        queue->first = work->next;
        if (!queue->first) queue->last = NULL;
        execute(queue, work);
        release_buffers(host, work);
        if (work->event) event_release(host, work->event);
        host->free(work);
    }
}
