/* interrupt.h: Ctrl-C as a flag that long work looks at. */
#ifndef TERN_TOOLS_INTERRUPT_H
#define TERN_TOOLS_INTERRUPT_H

/* From now on SIGINT and SIGTERM set the returned flag instead of ending the program; the second one
 * ends it. */
volatile int *interrupt_watch(void);

#endif
