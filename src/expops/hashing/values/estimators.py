"""Rules for scikit-learn. Imported only once a scikit-learn value has been met."""

from __future__ import annotations

from typing import Any, Final

from sklearn.base import BaseEstimator

from .node import Context, Node, Rule
from .objects import reduced

# An address, by which CountVectorizer knows whether it has checked this list of stop words before.
_ADDRESSES: Final = frozenset({"_stop_words_id"})


def _estimator(value: Any, context: Context) -> Node:
    return reduced(value, context, without=_ADDRESSES)


RULES: Final[dict[type, Rule]] = {BaseEstimator: _estimator}
