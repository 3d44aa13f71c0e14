# libtern_core (core and numerics: libc, libm, libdl) and libtern (functional, nn, optim, data, io on
# top).
# The objects are compiled once; the unit tests link them directly, because they also test what the
# libraries do not export.
set(library_kind SHARED)
if(TERN_STATIC)
    set(library_kind STATIC)
endif()

tern_sources(numerics_sources numerics RECURSE)
tern_sources(core_sources core RECURSE)
set(core_objects)
if(numerics_sources)
    tern_room(tern_numerics_objects ${numerics_sources})
    target_include_directories(tern_numerics_objects PRIVATE ${PROJECT_SOURCE_DIR})
    target_compile_options(tern_numerics_objects PRIVATE
        "$<$<CONFIG:Release>:-fno-asynchronous-unwind-tables;-fno-unwind-tables>")
    list(APPEND core_objects tern_numerics_objects)
    # Random numbers are made in a few loops, which become vectors; what is around them is small. The
    # flags change no value: nobody reads errno or the floating-point exceptions.
    foreach(around cpu_features.c mt19937.c multinomial.c random_fill.c random_normal.c)
        set_source_files_properties(${PROJECT_SOURCE_DIR}/numerics/${around} PROPERTIES
            COMPILE_OPTIONS $<$<CONFIG:Release>:-Os>)
    endforeach()
    if(NOT CMAKE_C_FLAGS_RELEASE MATCHES "-Os") # a build that is asked to be small is
        set_source_files_properties(${PROJECT_SOURCE_DIR}/numerics/random_block.c PROPERTIES
            COMPILE_OPTIONS "$<$<CONFIG:Release>:-O3;-fno-math-errno;-fno-trapping-math>")
        set_source_files_properties(${PROJECT_SOURCE_DIR}/numerics/sum_cascade.c PROPERTIES
            COMPILE_OPTIONS "$<$<CONFIG:Release>:${tern_copies_by_calls}>") # sums of few numbers
    endif()
endif()
if(NOT TERN_COMPLEX)
    list(FILTER core_sources EXCLUDE REGEX "complex_rules\\.c$")
endif()
tern_room(tern_core_objects ${core_sources})
target_include_directories(tern_core_objects PRIVATE ${PROJECT_SOURCE_DIR})
target_compile_options(tern_core_objects PRIVATE $<$<CONFIG:Release>:${TERN_CORE_FLAGS}>)
target_compile_definitions(tern_core_objects PRIVATE
    TERN_INSTALL_LIBDIR="${CMAKE_INSTALL_FULL_LIBDIR}" $<$<BOOL:${TERN_STATIC}>:TERN_STATIC>
    $<$<NOT:$<BOOL:${TERN_COMPLEX}>>:TERN_NO_COMPLEX> $<$<NOT:$<BOOL:${TERN_THREADS}>>:TERN_NO_THREADS>)
# What every operation goes through is made to be fast, the rest to be small, and all of it where the whole
# build is. Two pointers that were just written one by one must not be read as one vector: the processor
# waits for that. Loops here are of a few turns, and worth no padding.
set(hot_core launch op_call operands results short)
list(TRANSFORM hot_core PREPEND core/call/)
list(APPEND hot_core core/call/tuples core/context/scope core/ops/matmul core/ops/reduce core/tensor/live
    core/tensor/tensor core/tensor/face
    core/memory/arena core/memory/slab core/memory/storage core/autograd/node
    core/autograd/backward)
set(hot_upper functional/programs/run functional/programs/made functional/programs/map
    functional/programs/formula functional/programs/update functional/loss nn/call optim/step
    optim/sgd)
set(hot_flags -O2 -fno-tree-slp-vectorize ${tern_copies_by_calls})
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    list(APPEND hot_flags -fno-align-loops -fno-align-jumps)
endif()
if(NOT CMAKE_C_FLAGS_RELEASE MATCHES "-Os")
    foreach(hot IN LISTS hot_core hot_upper)
        set_source_files_properties(${PROJECT_SOURCE_DIR}/${hot}.c PROPERTIES
            COMPILE_OPTIONS "$<$<CONFIG:Release>:${hot_flags}>")
    endforeach()
