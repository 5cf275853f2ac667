"""Exercises of Part 1, second half: water-filling, coverings, Shannon's lower bound, thick spheres."""

import itertools
import math

import numpy as np

from book_utils import coding, covering
from book_utils.course.derivations import Derivation, Stage
from book_utils.course.exercises import Exercise, close, holds

VARIANCES = np.array([0.4, 2.5, 0.1, 1.3, 0.9])  # in no order, adding up to 5.2


def level_by_bisection(eigenvalues, distortion):
    """The water level in float64."""
    low, high = 0.0, float(eigenvalues.max())
    for _ in range(80):
        level = (low + high) / 2
        low, high = (level, high) if np.minimum(level, eigenvalues).sum() < distortion else (low, level)
    return high


def rate_by_bisection(eigenvalues, distortion):
    """Rate of a Gaussian in nats, float64."""
    level = level_by_bisection(eigenvalues, distortion)
    return sum(0.5 * math.log(v / level) for v in eigenvalues if v > level)


def some_covariance(rng, eigenvalues=VARIANCES):
    W = np.linalg.qr(rng.normal(size=(len(eigenvalues),) * 2))[0]
    return (W * eigenvalues) @ W.T


def some_basis(rng, D, d):
    return np.linalg.qr(rng.normal(size=(D, d)))[0]


def gamma_half(n):
    """Gamma(n / 2) for n >= 1 by its recursion."""
    return math.sqrt(math.pi) if n == 1 else 1.0 if n == 2 else (n / 2 - 1) * gamma_half(n - 2)


def ball(D, eps):
    """Volume of a ball, by the recursion V_D = 2 pi V_{D-2} / D."""
    unit = 1.0 if D == 0 else 2.0 if D == 1 else 2 * math.pi / D * ball(D - 2, 1.0)
    return unit * eps**D


# P4.5

water_level = Exercise(
    "ch04.water_level", "The water level", principles=["P4.5"], label="ex:gaussian_rate_distortion", book="exer:KKT", minutes=12,
    stand_in=coding.water_level, objective="find how much error each direction of a Gaussian is allowed",
    hints=["Say that the m smallest eigenvalues are under water. Then the sum is theirs plus (D - m) kappa.",
           "Solve for kappa, once for every m = 0, ..., D - 1: (distortion - the m smallest) / (D - m).",
           "The sum of minima is the lowest of these lines, and reaches the distortion when the last of them does: the largest.",
           "With the eigenvalues rising, jnp.cumsum(rising) - rising are the sums of those before."])


@water_level.law("sum_i min(kappa, lambda_i) is the distortion")
def level_spends_all(f, rng):
    for distortion in (0.05, 0.8, 2.0, 4.7):
        kappa = np.asarray(f(VARIANCES, distortion), dtype=float)
        close(kappa.shape, ())
        close(np.minimum(kappa, VARIANCES).sum(), distortion)


@water_level.law("the level that bisection finds, zeros among the eigenvalues or not")
def level_by_search(f, rng):
    for _ in range(4):
        eigenvalues = rng.exponential(size=5) * np.array([1, 1, 0, 1, 3])
        distortion = eigenvalues.sum() * rng.uniform(0.1, 0.9)
        close(f(eigenvalues, distortion), level_by_bisection(eigenvalues, distortion))


@water_level.law("distortion / D as long as it is below all eigenvalues")
def level_of_little(f, rng):
    close(f(VARIANCES, 0.3), 0.06)


@water_level.law("the largest eigenvalue where the distortion is the trace or more")
def level_of_too_much(f, rng):
    for distortion in (5.2, 6.0, 50.0):
        close(f(VARIANCES, distortion), 2.5)


@water_level.law("does not depend on the order of the eigenvalues")
def level_of_any_order(f, rng):
    for eigenvalues in (VARIANCES, VARIANCES[::-1].copy(), np.sort(VARIANCES)):
        close(f(eigenvalues, 2.0), level_by_bisection(VARIANCES, 2.0))


water_level.wrong("the same share for all", replace=("below = jnp.cumsum(rising) - rising", "below = 0 * rising"),
                  caught_by=level_spends_all,
                  hint="A direction whose variance is below the level cannot be given more error than it has.")
water_level.wrong("the lowest for the highest", replace=("levels.max()", "levels.min()"), caught_by=level_spends_all,
                  hint="Every line has to reach the distortion, the last one too.")
water_level.wrong("counts the direction itself as full", replace=("jnp.cumsum(rising) - rising", "jnp.cumsum(rising)"),
                  caught_by=level_of_little, hint="With m directions full, D - m are left: which sum belongs to which number?")
water_level.wrong("fills the largest first", replace=("jnp.sort(eigenvalues)", "jnp.sort(eigenvalues)[::-1]"),
                  caught_by=level_spends_all, hint="Which directions go under first, those of small or of large variance?")
water_level.wrong("takes them as they come", replace=("jnp.sort(eigenvalues)", "eigenvalues"), caught_by=level_of_any_order,
                  hint="The eigenvalues come in any order.")
water_level.wrong("no ceiling", replace=("jnp.minimum(levels.max(), rising[-1])", "levels.max()"), caught_by=level_of_too_much,
                  hint="What if the distortion exceeds the sum of all eigenvalues?")
water_level.wrong("pours water onto the eigenvalues", replace=("(distortion - below)", "(distortion + below)"),
                  caught_by=level_spends_all,
                  hint="That fills up above the eigenvalues, as for a channel's capacity. Here the water stands inside the bars.")


@water_level.right("by bisection")
def _(eigenvalues, distortion):
    values = np.asarray(eigenvalues, dtype=float)
    low, high = 0.0, values.max()
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if np.minimum(middle, values).sum() < distortion else (low, middle)
    return high


@water_level.right("one direction after another, in NumPy")
def _(eigenvalues, distortion):
    left = [float(v) for v in np.sort(np.asarray(eigenvalues))]
    rest = distortion
    while left and rest / len(left) > left[0]:
        rest -= left.pop(0)
    return rest / len(left) if left else float(np.max(np.asarray(eigenvalues)))


rate_distortion_gaussian = Exercise(
    "ch04.rate_distortion_gaussian", "The rate of a Gaussian", principles=["P4.5"], label="ex:gaussian_rate_distortion",
    book="exer:KKT", minutes=6, level="more", needs=["ch04.water_level"], allows=[coding.water_level],
    stand_in=coding.rate_distortion_gaussian,
    objective="compute the rate of a Gaussian at any distortion",
    hints=["First the level; then a sum over directions.", "A direction below the level costs nothing: log 1.",
           "log(max(eigenvalue / kappa, 1)) / 2, added up. An eigenvalue 0 does no harm that way."])


@rate_distortion_gaussian.law("the sum over the directions above the level that bisection finds")
def gaussian_rate_by_search(f, rng):
    for distortion in (0.05, 0.8, 3.0):
        close(f(VARIANCES, distortion), rate_by_bisection(VARIANCES, distortion))


