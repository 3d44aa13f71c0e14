/*
 * contract.h: how the strict test backends see that a host breaks the contract.
 *
 * HANDLES. Buffers, queues, events and plans are given out as numbers that are no addresses, so a host
 * that looks into one crashes, and a handle that is dead or of another kind is told from a live one:
 *
 *     bit 28..30: the kind | bit 20..27: the slot's age | bit 0..19: the slot
 *
 * BREACHES. What a slot cannot answer because it returns nothing, or what shows only later, is kept:
 * the first breach of a device is the answer of every wait from then on.
 *
 * OPERANDS. Bounds, the contiguous flag and immediates are checked before a kernel sees them.
 */
#ifndef TERN_TEST_CONTRACT_H
#define TERN_TEST_CONTRACT_H

#include "cpu_ref/kit.h"

typedef enum handle_kind { HANDLE_BUFFER = 1, HANDLE_QUEUE, HANDLE_EVENT, HANDLE_PLAN } handle_kind;

/* The live handles of one kind. Zeroed is an empty table. The caller locks. */
typedef struct handle_table {
    struct handle_slot *slots;
    uint32_t count, capacity;
    uint32_t unused; /* first slot to use again, plus one */
} handle_table;

/* A handle for the object; NULL without memory. */
void *handle_new(handle_table *table, handle_kind kind, const tern_host *host, void *object);

/* The live object of a handle; NULL where it is dead or no handle of this kind. */
void *handle_find(const handle_table *table, handle_kind kind, const void *handle);

/* Ends a live handle. */
void handle_end(handle_table *table, const void *handle);

void handle_table_fini(handle_table *table, const tern_host *host);

/* The first breach of a device. Zeroed is none. The caller locks. */
typedef struct breach {
    bool seen;
    char text[200];
} breach;

/* Keeps the breach where it is the first, and answers INVALID with it; `err` may be NULL. */
int32_t breach_note(breach *own, tern_backend_error *err, const char *format, ...);

/* OK, or INVALID with the first breach. */
int32_t breach_report(const breach *own, tern_backend_error *err);

/* What is wrong with an operand of a launch whose buffer has `room` bytes (0: it is an immediate); NULL
 * where it keeps the contract. */
const char *operand_fault(int32_t kernel, const tern_operand *operand, uint64_t room);

#endif
