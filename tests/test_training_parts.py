"""Schedules, meters, the order of images, and the loop's small print."""

import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lessons.errors import LessonsError
from lessons.training import (
    Meter,
    Recipe,
    checkpoint,
    one_cycle,
    time_left,
    train,
    training_step,
    warmup_and_steps,
)
from lessons.training.drawing_lots import Augmented, Lots, batches
from lessons.training.history import History
from tests.tiny_training import Classifier, Pictures, brighter, recipe


def test_warmup_and_steps_by_hand():
    factor = [warmup_and_steps(i, warmup=4, warmup_ratio=0.2, steps=(6, 8)) for i in range(10)]
    assert factor == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 1, 0.1, 0.1, 0.01, 0.01])


def test_warmup_is_the_official_formula():
    """mmcv: base * (1 - (1 - i / 500) * (1 - ratio))."""
    for i in (0, 1, 250, 499):
        assert warmup_and_steps(i) == pytest.approx(1 - (1 - i / 500) * (1 - 1 / 3))
    assert warmup_and_steps(500) == 1


def test_pytorch_has_the_same_schedule():
    weight = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([weight], lr=1.0)
    linear = torch.optim.lr_scheduler.LinearLR(optimiser, 0.1, 1.0, total_iters=5)
    steps = torch.optim.lr_scheduler.MultiStepLR(optimiser, [7, 9])
    both = torch.optim.lr_scheduler.ChainedScheduler([linear, steps])
    for i in range(12):
        expected = warmup_and_steps(i, warmup=5, warmup_ratio=0.1, steps=(7, 9))
        assert optimiser.param_groups[0]["lr"] == pytest.approx(expected)
        optimiser.step()
        both.step()


@given(st.integers(2, 400), st.floats(0, 0.9))
@settings(max_examples=40, deadline=None)
def test_one_cycle_rises_and_falls(iterations: int, share: float):
    warmup = int(share * iterations)
    factors = [one_cycle(i, iterations=iterations, warmup=warmup) for i in range(iterations)]
    assert max(factors) == factors[warmup] == 1
    assert factors[: warmup + 1] == sorted(factors[: warmup + 1])
    assert factors[warmup:] == sorted(factors[warmup:], reverse=True)
    assert min(factors) > 0


def test_meter_median_ignores_a_spike():
    meter = Meter(window=5)
    assert math.isnan(meter.median) and math.isnan(meter.global_average)
    for value in (1, 1, 1, 1, 1, 1, 100, 1, 1):
        meter.update(value)
    assert meter.median == 1
    assert meter.average == pytest.approx(104 / 5)
    assert meter.global_average == pytest.approx(108 / 9)


def test_time_left():
    assert time_left(0.5, 7300) == "1:00:50"
    assert time_left(2, 0) == "0:00:00"
    assert time_left(float("nan"), 5) == "?"


def test_every_epoch_has_every_image_once():
    lots = [lot for batch in Lots(range(10), 4, seed=0, start=0, stop=5) for lot in batch]
    assert len(lots) == 20
    first, second = lots[:10], lots[10:]
    assert sorted(lot.index for lot in first) == sorted(lot.index for lot in second) == list(range(10))
    assert [lot.index for lot in first] != [lot.index for lot in second]
    assert len({lot.seed for lot in lots}) == 20, "every image of every epoch has dice of its own"


