"""Train the character model of chapter 13 in every way with five seeds, and store what comes out.

    python benchmarks/character_model.py        # the book's own text; `make train` does this
    python benchmarks/character_model.py FILE   # a text of yours: shows the table, stores nothing

It first tries three rates for each scheme on the validation part, with two other seeds, and then
trains with the best one. That takes about ten minutes on two cores. The book's own text writes
``src/bptt/character_model.json``, which the chapter shows. On another processor single numbers
differ, the picture as a whole should not.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from multiprocessing import get_context

import torch

from bptt import character_model as model
from bptt import load_corpus

SEARCH_SEEDS = (101, 102)
SEEDS = (1, 2, 3, 4, 5)


def run(job: dict) -> dict:
    """One training, without its weights."""
    torch.set_num_threads(1)
    path, options = job["path"], job["options"]
    found = model.train(corpus=load_corpus(path), **options)
    del found["weights"]
    return found


def run_all(pool: ProcessPoolExecutor, path: str | None, jobs: list[dict]) -> list[dict]:
    """All trainings; a line of progress for each."""
    found = []
    for options, one in zip(
        jobs, pool.map(run, [{"path": path, "options": o} for o in jobs]), strict=True
    ):
        found.append(one)
        print(
            f"{len(found):3d} of {len(jobs)}  {options['scheme']:18s} rate {options['rate']:<6}"
            f" seed {options['seed']:3d}  {options['part']}: {one['perplexity'][-1]:.3f}",
            flush=True,
        )
    return found


def main(path: str | None = None) -> None:
    context = get_context("spawn")
    with ProcessPoolExecutor(max_workers=os.cpu_count(), mp_context=context) as pool:
        jobs = [
            {"scheme": scheme, "rate": rate, "seed": seed, "part": "validation"}
            for scheme, rate, seed in product(model.SCHEMES, model.GRID, SEARCH_SEEDS)
        ]
        search: dict[str, dict[str, list[float]]] = {scheme: {} for scheme in model.SCHEMES}
        for job, one in zip(jobs, run_all(pool, path, jobs), strict=True):
            of_rate = search[job["scheme"]].setdefault(str(job["rate"]), [])
            of_rate.append(one["perplexity"][-1])
        rates = {
            scheme: float(min(found, key=lambda rate: statistics.mean(found[rate])))
            for scheme, found in search.items()
        }
        jobs = [
            {"scheme": scheme, "rate": rates[scheme], "seed": seed, "part": "held out"}
            for scheme, seed in product(model.SCHEMES, SEEDS)
        ]
        runs: dict[str, list[dict]] = {scheme: [] for scheme in model.SCHEMES}
        for job, one in zip(jobs, run_all(pool, path, jobs), strict=True):
            runs[job["scheme"]].append(one)

    for scheme, found in runs.items():
        last = sorted(one["perplexity"][-1] for one in found)
        print(
            f"{scheme:18s} rate {rates[scheme]:<6} {found[0]['updates']:5d} updates  perplexity "
            f"{statistics.median(last):.2f} ({last[0]:.2f} to {last[-1]:.2f})"
        )
    if path is not None:
        return
    configuration = {
        "n": model.UNITS,
        "B": model.STREAMS,
        "stretch": model.STRETCH,
        "K": model.REACH,
        "budget": model.BUDGET,
        "threshold": model.THRESHOLD,
        "checks": model.CHECKS,
        "shown": model.SHOWN,
        "lags": model.LAGS,
        "search seeds": SEARCH_SEEDS,
        "rates": rates,
        "seeds": SEEDS,
        "torch": torch.__version__,
    }
    text = json.dumps({"configuration": configuration, "search": search, "runs": runs})
    model.STORED.write_text(text.replace('"perplexity"', '\n"perplexity"') + "\n", "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
