"""Conventions that a course may ask for instead of the lesson's, so that published solutions do not pass as they stand."""

from book_utils.course.variants import Change, bits, negative, rows, squared, stacked_rows
from chapters.ch05_unrolled_networks.checks_1a_gradient import expand_compress, increment
from chapters.ch05_unrolled_networks.checks_3a_heads import code_rate, code_gradient, ssa
from chapters.ch05_unrolled_networks.checks_3b_crate import ista_step
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
