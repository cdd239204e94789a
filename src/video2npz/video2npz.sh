#!/bin/sh
# Videos in, control words out: video2npz.sh VIDEO... [options]; see video2npz.py --help.
here=$(cd "$(dirname "$0")" && pwd)
python=$here/../../.venv/bin/python
[ -x "$python" ] || python=python3
exec "$python" "$here/video2npz.py" "$@"
