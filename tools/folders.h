/* folders.h: folders that are made where they are not there yet. */
#ifndef TERN_TOOLS_FOLDERS_H
#define TERN_TOOLS_FOLDERS_H

#include "tern/context.h"

enum { PATH_SIZE = 4096 };

/* PARENT/NAME in out_path of PATH_SIZE bytes. False, with the error latched, where that is too long. */
bool path_join(tern_ctx *ctx, const char *parent, const char *name, char *out_path);

/* Makes the folder and those above it. False, with the error latched, where that fails. */
bool folder_make(tern_ctx *ctx, const char *path);

/* Removes what a killed program left of files that it wrote (tern/io.h); nobody else may write there. */
void folder_sweep(const char *path);

#endif
