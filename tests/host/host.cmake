# Linear algebra by the plain functions and by the host library lapack, where it is built: the unit tests take whichever
# is there, so that the plain functions are the ones to ask for; and the vectors of a folder that a build names.
if(TARGET tern_unit)
    add_test(NAME unit-linalg-plain COMMAND tern_unit --short-filename --filter linalg/*)
    set_tests_properties(unit-linalg-plain PROPERTIES LABELS unit
        ENVIRONMENT "${test_environment};TERN_HOST_LIBRARY=off" FAIL_REGULAR_EXPRESSION "Tested: 0 ")
endif()
set(linalg_subjects "linalg*,cholesky*,lu*,qr,geqrf,orgqr,ormqr,svd,eigh*,inverse,det,logdet,slogdet,pinverse"
    "matrix_*,triangular_solve,nuclear_norm,edges/linalg*")
list(JOIN linalg_subjects "," linalg_subjects)
if(TERN_VECTORS)
    set(libraries off)
    if(TARGET tern_backend_lapack)
        list(APPEND libraries lapack)
    endif()
    foreach(library IN LISTS libraries)
        add_test(NAME conformance-linalg-${library} COMMAND tern_command conformance --device cpu_ref --quiet
                 --vectors ${TERN_VECTORS} --filter ${linalg_subjects})
        set_tests_properties(conformance-linalg-${library} PROPERTIES LABELS cli TIMEOUT 300
            ENVIRONMENT "${test_environment};TERN_HOST_LIBRARY=${library}")
    endforeach()
endif()
