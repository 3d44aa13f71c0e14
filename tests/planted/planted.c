/*
 * planted.c: three tests that pass and are wrong. Each holds one fault that only a sanitizer sees;
 * the runs named planted-* check that it is seen, through the same seam and the same runner as all
 * other tests.
 */
#include <criterion/criterion.h>
#include <pthread.h>

#include "tern/memory.h"

static void *volatile lost;

Test(planted, leak) {
    lost = tern_alloc(100);
    cr_assert_not_null(lost);
    lost = NULL;
}

Test(planted, overflow) {
    volatile char *block = tern_alloc(64);
    block[64] = 1;
    cr_assert_eq(block[0] ^ block[0], 0);
    tern_free((void *)block);
}

Test(planted, undefined) {
    volatile int shift = 32;
    volatile int result = 1 << shift;
    cr_assert_eq(result ^ result, 0);
}

static int counter;

static void *count(void *unused) {
    (void)unused;
    for (int i = 0; i < 1000; i++) counter++;
    return NULL;
}

Test(planted, race) {
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) cr_assert_eq(pthread_create(&threads[i], NULL, count, NULL), 0);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    cr_assert_gt(counter, 0);
}
