"""Conventions that a course may ask for instead of the lesson's, so that published solutions do not pass as they stand."""

from book_utils.course.variants import Change, backwards, columns_backwards, negative, rooted, rows, squared, times
from chapters.ch02_linear_independent.checks_1_pca import encode, project, ky_fan, pca
from chapters.ch02_linear_independent.checks_2_power import power_step, wiener
from chapters.ch02_linear_independent.checks_3a_dictionary import whiten, msp_step
from chapters.ch02_linear_independent.checks_3b_kurtosis import fastica_step
from chapters.ch02_linear_independent.checks_4_sparse import soft_threshold, ista_step, dictionary_step

encode.variant("rows", "samples are the rows of X, and codes are rows as well.",
    arguments={"X": rows}, result=rows,
    words={"column i of the result": "row i of the result"})
encode.variant("basis_rows", "the basis vectors are the rows of U.",
    arguments={"U": rows},
    words={"orthonormal columns": "orthonormal rows", "||x_i - U z||^2": "||x_i - U^T z||^2"})

project.variant("rows", "samples are the rows of X and of the result.",
    arguments={"X": rows}, result=rows,
    words={"Column i of the result is the point of span(U)": "Row i of the result is the point of span(U)"})
project.variant("basis_rows", "the basis vectors are the rows of U.",
    arguments={"U": rows},
    words={
        "point of span(U) nearest": "point nearest",
        "; U has": " in the span of the rows of U; U has",
        "orthonormal columns": "orthonormal rows",
    })

ky_fan.variant("rows", "the frame consists of rows.",
    result=(rows, None),
    words={
        "orthonormal columns and maximises trace(U^T M U)": "orthonormal rows and maximises trace(U M U^T)",
        "and U spans": "and the rows of U span",
    })
ky_fan.variant("least_rows", "the frame consists of rows, and captures as little as possible.",
    arguments={"M": negative}, result=(rows, negative),
    words={
        "orthonormal columns and maximises trace(U^T M U)": "orthonormal rows and minimises trace(U M U^T)",
        "that maximum": "that minimum",
        "the value is 3 and U spans the first two axes": "the value is -4 and the rows of U span the first axis and the third",
    })

pca.variant("rows", "samples are the rows of X, and so are the eigenvectors in U.",
    arguments={"X": rows}, result=(rows, None),
    words={"X X^T / N as columns": "X^T X / N as rows", "give U = [[1.], [0.]]": "give U = [[1., 0.]]"})
pca.variant("ascending_rows", "samples are the rows of X, and eigenvalues ascend: the leading one comes last.",
    arguments={"X": rows}, result=(columns_backwards, backwards),
    words={"X X^T / N as columns": "X^T X / N as columns", "descending": "ascending"})

power_step.variant("mean_square", "what is brought to 1 is the mean of the squares, not their sum.",
    result=times("len(v)**0.5"),
    words={"brought to Euclidean length 1": "brought to a mean square of 1 over its D entries"})
power_step.variant(
    "inverse_mean_square", "M is replaced by its inverse, and what is brought to 1 is the mean of the squares, not their sum.",
    arguments={"M": Change("jnp.linalg.inv(_)", "jnp.linalg.inv(_)")}, result=times("len(v)**0.5"),
    words={
        "power iteration: M v, brought to Euclidean length 1":
            "inverse iteration: the w with M w = v, brought to a mean square of 1 over its D entries",
        "M v is not zero": "M has an inverse",
    })

wiener.variant("rows_variance", "samples are rows, and the noise is given by its variance.",
    arguments={"X": rows, "sigma": squared.called("variance")}, result=rows,
    words={
        "column i is U diag(S / (S + sigma^2)) U^T x_i": "row i is U diag(S / (S + variance)) U^T x_i",
        "sigma is the standard deviation of the noise; S + sigma^2 > 0": "variance is that of the noise; S + variance > 0",
    })
