"""Mutual information of finite laws, and their rate-distortion function by Blahut's and Arimoto's iteration. All in nats.

    I(x; y) = sum_ij P_ij log(P_ij / (p_i q_j))                      (book: eq. 4.1.8, eq:mutual-information)
    R(D) = min I(x; y) over the conditional laws with E cost <= D    (book: eq. 4.1.9, eqn:rate-distortion-general)

For a price beta of distortion the minimum of I + beta E cost is found by turns: the conditional in proportion to
q_j exp(-beta cost_ij), then q as the law of the words under it. Each beta gives one point (D, R) of the curve, where its slope
is -beta (Blahut 1972, Arimoto 1972). Everything is done with logarithms: no beta is too large. Bad shapes and ranges raise
ValueError; under jit, vmap and grad only shapes are checked. float32, or float64 in 64-bit mode.
"""

import jax
import jax.numpy as jnp

from book_utils.compile import compiled
from book_utils.validate import distribution, integer, matrix, nonnegative, same_type


def mutual_information(P: jax.Array) -> jax.Array:
    """I(x; y) (), in nats, >= 0, of joint probabilities P (n, m) that add up to 1; 0 log 0 = 0.

    Right to 2e-6 of 1 + I in float32. Where entries are 0 the gradient is finite (in truth minus infinity).
    Book: eq. 4.1.8, eq:mutual-information."""
    return _mutual_information(distribution(P, "P", "(n, m)"))


@compiled()
def _mutual_information(P):
    seen = P > 0
    log = lambda value: jnp.log(jnp.where(seen, value, 1))  # of an entry that is 0, 0: its gradient is finite too
    ratio = log(P) - log(P.sum(axis=1)[:, None]) - log(P.sum(axis=0))
    return jnp.maximum(jnp.sum(P * ratio), 0)


def blahut_arimoto(p: jax.Array, costs: jax.Array, beta: float, T: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """(distortion (), rate () in nats, conditional (n, m)) after T >= 1 rounds, for symbols of probabilities p (n,) and words
    with costs (n, m). A round takes the conditional for q, then q for it; at first all words are equally frequent in q.

    distortion = sum p_i conditional_ij costs_ij, and rate = I(x; y) of the last conditional itself: the point is achieved, and so
    lies on or above the curve R(D) for every T; it tends to it, slowly where words are close together. beta >= 0 is the price
    of distortion in nats. Rows of the conditional add up to 1, those of symbols with p_i = 0 too. Differentiable in p, costs
    and beta.
    Source: R. Blahut, Computation of channel capacity and rate-distortion functions (1972)."""
    p = distribution(p, "p", "(n,)")
    p, costs, beta = same_type(p, matrix(costs, "costs", "(n, m)", n=p.shape[0]), jnp.asarray(nonnegative(beta, "beta"), p.dtype))
    return _blahut_arimoto(p, costs, beta, integer(T, "T", 1))


@compiled("T")
def _blahut_arimoto(p, costs, beta, T):
    log_p = jnp.where(p > 0, jnp.log(jnp.where(p > 0, p, 1)), -jnp.inf)[:, None]
    log_conditional = lambda log_q: jax.nn.log_softmax(log_q - beta * costs, axis=1)
    update = lambda _, log_q: jax.nn.logsumexp(log_p + log_conditional(log_q), axis=0)
    log_q = jax.lax.fori_loop(1, T, update, jnp.full(costs.shape[1], -jnp.log(costs.shape[1]), costs.dtype))
    conditional = jnp.exp(log_conditional(log_q))
    joint = p[:, None] * conditional
    return jnp.sum(joint * costs), _mutual_information(joint), conditional


def curve(p: jax.Array, costs: jax.Array, betas: jax.Array, T: int) -> tuple[jax.Array, jax.Array]:
    """(distortions (k,), rates (k,) in nats): `blahut_arimoto` for each of betas (k,) at once."""
    p = distribution(p, "p", "(n,)")
    p, costs, betas = same_type(p, matrix(costs, "costs", "(n, m)", n=p.shape[0]), nonnegative(betas, "betas", "(k,)"))
    return _curve(p, costs, betas, integer(T, "T", 1))


@compiled("T")
def _curve(p, costs, betas, T):
    return jax.vmap(lambda beta: _blahut_arimoto(p, costs, beta, T)[:2])(betas)
