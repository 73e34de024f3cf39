"""Two hundred short recordings, for the pictures of docs/how-to/audit.md: English, Spanish, French, Italian, Russian.

    python -m tests.bench.audit.recordings FOLDER && curation build FOLDER/manifest.jsonl -o CORPUS

They are the twelve recordings of the demo, and prompts of telephone systems that Debian packages carry, 2.5 to 6 s and
16 kHz (`asterisk-core-sounds-*`: CC BY-SA 3.0, CC BY 3.0). `apt-get download` fetches these; nothing is installed.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import av
import numpy as np

from curation.audio.files import write_wave
from curation.audio.wave import Wave
from curation.demo.recordings import write_demo_recordings

VERSION = "1.6.1-1"
BYTES = range(20_000, 48_000)
"""Of a file at 64 kbit/s."""
SPOKEN = {
    "en": (90, "Allison Smith", "CC BY-SA 3.0"),
    "es": (26, "Allison Smith", "CC BY-SA 3.0"),
    "fr": (26, "June Wallack", "CC BY-SA 3.0"),
    "it": (26, "Carlo Flora", "CC BY 3.0"),
    "ru": (26, "Maxim Topal", "CC BY 3.0"),
}
"""Recordings, who speaks, and the licence, by language."""


def prompts(language: str, count: int, folder: Path) -> list[Path]:
    """So many prompts of a language, evenly from those in the order of their names."""
    name = f"asterisk-core-sounds-{language}-g722"
    subprocess.run(["apt-get", "download", "-qq", f"{name}={VERSION}"], cwd=folder, check=True)
    (package,) = folder.glob(f"{name}_*.deb")
    subprocess.run(["dpkg", "-x", package, folder / language], check=True)
    found = sorted(path for path in folder.glob(f"{language}/**/*.g722") if path.stat().st_size in BYTES)
    return found[:: len(found) // count][:count]


def decoded(path: Path) -> Wave:
    """The samples of a file without a header, (samples,) at 16 kHz."""
    with av.open(str(path), format="g722") as container:
        frames = [frame.to_ndarray().ravel() for frame in container.decode(audio=0)]
    return (np.concatenate(frames) / 2**15).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    write_demo_recordings(folder)
    manifest = folder / "manifest.jsonl"
    lines = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    with tempfile.TemporaryDirectory() as temporary:
        for language, (count, speaker, licence) in SPOKEN.items():
            for source in prompts(language, count, Path(temporary)):
                name = f"{language}-{source.parent.name}-{source.stem}.flac"
                write_wave(folder / name, decoded(source))
                lines.append({"path": name, "language": language, "speaker": speaker, "licence": licence})
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    print(f"{len(lines)} recordings in {folder}")


if __name__ == "__main__":
    main()
