# Sourced by quickstart.sh, run_tests.sh and .ci/run: one way to have an environment with mlaface in it.
#
#   ensure_environment [EXTRA]
#
# Uses the active environment (virtualenv or conda) if mlaface can live in it, .venv otherwise, which it makes.
# Installs the package with the tested versions, again only if setup.py or the constraints have changed since.

# Whether $1 is a Python that mlaface runs on and that has the module $2.
python_fits() {
    "$1" -c "import sys, $2; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))" 2>/dev/null
}

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3.11 python3.12 python3.10 python3 python; do
        if [ -n "$candidate" ] && python_fits "$candidate" ensurepip; then
            command -v "$candidate"
            return
        fi
    done
    echo "mlaface needs Python 3.10, 3.11 or 3.12 with venv; none was found on the PATH. Set PYTHON=/path/to/python," \
        "or install one (on Debian and Ubuntu: apt install python3-venv)." >&2
    return 1
}

# Print the folder of the environment to use; make it where there is none.
find_environment() {
    local active="${VIRTUAL_ENV:-${CONDA_PREFIX:-}}" python
    if [ -n "$active" ]; then
        if [ -w "$active" ] && python_fits "$active/bin/python" pip; then
            echo "$active"
            return
        fi
        echo "The active environment $active has no Python 3.10 to 3.12 with pip, or cannot be written to;" \
            ".venv is used instead." >&2
    fi
    if ! python_fits .venv/bin/python pip; then
        python=$(find_python) || return 1
        echo "Making .venv with $("$python" --version)" >&2
        "$python" -m venv --clear .venv >&2 || return 1
    fi
    echo "$PWD/.venv"
}

# As bin/activate does, which knows only the folder that the environment was made in.
activate_environment() {
    export VIRTUAL_ENV="$1" PATH="$1/bin:$PATH"
    unset PYTHONHOME
}

# Two engines overwrite each other's files: one that is installed stays.
keep_engine() {
    local engine
    for engine in mmengine-lite mmengine onedl-mmengine; do
        if python -m pip show --quiet "$engine" 2>/dev/null; then
            export MLAFACE_ENGINE=$engine
        fi
    done
}

ensure_environment() {
    local extra="${1:-}" environment stamp wanted
    environment=$(find_environment) || return 1
    activate_environment "$environment"
    stamp="$environment/.mlaface-${extra:-base}"
    wanted=$(cat setup.py requirements/constraints.txt | cksum; pwd)
    if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
        echo "Installing mlaface${extra:+[$extra]} with the tested versions (requirements/constraints.txt)"
        keep_engine
        python -m pip install --quiet --disable-pip-version-check -c requirements/constraints.txt \
            -e ".${extra:+[$extra]}" || return 1
        printf '%s' "$wanted" > "$stamp"
    fi
}
