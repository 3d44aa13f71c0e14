/* delaying_work.c: commands, and what happens when their turn has come. */
#include "delaying.h"

#include <stdio.h>
#include <string.h>

#define POISON 0xdb /* what freed memory holds */

command *command_new(command_kind kind, size_t extra) {
    if (extra > SIZE_MAX - sizeof(command)) return NULL;
    command *work = delaying_backend.host->alloc(sizeof *work + extra);
    if (!work) return NULL;
    memset(work, 0, sizeof *work);
    work->kind = kind;
    return work;
}

/* ---- what commands hold on to ---- */

void queue_retain(queue *own) {
    own->references++;
}

void queue_release(queue *own) {
    if (--own->references == 0) delaying_backend.host->free(own);
}

void buffer_release(buffer *own) {
    if (!own->ended || own->pending > 0) return;
    if (!own->imported) delaying_backend.host->free(own->memory);
    delaying_backend.host->free(own);
}

void pinned_release(pinned *block) {
    if (!block->freed || block->pending > 0) return;
    delaying_backend.host->free(block->memory);
    delaying_backend.host->free(block);
}

void buffer_end(buffer *own) {
    if (own->pending > 0)
        breach_note(&own->device->breach, NULL,
                    "delaying:%d: a buffer was freed while queued work used it",
                    (int)own->device->index);
    if (!own->imported) memset(own->memory, POISON, (size_t)own->bytes);
    own->ended = true;
    buffer_release(own);
}

static buffer *buffer_of(const tern_operand *operand) {
    return (buffer *)(void *)operand->buffer;
}

static int32_t operand_count(const command *work) {
    return work->launch ? work->launch->n_inputs + work->launch->n_outputs : 0;
}

static void take_hold(command *work) {
    for (int32_t i = 0; i < operand_count(work); i++) {
        buffer *own = buffer_of(&work->launch->operands[i]);
        if (own) own->pending++;
    }
    if (work->launch && work->launch->workspace) work->launch->workspace->pending++;
    if (work->launch && work->launch->plan) work->launch->plan->references++;
    if (work->dst && work->kind != COMMAND_FREE) work->dst->pending++;
    if (work->src) work->src->pending++;
    if (work->pinned) work->pinned->pending++;
    if (work->source) queue_retain(work->source);
}

static void drop_buffer(buffer *own) {
    if (!own) return;
    own->pending--;
    buffer_release(own);
}

static void let_go(command *work) {
    for (int32_t i = 0; i < operand_count(work); i++)
        drop_buffer(buffer_of(&work->launch->operands[i]));
    if (work->launch) drop_buffer(work->launch->workspace);
    if (work->launch && work->launch->plan) test_plan_release(work->launch->plan);
    if (work->kind != COMMAND_FREE) drop_buffer(work->dst);
    drop_buffer(work->src);
    if (work->pinned) {
        work->pinned->pending--;
        pinned_release(work->pinned);
    }
    if (work->source) queue_release(work->source);
}

void command_push(queue *own, command *work) {
    take_hold(work);
    if (own->last)
        own->last->next = work;
    else
        own->first = work;
    own->last = work;
    own->submitted++;
}

/* ---- a command's turn ---- */

static void *reach(tern_bdevice *base, tern_bbuffer *object, tern_backend_error *err) {
    (void)base, (void)err;
    return ((buffer *)(void *)object)->memory;
}

const tern_kit_memory delaying_memory = {reach, NULL};

/* What a kernel met is the queue's error, the first come first kept. */
static void note_failure(queue *own, int32_t status, const tern_backend_error *err) {
    if (status == TERN_BACKEND_INVALID)
        breach_note(&own->device->breach, NULL, "delaying:%d: %s", (int)own->device->index,
                    err->message);
    if (status == TERN_BACKEND_OK || own->flag.status != TERN_BACKEND_OK) return;
    own->flag.status = status;
    snprintf(own->flag.message, sizeof own->flag.message, "%s", err->message);
}

static void run_launch(queue *own, launch_work *work) {
    tern_backend_error err = {""};
    const tern_operand *outputs = work->operands + work->n_inputs;
    int32_t status;
    if (work->plan)
        status = test_plan_run(work->plan, work->operands, outputs,
                               (tern_bbuffer *)(void *)work->workspace, work->workspace_offset,
                               &own->flag, &err);
    else
        status =
            tern_kit_run(&own->device->kit, work->kernel, work->operands, work->n_inputs, outputs,
                         work->n_outputs, work->attrs, work->attrs_size, &own->flag, &err);
    note_failure(own, status, &err);
    int32_t raised = own->flag.status != TERN_BACKEND_OK;
    memcpy(own->skip->memory, &raised, sizeof raised);
}

static void execute(queue *own, command *work) {
    switch (work->kind) {
    case COMMAND_LAUNCH: run_launch(own, work->launch); break;
    case COMMAND_UPLOAD:
        memcpy(work->dst->memory + work->dst_offset, work->host, (size_t)work->bytes);
        break;
    case COMMAND_DOWNLOAD:
        memcpy(work->host, work->src->memory + work->src_offset, (size_t)work->bytes);
        break;
    case COMMAND_COPY:
        memmove(work->dst->memory + work->dst_offset, work->src->memory + work->src_offset,
                (size_t)work->bytes);
        break;
    case COMMAND_FREE: buffer_end(work->dst); break;
    case COMMAND_WAIT: queue_run(work->source, work->position); break;
    }
}

void queue_run(queue *own, uint64_t position) {
    while (own->done < position) {
        command *work = own->first;
        own->first = work->next;
        if (!own->first) own->last = NULL;
        execute(own, work);
        own->done++;
        let_go(work);
        delaying_backend.host->free(work);
    }
}