@rate_distortion_gaussian.law("no other division of the distortion between two directions does better, and one does as well")
def gaussian_rate_is_least(f, rng):
    for distortion in (0.5, 1.7):
        share = np.linspace(0, distortion, 40_003)[1:-1]
        spent = np.stack([np.minimum(share, 2.0), np.minimum(distortion - share, 0.4), ])
        rates = 0.5 * np.log(np.array([[2.0], [0.4]]) / spent).sum(axis=0)
        close(f(np.array([2.0, 0.4, 0, 0, 0]), distortion), rates.min())


@rate_distortion_gaussian.law("0 from the trace on")
def gaussian_rate_zero(f, rng):
    for distortion in (5.2, 5.3, 40.0):
        close(f(VARIANCES, distortion), 0)


@rate_distortion_gaussian.law("falls with the distortion at the slope -1 / (2 kappa)")
def gaussian_rate_slope(f, rng):
    for distortion in (0.9, 3.0):
        rise = np.asarray(f(VARIANCES, distortion + 0.05), dtype=float) - np.asarray(f(VARIANCES, distortion - 0.05), dtype=float)
        close(rise / 0.1, -1 / (2 * level_by_bisection(VARIANCES, distortion)), tol=30)


@rate_distortion_gaussian.law("does not change if all lengths are measured in another unit")
def gaussian_rate_units(f, rng):
    close(f(9 * VARIANCES, 9 * 0.8), rate_by_bisection(VARIANCES, 0.8))


rate_distortion_gaussian.wrong("in bits", replace=("jnp.log(", "jnp.log2("), caught_by=gaussian_rate_by_search,
                               hint="Yours is 1.44 times as large: nats are wanted.")
rate_distortion_gaussian.wrong("forgets the half", replace=(") / 2", ")"), caught_by=gaussian_rate_by_search,
                               hint="A variance is a squared length: log of the length is half of it.")
rate_distortion_gaussian.wrong("lets the rate of a direction fall below 0",
                               replace=("jnp.maximum(eigenvalues / kappa, 1)", "jnp.maximum(eigenvalues, 1e-9) / kappa"),
                               caught_by=gaussian_rate_zero,
                               hint="A direction below the level costs nothing. It earns nothing either.")
rate_distortion_gaussian.wrong("the same error everywhere",
                               replace=("eigenvalues / kappa", "eigenvalues * len(eigenvalues) / distortion"),
                               caught_by=gaussian_rate_is_least,
                               hint="Directions below the level leave some of their share to the others.")
rate_distortion_gaussian.wrong("squares the distortion again", replace=("water_level(eigenvalues, distortion)",
                               "water_level(eigenvalues, distortion**2)"), caught_by=gaussian_rate_units,
                               hint="distortion is eps squared already.")
rate_distortion_gaussian.wrong("adds log(1 + ratio)", replace=("jnp.maximum(eigenvalues / kappa, 1)", "1 + eigenvalues / kappa"),
                               caught_by=gaussian_rate_zero,
                               hint="That is the rate of a channel that adds noise. Here the error is part of the variance.")


@rate_distortion_gaussian.right("the formula of the book, direction by direction")
def _(eigenvalues, distortion):
    kappa = float(water_level(eigenvalues, distortion))
    return sum(0.5 * np.log(float(v) / min(kappa, float(v))) for v in eigenvalues if v > 0)


reverse_water_filling = Derivation(
    "ch04.reverse_water_filling", "From the multipliers to the formula", principles=["P4.5"], label="ex:gaussian_rate_distortion",
    book="exer:KKT", minutes=10, level="more", objective="derive the rate of a Gaussian from the conditions for a minimum",
    stages=[Stage("with nu and mu, and no distortions", uses={"nu", "mu"}, without={"distortions"}),
            Stage("with nu alone, mu being written out", uses={"nu", "eigenvalues"}, without={"mu", "distortions"}),
            Stage("over the directions above the water", uses={"above"}, without={"mu", "distortions"})],
    hints=["1 / D_i is 2 (nu + mu_i): put it in.", "nu + max(0, a - nu) = max(nu, a), with a = 1 / (2 lambda_i).",
           "2 lambda_i max(nu, 1 / (2 lambda_i)) = max(2 nu lambda_i, 1). Whose logarithm is 0?",
           "jnp.sum(log(eigenvalues / kappa), where=above) adds up those above the level, and 2 nu is 1 / kappa."])


@reverse_water_filling.instance
def _(rng):
    return dict(eigenvalues=rng.uniform(0.1, 3, size=6), kappa=float(rng.uniform(0.8, 1.2)))


reverse_water_filling.wrong("the multiplier with the wrong sign", replace=("(nu + mu)", "(nu - mu)"), caught_by="equal",
                            hint="Stationarity: 1 / (2 D_i) = nu + mu_i.")
reverse_water_filling.wrong("the smaller for the larger", replace=("log(maximum(2 * nu * eigenvalues, 1))",
                            "log(minimum(2 * nu * eigenvalues, 1))"), caught_by="equal",
                            hint="nu + max(0, a - nu) is the larger of nu and a.")
reverse_water_filling.wrong("adds up all directions", replace=(", where=above)", ", where=above | ~above)"), caught_by="equal",
                            hint="For a direction below the level the maximum is 1, and its logarithm 0.")
reverse_water_filling.wrong("loses the 2", replace=("2 * nu * eigenvalues, 1", "nu * eigenvalues, 1"), caught_by="equal",
                            hint="nu is 1 / (2 kappa).")
reverse_water_filling.wrong("leaves mu in",
                            replace=("log(maximum(2 * nu * eigenvalues, 1))", "log(2 * (nu + mu) * eigenvalues) + 0"),
                            caught_by="stages", hint="True, but mu can be written out: nu + max(0, a - nu) is a maximum.")


@reverse_water_filling.right("with the reciprocal errors by name")
def _(eigenvalues, kappa):
    log, maximum, minimum = jnp.log, jnp.maximum, jnp.minimum
    nu = 1 / (2 * kappa)
    mu = maximum(0, 1 / (2 * eigenvalues) - nu)  # 0 for those above the level
    distortions = 1 / (2 * (nu + mu))  # stationarity: 1 / (2 D_i) = nu + mu_i
    above = eigenvalues > kappa
    yield jnp.sum(log(eigenvalues / distortions)) / 2
    yield (jnp.sum(log(eigenvalues)) + jnp.sum(log(2 * nu + 2 * mu))) / 2
    yield jnp.sum(log(eigenvalues * maximum(2 * nu, 1 / eigenvalues))) / 2
    yield jnp.sum(jnp.where(above, log(eigenvalues) - log(kappa), 0)) / 2
    yield jnp.sum(log(eigenvalues / minimum(kappa, eigenvalues))) / 2


kkt_residuals = Exercise(
    "ch04.kkt_residuals", "A certificate for a division of the error", principles=["P4.5"], label="ex:gaussian_rate_distortion",
    book="exer:KKT", minutes=10, level="more",
    objective="certify that a division of the distortion is the best, or bound what it wastes",
    hints=["Three numbers: does it add up, does it exceed, is it slack?", "mu is 0 where the error is the largest of all.",
           "The excess: the largest of distortions - eigenvalues, but at least 0.",
           "The last: jnp.sum(mu * (eigenvalues - distortions))."])


