"""Every kernel of book_utils.manifold against geodesics, SciPy and brute force, its stated float32 errors, and its refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from book_utils import manifold

from oracles import numerical_derivative, relative, rng_of

seeds = st.integers(0, 2**32 - 1)
quick = settings(max_examples=20, deadline=None, derandomize=True)


def orthogonal(rng, D):
    return np.linalg.qr(rng.normal(size=(D, D)))[0]


def unit(rng, D):
    v = rng.normal(size=D)
    return v / np.linalg.norm(v)


def skew(rng, D):
    A = rng.normal(size=(D, D))
    return (A - A.T) / 2


def polar(G):
    return scipy.linalg.polar(np.asarray(G, np.float64))[0]


# --- the nearest orthogonal matrix -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("D", [1, 2, 9, 64])
@pytest.mark.parametrize("condition", [1, 10, 1e3, 1e5])
def test_the_projection_keeps_the_errors_it_states(D, condition):
    rng = rng_of(0)
    G = ((orthogonal(rng, D) * np.geomspace(1, 1 / condition, D)) @ orthogonal(rng, D)).astype(np.float32)
    Q = np.asarray(manifold.project_orthogonal(G), np.float64)
    assert np.abs(Q.T @ Q - np.eye(D)).max() <= 3e-6
    s = np.linalg.svd(G.astype(np.float64), compute_uv=False)
    assert np.linalg.norm(Q - polar(G), 2) <= 1e-6 * (2 + s[0] / s[-1])


@quick
@given(seeds, st.sampled_from([2, 3, 4]))
def test_the_projection_is_nearer_than_any_other_orthogonal_matrix_of_either_determinant(seed, D):
    rng = rng_of(seed)
    G = rng.normal(size=(D, D))
    Q = np.asarray(manifold.project_orthogonal(G), np.float64)
    nearest = np.linalg.norm(Q - G)
    flip = np.diag([-1.0] + [1] * (D - 1))
    others = [orthogonal(rng, D) for _ in range(20)] + [Q @ scipy.linalg.expm(0.3 * skew(rng, D)) for _ in range(20)]
    others += [np.linalg.qr(G)[0], np.linalg.inv(Q @ G) @ Q, *(other @ flip for other in others)]
    others = [other for other in others if np.abs(other.T @ other - np.eye(D)).max() < 1e-5]
    assert {np.sign(np.linalg.det(other)) for other in others} == {-1, 1}
    assert all(np.linalg.norm(other - G) >= nearest - 1e-5 for other in others)
    assert np.sign(np.linalg.det(Q)) == np.sign(np.linalg.det(G))


@quick
@given(seeds)
def test_the_projection_goes_along_with_rotations_and_knows_no_scale(seed):
    rng = rng_of(seed)
    G, A, B = rng.normal(size=(4, 4)) + 3 * np.eye(4), orthogonal(rng, 4), orthogonal(rng, 4)
    Q = np.asarray(manifold.project_orthogonal(G))
    np.testing.assert_allclose(manifold.project_orthogonal(A @ G @ B), A @ Q @ B, atol=3e-6)
    for scale in (1e-30, 1e30):
        np.testing.assert_allclose(manifold.project_orthogonal(scale * G), Q, atol=3e-6)
    np.testing.assert_allclose(manifold.project_orthogonal(Q), Q, atol=3e-6)
    stretch = Q.T @ G
    np.testing.assert_allclose(stretch, stretch.T, atol=2e-5)
    assert np.linalg.eigvalsh((stretch + stretch.T) / 2).min() > 0


def test_the_projection_of_deficient_matrices_is_one_of_the_nearest():
    for G in (np.zeros((3, 3)), np.diag([2.0, 0, 0]), np.outer([1.0, 2, 3], [1, 0, 1])):
        Q = np.asarray(manifold.project_orthogonal(G), np.float64)
        np.testing.assert_allclose(Q.T @ Q, np.eye(3), atol=1e-6)
        np.testing.assert_allclose((Q * G).sum(), np.linalg.svd(G, compute_uv=False).sum(), atol=1e-5)  # the largest possible


@pytest.mark.parametrize("G", [rng_of(1).normal(size=(4, 4)), 2 * orthogonal(rng_of(2), 4), np.eye(3), np.diag([2.0, 2, 1])],
                         ids=["any", "orthogonal", "identity", "two equal"])
def test_the_projection_has_the_right_derivative_even_where_singular_values_are_equal(G):
    with jax.enable_x64(True):
        dG, weights = rng_of(3).normal(size=(2, *G.shape))
        forward = jax.jvp(manifold.project_orthogonal, (jnp.asarray(G),), (jnp.asarray(dG),))[1]
        expected = numerical_derivative(polar, G, dG)
        assert relative(forward, expected) < 1e-8
        reverse = jax.jit(jax.grad(lambda G: jnp.sum(weights * manifold.project_orthogonal(G))))(G)
        assert abs(np.sum(np.asarray(reverse) * dG) - np.sum(weights * expected)) < 1e-7


@pytest.mark.parametrize("D", [1, 5, 40])
@pytest.mark.parametrize("condition", [1, 5, 30, 40, 1e4])
def test_the_projection_inside_loops(D, condition):
    """Orthogonal to rounding by either route, and the polar factor to the squared condition number."""
    rng = rng_of(4)
    G = ((orthogonal(rng, D) * np.geomspace(7, 7 / condition, D)) @ orthogonal(rng, D)).astype(np.float32)
    Q = np.asarray(jax.jit(manifold._polar_in_a_loop)(G), np.float64)
    assert np.abs(Q.T @ Q - np.eye(D)).max() <= 3e-6
    assert np.linalg.norm(Q - polar(G), 2) <= (2e-6 * condition**2 if condition <= 30 else 1e-6 * (2 + condition))


def test_the_projection_inside_loops_has_the_same_derivative():
    with jax.enable_x64(True):
        G, dG = rng_of(5).normal(size=(2, 4, 4))
        derivatives = [jax.jvp(f, (jnp.asarray(G),), (jnp.asarray(dG),))[1] for f in (manifold._polar, manifold._polar_in_a_loop)]
        np.testing.assert_allclose(*derivatives, atol=1e-12)


def test_the_spectrum_says_which_way_every_geodesic_bends():
    """Second derivatives of ||Q expm(t Omega) - G||^2 along an eigenbasis, and a local minimum that is not the global one."""
    np.testing.assert_allclose(manifold.projection_spectrum(np.diag([1, 1, -1]), np.diag([3, 2, 1])), [1, 2, 5], atol=1e-5)
    with jax.enable_x64(True):
        rng, D = rng_of(6), 4
        G = rng.normal(size=(D, D))
        U, s, Vh = np.linalg.svd(G)
        Q = (U * [1, -1, 1, 1]) @ Vh  # critical, not the nearest
        values = []
        for i in range(D):
            for j in range(i + 1, D):
                Omega = (np.outer(Vh[i], Vh[j]) - np.outer(Vh[j], Vh[i])) / np.sqrt(2)
                distance = lambda t: jnp.sum((Q @ jax.scipy.linalg.expm(t * Omega) - G) ** 2)  # noqa: E731
                assert abs(jax.grad(distance)(0.0)) < 1e-12
                values.append(jax.grad(jax.grad(distance))(0.0))
        np.testing.assert_allclose(manifold.projection_spectrum(Q, G), np.sort(values), atol=1e-12)
        assert manifold.projection_spectrum(np.eye(1), np.eye(1)).shape == (0,)


# --- the sphere --------------------------------------------------------------------------------------------------------------

def curve_on_the_sphere(B):
    return lambda u: jnp.sum(jnp.sin(B @ u)) + jnp.sum(u**4)


@quick
@given(seeds)
def test_tangents_of_the_sphere(seed):
    rng = rng_of(seed)
    u, v, w = unit(rng, 5), rng.normal(size=5), rng.normal(size=5)
    tangent = np.asarray(manifold.sphere_tangent(u, v), np.float64)
    assert abs(u @ tangent) < 2e-6
    np.testing.assert_allclose(manifold.sphere_tangent(u, tangent), tangent, atol=2e-6)
    basis = scipy.linalg.null_space(u[None])
    np.testing.assert_allclose(tangent, basis @ (basis.T @ v), atol=2e-6)
    assert abs(tangent @ w - v @ np.asarray(manifold.sphere_tangent(u, w), np.float64)) < 1e-5  # self-adjoint
    np.testing.assert_array_equal(manifold.sphere_gradient(u, v), manifold.sphere_tangent(u, v))


@quick
@given(seeds, st.sampled_from([1e-30, 1, 1e30]))
def test_the_nearest_point_of_the_sphere(seed, scale):
    rng = rng_of(seed)
    v = rng.normal(size=4)
    nearest = np.asarray(manifold.project_sphere(scale * v), np.float64)
    assert abs(np.linalg.norm(nearest) - 1) < 1e-6
    assert all(np.linalg.norm(unit(rng, 4) - v) >= np.linalg.norm(nearest - v) - 1e-6 for _ in range(50))
    assert np.linalg.norm(-nearest - v) > np.linalg.norm(nearest - v)


def test_the_projection_onto_the_sphere_has_the_right_derivative():
    with jax.enable_x64(True):
        v, dv = rng_of(7).normal(size=(2, 4))
        by_autodiff = jax.jvp(manifold.project_sphere, (jnp.asarray(v),), (jnp.asarray(dv),))[1]
        assert relative(by_autodiff, numerical_derivative(lambda v: v / np.linalg.norm(v), v, dv)) < 1e-8


@pytest.mark.parametrize("seed", range(3))
def test_derivatives_along_great_circles(seed):
    with jax.enable_x64(True):
        rng = rng_of(seed)
        f, u = curve_on_the_sphere(rng.normal(size=(5, 5))), unit(rng, 5)
        g, H = jax.grad(f)(u), jax.hessian(f)(u)
        gradient, hessian = manifold.sphere_gradient(u, g), manifold.sphere_hessian(H, u, g)
        for _ in range(3):
            v = rng.normal(size=5)
            v -= u * (u @ v)
            v /= np.linalg.norm(v)
            along = lambda t: f(jnp.cos(t) * u + jnp.sin(t) * v)  # noqa: E731
            assert abs(jax.grad(along)(0.0) - gradient @ v) < 1e-12
            assert abs(jax.grad(jax.grad(along))(0.0) - v @ hessian @ v) < 1e-12
        np.testing.assert_allclose(hessian, hessian.T, atol=1e-12)
        np.testing.assert_allclose(hessian @ u, 0, atol=1e-12)


def test_the_hessian_of_a_quadratic_form_at_an_eigenvector():
    """f = u^T M u / 2: its eigenvalues there are lambda_j - lambda_i, and 0 for u."""
    rng = rng_of(8)
    values, U = np.array([4, 2, 1, -1]), orthogonal(rng, 4)
    M = (U * values) @ U.T
    hessian = np.asarray(manifold.sphere_hessian(M, U[:, 1], M @ U[:, 1]), np.float64)
    np.testing.assert_allclose(U.T @ hessian @ U, np.diag(np.where(np.arange(4) == 1, 0, values - 2)), atol=3e-6)


# --- the orthogonal matrices -------------------------------------------------------------------------------------------------

@quick
@given(seeds)
def test_tangents_of_the_orthogonal_matrices(seed):
    rng = rng_of(seed)
    Q, G, other, S = orthogonal(rng, 4), *rng.normal(size=(3, 4, 4))
    tangent = np.asarray(manifold.orthogonal_tangent(Q, G), np.float64)
    np.testing.assert_allclose(Q.T @ tangent, -(Q.T @ tangent).T, atol=3e-6)
    np.testing.assert_allclose(manifold.orthogonal_tangent(Q, tangent), tangent, atol=3e-6)
    np.testing.assert_allclose(manifold.orthogonal_tangent(Q, Q @ (S + S.T)), 0, atol=5e-6)  # what is normal to them
    assert abs((tangent * other).sum() - (G * np.asarray(manifold.orthogonal_tangent(Q, other), np.float64)).sum()) < 2e-5
    np.testing.assert_array_equal(manifold.orthogonal_gradient(Q, G), manifold.orthogonal_tangent(Q, G))


@pytest.mark.parametrize("seed", range(3))
def test_derivatives_along_geodesics(seed):
    with jax.enable_x64(True):
        rng, D = rng_of(seed), 4
        A, Q = rng.normal(size=(D, D)), orthogonal(rng, D)
        f = lambda Q: jnp.sum(jnp.sin(A @ Q)) + jnp.sum((Q @ A) ** 4) / 10  # noqa: E731
        for _ in range(3):
            Omega = skew(rng, D)
            along = lambda t: f(Q @ jax.scipy.linalg.expm(t * Omega))  # noqa: E731
            G, dG = jax.jvp(jax.grad(f), (Q,), (Q @ Omega,))
            first = jax.jvp(along, (0.0,), (1.0,))[1]
            second = jax.jvp(lambda t: jax.jvp(along, (t,), (1.0,))[1], (0.0,), (1.0,))[1]
            assert abs(jnp.sum(manifold.orthogonal_gradient(Q, G) * (Q @ Omega)) - first) < 1e-11
            value = manifold.orthogonal_hessian(Q, Omega, G, dG)
            assert value.shape == () and abs(value - second) < 1e-10


def test_the_step_along_the_gradient_by_scipy():
    """f(Q expm(t Q^T grad)) grows at the rate ||grad||^2, for the linear f of a Procrustes problem."""
    rng = rng_of(9)
    Q, G = orthogonal(rng, 5), rng.normal(size=(5, 5))
    gradient = np.asarray(manifold.orthogonal_gradient(Q, G), np.float64)
    f = lambda t: np.sum(G * (Q @ scipy.linalg.expm(t * Q.T @ gradient)))  # noqa: E731
    assert abs((f(1e-4) - f(-1e-4)) / 2e-4 / np.sum(gradient**2) - 1) < 1e-5
    curvature = manifold.orthogonal_hessian(Q, (Q.T @ gradient - gradient.T @ Q) / 2, G, np.zeros((5, 5)))
    assert abs((f(1e-3) - 2 * f(0) + f(-1e-3)) / 1e-6 / curvature - 1) < 1e-4


# --- all of them -------------------------------------------------------------------------------------------------------------

def plain_inputs(seed):
    rng = rng_of(seed)
    H = rng.normal(size=(4, 4))
    return {"G": rng.normal(size=(4, 4)), "Q": orthogonal(rng, 4), "Omega": skew(rng, 4), "dG": rng.normal(size=(4, 4)),
            "H": H + H.T, "u": unit(rng, 4), "v": rng.normal(size=4), "g": rng.normal(size=4)}


CALLS = {
    "project_orthogonal": lambda a: manifold.project_orthogonal(a["G"]),
    "project_sphere": lambda a: manifold.project_sphere(a["v"]),
    "sphere_tangent": lambda a: manifold.sphere_tangent(a["u"], a["v"]),
    "sphere_gradient": lambda a: manifold.sphere_gradient(a["u"], a["g"]),
    "sphere_hessian": lambda a: manifold.sphere_hessian(a["H"], a["u"], a["g"]),
    "orthogonal_tangent": lambda a: manifold.orthogonal_tangent(a["Q"], a["G"]),
    "orthogonal_gradient": lambda a: manifold.orthogonal_gradient(a["Q"], a["G"]),
    "orthogonal_hessian": lambda a: manifold.orthogonal_hessian(a["Q"], a["Omega"], a["G"], a["dG"]),
    "projection_spectrum": lambda a: manifold.projection_spectrum(a["Q"], a["G"]),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_same_numbers_under_jit_and_vmap(name):
    call, several = CALLS[name], [plain_inputs(seed) for seed in (30, 31, 32)]
    one_by_one = np.stack([call(inputs) for inputs in several])
    stacked = jax.tree.map(lambda *parts: np.stack(parts), *several)
    np.testing.assert_allclose(jax.jit(jax.vmap(call))(stacked), one_by_one, atol=1e-5)


def types(name, inputs):
    """Types of the results for these numbers, and for tracers of their shapes; nothing is compiled."""
    return {leaf.dtype.name for out in (jax.eval_shape(lambda: CALLS[name](inputs)), jax.eval_shape(CALLS[name], inputs))
            for leaf in jax.tree.leaves(out)}


@pytest.mark.parametrize("name", CALLS)
def test_types_of_the_results(name):
    """float64 is kept in 64-bit mode, where float32 stays float32."""
    double = plain_inputs(33)
    single = {k: a.astype(np.float32) for k, a in double.items()}
    assert types(name, double) == types(name, single) == {"float32"}
    with jax.enable_x64(True):
        assert types(name, double) == {"float64"}
        assert types(name, single) == {"float32"}


@pytest.mark.parametrize("name", [name for name in CALLS if name != "project_sphere"])  # which has no product
def test_products_are_of_full_precision_on_every_device(name):
    text = str(jax.make_jaxpr(CALLS[name])(plain_inputs(34)))
    assert text.count("dot_general[") == text.count("precision=(Precision.HIGHEST, Precision.HIGHEST)") > 0


Q4, G4, U4 = plain_inputs(35)["Q"], plain_inputs(35)["G"], plain_inputs(35)["u"]
NAN = np.where(np.eye(4) > 0, np.nan, 1.0)
REFUSED = [
    (lambda: manifold.project_orthogonal(np.ones((2, 3))), r"G: got shape \(2, 3\), want \(D, D\)"),
    (lambda: manifold.project_orthogonal(np.ones(4)), r"G: got shape \(4,\), want \(D, D\)"),
    (lambda: manifold.project_orthogonal(np.ones((0, 0))), r"G: got shape \(0, 0\), want \(D, D\) with nothing of size 0"),
    (lambda: manifold.project_orthogonal(NAN), r"G: got nan at \[0, 0\], want \(D, D\) of numbers finite in float32"),
    (lambda: manifold.project_orthogonal(G4 + 0j), r"G: got values of type complex128"),
    (lambda: jax.jit(manifold.project_orthogonal)(np.ones((2, 3))), r"G: got shape \(2, 3\), want \(D, D\)"),
    (lambda: manifold.project_sphere(np.zeros(3)), r"v: got a vector of zeros, want \(D,\) with a direction"),
    (lambda: manifold.project_sphere(np.ones((3, 1))), r"v: got shape \(3, 1\), want \(D,\)"),
    (lambda: manifold.sphere_tangent([1, 1], [1, 2]), r"u: got a vector of length 1.41, want \(D,\) of length 1"),
    (lambda: manifold.sphere_tangent(U4, [1, 2]), r"v: got shape \(2,\), want \(D,\) with D = 4"),
    (lambda: manifold.sphere_tangent([np.nan, 1], [1, 2]), r"u: got nan at \[0\]"),
    (lambda: manifold.sphere_gradient([0, 0], [1, 2]), r"u: got a vector of length 0, want \(D,\) of length 1"),
    (lambda: manifold.sphere_gradient(U4, NAN[0]), r"g: got nan at \[0\]"),
    (lambda: manifold.sphere_hessian(np.eye(3), U4, U4), r"H: got shape \(3, 3\), want \(D, D\) with D = 4"),
    (lambda: manifold.sphere_hessian(np.eye(4), U4, U4[:3]), r"g: got shape \(3,\), want \(D,\) with D = 4"),
    (lambda: manifold.sphere_hessian(np.eye(4), 2 * U4, U4), r"u: got a vector of length 2, want"),
    (lambda: manifold.orthogonal_tangent(G4, G4), r"Q: got columns with Q\^T Q off the identity by .*, want orthonormal columns"),
    (lambda: manifold.orthogonal_tangent(Q4[:, :2], G4), r"Q: got shape \(4, 2\), want \(D, D\)"),
    (lambda: manifold.orthogonal_tangent(Q4, G4[:2]), r"G: got shape \(2, 4\), want \(D, D\) with D = 4"),
    (lambda: manifold.orthogonal_gradient(Q4, NAN), r"G: got nan at \[0, 0\]"),
    (lambda: manifold.orthogonal_hessian(Q4, G4, G4, G4), r"Omega: got Omega \+ Omega\^T with .* want a skew"),
    (lambda: manifold.orthogonal_hessian(Q4, np.zeros((4, 4)), G4, G4[0]), r"dG: got shape \(4,\), want \(D, D\) with D = 4"),
    (lambda: manifold.projection_spectrum(2 * Q4, G4), r"Q: got columns with Q\^T Q off the identity by 3"),
    (lambda: manifold.projection_spectrum(Q4, G4[0]), r"G: got shape \(4,\), want \(D, D\) with D = 4"),
]


@pytest.mark.parametrize("call, message", REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
