/* The delaying test devices: they work as late as they may, and see a host that did not wait. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "kernel_driver.h"

/* Slots that must succeed, without the noise. */
static tern_backend_error err;

static void upload(driver *d, tern_bqueue *queue, tern_bbuffer *dst, const float *src) {
    cr_assert_eq(d->table->copy_to_device(d->device, queue, dst, 0, src, sizeof *src, &err),
                 TERN_BACKEND_OK, "%s", err.message);
}

static void download(driver *d, tern_bqueue *queue, float *dst, tern_bbuffer *src) {
    cr_assert_eq(d->table->copy_to_host(d->device, queue, dst, src, 0, sizeof *dst, &err),
                 TERN_BACKEND_OK, "%s", err.message);
}

static tern_bbuffer *new_buffer(driver *d) {
    tern_bbuffer *buffer;
    cr_assert_eq(d->table->buffer_alloc(d->device, sizeof(float), &buffer, &err), TERN_BACKEND_OK);
    return buffer;
}

static tern_bqueue *new_queue(driver *d) {
    tern_bqueue *queue;
    cr_assert_eq(d->table->queue_create(d->device, &queue, &err), TERN_BACKEND_OK);
    return queue;
}

static tern_bevent *new_event(driver *d) {
    tern_bevent *event;
    cr_assert_eq(d->table->event_create(d->device, &event, &err), TERN_BACKEND_OK);
    return event;
}

static void record(driver *d, tern_bqueue *queue, tern_bevent *event) {
    cr_assert_eq(d->table->event_record(d->device, queue, event, &err), TERN_BACKEND_OK);
}

static void await(driver *d, tern_bqueue *queue, tern_bevent *event) {
    cr_assert_eq(d->table->event_wait(d->device, queue, event, &err), TERN_BACKEND_OK);
}

static void finish(driver *d, tern_bqueue *queue) {
    cr_assert_eq(d->table->queue_synchronize(d->device, queue, &err), TERN_BACKEND_OK, "%s",
                 err.message);
}

static void release(driver *d, tern_bbuffer *buffer) {
    d->table->buffer_free(d->device, d->queue, buffer);
}

static void expect_breach(driver *d, const char *text) {
    cr_assert_eq(d->table->queue_synchronize(d->device, d->queue, &err), TERN_BACKEND_INVALID,
                 "not seen: %s", text);
    cr_assert_not_null(strstr(err.message, text), "'%s', not '%s'", err.message, text);
}

Test(delaying_backend, does_nothing_before_the_wait) {
    driver d = driver_open("delaying");
    tern_bbuffer *buffer = new_buffer(&d);
    float sent = 3, received = 7;
    upload(&d, d.queue, buffer, &sent);
    sent = 100; /* the upload has taken its copy */
    download(&d, d.queue, &received, buffer);
    cr_assert(received != 3 && received != 7, "the destination is readable before the wait");
    finish(&d, d.queue);
    cr_assert_eq(received, 3);
    release(&d, buffer);
    driver_close(&d);
    cr_assert_str_eq(driver_last_log(), "");
}

/* Queue one writes 3, queue two reads. Returns what the reader got. */
static float read_across_queues(driver *d, bool wait) {
    tern_bqueue *two = new_queue(d);
    tern_bevent *written = new_event(d);
    tern_bbuffer *buffer = new_buffer(d);
    float sent = 3, received;
    upload(d, d->queue, buffer, &sent);
    record(d, d->queue, written);
    if (wait) await(d, two, written);
    d->table->event_destroy(d->device, written);
    download(d, two, &received, buffer);
    finish(d, two);
    finish(d, d->queue);
    d->table->queue_destroy(d->device, two);
    release(d, buffer);
    return received;
}

Test(delaying_backend, orders_queues_by_events_alone) {
    driver d = driver_open("delaying");
    cr_assert_eq(read_across_queues(&d, true), 3);
    cr_assert(isnan(read_across_queues(&d, false)), "a missing wait went unnoticed");
    driver_close(&d);
}