def some_errors(rng):
    """Allowed errors that add up to their total, below the eigenvalues."""
    errors = VARIANCES * rng.uniform(0.1, 0.9, size=5)
    return errors, errors.sum()


@kkt_residuals.law("all three are 0 for the errors of the water level")
def certificate_of_the_best(f, rng):
    for distortion in (0.3, 2.0, 4.0):
        best = np.minimum(level_by_bisection(VARIANCES, distortion), VARIANCES)
        for residual in f(VARIANCES, best, distortion):
            close(residual, 0)


@kkt_residuals.law("the third bounds what is lost against the best errors")
def certificate_bounds_the_loss(f, rng):
    for _ in range(5):
        errors, distortion = some_errors(rng)
        rest, excess, room = (float(r) for r in f(VARIANCES, errors, distortion))
        lost = 0.5 * np.log(VARIANCES / errors).sum() - rate_by_bisection(VARIANCES, distortion)
        close(rest, 0)
        close(excess, 0)
        holds(lost <= room + 1e-3, "more is lost than the third number says")
        holds(room <= sum((v - e) / (2 * e) for v, e in zip(VARIANCES, errors)), "the third number is far too large")


@kkt_residuals.law("says by how much the errors miss their sum and exceed their eigenvalues")
def certificate_of_what_is_not_allowed(f, rng):
    errors = np.full(5, 0.6)
    rest, excess, _ = f(VARIANCES, errors, 2.0)
    close(rest, 1.0)
    close(excess, 0.5)
    rest, excess, _ = f(VARIANCES, VARIANCES / 2, 4.0)
    close(rest, 1.4)
    close(excess, 0)


@kkt_residuals.law("the third by hand: two directions in proportion to their variance")
def certificate_by_hand(f, rng):
    errors = np.array([1.0, 1.0, 0.25, 0.5, 1.0])  # of eigenvalues twice as large: mu = 0, 0, 1.5, 0.5, 0
    close(f(2 * errors, errors, 3.75)[2], 1.5 * 0.25 + 0.5 * 0.5)


kkt_residuals.wrong("the multiplier of the smallest error", replace=("jnp.max(distortions)", "jnp.min(distortions)"),
                    caught_by=certificate_by_hand, hint="mu must not be negative: nu is the smallest of the 1 / (2 D_i).")
kkt_residuals.wrong("the sum with its sign",
                    replace=("jnp.abs(jnp.sum(distortions) - distortion)", "jnp.sum(distortions) - distortion"),
                    caught_by=certificate_of_what_is_not_allowed, hint="How far off: a size, not a sign.")
kkt_residuals.wrong("what is left for what exceeds", replace=("jnp.maximum(-slack, 0)", "jnp.maximum(slack, 0)"),
                    caught_by=certificate_of_the_best, hint="An excess is an error larger than its eigenvalue.")
kkt_residuals.wrong("without the factor 2", replace=("mu = 1 / (2 * distortions) - 1 / (2 * jnp.max(distortions))",
                    "mu = 1 / distortions - 1 / jnp.max(distortions)"), caught_by=certificate_by_hand,
                    hint="The derivative of log(lambda / D) / 2 is -1 / (2 D).")
kkt_residuals.wrong("the largest product for their sum", replace=("jnp.sum(mu * slack)", "jnp.max(mu * slack)"),
                    caught_by=certificate_by_hand, hint="The bound adds up what every direction may lose.")
kkt_residuals.wrong("forgets the slack", replace=("jnp.sum(mu * slack)", "jnp.sum(mu)"), caught_by=certificate_of_the_best,
                    hint="A direction that has spent all it has may have a multiplier above 0.")


@kkt_residuals.right("direction by direction, in NumPy")
def _(eigenvalues, distortions, distortion):
    values, errors = np.asarray(eigenvalues, dtype=float), np.asarray(distortions, dtype=float)
    level, room = errors.max(), 0.0
    for v, e in zip(values, errors):
        room += (level - e) / (2 * level * e) * (v - e)
    return abs(errors.sum() - distortion), max(0.0, (errors - values).max()), room


test_channel = Exercise(
    "ch04.test_channel", "A channel that attains the rate", principles=["P4.5"], label="ex:gaussian_rate_distortion",
    book="exer:KKT",
    minutes=12, level="more", needs=["ch04.water_level"], allows=[coding.water_level],
    objective="build the code that shows the lower bound to be attained",
    hints=["Work in the eigenbasis of Sigma, one direction at a time; at the end turn back.",
           "D_i = min(kappa, lambda_i) is the error; what is kept of x_i is the share a_i = 1 - D_i / lambda_i.",
           "The noise of direction i has the variance a_i D_i.",
           "U diag(a) U^T is (U * a) @ U.T."])


def joint(f, Sigma, distortion):
    """(A, noise, cov of xhat) of the answer, float64."""
    A, noise = (np.asarray(a, dtype=float) for a in f(Sigma, distortion))
    close(A.shape, Sigma.shape)
    close(noise.shape, Sigma.shape)
    return A, noise, A @ Sigma @ A.T + noise


@test_channel.law("E||x - xhat||^2 is the distortion")
def channel_distortion(f, rng):
    Sigma = some_covariance(rng)
    for distortion in (0.3, 2.0, 4.0):
        A, noise, _ = joint(f, Sigma, distortion)
        rest = np.eye(5) - A
        close(np.trace(rest @ Sigma @ rest.T + noise), distortion, tol=3)


@test_channel.law("its mutual information is the rate")
def channel_rate(f, rng):
    Sigma = some_covariance(rng)
    for distortion in (0.3, 2.0, 4.0):
        A, _, words = joint(f, Sigma, distortion)
        given = Sigma - Sigma @ A.T @ np.linalg.pinv(words, rcond=1e-3, hermitian=True) @ A @ Sigma  # covariance of x given xhat
        information = 0.5 * (np.linalg.slogdet(Sigma)[1] - np.linalg.slogdet(given)[1])
        close(information, rate_by_bisection(VARIANCES, distortion), tol=5)


@test_channel.law("the error is uncorrelated with the word: E[x xhat^T] = E[xhat xhat^T]")
def channel_orthogonal(f, rng):
    Sigma = some_covariance(rng)
    A, _, words = joint(f, Sigma, 2.0)
    close(A @ Sigma, words, tol=2)


@test_channel.law("the noise is a covariance: symmetric, with no negative eigenvalue")
def channel_noise(f, rng):
    _, noise, _ = joint(f, some_covariance(rng), 2.0)
    close(noise, noise.T)
    holds(np.linalg.eigvalsh(noise).min() > -1e-4, "an eigenvalue of the noise is negative")


