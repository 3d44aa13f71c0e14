/* The generator and its fills against values that PyTorch 2.15 printed. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "numerics/random_fill.h"

enum { F32 = TERN_NUM_FLOAT32, F64 = TERN_NUM_FLOAT64, BF16 = TERN_NUM_BFLOAT16 };

static tern_mt19937 seeded(uint64_t seed) {
    tern_mt19937 g;
    tern_num_mt19937_seed(&g, seed);
    return g;
}

/* How many 32-bit draws lead from the fresh seed 42 to g. */
static int draws_since_42(tern_mt19937 g) {
    tern_mt19937 h = seeded(42);
    uint32_t next = tern_num_mt19937_u32(&g);
    for (int n = 0; n < 1000; n++) {
        if (tern_num_mt19937_u32(&h) == next) return n;
    }
    return -1;
}

static void assert_f32_bits(const float *got, const uint32_t *bits, int n) {
    for (int i = 0; i < n; i++) {
        cr_assert_eq(tern_num_float_bits(got[i]), bits[i], "element %d is %a", i, (double)got[i]);
    }
}

/* Nine significant digits name a float32. */
static void assert_floats(const float *got, const float *expected, int n) {
    for (int i = 0; i < n; i++) {
        cr_assert(got[i] == expected[i], "element %d is %.9g", i, (double)got[i]);
    }
}

static void assert_integers(const int64_t *got, const int64_t *expected, int n) {
    for (int i = 0; i < n; i++) cr_assert_eq(got[i], expected[i], "element %d", i);
}

Test(engine, gives_the_stream_of_mt19937) {
    const uint32_t expected[] = {1608637542, 3421126067, 4083286876, 787846414,
                                 3143890026, 3348747335, 2571218620, 2563451924,
                                 670094950,  1914837113, 669991378,  429389014};
    tern_mt19937 g = seeded(42);
    for (int i = 0; i < 12; i++) cr_assert_eq(tern_num_mt19937_u32(&g), expected[i]);
    /* The 10000th output for the seed 5489 is required of std::mt19937 by the C++ standard. */
    g = seeded(5489);
    for (int i = 0; i < 9999; i++) tern_num_mt19937_u32(&g);
    cr_assert_eq(tern_num_mt19937_u32(&g), 4123659995U);
}

Test(engine, uses_the_low_half_of_the_seed_and_remembers_all) {
    tern_mt19937 a = seeded(42);
    tern_mt19937 b = seeded(42 + (UINT64_C(1) << 32));
    cr_assert_eq(tern_num_mt19937_u64(&a), tern_num_mt19937_u64(&b));
    cr_assert_eq(b.seed, 42 + (UINT64_C(1) << 32));
}

Test(engine, state_goes_out_and_comes_back) {
    static uint8_t bytes[TERN_NUM_MT19937_STATE_BYTES];
    tern_mt19937 g = seeded(7);
    float one;
    tern_num_fill_normal(&g, F32, &one, 1, 0.0, 1.0, true);
    tern_num_mt19937_get_state(&g, bytes);
    cr_assert_eq(bytes[0], 7);
    cr_assert_eq(bytes[12], 1);
    cr_assert_eq(bytes[16], 4);
    cr_assert_eq(bytes[5040], 1);
    tern_mt19937 h = seeded(1);
    cr_assert(tern_num_mt19937_set_state(&h, bytes, sizeof bytes));
    for (int i = 0; i < 2000; i++) {
        double a = tern_num_normal_f64(&g);
        cr_assert_eq(a, tern_num_normal_f64(&h));
    }
}

Test(engine, refuses_a_state_that_is_none) {
    static uint8_t good[TERN_NUM_MT19937_STATE_BYTES];
    static uint8_t bad[TERN_NUM_MT19937_STATE_BYTES];
    tern_mt19937 g = seeded(3);
    tern_num_mt19937_get_state(&g, good);
    cr_assert(!tern_num_mt19937_set_state(&g, good, 5048));
    const struct {
        int at;
        uint8_t value;
    } harm[] = {{12, 2}, {8, 0}, {11, 0x80}, {10, 1}, {23, 1}};
    for (int i = 0; i < 5; i++) {
        memcpy(bad, good, sizeof bad);
        bad[harm[i].at] = harm[i].value;
        cr_assert(!tern_num_mt19937_set_state(&g, bad, sizeof bad), "harm %d", i);
    }
    tern_mt19937 fresh = seeded(3);
    cr_assert_eq(tern_num_mt19937_u32(&g), tern_num_mt19937_u32(&fresh));
}

