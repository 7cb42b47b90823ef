"""Measures recomputed from the rows of queries.parquet, in plain numpy."""

import numpy as np
import pandas as pd


def naive_metrics(rows: pd.DataFrame, policy: str) -> dict[str, float]:
    """Metrics of one direction of one protocol under `optimistic`, `pessimistic`, `expected` or `xpool`.

    Under `expected` a query whose ties leave it the ranks a to b earns the share of them that is <= K.
    """
    best = rows["rank_optimistic" if policy == "expected" else f"rank_{policy}"].to_numpy()
    worst = rows["rank_pessimistic"].to_numpy() if policy == "expected" else best
    known = ~np.isnan(best)
    best, worst = best[known], worst[known]
    ranks = (best + worst) / 2
    recall = {
        f"R@{k}": 100
        * np.mean(
            [np.mean(np.arange(a, b + 1) <= k) for a, b in zip(best, worst, strict=True)]
            if known.any()
            else [np.nan]
        )
        for k in (1, 5, 10)
    }
    return {
        **recall,
        "MRR": 100
        * np.mean(
            [np.mean(1 / np.arange(a, b + 1)) for a, b in zip(best, worst, strict=True)]
            if known.any()
            else [np.nan]
        ),
        "SumR": sum(recall.values()),
        "MdR": float(np.median(ranks)) if known.any() else np.nan,
        "MnR": float(ranks.mean()) if known.any() else np.nan,
        "entries": len(best),
        "undefined": int((~known).sum()),
    }
