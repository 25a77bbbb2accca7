"""What happens on a GPU in training, traced where there is none.

A tensor that is left on the CPU, or an operation that autocast does not know, raises.
"""

import numpy as np
import pytest
import torch
from torch import nn

from autoseg.augmentations.pipeline import Pipeline, Sample
from autoseg.losses import LOSSES
from autoseg.networks import NETWORKS
from autoseg.tasks import TASKS
from autoseg.train.data import loader as loader_module
from autoseg.train.data.loader import Loader
from autoseg.train.loop.criterion import Criterion
from autoseg.train.loop.gradients import Gradients
from autoseg.train.loop.muon import Muon
from autoseg.train.loop.optimizer import make_optimizer
from autoseg.train.setup.hardware import Hardware
from autoseg.train.setup.recipes import choose_recipe
from tests.each import each
from tests.fake_gpu import PREDICTS, TRAINS, fake, moved, on


def test_a_tensor_that_stays_on_the_cpu_is_refused():
    with fake():
        here = torch.empty(2, device=TRAINS)
        with pytest.raises(RuntimeError, match="on the same device"):
            here + torch.ones(2)
        with pytest.raises(TypeError, match="asked for its values"):
            here.numpy()


@each("name", LOSSES.names())
def test_losses_of_half_numbers_are_whole_and_stay_on_the_device(name):
    loss, target, logits = LOSSES[name].example()[:3]

    with fake():
        given = on(TRAINS, logits.half()).requires_grad_()
        value = moved(loss, TRAINS)(given, on(TRAINS, target))
        value.backward()

    assert (value.device, value.dtype) == (TRAINS, torch.float32)
    assert (given.grad.device, given.grad.dtype) == (TRAINS, torch.float16)


def _setting(task_name, network="plain_unet"):
    """Return task, spacing, network with deep supervision, and shape of a patch."""
    task, _, spacing = TASKS[task_name].example()
    options, shape = NETWORKS[network].example(len(spacing))
    heads = {head.name: head.channels for head in task.at_spacing(spacing, ()).heads}
    return task, spacing, NETWORKS[network](1, heads, True, **options), shape


def _learned(criterion, heads, shape, task_name):
    """Return a target of two samples, made on the device."""
    if task_name == "semantic":
        return torch.empty(2, *shape, dtype=torch.int16, device=TRAINS)
    if task_name == "landmark":
        points = len(shape) + 1
        return {n: torch.empty(2, k, points, device=TRAINS) for n, k in heads.items()}
    return {
        name: torch.empty(2, *shape, dtype=torch.int16, device=TRAINS)
        if criterion.losses[name].takes_labels
        else torch.empty(2, channels, *shape, device=TRAINS)
        for name, channels in heads.items()
    }


@pytest.mark.parametrize(
    ("task_name", "recipe", "optimizer", "network"),
    [
        ("semantic", "nnunet", torch.optim.SGD, "plain_unet"),
        ("landmark", "adamw", torch.optim.AdamW, "plain_unet"),
        ("instance", "fast", Muon, "plain_unet"),
    ],
)
def test_a_step_leaves_everything_on_the_device(task_name, recipe, optimizer, network):
    task, spacing, module, shape = _setting(task_name, network)
    heads = dict(module.heads)
    criterion = Criterion(task, True, spacing)
    hardware = _hardware("fp32", TRAINS)

    with fake():
        moved(module, TRAINS)
        moved(criterion, TRAINS)
        made = make_optimizer(choose_recipe(recipe, 1000, {})[0], module)
        images = torch.empty(2, 1, *shape, device=TRAINS)
        learned = _learned(criterion, heads, shape, task_name)
        gradients = Gradients(module, criterion, hardware, 2)
        loss = gradients(images, learned, hardware.scaler())
        nn.utils.clip_grad_norm_(module.parameters(), 12.0)
        made.step()

    assert isinstance(made, optimizer)
    assert (loss.device, loss.dtype) == (TRAINS, torch.float32)
    kept = [*module.parameters(), *(p.grad for p in module.parameters())]
    kept += [v for state in made.state.values() for v in state.values()]
    places = {t.device for t in kept if isinstance(t, torch.Tensor) and t.dim()}
    assert places == {TRAINS}


def _hardware(precision, device):
    return Hardware(
        device=device,
        precision=precision,
        channels_last=False,
        compile=False,
        threads=1,
        loader_threads=0,
    )


@pytest.mark.parametrize(
    ("task_name", "precision"), [("semantic", "bf16"), ("landmark", "fp16")]
)
def test_networks_compute_in_half(task_name, precision):
    _, _, module, shape = _setting(task_name)

    with fake(), torch.no_grad():
        moved(module, PREDICTS)
        with _hardware(precision, PREDICTS).autocast():
            outputs = module(torch.empty(2, 1, *shape, device=PREDICTS))
    logits = [level for levels in outputs.values() for level in levels]

    half = {"fp16": torch.float16, "bf16": torch.bfloat16}[precision]
    assert {one.dtype for one in logits} == {half}
    assert {one.device for one in logits} == {PREDICTS}


