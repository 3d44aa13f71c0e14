#include <criterion/criterion.h>
#include <stdint.h>

#include "tern/context.h"
#include "tern/memory.h"

Test(memory, gives_aligned_blocks_even_for_zero_bytes) {
    for (size_t bytes = 0; bytes < 200; bytes++) {
        char *block = tern_alloc(bytes);
        cr_assert_not_null(block, "no block of %zu bytes", bytes);
        cr_assert_eq((uintptr_t)block % 64, 0, "a block of %zu bytes is not aligned", bytes);
        memset(block, 0xff, bytes);
        tern_free(block);
    }
    tern_free(NULL);
}

Test(memory, zeroes_and_refuses_a_size_that_overflows) {
    unsigned char *block = tern_alloc_zeroed(7, 9);
    for (int i = 0; i < 63; i++) cr_assert_eq(block[i], 0);
    tern_free(block);
    cr_assert_null(tern_alloc_zeroed(SIZE_MAX / 2, 3));
    cr_assert_null(tern_alloc(SIZE_MAX));
}

Test(memory, realloc_keeps_the_bytes_and_on_failure_the_old_block) {
    char *block = tern_alloc(4);
    memcpy(block, "abc", 4);
    block = tern_realloc(block, 4, 4096);
    cr_assert_str_eq(block, "abc");
    tern_fail_allocation(1);
    cr_assert_null(tern_realloc(block, 4096, 8192));
    tern_fail_allocation(0);
    cr_assert_str_eq(block, "abc");
    block = tern_realloc(block, 4096, 2);
    cr_assert_eq(block[1], 'b');
    tern_free(block);
}

Test(memory, fails_exactly_the_nth_call_and_counts) {
    tern_fail_allocation(3);
    for (int call = 1; call <= 5; call++) {
        void *block = tern_alloc(1);
        cr_assert_eq(block == NULL, call == 3, "call %d", call);
        tern_free(block);
    }
    cr_assert_eq(tern_fail_allocation(0), 5);
}

Test(memory, size_arithmetic_tells_overflow) {
    uint64_t out = 1;
    cr_assert(tern_size_mul(UINT32_MAX, UINT32_MAX, &out));
    cr_assert_eq(out, (uint64_t)UINT32_MAX * UINT32_MAX);
    cr_assert_not(tern_size_mul(UINT64_MAX, 2, &out));
    cr_assert_not(tern_size_add(UINT64_MAX, 1, &out));
    cr_assert_eq(out, (uint64_t)UINT32_MAX * UINT32_MAX, "a failure changed the result");
    cr_assert(tern_size_add(UINT64_MAX, 0, &out));
    cr_assert_eq(out, UINT64_MAX);
    cr_assert(tern_size_mul(0, UINT64_MAX, &out));
    cr_assert_eq(out, 0);
}
