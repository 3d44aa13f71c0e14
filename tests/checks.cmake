# Checks of the sources and of what was built: layout, lint, boundaries, symbols, the installation.
set(checks ${CMAKE_CURRENT_SOURCE_DIR})

# tern_check(NAME LABEL command...)
function(tern_check name label)
    add_test(NAME ${name} COMMAND ${ARGN})
    set_tests_properties(${name} PROPERTIES
        LABELS ${label} TIMEOUT 300 ENVIRONMENT "${test_environment}")
endfunction()

tern_check(format style ${checks}/style/format ${PROJECT_SOURCE_DIR})
tern_check(tidy style ${checks}/style/tidy ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
tern_check(boundaries style ${checks}/style/boundaries ${PROJECT_SOURCE_DIR})
tern_check(symbols style ${checks}/style/symbols ${PROJECT_BINARY_DIR})
tern_check(functions style ${checks}/style/functions ${PROJECT_SOURCE_DIR})
tern_check(circles style ${checks}/style/circles ${PROJECT_BINARY_DIR})
tern_check(headers style ${checks}/headers/self-contained
           ${CMAKE_C_COMPILER} c++ ${PROJECT_SOURCE_DIR}/include)
tern_check(abi style ${checks}/abi/check ${PROJECT_SOURCE_DIR})
tern_check(install install ${checks}/install/check
           ${CMAKE_COMMAND} ${PROJECT_BINARY_DIR} ${PROJECT_SOURCE_DIR} ${CMAKE_C_COMPILER})
set_tests_properties(tidy PROPERTIES PROCESSORS 2)

file(GLOB pages CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/docs/*.md)
if(pages AND TARGET tern)
    tern_check(docs docs ${checks}/docs/check
               ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR} ${CMAKE_C_COMPILER} ${pages})
endif()

tern_check(docs-names docs ${checks}/docs/names ${PROJECT_SOURCE_DIR})
if(TARGET tern_manual)
    tern_check(docs-manual docs ${checks}/docs/manual ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
endif()
find_program(TERN_DOXYGEN doxygen)
if(TERN_DOXYGEN)
    tern_check(docs-reference docs ${checks}/docs/reference ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
endif()

tern_check(size-core size ${checks}/size/check 340 ${PROJECT_BINARY_DIR}/lib/libtern_core.so)

# Two builds of one commit are equal, byte by byte: a program of few files in the tests, everything in long mode. With
# debug information the folders' names are in the files.
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT TERN_SANITIZE AND NOT TERN_COVERAGE AND NOT TERN_STATIC)
    set(equal ${checks}/builds/equal ${PROJECT_SOURCE_DIR})
    set(same_options -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER=${CMAKE_C_COMPILER} -DCMAKE_C_FLAGS=${CMAKE_C_FLAGS}
        -DCMAKE_C_FLAGS_RELEASE=${CMAKE_C_FLAGS_RELEASE} -DTERN_FUSED=${TERN_FUSED} -DTERN_THREADS=${TERN_THREADS})
    tern_check(equal-builds build ${equal} ${PROJECT_BINARY_DIR} ${PROJECT_BINARY_DIR}/Testing/equal
        tern_hash bin/tern_hash ${same_options})
    tern_check(equal-builds-all long ${equal} - ${PROJECT_BINARY_DIR}/Testing/equal-all
        tern,plugins,tern_command,tern_probe lib/*.so*,lib/tern/plugins/*,bin/* ${same_options})
    tern_check(equal-builds-static long ${equal} - ${PROJECT_BINARY_DIR}/Testing/equal-static
        tern_command,tern_probe lib/*.a,bin/* -DTERN_STATIC=ON ${same_options})
    set_tests_properties(equal-builds-all equal-builds-static PROPERTIES TIMEOUT 3600 PROCESSORS 2)
endif()
