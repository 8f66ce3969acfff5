"""Copy the exercises to the learner's own folder, my/, and keep what is already there."""

from pathlib import Path

from press import ROOT, write_whole


def study(root: Path = ROOT) -> None:
    mine = root / "my"
    mine.mkdir(exist_ok=True)
    for exercise in sorted((root / "exercises").glob("*.ipynb")):
        own = mine / exercise.name
        if own.exists():
            print(f"kept  my/{own.name}: it is yours; delete it to start afresh")
        else:
            write_whole(own, exercise.read_text(encoding="utf-8"))
            print(f"new   my/{own.name}")


if __name__ == "__main__":
    study()
