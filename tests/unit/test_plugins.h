/*
 * test_plugins.h: the environment of tests that open the test backends.
 *
 *     TestSuite(name, .init = find_test_plugins, .fini = forget_test_plugins);
 */
#ifndef TERN_TESTS_TEST_PLUGINS_H
#define TERN_TESTS_TEST_PLUGINS_H

#include <stdlib.h>
#include <string.h>

/* A copy of a variable's text, NULL where it is unset; restore_variable takes it back. */
static inline char *saved_variable(const char *name) {
    const char *value = getenv(name);
    return value ? strdup(value) : NULL;
}

static inline void restore_variable(const char *name, char *value) {
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
    free(value);
}

static char *plugin_path_before;

/* TERN_PLUGIN_PATH names the test backends beside the others. */
static inline void find_test_plugins(void) {
    plugin_path_before = saved_variable("TERN_PLUGIN_PATH");
    setenv("TERN_PLUGIN_PATH",
           TERN_TEST_BUILD "/lib/tern/plugins.d:" TERN_TEST_BUILD "/lib/tern/test-plugins.d", 1);
}

static inline void forget_test_plugins(void) {
    restore_variable("TERN_PLUGIN_PATH", plugin_path_before);
    plugin_path_before = NULL;
}

#endif
