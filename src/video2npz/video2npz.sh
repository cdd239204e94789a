#!/bin/sh
# Videos in, control words out: video2npz.sh VIDEO... [options]; see --help.
root=$(cd "$(dirname "$0")/../.." && pwd) && python=$root/.venv/bin/python
[ -x "$python" ] || python=python3
exec "$python" "$root/src/video2npz/video2npz.py" "$@"