Test(engine, a_state_at_odds_with_itself_reads_no_foreign_memory) {
    static uint8_t bytes[TERN_NUM_MT19937_STATE_BYTES];
    tern_mt19937 g = seeded(3);
    tern_num_mt19937_get_state(&g, bytes);
    bytes[8] = 0x70;
    bytes[9] = 0x02;
    bytes[16] = 0x70;
    bytes[17] = 0x02;
    cr_assert(tern_num_mt19937_set_state(&g, bytes, sizeof bytes));
    for (int i = 0; i < 2000; i++) tern_num_mt19937_u32(&g);
    cr_assert(g.next <= TERN_NUM_MT19937_WORDS);
}

Test(fill, rand_and_uniform) {
    const float rand[] = {0.882269263f, 0.915003955f, 0.38286376f, 0.959305644f, 0.390448213f};
    const float wide[] = {0.764538527f, 0.830007911f, -0.23427248f, 0.918611288f};
    const double doubles[] = {0.058154486, 0.0629101674, 0.123586073};
    float x[5];
    double y[3];
    tern_mt19937 g = seeded(42);
    tern_num_fill_uniform(&g, F32, x, 5, 0.0, 1.0);
    assert_floats(x, rand, 5);
    cr_assert_eq(draws_since_42(g), 5);
    g = seeded(42);
    tern_num_fill_uniform(&g, F32, x, 4, -1.0, 1.0);
    assert_floats(x, wide, 4);
    g = seeded(42);
    tern_num_fill_uniform(&g, F64, y, 3, 0.0, 1.0);
    for (int i = 0; i < 3; i++) cr_assert_float_eq(y[i], doubles[i], 1e-9);
    cr_assert_eq(draws_since_42(g), 6);
}

/* A linear layer's bound is no power of two, so the fused multiply-add shows. */
Test(fill, uniform_is_fused) {
    const uint32_t weight[] = {0x3f0a6571, 0x3f163f5b, 0xbe29a1a3,
                               0x3f264952, 0xbe1ea5df, 0x3e121cb0};
    const uint32_t bias[] = {0xbeb042a6, 0x3ed49e79, 0x3f1f9389};
    float x[6];
    double bound = 1.0 / sqrt(2.0);
    tern_mt19937 g = seeded(42);
    tern_num_fill_uniform(&g, F32, x, 6, -bound, bound);
    assert_f32_bits(x, weight, 6);
    tern_num_fill_uniform(&g, F32, x, 3, -bound, bound);
    assert_f32_bits(x, bias, 3);
}

Test(fill, bfloat16_uniform_never_reaches_its_end) {
    static uint16_t x[20000];
    tern_mt19937 g = seeded(42);
    tern_num_fill_uniform(&g, BF16, x, 20000, 0.0, 1.0);
    int zeros = 0;
    for (int i = 0; i < 20000; i++) {
        cr_assert(x[i] < 0x3f80);
        zeros += x[i] == 0;
    }
    cr_assert(zeros > 10);
}

Test(fill, randn_below_16_is_serial_and_caches_half_a_pair) {
    const float first[] = {0.336690366f, 0.128809407f, 0.234462366f, 0.23033303f, -1.12285638f};
    const float next[] = {-0.186328292f, 2.20820141f, -0.637997031f, 0.461657226f, 0.267350882f};
    float x[5];
    tern_mt19937 g = seeded(42);
    tern_num_fill_normal(&g, F32, x, 5, 0.0, 1.0, true);
    assert_floats(x, first, 5);
    cr_assert_eq(draws_since_42(g), 12);
    cr_assert(g.has_next_normal);
    tern_num_fill_normal(&g, F32, x, 5, 0.0, 1.0, true);
    assert_floats(x, next, 5);
    cr_assert(!g.has_next_normal);
}

Test(fill, randn_from_16_comes_in_blocks) {
    const uint32_t seed42[] = {0x3ff6a529, 0x3fbe5f53, 0x3f669567, 0xc006c0db,
                               0x3f2dacd5, 0xbf9e0591, 0xbd306786, 0xbfcd65ba,
                               0xbf408bf0, 0x3fd3095b, 0xbec8f2f6, 0xbfb3a966,
                               0xbf3a566e, 0xbf0f36d1, 0xbf44d2a0, 0x3f432f9f};
    const uint32_t seed0[] = {0xbf901b85, 0xbf93808a, 0xbe804bd6, 0xbede255d,
                              0x3f594515, 0x3f312783, 0xbea1cc6d, 0xc0075fc1,
                              0x3ea50138, 0xbfa1b4f4, 0x3eb330ff, 0x3e9dc3bb,
                              0x3df56f77, 0x3f9e6b93, 0x3f8ef28e, 0xbe7d367c};
    float x[16];
    tern_mt19937 g = seeded(42);
    tern_num_fill_normal(&g, F32, x, 16, 0.0, 1.0, true);
    assert_f32_bits(x, seed42, 16);
    cr_assert_eq(draws_since_42(g), 16);
    g = seeded(0);
    tern_num_fill_normal(&g, F32, x, 16, 0.0, 1.0, true);
    assert_f32_bits(x, seed0, 16);
    /* The same elements in a tensor that is not contiguous are drawn one by one. */
    g = seeded(42);
    tern_num_fill_normal(&g, F32, x, 16, 0.0, 1.0, false);
    cr_assert_eq(draws_since_42(g), 32);
    cr_assert_eq(x[0], 0.336690366f);
}

