"""A worker that does what its orders are named after, without a model.

Of the video "slow" it does not hear that it is to stop; of "crash" it dies; of "wrong" it finds
that it is no video. In a file beside the sessions it notes who was served.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

PRIVATE = Path("/somewhere/private")


def say(**message: Any) -> None:
    print(json.dumps(message), flush=True)


def serve(order: dict[str, Any]) -> dict[str, Any]:
    new = Path(order["new"])
    session = new.parent
    with (session.parent / "served").open("a") as served:
        served.write(f"{session.name} {order['kind']}\n")
    say(share=0.5, stage="looking", doing="Doing it.")
    content = (session / "video").read_bytes()
    if order["kind"] == "open":
        if content == b"wrong":
            return {"error": {"field": "video", "message": "This is no video."}}
        long = 1000.0 if content == b"long" else 0.1
        clip = {
            "name": order["name"], "duration": 4.0, "has_sound": False, "analysing": long,
            "composing": 0.1, "estimate_s": long,
        }  # fmt: skip
        (new / "clip.json").write_text(json.dumps(clip))
        return {"done": clip}
    if content == b"slow" or (content == b"long" and order["kind"] == "analyse"):
        time.sleep(60)
    if content == b"crash":
        return {"crash": f"a secret of {PRIVATE}"}
    if content == b"death":
        sys.exit(3)
    if order["kind"] == "analyse":
        (new / "rhythm.json").write_text("{}")
        (new / "timeline.json").write_text(json.dumps({"hits": [], "thumbnails": {}}))
        return {"done": None}
    for number in range(order["asked"].get("takes", 1)):
        take = new / "takes" / str(number + 1)
        take.mkdir(parents=True)
        for name in ("music.mp4", "music.mp3", "music.mid", "music.mid.json"):
            (take / name).write_text(f'"{name}"')
        (take / "roll.json").write_text(json.dumps({"bars": [0, 1, 2, 3]}))
        said = {"words": ["Hits all."], "settings": order["asked"], "of": order["asked"].get("of")}
        (take / "take.json").write_text(json.dumps(said))
    return {"done": None}


for line in sys.stdin:
    order = json.loads(line)
    if "stop" not in order:
        say(**serve(order))
