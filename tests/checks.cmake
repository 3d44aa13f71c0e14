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

tern_check(size-core size ${checks}/size/check 380 ${PROJECT_BINARY_DIR}/lib/libtern_core.so)
