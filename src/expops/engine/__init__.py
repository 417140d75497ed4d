"""Plan, run loop, worker: the only place where cache, executors and pipeline meet."""