@test_channel.law("nothing passes in a direction of variance below the level")
def channel_drops(f, rng):
    Sigma = some_covariance(rng)
    values, W = np.linalg.eigh(Sigma)
    A, noise, _ = joint(f, Sigma, 2.0)  # the level is 0.5: the two smallest are dropped
    close(A @ W[:, :2], np.zeros((5, 2)))
    close(noise @ W[:, :2], np.zeros((5, 2)))


test_channel.wrong("adds the error itself", replace=("(U * kept * spent)", "(U * spent)"), caught_by=channel_distortion,
                   hint="That is the noise of x = xhat + e. Turned round, its variance is a_i D_i.")
test_channel.wrong("adds noise without shrinking",
                   replace=("return (U * kept) @ U.T", "return np.eye(len(U))"),
                   caught_by=channel_orthogonal, hint="A word that is x plus noise varies more than x. A code varies less.")
test_channel.wrong("keeps the root of the share", replace=("1 - spent / eigenvalues", "np.sqrt(1 - spent / eigenvalues)"),
                   caught_by=channel_orthogonal, hint="a_i = E[x_i xhat_i] / lambda_i.")
test_channel.wrong("keeps what it should drop", replace=("1 - spent / eigenvalues", "spent / eigenvalues"),
                   caught_by=channel_drops,
                   hint="Where all the variance is spent on the error, nothing is kept.")
test_channel.wrong("no noise at all", replace=("(U * kept * spent)", "(0 * U)"), caught_by=channel_distortion,
                   hint="Without noise xhat tells x exactly in the directions that are kept, at an infinite rate.")
test_channel.wrong("stays in the eigenbasis", replace=("return (U * kept) @ U.T,", "return np.diag(kept),"),
                   caught_by=channel_drops, hint="The shares belong to eigenvectors: turn back.")


@test_channel.right("in JAX")
def _(Sigma, distortion):
    eigenvalues, U = jnp.linalg.eigh(Sigma)
    a = jnp.maximum(1 - water_level(eigenvalues, distortion) / eigenvalues, 0)
    return U @ jnp.diag(a) @ U.T, U @ jnp.diag(a * (1 - a) * eigenvalues) @ U.T


@test_channel.right("from the covariances of the words and of the error, in NumPy")
def _(Sigma, distortion):
    Sigma = np.asarray(Sigma, dtype=float)
    values, U = np.linalg.eigh(Sigma)
    level = float(water_level(values, distortion))
    words = U @ np.diag(np.maximum(values - level, 0)) @ U.T
    A = np.linalg.solve(Sigma, words).T
    return A, words - A @ Sigma @ A.T


# P4.7

greedy_net = Exercise(
    "ch04.greedy_net", "Words chosen among the samples", principles=["P4.7", "P4.8"],
    label="example:sphere-covering-rate-distortion",
    minutes=12, stand_in=covering.greedy_net, objective="cover a data set by balls around few of its samples",
    hints=["Keep one number for each column: the distance to its nearest chosen column.",
           "A new choice can only lower these numbers: the elementwise minimum with the distances to it.",
           "Stop when the largest is eps or less; otherwise its place (argmax) is the next choice.",
           "X[:, [i]] is a column of shape (D, 1); np.linalg.norm(X - X[:, [i]], axis=0) has the distances to it."])


def places(f, X, eps):
    """The answer as integers."""
    chosen = np.asarray(f(X, eps), dtype=float)
    holds(chosen.ndim == 1 and len(chosen) > 0, "the result is not a row of numbers of columns")
    holds(np.allclose(chosen, np.round(chosen)) and chosen.min() >= 0 and chosen.max() < X.shape[1], "no number of a column")
    return chosen.round().astype(int)


def gaps(X):
    """All distances between columns."""
    return np.sqrt(((X[:, :, None] - X[:, None]) ** 2).sum(axis=0))


def least_cover(X, eps):
    """Covering number of the columns by columns, by trying all subsets."""
    near = gaps(X) <= eps
    return next(m for m in range(1, X.shape[1] + 1) if any(near[list(s)].any(axis=0).all()
                                                            for s in itertools.combinations(range(X.shape[1]), m)))


@greedy_net.law("every column is within eps of a chosen one")
def net_covers(f, rng):
    X = rng.normal(size=(3, 40))
    for eps in (0.6, 1.5):
        holds(gaps(X)[places(f, X, eps)].min(axis=0).max() <= eps + 1e-4, "a column is farther than eps from all those chosen")


@greedy_net.law("those chosen are more than eps apart")
def net_packs(f, rng):
    X = rng.normal(size=(3, 40))
    for eps in (0.6, 1.5):
        chosen = places(f, X, eps)
        between = gaps(X)[np.ix_(chosen, chosen)] + 100 * np.eye(len(chosen))
        holds(between.min() > eps - 1e-4, "two chosen columns are within eps of each other")


@greedy_net.law("each choice is the farthest from those before, beginning with column 0")
def net_takes_the_farthest(f, rng):
    X = rng.normal(size=(3, 40))
    chosen = places(f, X, 0.9)
    close(chosen[0], 0)
    for i in range(1, len(chosen)):
        reach = gaps(X)[chosen[:i]].min(axis=0)
        holds(reach[chosen[i]] >= reach.max() - 1e-4, "a farther column was to be had")


@greedy_net.law("a column at distance eps exactly is near enough")
def net_is_closed(f, rng):
    X = np.zeros((3, 40))
    X[0, 20:] = 2.0
    close(places(f, X, 2.0), [0])
    close(places(f, X, 1.9), [0, 20])


@greedy_net.law("between the least number of balls of radius eps and of radius eps / 2, by trying all subsets of 9 columns")
def net_is_never_far_off(f, rng):
    X = rng.normal(size=(3, 9))
    for eps in (1.0, 2.0, 2.8):
        m = len(places(f, X, eps))
        holds(least_cover(X, eps) <= m <= least_cover(X, eps / 2), "the number is not between the two covering numbers")


greedy_net.wrong("stops at twice the radius", replace=("nearest.max() > eps", "nearest.max() > 2 * eps"), caught_by=net_covers,
                 hint="eps is a radius: the largest distance from a sample to its word.")
greedy_net.wrong("squared distances", replace=("nearest.max() > eps", "nearest.max() ** 2 > eps"), caught_by=net_is_closed,
                 hint="A distance is compared with eps, not its square.")
greedy_net.wrong("begins at the mean", replace=("np.linalg.norm(X - X[:, :1], axis=0)",
                 "np.linalg.norm(X - X.mean(axis=1, keepdims=True), axis=0)"), caught_by=net_takes_the_farthest,
                 hint="The first word is column 0: distances are to it.")
greedy_net.wrong("the columns themselves", replace=("return np.array(chosen)", "return X[0, np.array(chosen)]"),
                 caught_by=net_takes_the_farthest, hint="Asked for are the numbers of the columns.")
greedy_net.wrong("takes any that is too far", replace=("int(nearest.argmax())", "int((nearest > eps).argmax())"),
                 caught_by=net_takes_the_farthest,
                 hint="That is a packing as well. The one asked for takes the farthest, not the first that is too far.")
