/* Results against the reference: numbers, layouts, edge values, bits from call to call, plans in turn. */
#include "property.h"

#include <string.h>

static results got, right; /* large, and one case runs at a time */

static void check_against_reference(property *p) {
    drawn d;
    uint8_t mine[TERN_RNG_STATE_SIZE], theirs[TERN_RNG_STATE_SIZE];
    if (!property_draw(p, &p->with, &d) || !property_both(p, &d, &got, &right)) return;
    property_compare(p, "result", &got, p->reference, &right, nearness_of(p->sample));
    tern_generator_get_state(tern_default_generator(p->device), mine);
    tern_generator_get_state(tern_default_generator(p->reference), theirs);
    if (memcmp(mine, theirs, sizeof mine) != 0)
        case_fail(p->t, "the generator is elsewhere than the reference's after the call");
}

/* The layout is the device's own; the reference reads row-major elements, where that is the same. */
static void check_layout(property *p) {
    drawn d, plain;
    if (!property_draw(p, &p->with, &d)) return;
    plain = d;
    if (!sample_is(p->sample, 'L')) plain.layout = LAYOUT_PLAIN;
    arguments mine, theirs;
    if (!arguments_make(p->reference, &plain, &theirs) || !arguments_make(p->device, &d, &mine))
        return;
    tern_status wrong = property_call(p, p->reference, "", theirs.named, &right);
    tern_status status = property_call(p, p->device, "", mine.named, &got);
    if (wrong == TERN_OK && status == TERN_OK)
        property_compare(p, "result", &got, p->reference, &right, nearness_of(p->sample));
    if (wrong != TERN_OK && status == wrong) tern_error_clear(p->device);
    tern_error_clear(p->reference);
}

/* The same call again, in the same process and over memory that has been used, gives the same bits. */
static void check_repeated(property *p) {
    drawn d;
    arguments mine;
    if (!property_draw(p, &p->with, &d) || !arguments_make(p->device, &d, &mine)) return;
    tern_status first = property_call(p, p->device, "", mine.named, &right);
    for (int again = 0; again < 2 && first == TERN_OK; again++) {
        if (!arguments_make(p->device, &d, &mine)) return; /* the call may change them */
        tern_status status = property_call(p, p->device, "", mine.named, &got);
        if (status == TERN_OK) property_compare(p, "again", &got, p->device, &right, NEAR_BITS);
    }
    if (first != TERN_OK) tern_error_clear(p->device);
}

/* Other operands of one shape and operands of another, in turn: what is kept for a shape fits it. */
static void check_plans(property *p) {
    static const int rounds[] = {0, 0, 1, 0, 1, 2, 0};
    setting with = p->with;
    for (size_t i = 0; i < sizeof rounds / sizeof rounds[0] && !p->t->failed; i++) {
        drawn d;
        with.round = rounds[i] + 20 * (p->part == 1);
        with.layout = i % 3 == 1 && !sample_is(p->sample, 'L') ? LAYOUT_TRANSPOSED : LAYOUT_PLAIN;
        with.data = i;
        if (!property_draw(p, &with, &d)) return;
        if (property_both(p, &d, &got, &right))
            property_compare(p, "result", &got, p->reference, &right, nearness_of(p->sample));
        if (p->t->skip) return;
    }
}

static bool all(const sample *s, const traits *t) {
    (void)s, (void)t;
    return true;
}
static bool has_drawn_sizes(const sample *s, const traits *t) {
    return t->of_dtype && (strstr(s->text, "-1") || strstr(s->text, "()"));
}
static bool has_operands(const sample *s, const traits *t) {
    (void)s;
    return t->of_dtype;
}

static const variant rounds[] = {{"0", 0, 0, false, 0}, {"1", 1, 0, false, 0},
                                 {"2", 2, 0, false, 0}, {"3", 3, 0, false, 0},
                                 {"4", 4, 0, false, 0}, {"5", 5, 0, false, 0}};
static const variant large[] = {{"0", LARGE_ROUND, 0, false, 0},
                                {"transposed", LARGE_ROUND + 2, LAYOUT_TRANSPOSED, false, 0}};
static const variant layouts[] = {{"transposed", 0, LAYOUT_TRANSPOSED, false, 0},
                                  {"sliced", 1, LAYOUT_SLICED, false, 0},
                                  {"transposed-drawn", 2, LAYOUT_TRANSPOSED, false, 0},
                                  {"expanded", 0, LAYOUT_EXPANDED, false, 0},
                                  {"expanded-drawn", 3, LAYOUT_EXPANDED, false, 0}};
static const variant edges[] = {{"plain", 0, LAYOUT_PLAIN, true, 0},
                                {"drawn", 1, LAYOUT_PLAIN, true, 0},
                                {"transposed", 2, LAYOUT_TRANSPOSED, true, 0},
                                {"drawn-transposed", 3, LAYOUT_TRANSPOSED, true, 0}};
static const variant twice[] = {{"0", 0, 0, false, 0}, {"1", 1, 0, false, 0}};
static const variant turns[] = {{"0", 0, 0, false, 0}, {"20", 0, 0, false, 1}};

#define VARIANTS(list) list, sizeof list / sizeof list[0]

const subject subject_values = {"properties/values", all, ALL_DTYPES, VARIANTS(rounds),
                                check_against_reference};
const subject subject_large = {"properties/large", has_drawn_sizes,
                               DTYPE_BIT(TERN_FLOAT32) | DTYPE_BIT(TERN_BFLOAT16) |
                                   DTYPE_BIT(TERN_INT64),
                               VARIANTS(large), check_layout};
const subject subject_layouts = {"properties/layouts", has_operands, ALL_DTYPES, VARIANTS(layouts),
                                 check_layout};
const subject subject_edges = {"properties/edges", has_operands, ALL_DTYPES, VARIANTS(edges),
                               check_against_reference};
const subject subject_repeated = {"properties/repeated", all,
                                  DTYPE_BIT(TERN_FLOAT32) | DTYPE_BIT(TERN_BFLOAT16) |
                                      DTYPE_BIT(TERN_INT64),
                                  VARIANTS(twice), check_repeated};
const subject subject_plans = {"properties/plans", all,
                               DTYPE_BIT(TERN_FLOAT32) | DTYPE_BIT(TERN_INT32), VARIANTS(turns),
                               check_plans};
