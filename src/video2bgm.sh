#!/bin/sh
# Videos in, videos with music made for them out: video2bgm.sh VIDEO... [options]; see --help.
root=$(cd "$(dirname "$0")/.." && pwd) && python=$root/.venv/bin/python
[ -x "$python" ] || python=python3
exec "$python" "$root/src/video2bgm.py" "$@"