greedy_net.wrong("sums of sizes for Euclidean distances", replace=("away = np.linalg.norm(X - X[:, chosen[-1:]], axis=0)",
                 "away = np.abs(X - X[:, chosen[-1:]]).sum(axis=0)"), caught_by=net_packs,
                 hint="Balls are Euclidean: the root of the sum of squares.")
greedy_net.wrong("in rising order", replace=("np.array(chosen)", "np.sort(np.array(chosen))"), caught_by=net_takes_the_farthest,
                 hint="In the order of choice.")


@greedy_net.right("with all distances at once")
def _(X, eps):
    X = np.asarray(X, dtype=float)
    distances = np.linalg.norm(X[:, :, None] - X[:, None, :], axis=0)
    chosen = [0]
    while (reach := distances[chosen].min(axis=0)).max() > eps + 1e-9:
        chosen.append(int(np.argmax(reach)))
    return np.array(chosen)


# P4.8

circle_covering_number = Exercise(
    "ch04.circle_covering_number", "Balls on a circle", principles=["P4.8"], label="thm:covering-number-rate-distortion",
    minutes=6,
    level="more", stand_in=covering.circle_covering_number, objective="count balls exactly where it can be done",
    hints=["A disc around a point of the circle covers an arc to both sides. What is the chord to the end of that arc?",
           "The chord of an angle a is 2 sin(a / 2): set it equal to eps.",
           "Each disc covers twice 2 arcsin(eps / 2) of the 2 pi, and the number is rounded up. From eps = 2 on one will do."])

ANGLES = np.linspace(0, 2 * np.pi, 5001)


def covered(M, eps):
    """Whether M evenly spaced discs cover the circle, point by point."""
    C = 2 * np.pi * np.arange(M) / M
    chords = np.hypot(np.cos(ANGLES[:, None]) - np.cos(C), np.sin(ANGLES[:, None]) - np.sin(C))
    return chords.min(axis=1).max() <= eps


@circle_covering_number.law("so many evenly spaced discs cover the circle, point by point, and one less does not")
def circle_is_covered(f, rng):
    for eps in (0.07, 0.3, 0.8, 1.02, 1.3, 1.6):
        M = int(np.asarray(f(eps), dtype=float).round())
        close(f(eps), M)
        holds(1 <= M < 1000 and covered(M, eps), "these discs leave a point of the circle bare")
        holds(M == 1 or not covered(M - 1, eps), "one disc less would do")


@circle_covering_number.law("one disc from eps = 2 on, two just below")
def circle_by_one(f, rng):
    close(f(2.1), 1)
    close(f(7.0), 1)
    close(f(1.99), 2)


@circle_covering_number.law("about pi / eps for small eps")
def circle_by_many(f, rng):
    for eps in (0.03, 0.004):
        close(np.asarray(f(eps), dtype=float) * eps / np.pi, 1, tol=30)


circle_covering_number.wrong("the arc for the chord", replace=("2 * np.arcsin(min(eps / 2, 1))", "min(eps, 3)"),
                             caught_by=circle_is_covered,
                             hint="A chord is shorter than its arc: a disc covers more than 2 eps of it.")
circle_covering_number.wrong("an arc to one side only", replace=("np.pi / half", "2 * np.pi / half"), caught_by=circle_is_covered,
                             hint="A disc covers an arc to both sides of its centre.")
circle_covering_number.wrong("rounds down", replace=("np.ceil(", "np.floor("), caught_by=circle_is_covered,
                             hint="A part of the circle is left bare: one more disc.")
circle_covering_number.wrong("takes eps for a diameter", replace=("min(eps / 2, 1)", "min(eps / 4, 1)"),
                             caught_by=circle_is_covered,
                             hint="eps is the radius of the disc.")
circle_covering_number.wrong("forgets to halve the chord", replace=("min(eps / 2, 1)", "min(eps, 1)"), caught_by=circle_by_many,
                             hint="The chord of an angle a is 2 sin(a / 2).")


@circle_covering_number.right("by adding discs until they reach round")
def _(eps):
    M = 1
    while 2 * np.sin(np.pi / (2 * M)) > eps:
        M += 1
    return M


rate_of_union = Exercise(
    "ch04.rate_of_union", "A union of spheres", principles=["P4.8"], label="thm:covering-number-rate-distortion", minutes=15,
    level="challenge", objective="see where counting balls says too much",
    hints=["Numbers of balls add up; you have their logarithms. Take the largest out before you exponentiate.",
           "To say part k takes log(1 / pi_k) nats, on average the entropy of pi. A part of probability 0 takes nothing.",
           "To say one ball of N_k takes log N_k; its mean is sum_k pi_k log N_k."])


def all_balls(pi, numbers):
    """Probabilities of all balls when each of a part is equally likely."""
    return np.concatenate([np.full(n, p / n) for p, n in zip(pi, numbers)])


@rate_of_union.law("the logarithm of the count, and the entropy of the number of the ball, ball by ball")
def union_by_counting(f, rng):
    pi, numbers = rng.dirichlet(np.ones(3)), np.array([4, 900, 35])
    cover, rate = f(pi, np.log(numbers))
    p = all_balls(pi, numbers)
    close(cover, np.log(len(p)))
    close(rate, -np.sum(p * np.log(p)))


@rate_of_union.law("equal where each part is as likely as its share of the balls, and never the other way round")
def union_by_gibbs(f, rng):
    numbers = np.array([7.0, 300.0, 20.0])
    cover, rate = f(numbers / numbers.sum(), np.log(numbers))
    close(rate, cover)
    for _ in range(5):
        cover, rate = f(rng.dirichlet(np.ones(3)), np.log(numbers))
        holds(float(rate) <= float(cover) + 1e-3, "the second number exceeds the first")


@rate_of_union.law("a part of probability 0 counts for the balls, and not for the rate")
def union_with_an_empty_part(f, rng):
    cover, rate = f(np.array([0.0, 0.5, 0.5]), np.log(np.array([50.0, 10, 10])))
    close(cover, np.log(70))
    close(rate, np.log(20))


@rate_of_union.law("with a thousand nats nothing overflows")
def union_of_many(f, rng):
    cover, rate = f(np.array([0.25, 0.25, 0.5]), np.array([1000.0, 1000.0, 10.0]))
    close(cover, 1000 + np.log(2))
    close(rate, 505 + 1.5 * np.log(2))


rate_of_union.wrong("forgets to say the part", replace=("return cover, which + jnp", "return cover, jnp"),
                    caught_by=union_by_counting,
                    hint="The number of a ball within its part is not enough: which part?")
rate_of_union.wrong("the largest part alone", replace=("top + jnp.log(jnp.sum(jnp.exp(log_numbers - top)))", "top + 0"),
                    caught_by=union_by_counting, hint="All parts have to be covered: numbers add up.")
rate_of_union.wrong("adds logarithms", replace=("top + jnp.log(jnp.sum(jnp.exp(log_numbers - top)))", "jnp.sum(log_numbers)"),
                    caught_by=union_by_counting, hint="A sum of logarithms is the logarithm of a product.")
