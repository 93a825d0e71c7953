# Sourced by quickstart.sh, run_tests.sh and .ci/run: one way to have an environment with mlaface in it.
#
#   ensure_environment [EXTRA]
#
# Uses the active environment (virtualenv or conda) if there is one, .venv otherwise, which it makes. Installs the
# package with the tested versions, again only if setup.py or the constraints have changed since.

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3.11 python3.12 python3.10 python3 python; do
        if [ -n "$candidate" ] && "$candidate" -c \
            'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    echo "mlaface needs Python 3.10, 3.11 or 3.12; none was found on the PATH. Set PYTHON=/path/to/python." >&2
    return 1
}

ensure_environment() {
    local extra="${1:-}" python stamp wanted
    if [ -z "${VIRTUAL_ENV:-}" ] && [ -z "${CONDA_PREFIX:-}" ]; then
        if [ ! -x .venv/bin/python ]; then
            python=$(find_python) || return 1
            echo "Making .venv with $("$python" --version)"
            "$python" -m venv .venv || return 1
        fi
        # shellcheck disable=SC1091
        . .venv/bin/activate
    fi
    stamp="$(python -c 'import sys; print(sys.prefix)')/.mlaface-${extra:-base}"
    wanted=$(cat setup.py requirements/constraints.txt | cksum; pwd)
    if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
        echo "Installing mlaface${extra:+[$extra]} with the tested versions (requirements/constraints.txt)"
        python -m pip install --quiet --disable-pip-version-check -c requirements/constraints.txt torch || return 1
        python -m pip install --quiet --disable-pip-version-check -c requirements/constraints.txt \
            -e ".${extra:+[$extra]}" || return 1
        printf '%s' "$wanted" > "$stamp"
    fi
}
