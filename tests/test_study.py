from study import study


def test_new_exercises_are_copied_and_own_work_is_kept(tmp_path, capsys):
    (tmp_path / "exercises").mkdir()
    for name in ("01_a", "02_b"):
        (tmp_path / "exercises" / f"{name}.ipynb").write_text(f"exercise {name}")
    (tmp_path / "my").mkdir()
    (tmp_path / "my" / "01_a.ipynb").write_text("my answer")

    study(tmp_path)

    assert (tmp_path / "my" / "01_a.ipynb").read_text() == "my answer"
    assert (tmp_path / "my" / "02_b.ipynb").read_text() == "exercise 02_b"
    assert capsys.readouterr().out.splitlines() == [
        "kept  my/01_a.ipynb: it is yours; delete it to start afresh",
        "new   my/02_b.ipynb",
    ]
