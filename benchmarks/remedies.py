"""Train every remedy of chapter 9 on both tasks with five seeds, and store what comes out.

    python benchmarks/remedies.py

It takes about ten minutes of one core and writes ``src/bptt/remedies.json``, which the chapter
shows. The runs are chaotic: on another processor single runs differ, the picture as a whole
should not.
"""

from __future__ import annotations

import json
import time

import torch

from bptt import remedies

SEEDS = (1, 2, 3, 4, 5)


def main() -> None:
    torch.set_num_threads(1)
    start = time.process_time()
    found = {
        task: {
            remedy: [remedies.train(remedy, task, seed) for seed in SEEDS]
            for remedy in remedies.REMEDIES
        }
        for task in remedies.TASKS
    }
    configuration = {
        "T": remedies.STEPS,
        "n": remedies.UNITS,
        "B": remedies.BATCH,
        "updates": remedies.UPDATES,
        "seeds": SEEDS,
        "thresholds": {
            "norm": remedies.THRESHOLD,
            "value": remedies.THRESHOLD_VALUE,
            "inside": remedies.THRESHOLD_INSIDE,
        },
        "window": remedies.WINDOW,
        "leak": remedies.LEAK,
        "torch": torch.__version__,
    }
    text = json.dumps({"configuration": configuration, "tasks": found}, indent=1)
    remedies.STORED.write_text(text + "\n", "utf-8")
    print(f"{time.process_time() - start:.0f} seconds of processor time")


if __name__ == "__main__":
    main()
