#!/usr/bin/env bash
# A video in, the video with music made for it out.
set -uo pipefail

usage() {
    cat <<'END'
src/video2bgm.sh VIDEO... [options]

Writes, for each video, NAME.npz and NAME.json (its rhythm), NAME.mid and NAME.mid.json (the
music and how well it follows), NAME.mp3, and the video with that music.

  -o, --output FILE        the result (one video only); default: DIR/NAME.mp4, or .mov, .mkv,
                           .webm as the video is, .mkv for any other
  --out_dir DIR            folder of the other files (default: the repository's inference/)
  -c, --checkpoint FILE    the model (default: that of gen_midi_conditional.py)
  -C, --C DEGREE           how strictly the music follows the video, 0 to 1
  --genre NAME             country, dance, electronic, metal, pop, rock or any
  --instruments LIST       these alone play, such as drums,piano,guitar,bass,strings
  --tempo BPM              instead of the video's own
  --key TONIC, --mode MODE keep to a key, such as --key D --mode minor
  --seed N                 another number, another piece
  --control METHOD         how the music is steered, as in gen_midi_conditional.py
  --precision P            of the model's weights: float32, or for speed bf16 or int8
  --keep-audio[=BALANCE]   keep the video's own sound and lay the music under it, gain 0 to 1
  --soundfont FILE         other instruments (.sf2)
  --flow METHOD            exact, single or fast (a quarter of the time), as in video2npz.py
  --visualize              pictures as well: NAME_rhythm.png, NAME.mid.png
  -h, --help               this page
END
}

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=$repository/.venv/bin/python
[ -x "$python" ] || python=python3
out_dir=$repository/inference
output=
videos=() analysis=() generation=() sound=() visualize=()

fail() { echo "error: $*" >&2; exit 2; }

while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) usage; exit ;;
        --visualize) analysis+=(--visualize) visualize=(--visualize) ;;
        --keep-audio) sound+=(--keep-audio) ;;
        --keep-audio=*) sound+=(--keep-audio "${1#*=}") ;;
        -o | --output | --out_dir | -c | --checkpoint | -C | --C | --genre | --instruments | \
            --tempo | --key | --mode | --seed | --control | --precision | --soundfont | --flow)
            [ $# -gt 1 ] || fail "$1 needs a value"
            case $1 in
                -o | --output) output=$2 ;;
                --out_dir) out_dir=$2 ;;
                -c | --checkpoint) generation+=(-c "$2") ;;
                -C | --C) generation+=(--C "$2") ;;
                --flow) analysis+=(--flow "$2") ;;
                --soundfont) sound+=(--soundfont "$2") ;;
                *) generation+=("$1" "$2") ;;
            esac
            shift ;;
        --) shift; videos+=("$@"); break ;;
        -*) fail "$1 is no option; see --help" ;;
        *) videos+=("$1") ;;
    esac
    shift
done
trap 'exit 130' INT
[ ${#videos[@]} -gt 0 ] || { usage >&2; exit 2; }
[ -z "$output" ] || [ ${#videos[@]} -eq 1 ] || fail "--output goes with one video; use --out_dir"
case ${output,,} in
    "" | *.mp4 | *.mov | *.mkv | *.webm) ;;
    *) fail "$output: the result is a video; end its name in .mp4, .mov, .mkv or .webm" ;;
esac

# Run one stage and say how long it took.
stage() {
    local name=$1 start=${EPOCHREALTIME//[!0-9]/} tenths # a comma or a point: it is microseconds
    shift
    "$@" || return
    tenths=$(((${EPOCHREALTIME//[!0-9]/} - start) / 100000))
    echo "$name took $((tenths / 10)).$((tenths % 10)) s"
}

declare -A seen

# The whole way for one video.
video2bgm() {
    local video=$1 file name suffix result
    file=$(basename -- "$video")
    name=${file%.*}
    suffix=${file##*.}
    case ${suffix,,} in
        mp4 | mov | mkv | webm) result=$out_dir/$file ;;
        *) result=$out_dir/$name.mkv ;;
    esac
    result=${output:-$result}
    if [ -n "${seen[$name]-}" ]; then
        echo "error: $video: would replace what ${seen[$name]} gave; use another --out_dir" >&2
        return 1
    fi
    seen[$name]=$video
    if [ "$video" -ef "$result" ]; then
        echo "error: $video: the result would replace it; choose another -o" >&2
        return 1
    fi
    local npz=$out_dir/$name.npz midi=$out_dir/$name.mid mp3=$out_dir/$name.mp3
    local pictures=("${visualize[@]}" "${visualize[@]:+--video=$video}")

    echo "== $video"
    stage "video → rhythm" "$python" "$repository/src/video2npz/video2npz.py" "$video" --out_dir "$out_dir" "${analysis[@]}" &&
        stage "rhythm → music" "$python" "$repository/src/gen_midi_conditional.py" -f "$npz" -n 1 --out_dir "$out_dir" "${pictures[@]}" "${generation[@]}" &&
        stage "music → sound" "$python" "$repository/src/midi2mp3.py" --input "$midi" --output "$mp3" "$result" --video "$video" "${sound[@]}" ||
        return
    printf '%s\n' "$npz" "${npz%.npz}.json" "$midi" "$midi.json" "$mp3" "$result"
}

bad=()
for video in "${videos[@]}"; do
    video2bgm "$video" || bad+=("$video")
done
if [ ${#bad[@]} -gt 0 ]; then
    printf 'skipped: %s\n' "${bad[@]}" >&2
    [ ${#bad[@]} -lt ${#videos[@]} ] || exit 1
fi