rate_of_union.wrong("exponentiates at once", replace=("top + jnp.log(jnp.sum(jnp.exp(log_numbers - top)))",
                    "jnp.log(jnp.sum(jnp.exp(log_numbers)))"), caught_by=union_of_many,
                    hint="e^1000 is no float32: take the largest out first.")
rate_of_union.wrong("an equal word for every part",
                    replace=("-jnp.sum(pi * jnp.log(jnp.where(pi > 0, pi, 1)))", "jnp.log(len(pi))"),
                    caught_by=union_by_gibbs, hint="A likely part deserves a short word: on average the entropy of pi.")
rate_of_union.wrong("0 log 0", replace=("jnp.where(pi > 0, pi, 1)", "pi"), caught_by=union_with_an_empty_part,
                    hint="What never happens needs no word, and 0 log 0 is NaN on a machine.")


@rate_of_union.right("in NumPy")
def _(pi, log_numbers):
    pi, logs = np.asarray(pi, dtype=float), np.asarray(log_numbers, dtype=float)
    return np.logaddexp.reduce(logs), sum(p * (n - np.log(p)) for p, n in zip(pi, logs) if p > 0)


# P4.9

shannon_lower_bound = Exercise(
    "ch04.shannon_lower_bound", "Shannon's lower bound", principles=["P4.9"], label="eq:slb", minutes=6, level="more",
    stand_in=covering.shannon_lower_bound, objective="bound a rate from below by an entropy",
    hints=["The entropy of the source less the largest that an error of this size may have.",
           "Each of D entries of the error has the variance eps^2 / D.", "h - D/2 log(2 pi e eps^2 / D)."])


@shannon_lower_bound.law("the rate of a Gaussian, where no eigenvalue is below eps^2 / D")
def bound_for_gaussians(f, rng):
    for D in (1, 3):
        eigenvalues = rng.uniform(0.5, 3, size=D)
        h = 0.5 * np.sum(np.log(2 * np.pi * np.e * eigenvalues))
        eps = math.sqrt(0.4 * D)
        close(f(h, eps, D), rate_by_bisection(eigenvalues, eps**2))


@shannon_lower_bound.law("below what a real code takes: a cube cut into smaller cubes")
def bound_below_a_code(f, rng):
    for D, parts in ((1, 4), (3, 4), (3, 2)):
        eps = math.sqrt(D / 12) / parts  # uniform in a cube of side 1 / parts: variance 1 / (12 parts^2) a coordinate
        code = D * math.log(parts)
        bound = float(f(0.0, eps, D))
        close(code - bound, D * 0.5 * math.log(2 * math.pi * math.e / 12))  # 0.176 nats a coordinate, known as 1.53 dB


@shannon_lower_bound.law("halving eps costs log 2 more in each of D dimensions")
def bound_slope(f, rng):
    for D in (2, 5):
        close(float(f(1.3, 0.1, D)) - float(f(1.3, 0.2, D)), D * math.log(2))


@shannon_lower_bound.law("entropy less log volume of the ball, and the constant of the appendix")
def bound_by_volume(f, rng):
    for D in (1, 4, 7):
        constant = math.log(2 / (D * gamma_half(D)) * (D / (2 * math.e)) ** (D / 2))
        close(f(0.7, 0.3, D), 0.7 - math.log(ball(D, 0.3)) + constant)


@shannon_lower_bound.law("-inf for a law without a density")
def bound_without_density(f, rng):
    holds(np.asarray(f(-np.inf, 0.1, 2), dtype=float) == -np.inf, "the bound is not -inf")


shannon_lower_bound.wrong("eps for every coordinate", replace=("eps**2 / D", "eps**2"), caught_by=bound_for_gaussians,
                          hint="eps^2 is the error of all coordinates together: each has eps^2 / D.")
shannon_lower_bound.wrong("in bits", replace=("jnp.log(", "jnp.log2("), caught_by=bound_slope,
                          hint="Yours is in bits, and h in nats.")
shannon_lower_bound.wrong("adds the entropy of the error", replace=("h - D", "h + D"), caught_by=bound_slope,
                          hint="I(x; xhat) = h(x) - h(x | xhat).")
shannon_lower_bound.wrong("forgets e", replace=("2 * jnp.pi * jnp.e *", "2 * jnp.pi *"), caught_by=bound_for_gaussians,
                          hint="The entropy of N(0, s^2) is log(2 pi e s^2) / 2.")
shannon_lower_bound.wrong("counts every dimension twice", replace=("D / 2 *", "D *"), caught_by=bound_slope,
                          hint="A variance is a squared length.")
shannon_lower_bound.wrong("eps for its square", replace=("eps**2", "eps"), caught_by=bound_slope,
                          hint="eps is the root of the mean squared error.")


@shannon_lower_bound.right("by the volume of a ball, in NumPy")
def _(h, eps, D):
    log_gamma = float(jax.scipy.special.gammaln(D / 2))
    log_volume = D / 2 * np.log(np.pi) + D * np.log(eps) - log_gamma - np.log(D / 2)
    return h - log_volume + np.log(2 / D) - log_gamma + D / 2 * np.log(D / (2 * np.e))


slb_constant = Exercise(
    "ch04.slb_constant", "The constant of the bound", principles=["P4.9"], label="eq:slb-constant-est", minutes=8, level="more",
    objective="compare the entropy of Gaussian noise with the volume of a ball",
    hints=["The logarithm of a product is a sum: log(2 / D), minus log Gamma(D/2), and D/2 times log(D / (2 e)).",
           "gammaln(D / 2), not log(gamma(D / 2)): Gamma(200) is no float32.",
           "Stirling at s = D/2: what cancels is (D / 2e)^(D/2). Left are -1/(6 D) and -log(pi D) / 2."])


@slb_constant.law("log volume of a ball less the entropy of Gaussian noise of the same size, volumes by recursion")
def constant_by_volume(f, rng):
    for D in (1, 2, 3, 8):
        close(f(D)[0], math.log(ball(D, 1.0)) - D / 2 * math.log(2 * math.pi * math.e / D))


@slb_constant.law("the second number is below the first, by less than 1 / (22 D^3)")
def constant_is_bounded(f, rng):
    for D in (1, 2, 3):
        exact, stirling = (float(c) for c in f(D))
        holds(stirling < exact + 1e-5, "the bound is above the constant")
        holds(exact - stirling < 1 / (22 * D**3), "the bound is far below the constant")


@slb_constant.law("nothing overflows in 400 dimensions, and the two agree there")
def constant_of_many(f, rng):
    exact, stirling = f(400)
    close(stirling, -1 / 2400 - 0.5 * math.log(400 * math.pi))
    close(exact, stirling, tol=2)


slb_constant.wrong("Gamma(D/2 + 1)", replace=("gammaln(D / 2)", "gammaln(D / 2 + 1)"), caught_by=constant_by_volume,
                   hint="D/2 Gamma(D/2) is Gamma(D/2 + 1): one of the two, not both.")
slb_constant.wrong("forgets 2 / D", replace=("jnp.log(2 / D) -", "-"), caught_by=constant_by_volume,
                   hint="Before Gamma stands another factor.")
