/*
 * elf_file.h: what a library's ELF headers say, read before the dynamic linker sees the file.
 *
 * dlopen's own words for a wrong file are poor, a truncated one ends in SIGBUS, and a library that
 * was linked to another sanitizer's runtime aborts the process.
 */
#ifndef TERN_CORE_PLUGIN_ELF_FILE_H
#define TERN_CORE_PLUGIN_ELF_FILE_H

#include "core/ground/fault.h"

/* Whether the open file is a whole shared library for this machine. `path` is for messages.
 * TERN_ERR_FORMAT or TERN_ERR_IO where it is not. */
tern_status tern_elf_check(int fd, const char *path, tern_fault *fault);

#endif