@given(st.integers(1, 30), st.integers(1, 9), st.integers(0, 40), st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_a_batch_depends_on_seed_and_iteration_alone(images: int, batch_size: int, start: int, seed: int):
    whole = list(Lots(range(images), batch_size, seed, 0, start + 3))
    assert list(Lots(range(images), batch_size, seed, start, start + 3)) == whole[start:]
    assert len(Lots(range(images), batch_size, seed, start, start + 3)) == 3


def test_augmentation_leaves_the_trainings_dice_alone():
    torch.manual_seed(0)
    state = torch.get_rng_state()
    lots = [next(iter(Lots(range(4), 1, seed, 0, 1)))[0] for seed in (0, 0, 1)]
    image, again, other = (Augmented(Pictures(), brighter)[lot][0] for lot in lots)
    assert torch.equal(image, again) and not torch.equal(image, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_starting_a_loader_throws_no_dice():
    torch.manual_seed(0)
    state = torch.get_rng_state()
    next(iter(batches(Pictures(), None, recipe(3))))
    assert torch.equal(torch.get_rng_state(), state)


def test_scheduler_and_optimiser_step_in_the_right_order():
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # PyTorch warns of the wrong order
        history = train(Classifier(), Pictures(), recipe(10), progress=False)
    expected = [0.05 * one_cycle(i, iterations=10, warmup=5) for i in range(10)]
    assert history.column("learning_rate") == pytest.approx(expected)


def test_clipping_shortens_the_gradient():
    model = Classifier(dropout=0.0)
    images, targets = zip(*(Pictures()[i] for i in range(4)), strict=True)
    plan = recipe(4, optimiser="SGD", momentum=0.0, weight_decay=0.0, warmup=0, learning_rate=1.0)
    optimiser = plan.make_optimiser(model)
    before = [p.detach().clone() for p in model.parameters()]
    training_step(model, images, targets, optimiser, plan.make_scheduler(optimiser), clip=0.01)
    moved = torch.stack([(p - b).norm() for p, b in zip(model.parameters(), before, strict=True)]).norm()
    assert moved.item() == pytest.approx(0.01, rel=1e-3)


def test_an_endless_loss_stops_the_run_before_the_weights_are_spoilt():
    class Broken(Classifier):
        def forward(self, images, targets):
            return {name: loss * float("inf") for name, loss in super().forward(images, targets).items()}

    model = Broken()
    before = [p.detach().clone() for p in model.parameters()]
    with pytest.raises(LessonsError, match=r"no longer finite .* smaller learning_rate"):
        train(model, Pictures(), recipe(3), progress=False)
    for parameter, old in zip(model.parameters(), before, strict=True):
        assert torch.equal(parameter, old)


def test_a_run_that_stops_says_where_and_keeps_the_last_good_checkpoint(tmp_path):
    class Later(Classifier):
        calls = 0

        def forward(self, images, targets):
            self.calls += 1
            losses = super().forward(images, targets)
            return {name: loss * (float("nan") if self.calls == 5 else 1) for name, loss in losses.items()}

    data = Pictures()
    data.ids = [f"picture_{number}" for number in range(16)]
    with pytest.raises(LessonsError) as stopped:
        train(Later(), data, recipe(9, save_every=2), folder=tmp_path, progress=False)
    sentence = str(stopped.value)
    drawn = next(iter(batches(data, None, recipe(9), start=4)))[1]
    names = ", ".join(f"picture_{target['image_id']}" for target in drawn)
    assert sentence.startswith(f"Iteration 4, images {names}: The losses are no longer finite")
    kept = checkpoint.newest(tmp_path)
    assert str(kept) in sentence and checkpoint.load(kept)["iteration"] == 4
    assert all(weight.isfinite().all() for weight in checkpoint.load(kept)["model"].values())


def test_half_precision_keeps_weights_in_float32():
    model = Classifier()
    seen = []
    model.convolution.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    history = train(model, Pictures(), recipe(4, precision="bfloat16"), progress=False)
    assert seen == [torch.bfloat16] * 4
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
    assert all(math.isfinite(loss) for loss in history.column("loss"))


def test_evaluations_and_the_best_weights(tmp_path):
    scores = iter([0.1, 0.4, float("nan"), 0.2])
    evaluated_in = []

    def evaluate(model):
        evaluated_in.append(model.training)
        return {"mask AP": next(scores), "other": 1.0}

    plan = recipe(10, evaluate_every=3)
    history = train(Classifier(), Pictures(), plan, folder=tmp_path, evaluate=evaluate, progress=False)
    assert [one["iteration"] for one in history.evaluations] == [3, 6, 9, 10]
    assert evaluated_in == [False] * 4
    best = torch.load(tmp_path / "best.pt", weights_only=True)
    assert (best["iteration"], best["mask AP"]) == (6, 0.4)
    again = History.begin(tmp_path / "log.jsonl", 10)
    assert again.steps == history.steps
    assert [one["iteration"] for one in again.evaluations] == [3, 6, 9, 10]


def test_an_empty_data_set():
    with pytest.raises(LessonsError, match="data set to train on is empty"):
        train(Classifier(), [], recipe(1), progress=False)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"iterations": 0}, "iterations=0 must be at least 1"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"learning_rate": 0}, "learning_rate=0 must be positive"),
        ({"learning_rate": float("nan")}, "learning_rate=nan"),
        ({"clip": 0}, "clip=0 must be positive"),
        ({"optimiser": "Adam"}, "optimiser='Adam' is not known: choose AdamW or SGD"),
        ({"schedule": "cosine"}, "choose one-cycle or steps"),
        ({"precision": "float16"}, "precision='float16'"),
    ],
)
def test_recipes_that_make_no_sense(changes, sentence):
    with pytest.raises(LessonsError, match=sentence):
        Recipe(**{"iterations": 1, **changes})