slb_constant.wrong("the power D", replace=("D / 2 * jnp.log(D / (2 * jnp.e))", "D * jnp.log(D / (2 * jnp.e))"),
                   caught_by=constant_by_volume, hint="The exponent is D/2.")
slb_constant.wrong("the correction with the wrong sign", replace=("-1 / (6 * D)", "1 / (6 * D)"), caught_by=constant_is_bounded,
                   hint="Gamma is in the denominator: an upper bound on it is a lower bound on the constant.")
slb_constant.wrong("the whole logarithm", replace=("jnp.log(jnp.pi * D) / 2", "jnp.log(jnp.pi * D)"), caught_by=constant_of_many,
                   hint="A square root of pi D.")
slb_constant.wrong("Gamma itself",
                   replace=("jax.scipy.special.gammaln(D / 2)", "jnp.log(jnp.exp(jax.scipy.special.gammaln(D / 2)))"),
                   caught_by=constant_of_many, hint="Gamma(200) overflows: gammaln gives its logarithm.")


@slb_constant.right("by the recursion of Gamma, in NumPy")
def _(D):
    s, log_gamma = (0.5, np.log(np.pi) / 2) if D % 2 else (1.0, 0.0)
    while s < D / 2 - 0.1:
        log_gamma += np.log(s)
        s += 1
    return np.log(2.0) - np.log(D) - log_gamma + D / 2 * (np.log(D / 2) - 1), -1 / (6 * D) - np.log(np.pi * D) / 2


# P4.10

noise_entropy = Exercise(
    "ch04.noise_entropy", "Entropy of noise of size eps", principles=["P4.10"], label="rem:slb", minutes=6, level="more",
    objective="read Shannon's bound as a difference of entropies",
    hints=["Equal variances that add up to eps^2: each is eps^2 / D.", "The entropy of N(0, s^2) is log(2 pi e s^2) / 2.",
           "Independent entries: entropies add up."])


@noise_entropy.law("that of a Gaussian, -E log p by a sum over a fine grid, D times")
def noise_by_quadrature(f, rng):
    for eps, D in ((0.5, 1), (0.5, 3), (2.0, 3)):
        s = eps / math.sqrt(D)
        e = np.linspace(-9 * s, 9 * s, 20_001)
        p = np.exp(-(e**2) / (2 * s**2)) / math.sqrt(2 * math.pi * s**2)
        close(f(eps, D), -D * np.sum(p * np.log(np.maximum(p, 1e-300))) * (e[1] - e[0]))


@noise_entropy.law("grows with eps, with the slope D in log eps")
def noise_slope(f, rng):
    for D in (1, 3):
        close(float(f(1.0, D)) - float(f(0.1, D)), D * math.log(10))


@noise_entropy.law("larger than for an error uniform in a cube or a ball of the same size")
def noise_is_largest(f, rng):
    for eps, D in ((0.3, 1), (0.3, 3), (0.3, 6)):
        cube = D * math.log(eps * math.sqrt(12 / D))
        round_one = math.log(ball(D, eps * math.sqrt((D + 2) / D)))  # E||e||^2 = D r^2 / (D + 2)
        gap = float(f(eps, D)) - max(cube, round_one)
        holds(0 < gap < 0.3 * D, "it is not just above that of a cube or a ball")


noise_entropy.wrong("the sign of the remark in the book", replace=("return D / 2", "return -D / 2"), caught_by=noise_slope,
                    hint="Larger noise has larger entropy.")
noise_entropy.wrong("eps for every entry", replace=("eps**2 / D", "eps**2"), caught_by=noise_by_quadrature,
                    hint="E||e||^2 adds up all entries: each has the variance eps^2 / D.")
noise_entropy.wrong("forgets e", replace=(" + 1)", ")"), caught_by=noise_by_quadrature,
                    hint="-E log p has another part: the mean of e^2 / (2 s^2), which is 1/2.")
noise_entropy.wrong("eps for its square", replace=("eps**2", "eps"), caught_by=noise_slope,
                    hint="A variance is a squared length.")
noise_entropy.wrong("of one entry", replace=("D / 2 *", "1 / 2 *"), caught_by=noise_slope, hint="D independent entries.")
noise_entropy.wrong("in bits", replace=("jnp.log(2 * jnp.pi * eps**2 / D) + 1", "jnp.log2(2 * jnp.pi * jnp.e * eps**2 / D)"),
                    caught_by=noise_slope, hint="Nats are wanted.")


@noise_entropy.right("as the entropy of a covariance, in NumPy")
def _(eps, D):
    return np.linalg.slogdet(2 * np.pi * np.e * eps**2 / D * np.eye(D))[1] / 2


# Appendix B.3

sphere_distance = Exercise(
    "ch04.sphere_distance", "Distance to a sphere", principles=["P4.8"], label="eq:distance-to-hypersphere", minutes=6,
    level="more",
    stand_in=covering.sphere_distance, objective="find the nearest point of a sphere in a subspace",
    hints=["Two steps: to the subspace, and then within it to the sphere. They are at right angles.",
           "Within the subspace: how far is a vector of length l from the unit sphere?",
           "The root of the squared length of x - U U^T x and of (||U U^T x|| - 1)^2, added."])


@sphere_distance.law("the least distance to a hundred thousand points of a circle in four dimensions")
def sphere_by_search(f, rng):
    U, angles = some_basis(rng, 4, 2), np.linspace(0, 2 * np.pi, 100_000)
    S = U @ np.stack([np.cos(angles), np.sin(angles)])
    for size in (0.3, 1.0, 2.0):
        x = size * rng.normal(size=4)
        close(f(U, x), np.sqrt(np.min(np.sum((S - x[:, None]) ** 2, axis=0))))


@sphere_distance.law("0 on the sphere, and s > 0 at a step s across it")
def sphere_itself(f, rng):
    U = some_basis(rng, 4, 2)
    z = rng.normal(size=2)
    s = U @ z / np.linalg.norm(z)
    across = rng.normal(size=4)
    across -= U @ (U.T @ across)
    close(f(U, s), 0, tol=5)
    close(f(U, s + 0.7 * across / np.linalg.norm(across)), 0.7)
    close(f(U, 1.4 * s), 0.4)
    close(f(U, 0.4 * s), 0.6)


@sphere_distance.law("1 at the origin, and sqrt(1 + ||x||^2) at x at right angles to the subspace")
def sphere_from_afar(f, rng):
    U = some_basis(rng, 4, 2)
    across = rng.normal(size=4)
    across -= U @ (U.T @ across)
    close(f(U, np.zeros(4)), 1)
    close(f(U, across), math.sqrt(1 + across @ across))