Test(fill, randn_draws_its_last_16_afresh) {
    const float expected[] = {
        1.92691529f,  -0.159597471f, -0.497397542f, 0.439589262f, -0.758131146f, 1.07831764f,
        0.800800562f, 1.68062055f,   0.355859905f,  1.29642284f,  0.61046648f,   1.33473778f,
        -0.23162432f, 0.041759491f,  -0.251575291f, 0.859858513f, -0.309726775f};
    float x[17];
    uint16_t half[17];
    double y[17];
    tern_mt19937 g = seeded(42);
    tern_num_fill_normal(&g, F32, x, 17, 0.0, 1.0, true);
    assert_floats(x, expected, 17);
    cr_assert_eq(draws_since_42(g), 33);
    g = seeded(42);
    tern_num_fill_normal(&g, F64, y, 17, 0.0, 1.0, true);
    cr_assert_eq(draws_since_42(g), 66);
    g = seeded(42);
    tern_num_fill_normal(&g, BF16, half, 17, 0.0, 1.0, true);
    cr_assert_eq(draws_since_42(g), 32);
}

Test(fill, integers_and_permutations) {
    const int64_t digits[] = {2, 7, 6, 4, 6, 5, 0, 4, 0, 3};
    const int64_t permutation[] = {2, 6, 1, 8, 4, 5, 0, 9, 3, 7};
    int64_t x[10];
    uint8_t small[10];
    tern_mt19937 g = seeded(42);
    tern_num_fill_randint(&g, TERN_NUM_INT64, x, 10, 0, 10);
    assert_integers(x, digits, 10);
    g = seeded(42);
    tern_num_fill_randperm(&g, TERN_NUM_INT64, x, 10);
    assert_integers(x, permutation, 10);
    cr_assert_eq(draws_since_42(g), 9);
    g = seeded(42);
    tern_num_fill_randperm(&g, TERN_NUM_UINT8, small, 10);
    for (int i = 0; i < 10; i++) cr_assert_eq(small[i], permutation[i]);
}

Test(fill, wide_ranges_take_two_draws) {
    int64_t x[3];
    tern_mt19937 g = seeded(42);
    tern_num_fill_randint(&g, TERN_NUM_INT64, x, 3, 0, (UINT64_C(1) << 28) - 1);
    cr_assert_eq(draws_since_42(g), 3);
    g = seeded(42);
    tern_num_fill_randint(&g, TERN_NUM_INT64, x, 3, 0, UINT64_C(1) << 28);
    cr_assert_eq(draws_since_42(g), 6);
    tern_mt19937 h = seeded(42);
    g = seeded(42);
    tern_num_fill_randint(&g, TERN_NUM_INT64, x, 1, INT64_MIN, 0);
    uint64_t raw = (UINT64_C(1) << 63) + tern_num_mt19937_u64(&h);
    cr_assert_eq(x[0], tern_num_u64_to_i64(raw));
}

Test(fill, float_bounds_move_to_what_the_dtype_can_hold) {
    int64_t from = 0;
    int64_t to = INT64_C(1) << 30;
    cr_assert(tern_num_randint_bounds(F32, &from, &to));
    cr_assert_eq(to, (INT64_C(1) << 30) - 64);
    cr_assert_eq(from, 0);
    to = 100;
    cr_assert(!tern_num_randint_bounds(F32, &from, &to));
    cr_assert(!tern_num_randint_bounds(TERN_NUM_INT8, &from, &to));
    cr_assert_eq(to, 100);
}

Test(fill, random_without_bounds_stays_in_the_dtype) {
    static const int dtypes[] = {TERN_NUM_INT64,
                                 TERN_NUM_INT32,
                                 TERN_NUM_INT16,
                                 TERN_NUM_INT8,
                                 TERN_NUM_UINT8,
                                 TERN_NUM_BOOL,
                                 F32,
                                 F64,
                                 BF16,
                                 TERN_NUM_FLOAT16};
    static const double top[] = {0x1p63, 0x1p31,     0x1p15,     128, 256,
                                 2,      0x1p24 + 1, 0x1p53 + 1, 257, 2049};
    double cells[500];
    for (int d = 0; d < 10; d++) {
        tern_mt19937 g = seeded(42);
        tern_num_fill_random(&g, dtypes[d], cells, 500);
        double largest = 0.0;
        for (int i = 0; i < 500; i++) {
            double value = tern_num_load_f64(dtypes[d], cells, i);
            cr_assert(value >= 0.0 && value <= top[d]);
            if (value > largest) largest = value;
        }
        cr_assert(largest >= 0.5 * top[d], "dtype %d", dtypes[d]);
        bool wide = dtypes[d] == TERN_NUM_INT64 || dtypes[d] == F64;
        cr_assert_eq(draws_since_42(g), wide ? -1 : 500);
    }
}

