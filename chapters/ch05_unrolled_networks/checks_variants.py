"""Conventions that a course may ask for instead of the lesson's, so that published solutions do not pass as they stand."""

from book_utils.course.variants import Change, bits, inverted, negative, rows, squared, stacked_rows, times
from chapters.ch05_unrolled_networks.checks_1a_gradient import expand_compress, increment
from chapters.ch05_unrolled_networks.checks_1b_redunet import soft_membership, redunet_layer
from chapters.ch05_unrolled_networks.checks_2_invariance import circulant, expansion_kernel
from chapters.ch05_unrolled_networks.checks_3a_heads import code_rate, code_gradient, ssa
from chapters.ch05_unrolled_networks.checks_3b_crate import ista_step
from chapters.ch05_unrolled_networks.checks_4b_statistics import diagonal_bound, token_statistics
from chapters.ch05_unrolled_networks.checks_4c_causal import causal_attention, causal_statistics

scaled_rows = Change("_.T * len(_)**0.25", "_.T / _.shape[1]**0.25", shape=rows.shape)

expand_compress.variant("rows", "samples are the rows of Z, of the membership and of the gradient.",
    arguments={"Z": rows, "membership": rows}, result=(None, None, rows),
    words={
        "E Z - sum_k gamma_k C_k Z diag(membership[k]), with E": "with E",
        "then the gradient": "then, with samples as rows, the gradient",
    })
expand_compress.variant("rows_loss", "samples are rows, and the gradient is that of a loss, minus the rate reduction.",
    arguments={"Z": rows, "membership": rows}, result=(None, None, rows.then(negative)),
    words={
        "then the gradient of the rate reduction at Z, E Z - sum_k gamma_k C_k Z diag(membership[k]), with E":
            "then, with samples as rows, the gradient of minus the rate reduction at Z, with E",
    })

increment.variant("rows", "points are the rows of Z_new, of the membership and of the result.",
    arguments={"Z_new": rows, "membership": rows}, result=rows,
    words={
        "every column z of Z_new": "every row z of Z_new",
        "the shares of column i in membership[:, i]": "the shares of row i in membership[i]",
    })
increment.variant("rows_loss", "points are rows, and the result is the gradient of a loss, minus the rate reduction.",
    arguments={"Z_new": rows, "membership": rows}, result=rows.then(negative),
    words={
        "g(z) for every column z of Z_new": "-g(z) for every row z of Z_new",
        "the shares of column i in membership[:, i]": "the shares of row i in membership[i]",
        "An increment:": "A gradient:",
    })

code_rate.variant("rows_bits", "tokens are the rows of Z, and the logarithm is that to base 2.",
    arguments={"Z": rows}, result=bits,
    words={"in nats": "in bits"})
code_rate.variant("basis_rows", "tokens and the basis vectors of every head are rows, and the distortion is given as a square.",
    arguments={"Z": rows, "U": stacked_rows, "eps": squared.called("distortion")},
    words={"U[k] (d, p)": "U[k] (p, d), with distortion = eps^2,"})

code_gradient.variant("rows", "tokens are the rows of Z and of the result.", arguments={"Z": rows}, result=rows)
code_gradient.variant("basis_rows", "tokens and the basis vectors of every head are rows.",
    arguments={"Z": rows, "U": stacked_rows}, result=rows)

ssa.variant("rows", "tokens are rows.",
    arguments={"W": rows}, result=rows,
    words={
        "W softmax(W^T W), the softmax down each column: column i of the result is a weighted mean of the columns of W":
            "softmax(W W^T) W, the softmax along each row: row i of the result is a weighted mean of the rows of W",
    })
ssa.variant("rows_scaled", "tokens are rows, and scores are divided by sqrt(p), as transformers do.",
    arguments={"W": scaled_rows}, result=scaled_rows,
    words={
        "W softmax(W^T W), the softmax down each column: column i of the result is a weighted mean of the columns of W":
            "softmax(W W^T / sqrt(p)) W, the softmax along each row: row i of the result is a weighted mean of the rows of W",
    })

ista_step.variant("rows", "tokens are the rows of Z and of the result.", arguments={"Z": rows}, result=rows)
ista_step.variant("rows_threshold", "tokens are rows, and what is given is the threshold of the ReLU, eta lam, not lam.",
    arguments={"Z": rows, "lam": Change("eta * _", "_ / eta", "threshold")}, result=rows)

causal_attention.variant("rows", "tokens are rows.",
    arguments={"W": rows}, result=rows,
    words={
        "column i of the result is the last column of V softmax(V^T V) for V = W[:, :i]":
            "row i of the result is the last row of softmax(V V^T) V for V = W[:i]",
        "with the softmax down each column": "with the softmax along each row",
    })
