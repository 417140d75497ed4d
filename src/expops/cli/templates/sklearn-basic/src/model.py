"""Read a table, train a classifier, evaluate it.

A process takes by parameter name what its upstream processes return and what the configuration sets, and
returns its own outputs in a dict. Random numbers need no `random_state`: each process and step is seeded from
`reproducibility.random_seed`.
"""

import pandas as pd
from matplotlib.figure import Figure
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import train_test_split

from expops import log_metric, process, step


@process()
def prepare(target, test_size):
    """Training and test rows, with equal shares of each class."""
    table = pd.read_csv("data/train.csv").dropna()
    train_rows, test_rows = train_test_split(table, test_size=test_size, stratify=table[target])
    return {
        "X_train": train_rows.drop(columns=target),
        "y_train": train_rows[target],
        "X_test": test_rows.drop(columns=target),
        "y_test": test_rows[target],
    }


@process()
def train(X_train, y_train, n_estimators, max_depth):
    """A random forest, checked on the rows that each of its trees has not seen."""

    @step()
    def fit(X, y):
        forest = RandomForestClassifier(n_estimators=n_estimators, max_depth=max_depth, oob_score=True)
        return forest.fit(X, y)

    model = fit(X_train, y_train)
    log_metric("out_of_bag_accuracy", model.oob_score_)
    return {"model": model}


def draw_importances(importances):
    """A bar for each column, the most important one on top."""
    figure = Figure(figsize=(6, 0.5 * len(importances) + 1), layout="constrained")
    axes = figure.subplots()
    axes.barh(importances.index, importances)
    axes.set(xlabel="importance", title="What the forest looks at")
    return figure


@process()
def evaluate(model, X_test, y_test):
    """Accuracy and macro-F1 on the test rows, and a chart of the columns' importance."""
    predicted = model.predict(X_test)
    accuracy = accuracy_score(y_test, predicted)
    log_metric("accuracy", accuracy)
    log_metric("macro_f1", f1_score(y_test, predicted, average="macro"))

    importances = pd.Series(model.feature_importances_, index=X_test.columns).sort_values()
    # A file written under a relative name is kept with the run as an artifact of this process.
    draw_importances(importances).savefig("importances.png", dpi=120)
    print(f"accuracy on {len(y_test)} test rows: {accuracy:.3f}")
    return {"accuracy": accuracy, "importances": importances}
