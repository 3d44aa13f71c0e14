/* Wrong: a shared library that is no plugin. */
int tern_test_symbol_none(void);
int tern_test_symbol_none(void) {
    return 1;
}
