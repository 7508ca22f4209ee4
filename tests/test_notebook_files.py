"""The stored notebooks: every rule holds for the lessons, and every rule can fail."""

import json
from pathlib import Path

import nbformat
import pytest

from lessons import runner
from lessons.errors import LessonsError
from lessons.runner.hygiene import LARGEST
from lessons.runner.running import WIDGET_VIEW

FILES = runner.find_notebooks()


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_stored_notebook(path: Path):
    assert runner.hygiene(path) == []


def test_readme_lists_every_lesson():
    lessons = [path for path in FILES if path.parent.name != "solutions"]
    assert runner.missing_from_readme(lessons, runner.NOTEBOOKS.parent) == []


def good() -> nbformat.NotebookNode:
    """A small lesson as the runner writes it."""
    v4 = nbformat.v4
    heads = "\n\n".join(f"## {section}" for section in runner.SECTIONS)
    stream = v4.new_output("stream", name="stdout", text="✓ 2×3\n")
    picture = v4.new_output("display_data", data={"image/png": "/opt/x", "text/plain": "A figure."})
    notebook = v4.new_notebook(
        cells=[
            v4.new_markdown_cell("# A lesson\n\n" + heads),
            v4.new_code_cell("# NBVAL_CHECK_OUTPUT\nprint('✓ 2×3')", execution_count=1, outputs=[stream]),
            v4.new_code_cell("show()", execution_count=2, outputs=[picture]),
        ]
    )
    return runner.tidy(notebook)


def problems(notebook: nbformat.NotebookNode, folder: Path) -> str:
    path = folder / "01_a.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    found = runner.hygiene(path)
    assert all(problem.startswith("01_a.ipynb: ") for problem in found)
    return "\n".join(found)


def test_a_good_notebook_passes(tmp_path):
    assert problems(good(), tmp_path) == ""


def output(cell: int, **fields):
    """A break that adds an output to a cell."""

    def change(notebook):
        notebook.cells[cell].outputs.append(nbformat.from_dict(fields))

    return change


def source(text: str):
    def change(notebook):
        notebook.cells[2].source = text

    return change


def unmade(notebook):
    notebook.cells[1].outputs = []


def out_of_order(notebook):
    notebook.cells[1].execution_count, notebook.cells[2].execution_count = 2, 1


def never_run(notebook):
    notebook.cells[2].execution_count = None


def with_widgets(notebook):
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {}}


def other_kernel(notebook):
    notebook.metadata.kernelspec.name = "my-env"


def too_large(notebook):
    notebook.cells[2].outputs[0].data["image/png"] = "A" * LARGEST


STREAM = {"output_type": "stream", "name": "stdout"}
DISPLAY = {"output_type": "display_data", "metadata": {}}
BREAKS = {
    "holds no output": unmade,
    "clean kernel in order": out_of_order,
    "execution counts": never_run,
    "metadata.widgets": with_widgets,
    "does not name the kernel python3": other_kernel,
    "may be 1 MB": too_large,
    "an error (ValueError)": output(2, output_type="error", ename="ValueError", evalue="", traceback=[]),
    "output on stderr": output(2, output_type="stream", name="stderr", text="Warning"),
    "view of a widget": output(2, **DISPLAY, data={WIDGET_VIEW: {"model_id": "a"}}),
    "progress bar": output(2, **STREAM, text="100%|####| 3/3 [00:00<00:00, 5it/s]"),
    "path in its output (/home/a": output(2, **STREAM, text="read /home/ann/voc"),
    "path in its output (/usr/x": output(2, **DISPLAY, data={"text/html": "/usr/x"}),
    "path in its source (/mnt/d": source("open('/mnt/data')"),
    "path in its source (/opt/x": source('root = "/opt/x"'),
    "path in its source (C:\\U": source('root = r"C:\\Users\\ann"'),
}  # fmt: skip


@pytest.mark.parametrize("words", BREAKS)
def test_every_rule_can_fail(tmp_path, words):
    notebook = good()
    BREAKS[words](notebook)
    assert words in problems(notebook, tmp_path)


@pytest.mark.parametrize("section", runner.SECTIONS)
def test_every_section_is_needed(tmp_path, section):
    notebook = good()
    notebook.cells[0].source = notebook.cells[0].source.replace(f"## {section}", f"{section} in the text")
    assert f"no section “{section}”" in problems(notebook, tmp_path)


@pytest.mark.parametrize(
    "text", ["see https://x.org/home/a", "data/opt/x", "a/mnt/b", 'f"x:\\n{y}"', "~/mnt/a"]
)
def test_what_is_no_absolute_path(tmp_path, text):
    notebook = good()
    notebook.cells[0].source += "\n" + text
    assert problems(notebook, tmp_path) == ""


def test_what_is_no_notebook_is_named(tmp_path):
    path = tmp_path / "02_b.ipynb"
    for content in (b"", b"{", b"{}", b"\xff"):
        path.write_bytes(content)
        assert runner.hygiene(path)[0].startswith("02_b.ipynb: cannot be read as a notebook")


def test_solutions_need_no_sections(tmp_path):
    (tmp_path / "solutions").mkdir()
    notebook = good()
    notebook.cells[0].source = "# Solutions"
    assert problems(notebook, tmp_path / "solutions") == ""


def test_readme_must_list_a_lesson(tmp_path):
    (tmp_path / "README.md").write_text("| notebooks/01_a.ipynb |", encoding="utf-8")
    found = runner.missing_from_readme([tmp_path / "01_a.ipynb", tmp_path / "02_b.ipynb"], tmp_path)
    assert len(found) == 1 and "02_b.ipynb" in found[0]


