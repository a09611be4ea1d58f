"""What the codes of a run know: the examination of a latent run on strings that were held out.

`posterior.json` of a run folder, which the report draws; None where a number is not defined:

    {"d_latent": 32, "seed": 0,
     "n": 10000,                       held-out strings that were encoded
     "kl": 11.2,                       nats a string, of q(z|x) from N(0, I)
     "mutual_information": 8.9,        nats, at most ln n
     "marginal_kl": 2.3,               nats, of q(z) = mean of q(z|x) from N(0, I): kl - mutual_information
     "active_units": 31,               axes whose posterior mean varies by more than 0.01
     "likelihood": {"n": 200, "n_samples": 500, "nll_per_token": 0.61, "nll_per_sequence": 21.0,
                    "standard_error": 0.3,            of nll_per_sequence, over the strings
                    "neg_elbo_per_token": 0.65, "neg_elbo_per_sequence": 22.4,
                    "forbidden": 0,                   strings that the constraint refuses: left out
                    "given": []},                     conditions of the run: what is bounded is log p(x | conditions)
     "reconstruction": {"greedy": {"n": 2000, "share": 0.71, "same_molecule": 0.72},
                        "beam": {"n": 200, "share": 0.75, "same_molecule": 0.76, "k": 5}},
     "map": {"shares": [0.09, 0.07],                  of the variance of the codes, along the two axes
             "x": [...], "y": [...],                  posterior means of the first 2,000 strings
             "colours": [{"name": "logP", "values": [...], "classes": null}]},     classes: names of 0, 1, ..
     "neighbours": [{"string": "...", "nearest": [{"string": "...", "distance": 1.2}, ...]}]}

`same_molecule` is None for other strings; `mutual_information`, `kl`, `marginal_kl` and `likelihood` are None of an
encoder that draws nothing. The bound and the informations: `metrics/posterior.py`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from freerun.chemistry import canonical
from freerun.conditions import Label
from freerun.held_out import HeldOut
from freerun.methods.variational import active_units, conditioned, kl_per_axis
from freerun.metrics.posterior import (
    importance_weighted_nll,
    log_weights,
    mutual_information,
    neg_elbo,
    principal_plane,
)
from freerun.sampling.beams import BeamSearch
from freerun.sampling.decoding import Decoding
from freerun.sampling.free_run import FreeRun
from freerun.sampling.likelihood import n_tokens
from freerun.scores.molecules import logp, of_strings, qed, weight
from freerun.trained import Trained

Notify = Callable[[str], None]
N_SAMPLES, BEAM = 500, 5
N_CODES, N_WEIGHTED, N_GREEDY, N_BEAM, N_MAPPED = 10_000, 200, 2000, 200, 2000
WORK = N_WEIGHTED * N_SAMPLES * 60 * 1_500_000  # tokens times weights that the bound may cost: a minute on two cores
N_CENTRES, N_NEAREST = 3, 6
MOST_COLOURS, LONGEST = 6, 2000  # conditions that a map is drawn for; characters of a string that is kept


def posterior(
    trained: Trained, held: HeldOut, n: int, seed: int = 0, notify: Notify = lambda _: None
) -> dict[str, Any]:
    """All of the above.

    Args:
        held: In random order: the costlier parts take the first of them.
        n: Most strings of each of these parts.
    """
    mean = held.latent.mean.double().cpu().numpy()
    n_weighted = min(n, n_affordable(trained), len(held))
    notify(f"codes of {len(held):,} held-out strings; the likelihood of {n_weighted} by {N_SAMPLES} codes each")
    return {
        "d_latent": mean.shape[1],
        "seed": seed,
        "n": len(held),
        **information(held, seed),
        "likelihood": likelihood(trained, held.first(n_weighted), N_SAMPLES, seed),
        "reconstruction": {
            "greedy": reconstruction(trained, held.first(min(n, N_GREEDY))),
            "beam": reconstruction(trained, held.first(min(n, N_BEAM)), BEAM),
        },
        "map": _map(trained, held.first(N_MAPPED)),
        "neighbours": _neighbours(held, mean),
    }


def information(held: HeldOut, seed: int = 0) -> dict[str, float | int | None]:
    """`kl`, `mutual_information`, `marginal_kl` and `active_units`."""
    active = int(active_units(held.latent))
    if not is_drawn(held):
        return {"kl": None, "mutual_information": None, "marginal_kl": None, "active_units": active}
    kl = float(kl_per_axis(held.latent).double().sum(1).mean())
    shared = mutual_information(held.latent.mean, held.latent.log_var, seed)
    return {"kl": kl, "mutual_information": shared, "marginal_kl": kl - shared, "active_units": active}


def is_drawn(held: HeldOut) -> bool:
    """Whether the encoder draws its codes, so that they have a density."""
    return bool(held.latent.mean.isfinite().all() and held.latent.log_var.isfinite().all())


def weighted(trained: Trained, held: HeldOut, n_samples: int, seed: int = 0) -> Float[Tensor, "strings samples"]:
    """`log_weights` of these strings."""
    return log_weights(
        trained.generator,
        trained.constraint,
        trained.budget,
        held.tokens,
        held.latent.mean,
        held.latent.log_var,
        held.condition,
        n_samples=n_samples,
        seed=seed,
    )


def n_affordable(trained: Trained) -> int:
    """Strings that are weighted: fewer of a larger network or of longer sequences, never below 10."""
    n_weights = sum(value.numel() for value in trained.generator.parameters())
    return max(10, min(N_WEIGHTED, WORK // (N_SAMPLES * trained.budget * n_weights)))


def likelihood(trained: Trained, held: HeldOut, n_samples: int, seed: int = 0) -> dict[str, Any] | None:
    """The importance-weighted bound and the ELBO, in nats; None of an encoder that draws nothing."""
    if not is_drawn(held):
        return None
    log_w = weighted(trained, held, n_samples, seed)
    allowed = log_w.isfinite().all(1)
    nll, elbo = importance_weighted_nll(log_w[allowed]), neg_elbo(log_w[allowed])
    count, n = int(n_tokens(held.tokens[allowed]).sum()), int(allowed.sum())
    return {
        "n": n,
        "n_samples": n_samples,
        "nll_per_token": float(nll.sum()) / count if n else None,
        "nll_per_sequence": float(nll.mean()) if n else None,
        "standard_error": float(nll.std()) / n**0.5 if n > 1 else None,
        "neg_elbo_per_token": float(elbo.sum()) / count if n else None,
        "neg_elbo_per_sequence": float(elbo.mean()) if n else None,
        "forbidden": len(held) - n,
        "given": list(trained.state.world.conditions.names),
    }


@torch.no_grad()
def reconstruction(trained: Trained, held: HeldOut, beam: int = 0) -> dict[str, float | int | None]:
    """The share of strings that are decoded from the mean of their code, greedily, or as the best of a beam.

    Args:
        beam: Width of the beam; 0: greedily.
    """
    context = conditioned(held.latent.mean, held.condition)
    generator, constraint, budget = trained.generator, trained.constraint, trained.budget
    if beam:
        search = BeamSearch(generator, constraint, budget)
        found = [search(beam, context=row[None]).tokens[0].tolist() for row in context]
        written = [trained.representation.decode_batch(torch.tensor([row]))[0] for row in found]
    else:
        run = FreeRun(generator, constraint, budget, 0, Decoding(greedy=True), context=lambda index: context[index])
        written = trained.representation.decode_batch(run(len(held)).tokens)
    pairs = list(zip(written, held.strings, strict=True))
    same = None
    if trained.representation.is_chemical:
        same = sum((name := canonical(a)) is not None and name == canonical(b) for a, b in pairs) / len(pairs)
    shares = {"n": len(pairs), "share": sum(a == b for a, b in pairs) / len(pairs), "same_molecule": same}
    return shares | ({"k": beam} if beam else {})


def _map(trained: Trained, held: HeldOut) -> dict[str, Any]:
    places, shares = principal_plane(held.latent.mean.double().cpu().numpy())
    x, y = (np.round(axis, 3).tolist() for axis in places.T)
    return {"shares": shares.tolist(), "x": x, "y": y, "colours": _colours(trained, held)}


def _colours(trained: Trained, held: HeldOut) -> list[dict[str, Any]]:
    """What is known of each string: its conditions; else properties of the molecule, or its length."""
    found = []
    for part in trained.state.world.conditions.parts[:MOST_COLOURS]:
        values = _jsonable(held.columns[part.name].cpu().numpy())
        found.append(
            {"name": part.name, "values": values, "classes": part.classes if isinstance(part, Label) else None}
        )
    if not found and trained.representation.is_chemical:
        for name, function in (("logP", logp), ("QED", qed), ("weight", weight)):
            found.append({"name": name, "values": _jsonable(of_strings(function)(held.strings)), "classes": None})
    if not found:
        lengths = [float(len(string)) for string in held.strings]
        found.append({"name": "length", "values": lengths, "classes": None})
    return found


def _neighbours(held: HeldOut, mean: Float[np.ndarray, "strings latent"]) -> list[dict[str, Any]]:
    """The strings whose codes lie nearest to those of the first three; a string is no neighbour of itself."""
    found = []
    for centre in range(min(N_CENTRES, len(held))):
        distances = np.linalg.norm(mean - mean[centre], axis=1)
        nearest: dict[str, float] = {}
        for row in np.argsort(distances, kind="stable").tolist():
            string = held.strings[row]
            if string != held.strings[centre] and string not in nearest:
                nearest[string] = float(distances[row])
            if len(nearest) == N_NEAREST:
                break
        listed = [{"string": string[:LONGEST], "distance": distance} for string, distance in nearest.items()]
        found.append({"string": held.strings[centre][:LONGEST], "nearest": listed})
    return found


def _jsonable(values: np.ndarray) -> list[float | None]:
    return [float(f"{value:.4g}") if np.isfinite(value) else None for value in values.tolist()]
