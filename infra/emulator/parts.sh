# What both commands of this folder need; they source it from the workspace's folder.

target=${CARGO_TARGET_DIR:-$PWD/target}
place="$target/aws-emulator"
functions=(api batch-enrollment oauth-callback order-check order-placement order-webhook pfx-import reconcile user-import)

# environment NAME: the Python environment of requirements-NAME.txt, made again when that file changed.
environment() {
    local wanted="infra/emulator/requirements-$1.txt" made="$place/$1"
    cmp -s "$wanted" "$made/requirements.txt" && return
    echo "making the Python environment $made"
    rm -rf "$made"
    python3 -m venv "$made"
    "$made/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted"
    cp "$wanted" "$made/requirements.txt"
}

# pack PROGRAM ARCHIVE LEVEL: the archive that `sam deploy` makes of a function.
pack() {
    "$place/emulator/bin/python" - "$@" <<'PYTHON'
import sys, zipfile
program, archive, level = sys.argv[1:]
entry = zipfile.ZipInfo("bootstrap")
entry.external_attr = 0o755 << 16
entry.compress_type = zipfile.ZIP_DEFLATED
with open(program, "rb") as file, zipfile.ZipFile(archive, "w", compresslevel=int(level)) as packed:
    packed.writestr(entry, file.read())
PYTHON
}

# drive ARCHIVES FOLDER ARGUMENTS…: the tests with these archives; logs of the last run in the folder go, those of this one stay.
drive() {
    export EMULATOR_PYTHON="$place/emulator/bin/python" EMULATOR_SAM="$place/sam/bin/sam"
    export EMULATOR_FUNCTIONS=$1 EMULATOR_FOLDER=$2
    shift 2
    rm -rf "$EMULATOR_FOLDER"
    # Each test has an emulator of its own with nine functions.
    cargo test --locked --quiet "$@" --test-threads="${EMULATOR_TESTS_AT_ONCE:-2}"
}