def lesson_with(path: Path, text: str) -> Path:
    notebook = good()
    notebook.cells[0].source = text
    nbformat.write(notebook, path)
    return path


def test_the_index_of_questions_names_every_heading_once(tmp_path):
    one = lesson_with(
        tmp_path / "01_a.ipynb",
        "### Question 12: Why `two`?\ntext\n### Question 3, first half: Why | not?\n### Question A: none",
    )
    two = lesson_with(tmp_path / "02_b.ipynb", "### Question 12: Why two, again?\n### Question 0.1: no")
    table = runner.index([one, two])
    assert [answer.number for answer in runner.answers([one, two])] == [3, 12, 12]
    third, twelfth = table.splitlines()[2:]
    assert third.startswith(r"| 3. Why \| not? | [01](notebooks/01_a.ipynb#Question-3%2C-first-half%3A-Why-")
    assert twelfth == (
        "| 12. Why `two`? | [01](notebooks/01_a.ipynb#Question-12%3A-Why-two%3F), "
        "[02](notebooks/02_b.ipynb#Question-12%3A-Why-two%2C-again%3F) |"
    )
    (tmp_path / "README.md").write_text(table, encoding="utf-8")
    assert runner.out_of_date([one, two], tmp_path) == []
    assert "index of questions" in runner.out_of_date([one], tmp_path)[0]
    (tmp_path / "README.md").write_text(f"{table}\n| 40. Gone? | [02]() |\n", encoding="utf-8")
    assert runner.out_of_date([one, two], tmp_path), "a row too many, at the end"


def test_every_question_of_readers_is_answered_in_a_lesson():
    lessons = [path for path in runner.find_notebooks() if path.parent.name != "solutions"]
    assert {answer.number for answer in runner.answers(lessons)} == set(range(1, 41))
    assert runner.out_of_date(lessons, runner.NOTEBOOKS.parent) == []


def test_tidy_takes_widgets_and_bars_and_joins_streams():
    notebook = good()
    v4 = nbformat.v4
    view = {WIDGET_VIEW: {"model_id": "a"}, "text/plain": "VBox()"}
    cell = notebook.cells[2]
    cell.outputs = [
        v4.new_output("display_data", data=dict(view)),
        v4.new_output("display_data", data=view | {"image/png": "aa"}),
        v4.new_output("stream", name="stdout", text="a"),
        v4.new_output("stream", name="stdout", text="b"),
    ]
    cell.metadata = nbformat.from_dict({"execution": {"started": "now"}, "tags": ["exercise"]})
    cell.execution_count = 17
    runner.tidy(notebook)
    assert [set(o.get("data", {})) for o in cell.outputs] == [{"image/png", "text/plain"}, set()]
    assert cell.outputs[1].text == "ab"
    assert cell.metadata == {"tags": ["exercise"]} and cell.execution_count == 2


def test_names_choose_notebooks(tmp_path):
    (tmp_path / "solutions").mkdir()
    for name in ("02_b", "01_a", "solutions/01_a"):
        (tmp_path / f"{name}.ipynb").write_text("{}")
    assert [p.parent.name + "/" + p.stem for p in runner.find_notebooks(None, tmp_path)] == [
        f"{tmp_path.name}/01_a", f"{tmp_path.name}/02_b", "solutions/01_a",
    ]  # fmt: skip
    assert len(runner.find_notebooks(["01"], tmp_path)) == 2
    assert runner.find_notebooks(["solutions/01"], tmp_path) == [tmp_path / "solutions" / "01_a.ipynb"]
    assert runner.find_notebooks(["notebooks/02_b.ipynb"], tmp_path) == [tmp_path / "02_b.ipynb"]
    with pytest.raises(LessonsError, match="begins with 07"):
        runner.find_notebooks(["07"], tmp_path)


@pytest.mark.parametrize(
    "source_text, words",
    [("1 / 0", "cell 1 (1 / 0) raised ZeroDivisionError"),
     ("import sys; print('careful', file=sys.stderr)", "wrote to stderr: careful")],
)  # fmt: skip
def test_a_failing_run_names_the_cell_and_leaves_the_file(tmp_path, source_text, words):
    notebook = good()
    notebook.cells = [notebook.cells[0], nbformat.v4.new_code_cell(source_text)]
    path = tmp_path / "01_a.ipynb"
    nbformat.write(notebook, path)
    before = path.read_bytes()
    with pytest.raises(LessonsError) as caught:
        runner.run_lessons(folder=tmp_path, progress=False)
    assert str(caught.value).startswith("01_a.ipynb: cell 1") and words in str(caught.value)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["01_a.ipynb"]


def test_a_cell_that_takes_too_long_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr("lessons.runner.running.CELL_SECONDS", 1)
    notebook = good()
    notebook.cells = [nbformat.v4.new_code_cell("import time; time.sleep(60)")]
    nbformat.write(notebook, tmp_path / "01_a.ipynb")
    with pytest.raises(LessonsError, match=r"01_a.ipynb: A cell timed out .*: run it again"):
        runner.run_lessons(folder=tmp_path, progress=False)


def test_two_runs_write_the_same_bytes(tmp_path):
    notebook = good()
    notebook.cells[2].source = "from tqdm.auto import tqdm\nfor _ in tqdm(range(2)):\n    pass\n3"
    path = tmp_path / "01_a.ipynb"
    nbformat.write(notebook, path)
    runner.run_lessons(folder=tmp_path, progress=False)
    first = path.read_bytes()
    runner.run_lessons(folder=tmp_path, progress=False)
    assert path.read_bytes() == first and runner.hygiene(path) == []
    assert nbformat.read(path, 4).cells[2].outputs[0].data["text/plain"] == "3"