Test(fill, bernoulli_draws_a_double_or_a_float) {
    const int64_t coins[] = {1, 1, 1, 1, 0, 1, 0, 0, 1, 1};
    int64_t x[10];
    float p[5] = {0.0f, 1.0f, 0.0f, 1.0f, 0.0f};
    float y[5];
    tern_mt19937 g = seeded(42);
    tern_num_fill_bernoulli(&g, TERN_NUM_INT64, x, 10, 0.5);
    assert_integers(x, coins, 10);
    cr_assert_eq(draws_since_42(g), 20);
    g = seeded(42);
    tern_num_fill_bernoulli_each(&g, F32, p, F32, y, 5);
    assert_floats(y, p, 5);
    cr_assert_eq(draws_since_42(g), 5);
}

Test(fill, transformed_distributions) {
    const float exponential[] = {0.0599140152f, 0.064976126f, 0.131916776f};
    float x[3];
    double y[3];
    tern_mt19937 g = seeded(42);
    tern_num_fill_exponential(&g, F32, x, 3, 1.0);
    assert_floats(x, exponential, 3);
    cr_assert_eq(draws_since_42(g), 6);
    /* By the quantile functions, at the three uniforms 0.058154486, 0.0629101674, 0.123586073. */
    g = seeded(42);
    tern_num_fill_geometric(&g, F64, y, 3, 0.3);
    cr_assert(y[0] == 8.0 && y[1] == 8.0 && y[2] == 6.0);
    g = seeded(42);
    tern_num_fill_cauchy(&g, F64, y, 1, 1.0, 2.0);
    cr_assert_float_eq(y[0], -9.82497459, 1e-6);
    g = seeded(42);
    tern_num_fill_log_normal(&g, F32, x, 1, 0.0, 1.0);
    cr_assert_float_eq((double)x[0], 1.400304863, 1e-6);
}

Test(fill, multinomial_with_replacement) {
    const float p[] = {0.1f, 0.2f, 0.3f, 0.4f};
    const int64_t expected[] = {0, 0, 1, 0, 2, 2};
    double scratch[16];
    int64_t x[6];
    cr_assert(tern_num_multinomial_scratch(4) <= sizeof scratch);
    tern_mt19937 g = seeded(42);
    cr_assert(tern_num_multinomial(&g, F32, p, 1, 4, 6, true, scratch, x));
    assert_integers(x, expected, 6);
    cr_assert_eq(draws_since_42(g), 12);
}

Test(fill, multinomial_without_replacement_draws_each_category_once) {
    const double p[] = {0.1, 0.2, 0.0, 0.4};
    double scratch[16];
    int64_t x[3];
    tern_mt19937 g = seeded(42);
    cr_assert(tern_num_multinomial(&g, F64, p, 1, 4, 3, false, scratch, x));
    cr_assert_eq(draws_since_42(g), 8);
    cr_assert(x[0] != x[1] && x[1] != x[2] && x[0] != x[2]);
    cr_assert(x[0] != 2 && x[1] != 2 && x[2] != 2);
}

Test(fill, multinomial_refuses_what_is_no_distribution) {
    const float bad[3][2] = {{1.0f, -0.5f}, {0.0f, 0.0f}, {NAN, 1.0f}};
    double scratch[8];
    int64_t x;
    tern_mt19937 g = seeded(42);
    for (int i = 0; i < 3; i++)
        cr_assert(!tern_num_multinomial(&g, F32, bad[i], 1, 2, 1, false, scratch, &x), "row %d", i);
    cr_assert_eq(draws_since_42(g), 0);
}

Test(fill, nothing_is_drawn_for_no_elements) {
    tern_mt19937 g = seeded(42);
    tern_num_fill_uniform(&g, BF16, NULL, 0, 0.0, 1.0);
    tern_num_fill_normal(&g, F32, NULL, 0, 0.0, 1.0, true);
    tern_num_fill_randperm(&g, TERN_NUM_INT64, NULL, 0);
    tern_num_fill_bernoulli(&g, F32, NULL, 0, 0.5);
    cr_assert_eq(draws_since_42(g), 0);
}
