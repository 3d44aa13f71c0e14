/*
 * compare.h: a program that is compiled ahead gives the bits of its steps.
 */
#ifndef TERN_TESTS_COMPARE_H
#define TERN_TESTS_COMPARE_H

#include <stdbool.h>

/* Runs every recorded program on the device as it is, and with one step more that no output needs, which
 * no device knows ahead. False, with a message, where results differ; true where there is no such device. */
bool compare_programs(const char *device);

#endif
