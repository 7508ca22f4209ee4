"""A run that is killed and resumed has, bit for bit, the losses of a run that was never killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from lessons.errors import LessonsError
from lessons.training import checkpoint, train
from lessons.training.loop import Run
from tests.tiny_training import Classifier, Pictures, brighter, recipe

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def one_thread():
    """Sums are rounded differently by one thread and by two, so a run is resumed with as many as it had."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def steps_of(folder: Path) -> list[dict]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if "loss" in line]


def run_whole(folder: Path, iterations: int = 60, **changes):
    model = Classifier()
    history = train(
        model, Pictures(), recipe(iterations, **changes), folder=folder, augment=brighter, progress=False
    )
    return model, history


class Stop(Exception):
    pass


class StoppingAt(Pictures):
    """Pictures of which no more can be read after a while."""

    def __init__(self, reads: int) -> None:
        super().__init__()
        self.left = reads

    def __getitem__(self, index: int):
        if self.left == 0:
            raise Stop
        self.left -= 1
        return super().__getitem__(index)


@pytest.mark.parametrize("batches", [1, 6, 7, 8, 25, 59])
def test_resumed_after_any_iteration(tmp_path: Path, batches: int):
    whole_model, whole = run_whole(tmp_path / "whole")
    with pytest.raises(Stop):
        train(
            Classifier(),
            StoppingAt(4 * batches),
            recipe(60),
            folder=tmp_path / "broken",
            augment=brighter,
            progress=False,
        )
    torch.manual_seed(999)  # a new process has other dice
    model = Classifier(seed=1)  # and other first weights
    history = train(
        model, Pictures(), recipe(60), folder=tmp_path / "broken", augment=brighter, progress=False
    )
    assert history.steps == whole.steps
    assert steps_of(tmp_path / "broken") == steps_of(tmp_path / "whole") == whole.steps
    for ours, theirs in zip(model.parameters(), whole_model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_killed_processes_lose_nothing(tmp_path: Path):
    """SIGKILL, at three moments that nobody chose."""
    _, whole = run_whole(tmp_path / "whole", iterations=80)
    command = [sys.executable, "-m", "tests.tiny_training", str(tmp_path / "killed"), "80", "slowly"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    killed = 0
    for pause in (0.15, 0.3, 0.2):
        process = subprocess.Popen(command, cwd=REPOSITORY, env=environment)
        log = tmp_path / "killed" / "log.jsonl"
        before = log.stat().st_size if log.exists() else 0
        while process.poll() is None and (not log.exists() or log.stat().st_size <= before):
            time.sleep(0.01)
        time.sleep(pause)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
    assert killed >= 1, "the process was done before it could be killed"
    subprocess.run(command[:-1], cwd=REPOSITORY, env=environment, check=True)
    assert steps_of(tmp_path / "killed") == whole.steps


def test_another_number_of_workers_changes_nothing(tmp_path: Path):
    _, alone = run_whole(tmp_path / "alone", iterations=10)
    _, with_worker = run_whole(tmp_path / "worker", iterations=10, workers=1)
    assert alone.steps == with_worker.steps


def test_a_finished_run_is_not_run_again(tmp_path: Path):
    _, first = run_whole(tmp_path, iterations=10)
    _, second = run_whole(tmp_path, iterations=10)
    assert first.steps == second.steps


@pytest.mark.parametrize("forgotten", ["optimiser", "scheduler", "random", "iteration"])
def test_every_part_of_a_checkpoint_is_needed(tmp_path: Path, forgotten: str):
    """With one part left at its beginning the losses are others: the tests above can fail."""
    _, whole = run_whole(tmp_path / "whole", iterations=30)
    with pytest.raises(Stop):
        train(
            Classifier(),
            StoppingAt(4 * 25),
            recipe(30),
            folder=tmp_path / "broken",
            augment=brighter,
            progress=False,
        )
    path = checkpoint.newest(tmp_path / "broken")
    state = checkpoint.load(path)
    torch.manual_seed(5)
    state[forgotten] = Run.begin(Classifier(), recipe(30)).state()[forgotten]
    checkpoint.save(path, state)
    _, broken = run_whole(tmp_path / "broken", iterations=30)
    assert [step["loss"] for step in broken.steps[-5:]] != [step["loss"] for step in whole.steps[-5:]]


def test_a_log_line_cut_off_by_a_crash(tmp_path: Path):
    _, whole = run_whole(tmp_path / "whole", iterations=20)
    with pytest.raises(Stop):
        train(
            Classifier(),
            StoppingAt(4 * 10),
            recipe(20),
            folder=tmp_path / "cut",
            augment=brighter,
            progress=False,
        )
    with (tmp_path / "cut" / "log.jsonl").open("ab") as file:
        file.write(b'{"iteration": 10, "lo')
    _, resumed = run_whole(tmp_path / "cut", iterations=20)
    assert resumed.steps == whole.steps


def test_another_recipe_is_refused(tmp_path: Path):
    run_whole(tmp_path, iterations=10)
    with pytest.raises(LessonsError, match=r"learning_rate=0.05, not 0.1: train with the same recipe"):
        run_whole(tmp_path, iterations=10, learning_rate=0.1)


def test_another_model_is_refused(tmp_path: Path):
    run_whole(tmp_path, iterations=10)
    model = Classifier()
    model.linear = torch.nn.Linear(4, 3)
    with pytest.raises(LessonsError, match=r"checkpoint-00000010.pt is of another model"):
        train(model, Pictures(), recipe(10), folder=tmp_path, progress=False)


def test_a_run_is_not_overwritten_unasked(tmp_path: Path):
    run_whole(tmp_path, iterations=10)
    with pytest.raises(LessonsError, match="holds a run already"):
        train(Classifier(), Pictures(), recipe(10), folder=tmp_path, resume=False, progress=False)


def test_a_damaged_checkpoint_is_named(tmp_path: Path):
    run_whole(tmp_path, iterations=10)
    path = checkpoint.newest(tmp_path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(LessonsError, match=rf"{path.name} cannot be read .*delete it"):
        run_whole(tmp_path, iterations=10)


def test_a_checkpoint_never_executes_code(tmp_path: Path):
    class Harm:
        def __reduce__(self):
            return (tmp_path.joinpath("harm").write_text, ("done",))

    path = tmp_path / "checkpoint-00000001.pt"
    torch.save({"model": Harm()}, path)
    with pytest.raises(LessonsError, match="cannot be read"):
        checkpoint.load(path)
    assert not (tmp_path / "harm").exists()


def test_only_the_last_checkpoints_stay(tmp_path: Path):
    run_whole(tmp_path, iterations=30, keep=2)
    assert [path.name for path in checkpoint.in_order(tmp_path)] == [
        "checkpoint-00000028.pt",
        "checkpoint-00000030.pt",
    ]


def test_a_failed_save_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run_whole(tmp_path, iterations=7)
    before = sorted(path.name for path in tmp_path.iterdir())
    monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save_newest(tmp_path, 8, {"iteration": 8}, keep=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
