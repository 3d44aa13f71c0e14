#include "core/plugin/manifest.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const legal = "device = d\nlibrary = l.so\nabi = 0\n";

static tern_status parse(const char *text, tern_manifest *m, tern_fault *fault) {
    memset(fault, 0, sizeof *fault);
    return tern_manifest_parse("m.tern", text, strlen(text), m, fault);
}

/* The text is refused with exactly this message. */
static void refused(const char *text, const char *message) {
    tern_manifest m;
    tern_fault fault;
    tern_manifest empty = {0};
    cr_assert_eq(parse(text, &m, &fault), TERN_ERR_FORMAT, "accepted: %s", text);
    cr_assert_str_eq(fault.message, message);
    cr_assert(memcmp(&m, &empty, sizeof m) == 0, "a refused manifest leaves something behind");
}

Test(manifest, reads_every_key) {
    tern_manifest m;
    tern_fault fault;
    const char *text = "# ein Kommentar, \xc3\xa4\n\n device=cpu_fast \nvariant =\tavx2\n"
                       "library = ../plugins/lib x.so\nabi = 0\narch = x86_64\n"
                       "requires = avx2   fma\tf16c\npriority = -20";
    cr_assert_eq(parse(text, &m, &fault), TERN_OK, "%s", fault.message);
    cr_assert_str_eq(m.device, "cpu_fast");
    cr_assert_str_eq(m.variant, "avx2");
    cr_assert_str_eq(m.library, "../plugins/lib x.so");
    cr_assert_str_eq(m.arch, "x86_64");
    cr_assert_eq(m.abi, 0);
    cr_assert_eq(m.priority, -20);
    cr_assert_eq(m.feature_count, 3);
    cr_assert_str_eq(m.features[0], "avx2");
    cr_assert_str_eq(m.features[1], "fma");
    cr_assert_str_eq(m.features[2], "f16c");
    cr_assert_str_eq(m.warning, "");
}

Test(manifest, optional_keys_may_be_absent) {
    tern_manifest m;
    tern_fault fault;
    cr_assert_eq(parse(legal, &m, &fault), TERN_OK);
    cr_assert_str_eq(m.variant, "");
    cr_assert_str_eq(m.arch, "");
    cr_assert_eq(m.feature_count, 0);
    cr_assert_eq(m.priority, 0);
}

Test(manifest, unknown_key_is_a_warning) {
    tern_manifest m;
    tern_fault fault;
    char text[256];
    snprintf(text, sizeof text, "%scolour = blue\nshape = round\n", legal);
    cr_assert_eq(parse(text, &m, &fault), TERN_OK);
    cr_assert_str_eq(m.warning, "line 4: unknown key 'colour' ignored");
}

Test(manifest, a_required_key_is_missed_by_name) {
    refused("", "m.tern: the key 'device' is missing");
    refused("device = d\nabi = 0\n", "m.tern: the key 'library' is missing");
    refused("device = d\nlibrary = l.so\n", "m.tern: the key 'abi' is missing");
}

Test(manifest, errors_name_the_line) {
    refused("device = d\ndevice = e\n", "m.tern:2: this key is a duplicate; keep one of the two");
    refused("\n\nhello\n", "m.tern:3: expected `key = value`");
    refused("= d\n", "m.tern:1: there is no key before '='");
    refused("device =  \n", "m.tern:1: there is no value after '='");
    refused("device = d\r\n", "m.tern:1: a control character; end lines with \\n");
    refused("device = \xc3\xa4\n", "m.tern:1: only comments may have non-ASCII text");
    refused("# \x1b[2J\n", "m.tern:1: a control character; end lines with \\n");
}

Test(manifest, a_zero_byte_is_refused) {
    tern_manifest m;
    tern_fault fault = {0};
    static const char text[] = "device = d\0\nlibrary = l.so\nabi = 0\n";
    cr_assert_eq(tern_manifest_parse("m", text, sizeof text - 1, &m, &fault), TERN_ERR_FORMAT);
    cr_assert_str_eq(fault.message, "m:1: a control character; end lines with \\n");
}

Test(manifest, names_are_checked) {
    refused("device = Cuda\n",
            "m.tern:1: device 'Cuda' is not a name: use up to 31 of a-z, 0-9 and "
            "'_', a letter first");
    refused("device = 1d\n", "m.tern:1: device '1d' is not a name: use up to 31 of a-z, 0-9 and "
                             "'_', a letter first");
    refused("requires = avx2 AVX\n", "m.tern:1: CPU feature 'AVX' is not a name: use up to 31 of "
                                     "a-z, 0-9 and '_', a letter first");
    refused("device = auto\n",
            "m.tern:1: 'auto' cannot be a device's name: it means the best device");
    tern_manifest m;
    tern_fault fault;
    /* 31 characters fit, 32 do not. */
    cr_assert_eq(parse("library=l\nabi=0\ndevice=abcdefghijklmnopqrstuvwxyz01234\n", &m, &fault),
                 TERN_OK);
    cr_assert_eq(parse("library=l\nabi=0\ndevice=abcdefghijklmnopqrstuvwxyz012345\n", &m, &fault),
                 TERN_ERR_FORMAT);
}