endif()
list(APPEND core_objects tern_core_objects)

# The upper rooms see public headers only: no include path leads into core. The exceptions are
# functional, which implements operations and so sees how the core describes them, replay, which starts the
# core's launches again, and profile, which looks at them. (io includes numerics by its place.)
set(upper_objects)
set(upper_rooms functional replay profile nn optim data distributions)
if(TERN_IO)
    find_package(ZLIB REQUIRED)
    find_package(PkgConfig REQUIRED)
    pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson>=2.13)
    list(APPEND upper_rooms io)
endif()
foreach(room IN LISTS upper_rooms)
    tern_sources(sources ${room} RECURSE)
    if(sources)
        tern_room(tern_${room}_objects ${sources})
        target_compile_definitions(tern_${room}_objects PRIVATE
            $<$<NOT:$<BOOL:${TERN_FUSED}>>:TERN_COMPOSES>
            $<$<NOT:$<BOOL:${TERN_COMPLEX}>>:TERN_NO_COMPLEX>)
        target_compile_options(tern_${room}_objects PRIVATE
            $<$<CONFIG:Release>:${TERN_CORE_FLAGS}>)
        if(room MATCHES "^(functional|replay|profile)$")
            target_include_directories(tern_${room}_objects PRIVATE ${PROJECT_SOURCE_DIR})
        endif()
        list(APPEND upper_objects tern_${room}_objects)
        if(TERN_IO)
            target_link_libraries(tern_${room}_objects PRIVATE ZLIB::ZLIB PkgConfig::JANSSON)
        endif()
    endif()
endforeach()

# functional computes with a few of the same numbers; the linker keeps what it uses.
if(numerics_sources)
    list(APPEND upper_objects tern_numerics_objects)
endif()

# The tables of operations are pointers by the hundred, each of which costs a relocation of 24 bytes;
# packed they take a few bits (glibc 2.36, Debian 12).
include(CheckLinkerFlag)
check_linker_flag(C "-Wl,-z,pack-relative-relocs" TERN_PACKS_RELOCATIONS)

# A library from object libraries, with the public headers for whoever links it.
function(tern_library target output)
    set(objects)
    foreach(object IN LISTS ARGN)
        list(APPEND objects $<TARGET_OBJECTS:${object}>)
    endforeach()
    add_library(${target} ${library_kind} ${objects})
    target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:tern_flags>)
    target_include_directories(${target} PUBLIC
        $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
        $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    set_target_properties(${target} PROPERTIES
        OUTPUT_NAME ${output} LINKER_LANGUAGE C VERSION ${PROJECT_VERSION}
        SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
        BUILD_WITH_INSTALL_RPATH ON INSTALL_RPATH "\$ORIGIN")
    if(NOT TERN_STATIC)
        target_link_options(${target} PRIVATE ${tern_closed} -Wl,-Bsymbolic-functions
            $<$<BOOL:${TERN_PACKS_RELOCATIONS}>:-Wl,-z,pack-relative-relocs>)
    endif()
endfunction()

# Plain names, not imported targets: they go into the exported package as they are.
tern_library(tern_core tern_core ${core_objects})
set_target_properties(tern_core PROPERTIES EXPORT_NAME core)
target_link_libraries(tern_core PRIVATE m)
if(TERN_STATIC)
    target_link_libraries(tern_core PRIVATE pthread)
else()
    target_link_libraries(tern_core PRIVATE pthread ${CMAKE_DL_LIBS})
endif()
add_library(Tern::core ALIAS tern_core)

set(tern_link tern_core)
if(upper_objects)
    tern_library(tern tern ${upper_objects})
    target_link_libraries(tern PUBLIC tern_core PRIVATE m)
    if(TERN_IO)
        target_link_libraries(tern PRIVATE z jansson)
    endif()
    if(TERN_STATIC)
        # All operations can be called by name, unless the program's target has the property
        # TERN_SMALL: it then carries those of the core and what it calls in C.
        target_link_options(tern INTERFACE
            $<$<NOT:$<BOOL:$<TARGET_PROPERTY:TERN_SMALL>>>:-Wl,-u,tern_functional_ops>)
    endif()
    add_library(Tern::tern ALIAS tern)
    set(tern_link tern)
endif()
