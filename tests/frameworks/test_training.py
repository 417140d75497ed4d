"""A small training in a cached pipeline: bitwise the same when it is run again, and whatever is skipped before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox import Sandbox, outcomes, outputs

# Each gives a trained model's numbers from data `x` of shape (40, 3) and labels `y`.
TRAINING = {
    "torch": """
        import torch
        from expops.torch import DataLoader
        x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y)
        layers = torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Dropout(0.3), torch.nn.Linear(8, 2)
        model = torch.nn.Sequential(*layers)
        optimizer = torch.optim.Adam(model.parameters())
        for _ in range(2):
            for xs, ys in DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=8, shuffle=True):
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(model(xs), ys).backward()
                optimizer.step()
        return [p.detach().numpy().copy() for p in model.parameters()]
    """,
    "torch with its own DataLoader": """
        import torch
        generator = expops.torch_generator(purpose="order")
        x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y)
        model = torch.nn.Linear(3, 2)
        loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), 8, True, generator=generator)
        for xs, ys in loader:
            loss = torch.nn.functional.cross_entropy(model(xs), ys)
            loss.backward()
        return [p.grad.numpy().copy() for p in model.parameters()]
    """,
    "keras": """
        import keras
        keras.config.disable_interactive_logging()
        model = keras.Sequential([keras.layers.Dense(8, "relu"), keras.layers.Dropout(0.3), keras.layers.Dense(1)])
        model.compile("adam", "mse")
        model.fit(np.asarray(x), np.asarray(y), epochs=2, batch_size=8, verbose=0)
        return model.get_weights()
    """,
    "tensorflow": """
        import tensorflow as tf
        w = tf.Variable(tf.random.normal([3, 1]))
        data = tf.data.Dataset.from_tensor_slices((np.asarray(x, "float32"), np.asarray(y, "float32")))
        for xs, ys in data.shuffle(40).batch(8):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((tf.nn.dropout(xs, 0.3) @ w - ys[:, None]) ** 2)
            w.assign_sub(0.1 * tape.gradient(loss, w))
        return [w.numpy()]
    """,
    "jax": """
        import jax, jax.numpy as jnp
        init, order = jax.random.split(expops.jax_key("training"))
        w = jax.random.normal(init, (3,))
        x, y = jnp.asarray(x), jnp.asarray(y)
        step = jax.jit(jax.grad(lambda w, x, y: jnp.mean((x @ w - y) ** 2)))
        for i in jax.random.permutation(order, 40):
            w = w - 0.1 * step(w, x[i], y[i])
        return [np.asarray(w)]
    """,
    "scikit-learn": """
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.linear_model import SGDClassifier
        forest = RandomForestClassifier(5).fit(x, y)
        return [forest.predict_proba(x), SGDClassifier().fit(x, y).coef_]
    """,
    "xgboost": """
        from xgboost import XGBClassifier
        model = XGBClassifier(n_estimators=8, subsample=0.5, random_state=expops.seed("model")).fit(x, y)
        return [model.predict_proba(x)]
    """,
    "lightgbm": """
        from lightgbm import LGBMClassifier
        options = dict(n_estimators=8, subsample=0.5, subsample_freq=1, min_child_samples=2, verbose=-1)
        model = LGBMClassifier(**options, deterministic=True, n_jobs=1, random_state=expops.seed("model")).fit(x, y)
        return [model.predict_proba(np.asarray(x))]
    """,
}
MODEL = """
import random
import numpy as np
import expops
from expops import process, step

@step
def data():
    x = np.random.rand(40, 3)
    return x, (x.sum(axis=1) + 0.3 * expops.rng("noise").normal(size=40) > 1.5).astype("int64")

@step
def train(x, y):
{body}

@step
def plain(x):
    return x + 1

@process()
def fit(flag):
    x, y = data()
    if flag:
        random.random(), np.random.rand(5), plain(flag), expops.rng().random()
    found = train(x, y)
    return {{"model": found, "score": float(sum(np.abs(part).sum() for part in found))}}
"""


def project_of(folder: Path, name: str) -> Sandbox:
    sandbox = Sandbox(folder)
    sandbox.configure([{"name": "fit", "parameters": {"flag": 0}}])
    lines = TRAINING[name].strip("\n").splitlines()
    sandbox.write("src/model.py", MODEL.format(body="\n".join(line[4:] for line in lines)))
    return sandbox


@pytest.mark.timeout(600)  # five interpreters, each of which imports the framework
@pytest.mark.parametrize("name", TRAINING)
def test_training_is_bitwise_the_same(name: str, tmp_path: Path) -> None:
    project = project_of(tmp_path / "project", name)
    first = project.run(jobs=1)
    assert outcomes(first) == {"fit/data": "executed", "fit/train": "executed", "fit": "executed"}
    assert not project.seen.warnings
    base = outputs(first)

    # Everything skipped, then the step before it skipped, then none; the last in an interpreter that has it loaded.
    assert outcomes(project.run(jobs=1)) == {"fit": "hit"}
    one = project.run(jobs=1, forced=["fit/train"], settings=["fit.flag=1"])
    assert {**outcomes(one), "fit/plain": ""} == {
        "fit/data": "hit",
        "fit/plain": "",
        "fit/train": "executed",
        "fit": "executed",
    }
    assert outputs(one) == base
    assert outputs(project.run(jobs=0, forced=["fit"])) == base

    # Another root seed gives another model: what it draws is part of its key.
    other = project.run(jobs=1, seed=7)
    assert set(outcomes(other).values()) == {"executed"}
    assert outputs(other)["fit"]["model"] != base["fit"]["model"]
    assert outputs(project.run(jobs=0, mode="off", seed=7)) == outputs(other)