@sphere_distance.law("of two orthogonal spheres at most one is nearer than 1/sqrt(2), and that is sharp")
def spheres_apart(f, rng):
    W = some_basis(rng, 4, 4)
    for _ in range(10):
        a, b = rng.normal(size=2), rng.normal(size=2)
        x = W[:, :2] @ a / np.linalg.norm(a) * rng.uniform(0, 1.5) + W[:, 2:] @ b / np.linalg.norm(b) * rng.uniform(0, 1.5)
        both = [float(f(W[:, :2], x)), float(f(W[:, 2:], x))]
        holds(max(both) > math.sqrt(0.5) - 1e-4, "a point is nearer than 1/sqrt(2) to both spheres")
    for U in (W[:, :2], W[:, 2:]):
        close(f(U, (W[:, 0] + W[:, 2]) / 2), math.sqrt(0.5))


sphere_distance.wrong("the distance to the subspace",
                      replace=("across @ across + (jnp.linalg.norm(along) - 1) ** 2", "across @ across"),
                      caught_by=sphere_itself, hint="Within the subspace there may still be some way to go.")
sphere_distance.wrong("the sphere of the whole space", replace=("across @ across + (jnp.linalg.norm(along) - 1) ** 2",
                      "(jnp.linalg.norm(x) - 1) ** 2"), caught_by=sphere_itself,
                      hint="The sphere lies in the subspace: project first.")
sphere_distance.wrong("without the root", replace=("jnp.sqrt(", "("), caught_by=sphere_itself,
                      hint="The formula has the squared distance.")
sphere_distance.wrong("adds the two ways", replace=("jnp.sqrt(across @ across + (jnp.linalg.norm(along) - 1) ** 2)",
                      "jnp.linalg.norm(across) + jnp.abs(jnp.linalg.norm(along) - 1)"), caught_by=sphere_from_afar,
                      hint="The two steps are at right angles: Pythagoras.")
sphere_distance.wrong("distance to the ball",
                      replace=("(jnp.linalg.norm(along) - 1)", "jnp.maximum(jnp.linalg.norm(along) - 1, 0)"),
                      caught_by=sphere_from_afar, hint="A point inside has some way to go, too.")
sphere_distance.wrong("the squared length less 1", replace=("(jnp.linalg.norm(along) - 1) ** 2", "(along @ along - 1) ** 2"),
                      caught_by=sphere_itself, hint="The length less 1, squared.")


@sphere_distance.right("to the nearest point, in NumPy")
def _(U, x):
    U, x = np.asarray(U, dtype=float), np.asarray(x, dtype=float)
    z = U.T @ x
    length = np.linalg.norm(z)
    z = z / length if length > 0 else np.eye(len(z))[0]
    return np.linalg.norm(x - U @ z)


tube_volume = Exercise(
    "ch04.tube_volume", "The volume of a thick sphere", principles=["P4.8"], label="lem:rate-distortion-lb-uos", minutes=15,
    level="challenge", objective="integrate over a thickened sphere in polar coordinates",
    hints=["For each t from 1 - delta to 1 + delta: the area of a sphere of radius t, times the volume of a ball across.",
           "A sphere of radius t in d dimensions has t^(d-1) times the area of the unit one.",
           "The ball across has the radius sqrt(delta^2 - (t - 1)^2) and D - d dimensions.",
           "Take the middles of 4,000 pieces of length delta / 2000."])


@tube_volume.law("a ring in the plane: pi ((1 + delta)^2 - (1 - delta)^2); a shell in space: the difference of two balls")
def tube_shells(f, rng):
    for delta in (0.1, 0.5):
        close(f(delta, 2, 2), 4 * math.pi * delta)
        close(f(delta, 3, 3), ball(3, 1 + delta) - ball(3, 1 - delta))


@tube_volume.law("a ring in space by the rule of Pappus: 2 pi times the disc's area")
def tube_torus(f, rng):
    for delta in (0.1, 0.5):
        close(f(delta, 3, 2), 2 * math.pi * math.pi * delta**2, tol=5)


@tube_volume.law("for d = 1, where the sphere is two points: two balls")
def tube_of_two_points(f, rng):
    for D in (1, 2, 5):
        close(float(f(0.4, D, 1)) / (2 * ball(D, 0.4)), 1, tol=5)


@tube_volume.law("has room for as many disjoint balls of radius delta as points 2 delta apart cover a circle")
def tube_has_room(f, rng):
    for D, delta in ((2, 0.1), (3, 0.1), (4, 0.2)):
        volume, one = float(f(delta, D, 2)), ball(D, delta)
        balls = math.ceil(math.pi / (2 * math.asin(delta)))  # of radius 2 delta cover the circle
        holds(volume >= balls * one, "the balls take more room than there is")


@tube_volume.law("by counting random points, in four dimensions")
def tube_by_counting(f, rng):
    X = rng.uniform(-1, 1, size=(4, 400_000)) * np.array([1.6, 1.6, 0.6, 0.6])[:, None]
    share = np.mean(np.hypot(np.hypot(X[0], X[1]) - 1, np.hypot(X[2], X[3])) <= 0.6)
    close(float(f(0.6, 4, 2)) / (3.2**2 * 1.2**2), share, tol=20)  # standard error 7e-4, tolerance above five of it


tube_volume.wrong("spheres of every radius alike", replace=("t ** (d - 1) * ", ""), caught_by=tube_shells,
                  hint="Outside there is more room: polar coordinates bring t^(d-1).")
tube_volume.wrong("the power d", replace=("t ** (d - 1)", "t**d"), caught_by=tube_shells,
                  hint="The sphere in d dimensions is itself of dimension d - 1.")
tube_volume.wrong("the same ball for every t", replace=("(delta**2 - (t - 1) ** 2)", "(delta**2 + 0 * t)"), caught_by=tube_torus,
                  hint="The farther t is from 1, the less is left for the part across.")
tube_volume.wrong("the length for its square", replace=("(t - 1) ** 2) ** ((D - d) / 2)", "(t - 1) ** 2) ** (D - d)"),
                  caught_by=tube_torus,
                  hint="The radius across is a root: the power of the squared radius is (D - d) / 2.")
tube_volume.wrong("a ball in all dimensions", replace=("np.pi ** ((D - d) / 2) / gamma((D - d) / 2 + 1)",
                  "np.pi ** (D / 2) / gamma(D / 2 + 1)"), caught_by=tube_shells, hint="Across, there are D - d dimensions.")
tube_volume.wrong("from the middle outward only", replace=("t = 1 - delta + delta * (np.arange(4000) + 0.5) / 2000",
                  "t = 1 + delta * (np.arange(4000) + 0.5) / 4000"), caught_by=tube_shells,
                  hint="t goes from 1 - delta to 1 + delta.")


@tube_volume.right("with an angle in place of t")
def _(delta, D, d):
    angle = (np.arange(3000) + 0.5) / 3000 * np.pi  # t = 1 - delta cos(angle)
    t, width = 1 - delta * np.cos(angle), delta * np.sin(angle)
    area = 2 * np.pi ** (d / 2) / np.exp(float(jax.scipy.special.gammaln(d / 2)))
    m = D - d
    ball = np.pi ** (m / 2) / np.exp(float(jax.scipy.special.gammaln(m / 2 + 1)))
    return area * ball * np.mean(t ** (d - 1) * width**m * width) * np.pi
