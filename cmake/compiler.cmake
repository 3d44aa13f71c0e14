# Compiler flags of every target: language, warnings, reproducible arithmetic, sanitizers.
#
# -ffp-contract=off is part of the contract, not a taste: results are equal bit for bit on every
# compiler and CPU only where no multiply-add is fused behind the program's back.
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

# All of the project's own sources are compiled with these.
add_library(tern_flags INTERFACE)
target_compile_options(tern_flags INTERFACE
    -ffp-contract=off -fno-strict-aliasing -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion
    -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
    $<$<BOOL:${TERN_WERROR}>:-Werror>
    $<$<CONFIG:Release>:-ffunction-sections -fdata-sections>)
target_link_options(tern_flags INTERFACE $<$<CONFIG:Release>:-Wl,--gc-sections>)

# What is made to be fast must not clear and copy a few hundred bytes by "rep stos" and "rep movs", as gcc for
# a generic x86 has it: they take longer to start than the C library takes for the whole.
include(CheckCCompilerFlag)
set(tern_copies_by_calls -mmemcpy-strategy=libcall:-1:noalign -mmemset-strategy=libcall:-1:noalign)
list(JOIN tern_copies_by_calls " " copies)
check_c_compiler_flag("${copies}" TERN_COPIES_BY_CALLS)
if(NOT TERN_COPIES_BY_CALLS)
    set(tern_copies_by_calls)
endif()

# The libraries call one another some three hundred times in a small step: by the address in the table that the
# loader fills, not by a stub that jumps there. Their own functions are theirs (-Bsymbolic-functions says the
# same to the linker), so they may be inlined.
check_c_compiler_flag(-fno-plt TERN_CALLS_WITHOUT_STUBS)
check_c_compiler_flag(-fno-semantic-interposition TERN_OWNS_ITS_FUNCTIONS)
if(NOT TERN_STATIC)
    target_compile_options(tern_flags INTERFACE
        $<$<AND:$<CONFIG:Release>,$<BOOL:${TERN_CALLS_WITHOUT_STUBS}>>:-fno-plt>
        $<$<AND:$<CONFIG:Release>,$<BOOL:${TERN_OWNS_ITS_FUNCTIONS}>>:-fno-semantic-interposition>)
endif()

# A library names all that it needs. A sanitizer's runtime comes with the program, so not there.
set(tern_closed -Wl,--no-undefined)
if(TERN_SANITIZE)
    set(tern_closed)
    target_compile_options(tern_flags INTERFACE
        -fsanitize=${TERN_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g)
    target_link_options(tern_flags INTERFACE -fsanitize=${TERN_SANITIZE})
    # The checks that a sanitizer adds make gcc warn where there is nothing (its manual says so).
    target_compile_options(tern_flags INTERFACE $<$<C_COMPILER_ID:GNU>:-Wno-maybe-uninitialized
        -Wno-format-truncation -Wno-stringop-overflow>)
endif()
if(TERN_COVERAGE)
    target_compile_options(tern_flags INTERFACE --coverage -O0 -g)
    target_link_options(tern_flags INTERFACE --coverage)
endif()
