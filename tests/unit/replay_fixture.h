/* replay_fixture.h: what the tests of capture and replay share. */
#ifndef TERN_TESTS_REPLAY_FIXTURE_H
#define TERN_TESTS_REPLAY_FIXTURE_H

#include "nn_fixture.h"
#include "tern/replay.h"
#include "test_plugins.h"

static inline void replay_begin(void) {
    find_test_plugins();
    open_context();
}
static inline void replay_end(void) {
    close_context();
    forget_test_plugins();
}

/* first, 2, 3 */
static inline tern_tensor *row(double first) {
    const float data[] = {(float)first, 2, 3};
    return floats(TERN_SHAPE(3), data);
}

static inline void capture(tern_tensor *x) {
    cr_assert_eq(tern_capture_begin(ctx, &x, 1), TERN_OK, "%s", tern_error(ctx));
    cr_assert_null(tern_capture_refusal(ctx));
}

#endif
