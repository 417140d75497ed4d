"""Handwritten digits: load, split, reduce, train two models, compare them.

A process takes by parameter name what its upstream processes return and what the configuration sets, and
returns its own outputs in a dict. Random numbers need no `random_state`: each process and step is seeded from
`reproducibility.random_seed`.
"""

import numpy as np
from matplotlib.figure import Figure
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from expops import log_metric, process, step


@process()
def load():
    """Images as rows of 64 grey levels, scaled to 0..1."""
    digits = load_digits()
    return {"images": digits.data / 16.0, "labels": digits.target}


@process()
def split(images, labels, test_size):
    """Training and test images, with equal shares of each digit."""
    train_images, test_images, train_labels, test_labels = train_test_split(
        images, labels, test_size=test_size, stratify=labels
    )
    return {
        "train_images": train_images,
        "test_images": test_images,
        "train_labels": train_labels,
        "test_labels": test_labels,
    }


@process()
def features(train_images, test_images, components):
    """Principal components of the images."""

    @step()
    def fit_pca(images):
        # `components` belongs to the process around this step; its value counts as an input of the step.
        return PCA(n_components=components).fit(images)

    pca = fit_pca(train_images)
    log_metric("explained_variance", pca.explained_variance_ratio_.sum())
    return {"train_features": pca.transform(train_images), "test_features": pca.transform(test_images)}


@step()
def fold_accuracy(model, X, y, folds, fold):
    """Accuracy on one fold of a model that was fitted on the others."""
    train, held_out = list(StratifiedKFold(folds).split(X, y))[fold]
    fitted = clone(model).fit(X[train], y[train])
    return accuracy_score(y[held_out], fitted.predict(X[held_out]))


@step()
def fit(model, X, y):
    """A fitted copy of the model."""
    return clone(model).fit(X, y)


def cross_validate(model, X, y, folds):
    """Log the accuracy of each fold, as the points of one metric, and their mean."""
    scores = [fold_accuracy(model, X, y, folds, fold) for fold in range(folds)]
    for score in scores:
        log_metric("fold_accuracy", score)
    log_metric("cv_accuracy", np.mean(scores))


@process()
def train_logistic(train_features, train_labels, C, folds):
    """Logistic regression on standardised components."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=1000))
    cross_validate(model, train_features, train_labels, folds)
    return {"logistic_model": fit(model, train_features, train_labels)}


@process()
def train_forest(train_features, train_labels, n_estimators, folds):
    """Random forest; it draws random numbers, so another seed trains another forest."""
    model = RandomForestClassifier(n_estimators=n_estimators)
    cross_validate(model, train_features, train_labels, folds)
    return {"forest_model": fit(model, train_features, train_labels)}


def draw_confusion(matrix, title):
    """A chart with a row for each true digit and a column for each predicted one."""
    figure = Figure(figsize=(6, 6), layout="constrained")
    axes = figure.subplots()
    axes.imshow(matrix, cmap="Blues")
    for (row, column), count in np.ndenumerate(matrix):
        colour = "white" if count > matrix.max() / 2 else "black"
        axes.text(column, row, str(count), ha="center", va="center", color=colour)
    axes.set(title=title, xlabel="predicted digit", ylabel="true digit", xticks=range(10), yticks=range(10))
    return figure


@process()
def evaluate(test_features, test_labels, logistic_model, forest_model):
    """Accuracy and macro-F1 of both models on the test images, and the better one's confusion matrix."""

    @step()
    def predict(model):
        return model.predict(test_features)

    predictions = {"logistic": predict(logistic_model), "forest": predict(forest_model)}
    accuracy = {name: accuracy_score(test_labels, labels) for name, labels in predictions.items()}
    for name, labels in predictions.items():
        log_metric(f"{name}_accuracy", accuracy[name])
        log_metric(f"{name}_macro_f1", f1_score(test_labels, labels, average="macro"))

    best = max(accuracy, key=accuracy.get)
    matrix = confusion_matrix(test_labels, predictions[best])
    # A file written under a relative name is kept with the run as an artifact of this process.
    draw_confusion(matrix, f"{best}: accuracy {accuracy[best]:.3f}").savefig("confusion_matrix.png", dpi=120)
    print(f"best model: {best}, accuracy {accuracy[best]:.3f}")
    return {"best_model": best, "accuracy": accuracy, "confusion": matrix}
