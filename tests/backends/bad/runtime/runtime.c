/* Stands for a sanitizer's runtime: only its file name matters. */
int tern_test_sanitizer_runtime(void);
int tern_test_sanitizer_runtime(void) {
    return 0;
}
