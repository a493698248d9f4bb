"""`python -m ablations new block mine` and `list blocks`. (test_examples.py installs and tests what is written.)"""

import tomllib
from pathlib import Path

import pytest

from ablations.__main__ import main
from ablations.catalog.choices import choices_of


@pytest.mark.parametrize("name", ["plain", "Mine", "my-block", "class", "../out", ""])
def test_a_name_that_will_not_do_is_refused_and_nothing_is_written(tmp_path, monkeypatch, capsys, name):
    monkeypatch.chdir(tmp_path)
    assert main(["new", "block", name]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: ")
    assert not list(tmp_path.iterdir())
    assert not list(tmp_path.parent.glob("out"))


def test_the_package_brings_what_its_readme_tests_with(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["new", "block", "mine"]) == 0
    extras = tomllib.loads((tmp_path / "mine" / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert any(one.startswith("pytest") for one in extras["test"])
    said = (tmp_path / "mine" / "README.md").read_text()
    assert said.index("pip install -e '.[test]'") < said.index("python -m pytest")


def test_what_is_there_is_not_written_over(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["new", "block", "mine"]) == 0
    (tmp_path / "mine" / "mine_block.py").write_text("my work")
    assert main(["new", "block", "mine"]) == 1
    assert "mine/ exists already" in capsys.readouterr().err
    assert (tmp_path / "mine" / "mine_block.py").read_text() == "my work"


def test_a_group_is_listed_with_a_line_and_an_origin_for_each_choice(capsys):
    conf = Path(__file__).parents[3] / "conf"
    for word in ("block", "blocks", "bodies", "data", "norms"):
        group = {"blocks": "block", "bodies": "body", "norms": "norm"}.get(word, word)
        found = {choice.name: choice for choice in choices_of(word)}
        assert found.keys() >= {path.stem for path in (conf / group).glob("*.yaml")}
        assert all(choice.says and choice.origin for choice in found.values())
        assert main(["list", word]) == 0
        out = capsys.readouterr().out
        assert all(name in out for name in found)


def test_a_folder_of_ones_own_is_listed_too(tmp_path, capsys):
    (tmp_path / "block").mkdir()
    (tmp_path / "block" / "own.yaml").write_text("_target_: lightning_modules.networks.blocks.Plain\n")
    assert main(["list", "blocks", "--config-dir", str(tmp_path)]) == 0
    assert "own" in capsys.readouterr().out
    (own,) = [choice for choice in choices_of("blocks", tmp_path) if choice.name == "own"]
    assert own.says.startswith("y = act(f(x))"), "without a comment the docstring speaks"
    assert main(["list", "nosuch"]) == 1
    assert "there is no group 'nosuch' to list; there are activation, " in capsys.readouterr().err
    assert main(["list", "blocks", "--config-dir", "nowhere"]) == 1
    assert "--config-dir nowhere is not a folder" in capsys.readouterr().err