Test(delaying_backend, waits_for_an_event_no_further_than_it) {
    driver d = driver_open("delaying");
    tern_bevent *event = new_event(&d);
    tern_bbuffer *buffer = new_buffer(&d);
    float one = 1, two = 2, first = 0, second = 0;
    upload(&d, d.queue, buffer, &one);
    download(&d, d.queue, &first, buffer);
    record(&d, d.queue, event);
    upload(&d, d.queue, buffer, &two);
    download(&d, d.queue, &second, buffer);
    cr_assert_eq(d.table->event_synchronize(d.device, event, &err), TERN_BACKEND_OK);
    cr_assert_eq(first, 1);
    cr_assert(second != 2, "work after the event was done already");
    finish(&d, d.queue);
    cr_assert_eq(second, 2);
    d.table->event_destroy(d.device, event);
    release(&d, buffer);
    driver_close(&d);
}

Test(delaying_backend, an_upload_queue_works_when_its_event_is_waited_for) {
    driver d = driver_open("delaying");
    tern_bqueue *uploads = new_queue(&d);
    tern_bevent *arrived = new_event(&d);
    tern_bbuffer *buffer = new_buffer(&d), *other = new_buffer(&d);
    float sent = 3, later = 4, received = 0, after = 0;
    upload(&d, uploads, buffer, &sent);
    record(&d, uploads, arrived);
    download(&d, uploads, &after, other);
    upload(&d, uploads, other, &later);
    download(&d, d.queue, &received, other);
    finish(&d, d.queue);
    cr_assert(isnan(received), "the upload queue ran ahead");
    await(&d, d.queue, arrived);
    download(&d, d.queue, &received, buffer);
    finish(&d, d.queue);
    cr_assert_eq(received, 3);
    cr_assert(!isnan(after), "the upload queue ran further than the event");
    finish(&d, uploads);
    cr_assert(isnan(after));
    d.table->event_destroy(d.device, arrived);
    release(&d, buffer);
    release(&d, other);
    d.table->queue_destroy(d.device, uploads);
    driver_close(&d);
}

Test(delaying_backend, a_wait_is_for_the_record_that_it_saw) {
    driver d = driver_open("delaying");
    tern_bqueue *uploads = new_queue(&d), *idle = new_queue(&d);
    tern_bevent *event = new_event(&d);
    tern_bbuffer *buffer = new_buffer(&d);
    float sent = 3, received = 0;
    upload(&d, uploads, buffer, &sent);
    record(&d, uploads, event);
    await(&d, d.queue, event);
    record(&d, idle, event); /* starts anew, and passes at once */
    cr_assert_eq(d.table->event_synchronize(d.device, event, &err), TERN_BACKEND_OK);
    download(&d, d.queue, &received, buffer);
    finish(&d, d.queue);
    cr_assert_eq(received, 3);
    d.table->event_destroy(d.device, event);
    release(&d, buffer);
    d.table->queue_destroy(d.device, uploads);
    d.table->queue_destroy(d.device, idle);
    driver_close(&d);
}

Test(delaying_backend, a_question_starts_the_work_and_finds_it_not_done) {
    driver d = driver_open("delaying");
    tern_bevent *event = new_event(&d);
    tern_bbuffer *buffer = new_buffer(&d);
    float sent = 3, received = 0;
    int32_t passed[3] = {7, 7, 7};
    cr_assert_eq(d.table->event_query(d.device, event, &passed[0], &err), TERN_BACKEND_OK);
    upload(&d, d.queue, buffer, &sent);
    download(&d, d.queue, &received, buffer);
    record(&d, d.queue, event);
    cr_assert_eq(d.table->event_query(d.device, event, &passed[1], &err), TERN_BACKEND_OK);
    cr_assert_eq(d.table->event_query(d.device, event, &passed[2], &err), TERN_BACKEND_OK);
    cr_assert(passed[0] == 1 && passed[1] == 0 && passed[2] == 1, "%d %d %d", passed[0], passed[1],
              passed[2]);
    cr_assert_eq(received, 3);
    d.table->event_destroy(d.device, event);
    release(&d, buffer);
    driver_close(&d);
}

/* ---- freeing ---- */

Test(delaying_backend, a_buffer_is_freed_when_its_turn_comes) {
    driver d = driver_open("delaying");
    tern_bbuffer *buffer = new_buffer(&d);
    float sent = 3, received = 0;
    upload(&d, d.queue, buffer, &sent);
    download(&d, d.queue, &received, buffer);
    release(&d, buffer);
    finish(&d, d.queue);
    cr_assert_eq(received, 3);
    driver_close(&d);
    cr_assert_str_eq(driver_last_log(), "");
}

