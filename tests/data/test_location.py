"""Where the dataset cache is, if no option says so."""

from pathlib import Path

from platformdirs import user_cache_path

from dlcli.data import location


def test_the_variable_comes_first_then_the_folder_here_then_the_users_cache(workdir, monkeypatch):
    assert location.default().path == user_cache_path("dlcli", appauthor=False)
    Path("data").touch()  # a file of this name is no cache
    assert location.default().path == user_cache_path("dlcli", appauthor=False)
    Path("data").unlink()
    Path("data").mkdir()
    assert location.default().path == Path("data")
    monkeypatch.setenv("DLCLI_DATA_DIR", "elsewhere")
    assert location.default().path == Path("elsewhere")
    monkeypatch.setenv("DLCLI_DATA_DIR", "")
    assert location.default().path == Path("data")


def test_an_option_is_needed_only_for_another_cache_than_the_usual_one(local_cache):
    assert location.option(Path("data")) == ""
    assert location.option(Path("a b")) == " --data-dir 'a b'"
