"""Several processes that share each batch have the losses of one process that has it all."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lessons import processes
from lessons.errors import LessonsError
from lessons.training.drawing_lots import Lots
from tests.tiny_distributed import run

REPOSITORY = Path(__file__).parent.parent


def losses_of(folder: Path) -> torch.Tensor:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return torch.tensor([[line["loss_mask"], line["loss_category"]] for line in lines if "loss" in line])


def run_two(folder: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    subprocess.run(
        [*command, "-m", "tests.tiny_distributed", str(folder)],
        cwd=REPOSITORY,
        env=environment,
        check=True,
        timeout=300,
        capture_output=True,
    )


def test_two_processes_give_the_losses_of_one(tmp_path: Path):
    run(str(tmp_path / "one"))
    run_two(tmp_path / "two")
    one, two = losses_of(tmp_path / "one"), losses_of(tmp_path / "two")
    assert one.shape == two.shape == (6, 2)
    torch.testing.assert_close(two, one, rtol=1e-5, atol=1e-5)
    assert (one[0] - one[-1]).abs().max() > 1e-3, "nothing was learnt, so equality would mean little"


def test_one_process_alone():
    assert (processes.count(), processes.rank(), processes.together()) == (1, 0, False)
    number = torch.tensor(3.0)
    assert processes.total(number) is number


def test_processes_share_every_batch(monkeypatch: pytest.MonkeyPatch):
    whole = [sorted(batch) for batch in Lots(range(10), 4, seed=1, start=0, stop=9)]
    parts = []
    monkeypatch.setattr(processes, "count", lambda: 2)
    for rank in (0, 1):
        monkeypatch.setattr(processes, "rank", lambda rank=rank: rank)
        parts.append(list(Lots(range(10), 4, seed=1, start=0, stop=9)))
    assert [sorted(a + b) for a, b in zip(*parts, strict=True)] == whole


def test_a_batch_that_cannot_be_shared(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(processes, "count", lambda: 3)
    with pytest.raises(LessonsError, match="batch_size=4 cannot be shared by 3 processes"):
        Lots(range(10), 4, seed=0, start=0, stop=1)