Test(delaying_backend, a_buffer_used_after_it_was_freed_is_seen) {
    driver d = driver_open("delaying");
    tern_bbuffer *buffer = new_buffer(&d);
    float sent = 3;
    release(&d, buffer);
    cr_assert_eq(d.table->copy_to_device(d.device, d.queue, buffer, 0, &sent, 4, &err),
                 TERN_BACKEND_INVALID);
    expect_breach(&d, "no buffer of its own");
    driver_close(&d);
}

/* Another queue reads the buffer; whether the freeing queue waits for it. Returns what was read. */
static float free_beside_a_reader(driver *d, bool wait) {
    tern_bqueue *reader = new_queue(d);
    tern_bevent *read = new_event(d);
    tern_bbuffer *buffer = new_buffer(d);
    float sent = 3, received = 0;
    upload(d, d->queue, buffer, &sent);
    finish(d, d->queue);
    download(d, reader, &received, buffer);
    record(d, reader, read);
    if (wait) await(d, d->queue, read);
    release(d, buffer);
    if (wait)
        finish(d, d->queue);
    else
        expect_breach(d, "freed while queued work used it");
    d->table->event_destroy(d->device, read);
    d->table->queue_destroy(d->device, reader);
    return received;
}

Test(delaying_backend, freeing_does_not_wait_for_other_queues) {
    driver d = driver_open("delaying");
    cr_assert_eq(free_beside_a_reader(&d, true), 3);
    cr_assert(free_beside_a_reader(&d, false) != 3, "the memory is not poisoned");
    driver_close(&d);
}

Test(delaying_backend, a_buffer_is_freed_in_a_queue) {
    driver d = driver_open("delaying");
    tern_bbuffer *buffer = new_buffer(&d);
    d.table->buffer_free(d.device, NULL, buffer);
    expect_breach(&d, "no queue of its own");
    release(&d, buffer);
    driver_close(&d);
    cr_assert_str_eq(driver_last_log(), "");
}

/* ---- memory of the host ---- */

Test(delaying_backend, pinned_memory_is_read_when_its_turn_comes) {
    driver d = driver_open("delaying");
    tern_bbuffer *buffer = new_buffer(&d);
    float *pinned = d.table->host_alloc(d.device, 2 * sizeof *pinned), received = 0;
    pinned[1] = 3;
    upload(&d, d.queue, buffer, &pinned[1]);
    pinned[1] = 4; /* too early: no event has passed */
    download(&d, d.queue, &received, buffer);
    finish(&d, d.queue);
    cr_assert_eq(received, 4);
    d.table->host_free(d.device, pinned);
    finish(&d, d.queue);
    release(&d, buffer);
    driver_close(&d);
}

Test(delaying_backend, pinned_memory_outlives_the_copies_from_it) {
    driver d = driver_open("delaying");
    tern_bbuffer *buffer = new_buffer(&d);
    float *pinned = d.table->host_alloc(d.device, sizeof *pinned), received = 0;
    *pinned = 3;
    upload(&d, d.queue, buffer, pinned);
    d.table->host_free(d.device, pinned);
    download(&d, d.queue, &received, buffer);
    expect_breach(&d, "while a copy from it was pending");
    cr_assert(received != 3, "the memory is not poisoned");
    release(&d, buffer);
    driver_close(&d);
}

Test(delaying_backend, imported_memory_is_read_at_its_turn_and_left_as_it_is) {
    driver d = driver_open("delaying");
    float own = 3, received = 0;
    tern_bbuffer *buffer;
    cr_assert_eq(d.table->buffer_import(d.device, &own, sizeof own, &buffer, &err),
                 TERN_BACKEND_OK);
    download(&d, d.queue, &received, buffer);
    own = 4;
    release(&d, buffer);
    finish(&d, d.queue);
    cr_assert_eq(received, 4);
    cr_assert_eq(own, 4, "the program's memory was poisoned");
    driver_close(&d);
    cr_assert_str_eq(driver_last_log(), "");
}

/* ---- two devices ---- */

static float copy_across(driver *d, driver *other, bool wait) {
    tern_bbuffer *from = new_buffer(other), *to = new_buffer(d);
    tern_bevent *written = new_event(other);
    float sent = 3, received = 0;
    upload(other, other->queue, from, &sent);
    record(other, other->queue, written);
    if (wait) await(d, d->queue, written);
    cr_assert_eq(
        d->table->copy_between(d->device, d->queue, to, 0, other->device, from, 0, 4, &err),
        TERN_BACKEND_OK, "%s", err.message);
    download(d, d->queue, &received, to);
    finish(d, d->queue);
    other->table->event_destroy(other->device, written);
    release(other, from);
    release(d, to);
    return received;
}