causal_attention.variant("rows_scaled", "tokens are rows, and scores are divided by sqrt(p), as transformers do.",
    arguments={"W": scaled_rows}, result=scaled_rows,
    words={
        "column i of the result is the last column of V softmax(V^T V) for V = W[:, :i]":
            "row i of the result is the last row of softmax(V V^T / sqrt(p)) V for V = W[:i]",
        "with the softmax down each column": "with the softmax along each row",
    })

causal_statistics.variant("rows", "tokens are the rows of Z and of the result.",
    arguments={"Z": rows}, result=rows,
    words={"as columns, for all tokens at once: column i is": "as rows, for all tokens at once: row i is"})
causal_statistics.variant("rows_variance", "tokens are rows, and sigma is given by its square.",
    arguments={"Z": rows, "sigma": squared.called("variance")}, result=rows,
    words={"as columns, for all tokens at once: column i is": "as rows, for all tokens at once: row i is"})

soft_membership.variant("rows", "points are the rows of Z_new, and shares are rows as well.",
    arguments={"Z_new": rows}, result=rows,
    words={"every column z of Z_new": "every row z of Z_new"})
soft_membership.variant("rows_temperature", "points and their shares are rows, and what is given is a temperature, not its inverse.",
    arguments={"Z_new": rows, "lam": inverted.called("temperature")}, result=rows,
    words={
        "every column z of Z_new": "every row z of Z_new",
        "-lam * ||gamma_k C_k z||": "-||gamma_k C_k z|| / temperature",
        "lam may be as large as a million": "temperature may be as small as a millionth",
    })

redunet_layer.variant("rows", "features are the rows of Z_new and of the result.",
    arguments={"Z_new": rows}, result=rows,
    words={
        "every column z + eta g(z)": "every row z + eta g(z)",
        "increment and sphere_step; in": "increment and sphere_step, which want columns; in",
        "Columns of Z_new": "Rows of Z_new",
    })
redunet_layer.variant("rows_mean_square", "features are rows, and what is brought to 1 is the mean of their squares, not the sum.",
    arguments={"Z_new": rows}, result=rows.then(times("len(E)**0.5")),
    words={
        "every column z + eta g(z), scaled to length 1": "every row z + eta g(z), scaled to a mean square of 1",
        "increment and sphere_step; in": "increment and sphere_step, which want columns; in",
        "Columns of Z_new": "Rows of Z_new",
    })

circulant.variant("rows", "the signal stands in row 0 and is shifted from row to row.",
    result=rows,
    words={"whose column j is x, shifted j places down with what falls out at the bottom coming in at the top":
           "whose row j is x, shifted j places to the right with what falls out on the right coming in on the left"})
circulant.variant("upwards", "the signal is shifted the other way.",
    result=Change("jnp.roll(_[:, ::-1], 1, axis=1)", "jnp.roll(_[:, ::-1], 1, axis=1)"),
    words={"shifted j places down with what falls out at the bottom coming in at the top":
           "shifted j places up with what falls out at the top coming in at the bottom"})

expansion_kernel.variant("rows", "signals are the rows of Z.",
    arguments={"Z": rows},
    words={"the N columns of Z": "the N rows of Z"})
expansion_kernel.variant("spectrum", "signals are rows, and the result is the Fourier transform of the kernel.",
    arguments={"Z": rows}, result=Change("jnp.fft.fft(_).real", "jnp.fft.ifft(_).real"),
    words={
        "The kernel e of E, its first column,": "The (unnormalised) Fourier transform of the kernel e of E, which is the first column of E,",
        "the N columns of Z": "the N rows of Z",
    })

diagonal_bound.variant("rows_bits", "the directions are the rows of Q, and the logarithm is that to base 2.",
    arguments={"Q": rows}, result=bits,
    words={"f(x) = log(1 + c x)": "f(x) = log_2(1 + c x)", "f((Q^T S Q)_ii)": "f((Q S Q^T)_ii)"})
diagonal_bound.variant("rows_mean", "the directions are the rows of Q, and the bound is a mean.",
    arguments={"Q": rows}, result=Change("_ / len(S)", "_ * len(S)"),
    words={"the sum over i of f((Q^T S Q)_ii)": "the mean over i of f((Q S Q^T)_ii)"})

token_statistics.variant("rows", "tokens are the rows of Z and of the result.",
    arguments={"Z": rows}, result=rows,
    words={"U[k].T @ Z under": "Z @ U[k] under"})
token_statistics.variant("rows_variance", "tokens are rows, and sigma and eps are given by their squares.",
    arguments={"Z": rows, "eps": squared.called("distortion"), "sigma": squared.called("variance")}, result=rows,
    words={"c = d / eps^2": "c = d / distortion", "U[k].T @ Z under": "Z @ U[k] under"})
