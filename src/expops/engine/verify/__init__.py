"""Executes recorded actions again, under varied conditions, and tells where a difference starts.

``variations`` says what can be varied, ``conditions/`` brings it about in a worker, ``replay`` executes one process,
``laboratory`` runs replays in fresh workers, ``search`` finds the smallest set of variations, ``difference`` walks
into values, ``check`` puts all together and ``verdicts`` sums up.
"""
