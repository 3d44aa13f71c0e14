#include "contract.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cpu_ref/walk.h"
#include "numerics/dtype_convert.h"

#define SLOT_BITS 20
#define AGE_BITS  8
#define SLOTS     (1u << SLOT_BITS)

struct handle_slot {
    void *object; /* NULL where the slot is unused */
    uint32_t age;
    uint32_t next; /* unused slot, plus one */
};

static bool grow(handle_table *table, const tern_host *host) {
    uint32_t capacity = table->capacity ? 2 * table->capacity : 64;
    struct handle_slot *slots = capacity <= SLOTS ? host->alloc(capacity * sizeof *slots) : NULL;
    if (!slots) return false;
    if (table->count) memcpy(slots, table->slots, table->count * sizeof *slots);
    host->free(table->slots);
    table->slots = slots;
    table->capacity = capacity;
    return true;
}

void *handle_new(handle_table *table, handle_kind kind, const tern_host *host, void *object) {
    uint32_t slot;
    if (table->unused) {
        slot = table->unused - 1;
        table->unused = table->slots[slot].next;
    } else {
        if (table->count == table->capacity && !grow(table, host)) return NULL;
        slot = table->count++;
        table->slots[slot].age = 0;
    }
    table->slots[slot].object = object;
    uint32_t age = table->slots[slot].age;
    return (void *)(uintptr_t)((uint32_t)kind << (SLOT_BITS + AGE_BITS) | age << SLOT_BITS | slot);
}

void *handle_find(const handle_table *table, handle_kind kind, const void *handle) {
    uintptr_t bits = (uintptr_t)handle;
    uint32_t slot = (uint32_t)bits & (SLOTS - 1);
    if (bits >> (SLOT_BITS + AGE_BITS) != (uintptr_t)kind || slot >= table->count) return NULL;
    uint32_t age = (uint32_t)(bits >> SLOT_BITS) & ((1u << AGE_BITS) - 1);
    return table->slots[slot].age == age ? table->slots[slot].object : NULL;
}

void handle_end(handle_table *table, const void *handle) {
    uint32_t slot = (uint32_t)(uintptr_t)handle & (SLOTS - 1);
    table->slots[slot].object = NULL;
    table->slots[slot].age = (table->slots[slot].age + 1) & ((1u << AGE_BITS) - 1);
    table->slots[slot].next = table->unused;
    table->unused = slot + 1;
}

void handle_table_fini(handle_table *table, const tern_host *host) {
    host->free(table->slots);
    memset(table, 0, sizeof *table);
}

int32_t breach_note(breach *own, tern_backend_error *err, const char *format, ...) {
    char text[sizeof own->text];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (!own->seen) memcpy(own->text, text, sizeof text);
    own->seen = true;
    return err ? tern_kit_fail(err, TERN_BACKEND_INVALID, "%s", text) : TERN_BACKEND_INVALID;
}

int32_t breach_report(const breach *own, tern_backend_error *err) {
    if (!own->seen) return TERN_BACKEND_OK;
    return tern_kit_fail(err, TERN_BACKEND_INVALID, "%s", own->text);
}

/* An immediate is a value of its dtype already. */
static bool is_rounded(const tern_operand *operand) {
    double element = 0; /* 8 bytes, enough for any dtype */
    if (tern_kit_is_floating(operand->dtype)) {
        double value = operand->at.f;
        tern_num_store_f64(operand->dtype, &element, 0, value);
        double back = tern_num_load_f64(operand->dtype, &element, 0);
        return back == value || (back != back && value != value);
    }
    tern_num_store_i64(operand->dtype, &element, 0, operand->at.i);
    return tern_num_load_i64(operand->dtype, &element, 0) == operand->at.i;
}

static const char *immediate_fault(int32_t kernel, const tern_operand *operand) {
    if (kernel != TERN_KERNEL_BINARY && kernel != TERN_KERNEL_TERNARY &&
        kernel != TERN_KERNEL_MAP && kernel != TERN_KERNEL_CROSS_ENTROPY_GRAD)
        return "an operand of this kernel cannot be an immediate";
    if (operand->rank != 0) return "an immediate has rank 0";
    return is_rounded(operand) ? NULL : "an immediate is not rounded to its dtype";
}

const char *operand_fault(int32_t kernel, const tern_operand *operand, uint64_t room) {
    if (operand->dtype < 0 || operand->dtype >= TERN_BT_COUNT) return "an operand has no dtype";
    if (operand->rank < 0 || operand->rank > TERN_BACKEND_MAX_RANK) return "an operand has no rank";
    if (!operand->buffer) return immediate_fault(kernel, operand);
    uint64_t size = (uint64_t)tern_kit_size(operand->dtype), last = 0;
    int64_t step = 1;
    bool contiguous = true;
    for (int32_t d = operand->rank - 1; d >= 0; d--) {
        int64_t length = operand->shape[d], stride = operand->strides[d];
        if (length <= 0) return "an operand is empty";
        if (stride < 0) return "an operand has a negative stride";
        contiguous = contiguous && (length == 1 || stride == step);
        step *= length;
        last += (uint64_t)(length - 1) * (uint64_t)stride;
    }
    if ((operand->flags & TERN_OPERAND_CONTIGUOUS) && !contiguous)
        return "an operand is flagged contiguous and is not";
    if (operand->at.byte_offset % size) return "an operand is not aligned to its elements";
    if (operand->at.byte_offset > room || room - operand->at.byte_offset < (last + 1) * size)
        return "an operand ends behind its buffer";
    return NULL;
}