Test(delaying_backend, copies_between_devices_are_ordered_by_events_alone) {
    driver d = driver_open("delaying"), other = driver_open_other(&d, 1);
    cr_assert(d.table->suballocation == 0 && other.table->suballocation > 0);
    cr_assert_eq(copy_across(&d, &other, true), 3);
    cr_assert(isnan(copy_across(&d, &other, false)), "a missing wait went unnoticed");
    driver_close_other(&other);
    driver_close(&d);
}

Test(delaying_backend, one_device_refuses_what_is_the_others) {
    driver d = driver_open("delaying"), other = driver_open_other(&d, 1);
    tern_bbuffer *buffer = new_buffer(&other);
    tern_bevent *event = new_event(&other);
    float received;
    cr_assert_eq(d.table->copy_to_host(d.device, d.queue, &received, buffer, 0, 4, &err),
                 TERN_BACKEND_INVALID);
    expect_breach(&d, "no buffer of its own");
    cr_assert_eq(d.table->event_record(d.device, d.queue, event, &err), TERN_BACKEND_INVALID);
    other.table->event_destroy(other.device, event);
    release(&other, buffer);
    driver_close_other(&other);
    driver_close(&d);
}

/* ---- errors of kernels ---- */

Test(delaying_backend, an_error_raises_the_queues_flag_until_it_is_taken) {
    driver d = driver_open("delaying");
    tensor in[] = {tensor_new(&d, TERN_BT_FLOAT32, SHAPE(2), (double[]){1, 2}),
                   tensor_i64(&d, SHAPE(1), (int64_t[]){2})};
    tensor out = tensor_new(&d, TERN_BT_FLOAT32, SHAPE(1), NULL);
    const tern_operand operands[] = {tensor_operand(&in[0]), tensor_operand(&in[1]),
                                     tensor_operand(&out)};
    tern_index_attrs attrs = {.dim = 0};
    tern_bbuffer *flag;
    uint64_t offset;
    int32_t raised[3] = {7, 7, 7};
    cr_assert_eq(d.table->skip_flag(d.device, d.queue, &flag, &offset, &err), TERN_BACKEND_OK);
    d.table->copy_to_host(d.device, d.queue, &raised[0], flag, offset, 4, &err);
    cr_assert_eq(d.table->launch(d.device, d.queue, TERN_KERNEL_GATHER, operands, 2, operands + 2,
                                 1, &attrs, sizeof attrs, &err),
                 TERN_BACKEND_OK, "%s", err.message);
    d.table->copy_to_host(d.device, d.queue, &raised[1], flag, offset, 4, &err);
    finish(&d, d.queue);
    cr_assert_eq(d.table->take_error(d.device, d.queue, &err), TERN_BACKEND_BAD_INDEX);
    cr_assert_not_null(strstr(err.message, "index 2 is out of bounds"));
    cr_assert_eq(d.table->take_error(d.device, d.queue, &err), TERN_BACKEND_OK);
    d.table->copy_to_host(d.device, d.queue, &raised[2], flag, offset, 4, &err);
    finish(&d, d.queue);
    cr_assert(raised[0] == 0 && raised[1] != 0 && raised[2] == 0, "%d %d %d", raised[0], raised[1],
              raised[2]);
    d.table->buffer_free(d.device, d.queue, flag);
    expect_breach(&d, "a buffer of the backend's");
    for (int i = 0; i < 2; i++) tensor_free(&d, &in[i]);
    tensor_free(&d, &out);
    driver_close(&d);
}

Test(delaying_backend, an_operand_that_lies_is_refused) {
    driver d = driver_open("delaying");
    tensor t = tensor_new(&d, TERN_BT_FLOAT32, SHAPE(2), NULL);
    tern_operand operands[] = {tensor_operand(&t), tensor_operand(&t)};
    tern_unary_attrs neg = {TERN_UNARY_NEG, 0};
    operands[1].at.byte_offset = 4;
    cr_assert_eq(d.table->launch(d.device, d.queue, TERN_KERNEL_UNARY, operands, 1, operands + 1, 1,
                                 &neg, sizeof neg, &err),
                 TERN_BACKEND_INVALID);
    expect_breach(&d, "ends behind its buffer");
    tensor_free(&d, &t);
    driver_close(&d);
}