Test(manifest, the_library_is_relative) {
    refused("library = /usr/lib/x.so\n", "m.tern:1: library '/usr/lib/x.so' must be a file's path "
                                         "relative to the manifest");
    refused("library = x/\n",
            "m.tern:1: library 'x/' must be a file's path relative to the manifest");
}

Test(manifest, numbers_are_whole_and_bounded) {
    static const char *const bad[] = {"abi = -1",       "abi = 65536",     "abi = 0x0",
                                      "abi = +1",       "abi = 1.0",       "abi = 99999999999999",
                                      "abi = -",        "priority = 1001", "priority = -1001",
                                      "priority = ten", "priority = 1 2",  "priority = 1e2"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        tern_manifest m;
        tern_fault fault;
        cr_assert_eq(parse(bad[i], &m, &fault), TERN_ERR_FORMAT, "%s", bad[i]);
        cr_assert_not_null(strstr(fault.message, "is not a whole number from"), "%s",
                           fault.message);
    }
}

/* A legal manifest with one line of that many characters put in front. */
static tern_status parse_with_line(size_t length, tern_fault *fault) {
    static char text[2 * TERN_MANIFEST_MAX_BYTES];
    tern_manifest m;
    memset(text, 'x', length);
    text[0] = '#';
    snprintf(text + length, sizeof text - length, "\n%s", legal);
    return parse(text, &m, fault);
}

Test(manifest, line_value_and_file_are_bounded) {
    tern_fault fault;
    cr_assert_eq(parse_with_line(TERN_MANIFEST_MAX_LINE, &fault), TERN_OK);
    cr_assert_eq(parse_with_line(TERN_MANIFEST_MAX_LINE + 1, &fault), TERN_ERR_FORMAT);
    cr_assert_str_eq(fault.message, "m.tern:1: the line is too long");
    tern_manifest m;
    static char text[2 * TERN_MANIFEST_MAX_BYTES];
    memset(text, '\n', sizeof text);
    memcpy(text, legal, strlen(legal));
    memset(&fault, 0, sizeof fault);
    cr_assert_eq(tern_manifest_parse("m", text, TERN_MANIFEST_MAX_BYTES, &m, &fault), TERN_OK);
    cr_assert_eq(tern_manifest_parse("m", text, TERN_MANIFEST_MAX_BYTES + 1, &m, &fault),
                 TERN_ERR_FORMAT);
    char value[TERN_MANIFEST_MAX_VALUE + 64];
    memset(value, 'v', sizeof value);
    memcpy(value, "library = ", 10);
    value[10 + TERN_MANIFEST_MAX_VALUE] = '\0';
    cr_assert_eq(parse(value, &m, &fault), TERN_ERR_FORMAT);
    cr_assert_str_eq(fault.message, "m.tern:1: the value is too long");
}

Test(manifest, at_most_sixteen_features) {
    char text[512] = "requires =";
    tern_manifest m;
    tern_fault fault;
    for (int i = 0; i < TERN_MANIFEST_FEATURES; i++) strcat(text, " avx2");
    strcat(text, "\n");
    size_t end = strlen(text) - 1;
    strcat(text, legal);
    cr_assert_eq(parse(text, &m, &fault), TERN_OK, "%s", fault.message);
    cr_assert_eq(m.feature_count, TERN_MANIFEST_FEATURES);
    memcpy(text + end, " f\n", 4);
    refused(text, "m.tern:1: requires lists more than 16 CPU features");
}

Test(manifest, every_truncation_is_answered) {
    const char *text = "device = d\nvariant = v\nlibrary = l.so\nabi = 0\nrequires = a b\n";
    size_t accepted = 0;
    for (size_t length = 0; length <= strlen(text); length++) {
        tern_manifest m;
        tern_fault fault = {0};
        char *copy =
            malloc(length ? length : 1); /* exact, so that a sanitizer sees a step beyond */
        memcpy(copy, text, length);
        tern_status status = tern_manifest_parse("m", copy, length, &m, &fault);
        free(copy);
        cr_assert(status == TERN_OK || fault.message[0] != '\0');
        accepted += status == TERN_OK;
    }
    /* With "abi = 0" complete, and again once a feature follows "requires =". */
    cr_assert_eq(accepted, 6, "%d", (int)accepted);
}

Test(manifest, names_a_device_or_a_host_library) {
    tern_manifest m;
    tern_fault fault;
    cr_assert_eq(parse("host = lapack\nlibrary = l.so\nabi = 0\n", &m, &fault), TERN_OK, "%s",
                 fault.message);
    cr_assert_str_eq(m.host, "lapack");
    cr_assert_str_eq(m.device, "");
    refused("host = a\ndevice = b\nlibrary = l.so\nabi = 0\n",
            "m.tern: the keys 'device' and 'host' exclude each other");
    refused("host = off\nlibrary = l.so\nabi = 0\n",
            "m.tern:1: 'off' cannot be a host library's name: it means none");
    refused("host = A B\nlibrary = l.so\nabi = 0\n",
            "m.tern:1: host 'A B' is not a name: use up to 31 of a-z, 0-9 and '_', a letter first");
}
