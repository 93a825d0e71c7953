#!/usr/bin/env bash
# Install the test extras and run the whole test suite.
#
#   bash tools/run_tests.sh                     the default suite, under 15 minutes on 2 cores
#   bash tools/run_tests.sh --all               the slow tests too
#   bash tools/run_tests.sh tests/models -x     any arguments of pytest
set -euo pipefail
case "${1:-}" in -h|--help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
cd "$(dirname "$0")/.."
. tools/environment.sh
ensure_environment tests
# containers set it, and each process would compile the tests anew, 4 seconds of it
unset PYTHONDONTWRITEBYTECODE
# its first import writes a grammar into the user's cache, which two processes of pytest would do at once
python -c "import yapf"
# pytest below 9.2: there xdist 3.8 no longer finds the groups of tests that share what is made once
python -m pytest -n "${MLAFACE_TEST_PROCESSES:-2}" --dist loadgroup --durations=15 "$@"