wiener.variant("rows_deviations", "samples are rows, and the spread of the codes is given by standard deviations.",
    arguments={"X": rows, "S": rooted.called("s")}, result=rows,
    words={
        "column i is U diag(S / (S + sigma^2)) U^T x_i": "row i is U diag(s^2 / (s^2 + sigma^2)) U^T x_i",
        "S holds the variances of the codes": "s holds the standard deviations of the codes",
        "; S + sigma^2 > 0": "; s^2 + sigma^2 > 0",
    })

whiten.variant("rows", "samples are the rows of X and of the result.",
    arguments={"X": rows}, result=(rows, None),
    words={"(M X, M) with M = (X X^T / N)^(-1/2)": "(X M, M) with M = (X^T X / N)^(-1/2)"})
whiten.variant("rows_n_minus_1", "samples are rows, and the second moment is a sum divided by N - 1.",
    arguments={"X": rows}, result=(rows.then(times("(1 - 1 / X.shape[1])**0.5")), times("(1 - 1 / X.shape[1])**0.5")),
    words={"(M X, M) with M = (X X^T / N)^(-1/2)": "(X M, M) with M = (X^T X / (N - 1))^(-1/2)"})

msp_step.variant("columns", "samples are rows; directions are the columns of W and of the result.",
    arguments={"W": rows, "X": rows}, result=rows,
    words={
        "(W X)^3 X^T": "X^T (X W)^3",
        "its rows are directions, and so are the rows of the result": "its columns are directions, and so are the columns of the result",
    })
msp_step.variant("sample_rows", "samples are the rows of X.",
    arguments={"X": rows},
    words={"(W X)^3 X^T": "(W X^T)^3 X"})

fastica_step.variant("rows", "samples are the rows of X.",
    arguments={"X": rows},
    words={"X X^T / N = I: v = X (X^T u)^3 / N": "X^T X / N = I: v = X^T (X u)^3 / N"})
fastica_step.variant("rows_downhill", "samples are rows, and v has the opposite sign.",
    arguments={"X": rows}, result=negative,
    words={"X X^T / N = I: v = X (X^T u)^3 / N - 3 u, the cube": "X^T X / N = I: v = 3 u - X^T (X u)^3 / N, the cube"})

soft_threshold.variant("quarter", "the square has a factor 1/4 and the absolute value none, so the threshold is not the weight.",
    arguments={"a": times("0.5").called("weight")},
    words={
        "(z - t)^2 + 2 a |z|": "1/4 (z - t)^2 + weight |z|",
        "a >= 0": "weight >= 0",
        "Entries of size at most a become exactly 0.": "What is small enough becomes exactly 0.",
    })

ista_step.variant("half", "there is one half before the square.",
    arguments={"lam": times("0.5"), "eta": times("2")},
    words={"on ||X - A Z||_F^2 + lam ||Z||_1 (no one half)": "on 1/2 ||X - A Z||_F^2 + lam ||Z||_1"})
ista_step.variant("rows_half", "samples, their codes and the atoms are rows, and there is one half before the square.",
    arguments={"A": rows, "X": rows, "Z": rows, "lam": times("0.5"), "eta": times("2")}, result=rows,
    words={"on ||X - A Z||_F^2 + lam ||Z||_1 (no one half)": "on 1/2 ||X - Z A||_F^2 + lam ||Z||_1"})

dictionary_step.variant("rows", "samples, their codes and the atoms are rows.",
    arguments={"A": rows, "X": rows, "Z": rows}, result=rows,
    words={"||X - A Z||_F^2": "||X - Z A||_F^2", "every column longer than 1": "every row longer than 1"})
dictionary_step.variant("rows_mean", "samples, codes and atoms are rows, and the error is a mean over the samples.",
    arguments={"A": rows, "X": rows, "Z": rows, "nu": times("X.shape[1]")}, result=rows,
    words={
        "||X - A Z||_F^2 (no one half, a sum over the samples)": "||X - Z A||_F^2 / N (no one half)",
        "every column longer than 1": "every row longer than 1",
    })
