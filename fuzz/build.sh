#!/bin/bash -eu
# Builds all targets as OSS-Fuzz does (https://google.github.io/oss-fuzz/getting-started/new-project-guide/rust-lang/): its
# container sets SRC and OUT, and runs this as `build.sh`. Elsewhere, say where they are to go: `OUT=/tmp/out fuzz/build.sh`.
# Beside each target lie its corpus (NAME_seed_corpus.zip), the dictionary (NAME.dict) and its options.
cd "$(dirname "$0")/.."
: "${OUT:?where to put the targets}"
mkdir -p "$OUT"

cargo +nightly fuzz build -O --debug-assertions
targets=$(cargo +nightly fuzz list)
built=${CARGO_TARGET_DIR:-fuzz/target}/$(rustc +nightly -vV | sed -n 's/^host: //p')/release
for target in $targets; do
    cp "$built/$target" "$OUT/"
    cp fuzz/zerorpc.dict "$OUT/$target.dict"
    printf '[libfuzzer]\nmax_len = 65536\n' >"$OUT/$target.options"
    # Python is everywhere where OSS-Fuzz is; zip is not.
    python3 - "fuzz/corpus/$target" "$OUT/${target}_seed_corpus.zip" <<'PYTHON'
import pathlib, sys, zipfile

folder, archive = map(pathlib.Path, sys.argv[1:])
with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
    for file in sorted(folder.iterdir()):
        out.write(file, file.name)
PYTHON
done