@pytest.mark.parametrize("policy", ["light", "nnunet"])
@pytest.mark.parametrize("patch", [(8, 10, 12), (16, 20)], ids=["3d", "2d"])
def test_patches_are_augmented_on_the_device(policy, patch):
    axes = tuple(range(len(patch)))
    pipeline = Pipeline(policy, patch, axes, channels=2, previous_channels=1)
    draws = [pipeline.draw(np.random.default_rng(seed)) for seed in range(8)]
    used = {n for draw in draws for n, p in enumerate(draw.parameters) if p is not None}

    with fake():
        samples = [
            Sample(
                image=torch.empty(2, *draw.source_shape),
                labels=torch.empty(draw.source_shape, dtype=torch.int16),
                draw=draw,
                previous=torch.empty(draw.source_shape, dtype=torch.int16),
            )
            for draw in draws
        ]
        images, labels = pipeline.apply(samples, TRAINS)

    assert (images.shape, images.device) == ((8, 3, *patch), TRAINS)
    assert (labels.shape, labels.device) == ((8, *patch), TRAINS)
    assert len(used) > len(pipeline.steps) / 2  # most steps were drawn at all


def test_a_scaled_step_leaves_everything_on_the_device():
    task, spacing, module, shape = _setting("semantic")
    criterion, heads = Criterion(task, True, spacing), dict(module.heads)
    hardware = _hardware("fp16", TRAINS)

    with fake():
        moved(module, TRAINS)
        moved(criterion, TRAINS)
        made = make_optimizer(choose_recipe("nnunet", 1000, {})[0], module)
        images = torch.empty(2, 1, *shape, device=TRAINS)
        learned = _learned(criterion, heads, shape, "semantic")
        scaler = hardware.scaler()
        Gradients(module, criterion, hardware, 2)(images, learned, scaler)
        scaler.unscale_(made)
        scaler.step(made)
        scaler.update()
        grads = [p.grad for p in module.parameters() if p.grad is not None]
        scale = scaler._scale

    assert scaler.is_enabled()
    assert {one.device for one in (*grads, scale)} == {TRAINS}


@pytest.mark.parametrize(
    ("task_name", "late"),
    [("semantic", False), ("landmark", True), ("instance", False)],
    ids=["labels", "points", "instances"],
)
def test_what_was_computed_in_half_leaves_whole_gradients(task_name, late):
    # Gradients under autocast can be traced as a CPU's, whose layers are cast, too.
    here = torch.device("cpu")
    task, spacing, module, shape = _setting(task_name)
    criterion, heads = Criterion(task, True, spacing), dict(module.heads)
    module.late = late
    hardware = _hardware("bf16", here)
    seen = []

    with fake():
        moved(module, here)
        moved(criterion, here)
        module.requires_grad_()
        module.register_forward_hook(lambda *given: seen.append(given[-1]))
        learned = {
            n: on(here, v) if isinstance(v, torch.Tensor) else v
            for n, v in _as_dict(_learned(criterion, heads, shape, task_name)).items()
        }
        gradients = Gradients(module, criterion, hardware, 2)
        loss = gradients(
            torch.empty(2, 1, *shape),
            learned.get("", learned),
            hardware.scaler(),
        )
        grads = [p.grad for p in module.parameters() if p.grad is not None]

    outputs = next(iter(seen[0].values()))
    half = outputs.features if late else outputs[0]
    assert half.dtype == torch.bfloat16
    assert len(grads) > 5
    assert {one.dtype for one in (loss, *grads)} == {torch.float32}


def _as_dict(learned):
    return learned if isinstance(learned, dict) else {"": learned}


class _Drawn:
    """A sampler of two patches of a case that is nowhere."""

    samples, patch_size = range(2), (8, 10, 12)

    def __init__(self, pipeline):
        self.pipeline = pipeline

    def case(self, iteration, number):
        return f"case{number}"

    def draw(self, iteration, number):
        return type("Drawn", (), {"case": self.case(iteration, number)})

    def open_case(self, case):
        return None


@pytest.mark.parametrize("encoded", [False, True], ids=["labels", "targets"])
def test_batches_are_made_on_the_device_and_pinned_for_cuda(encoded, monkeypatch):
    pipeline = Pipeline("light", _Drawn.patch_size, (0, 1, 2))
    pinned = []

    def read(stored, drawn, patch_size, before):
        draw = pipeline.draw(np.random.default_rng(0))
        return Sample(
            image=torch.empty(1, *draw.source_shape),
            labels=torch.empty(draw.source_shape, dtype=torch.int16),
            draw=draw,
        )

    def pin(tensor):
        assert tensor.device.type == "cpu"
        pinned.append(tensor)
        return tensor

    def encode(labels):
        return {"distance": np.zeros((3, *labels.shape), np.float32)}

    monkeypatch.setattr(loader_module, "read_sample", read)
    monkeypatch.setattr(torch.Tensor, "pin_memory", pin)
    how = {"threads": 0, "encode": encode if encoded else None}

    with fake():
        loader = Loader(_Drawn(pipeline), pipeline, TRAINS, **how)
        (batch,) = loader.batches(0, 1)
        assert not pinned
        # A batch of a CUDA device is not augmented there: torch does not know it here.
        Loader(_Drawn(pipeline), pipeline, PREDICTS, **how)._prepare(0)

    assert (batch.images.shape, batch.images.device) == ((2, 1, 8, 10, 12), TRAINS)
    learned = batch.learned["distance"] if encoded else batch.learned
    assert learned.device == TRAINS
    assert learned.shape == ((2, 3, 8, 10, 12) if encoded else (2, 8, 10, 12))
    assert len(pinned) == 4  # images and labels of two samples
