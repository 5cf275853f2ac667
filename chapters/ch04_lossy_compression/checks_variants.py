"""Conventions that a course may ask for instead of the lesson's, so that published solutions do not pass as they stand."""

from book_utils.course.variants import Change, bits, decimal_digits, from_one, inverted, negative, one_hot, rooted, rows, squared, stacked_rows, times
from chapters.ch04_lossy_compression.checks_1a_rate import mutual_information, blahut_arimoto
from chapters.ch04_lossy_compression.checks_1b_covering import water_level, greedy_net
from chapters.ch04_lossy_compression.checks_2a_coding import coding_rate
from chapters.ch04_lossy_compression.checks_2b_clustering import merge_gain, cluster
from chapters.ch04_lossy_compression.checks_3a_reduction import rate_reduction, rate_reduction_gradient
from chapters.ch04_lossy_compression.checks_3b_landscape import optimal_variance
from chapters.ch04_lossy_compression.checks_4a_supervised import nearest_subspace
from chapters.ch04_lossy_compression.checks_4b_unsupervised import ctrl_objective, simdino

views_first = Change("_.transpose(2, 0, 1)", "_.transpose(1, 2, 0)", shape=lambda shape: "(m, N, d)")

mutual_information.variant("bits", "the logarithm is that to base 2.",
    result=bits,
    words={"in nats": "in bits"})
mutual_information.variant("decimal", "the logarithm is that to base 10.",
    result=decimal_digits,
    words={"in nats": "in decimal digits (logarithms to base 10)"})

blahut_arimoto.variant("words_first_bits", "tables have a row for every word, information is in bits, and beta is a price in bits.",
    arguments={"costs": rows, "beta": bits}, result=(None, bits, rows),
    words={
        "the information in nats": "the information in bits",
        "conditional probabilities w[i, j] of word j given symbol i":
            "conditional probabilities w[j, i] of word j given symbol i; costs[j, i] is the cost of word j for symbol i",
        "that exp(-beta * costs) is 0 for all words of a row:": "that 2^(-beta * costs) is 0 for all words of a column:",
        "from a row of costs": "from a column of costs",
        "A round takes": "What is made small is R + beta D with R in bits. A round takes",
        "You may call your mutual_information.": "You may call your mutual_information (in nats).",
    })
blahut_arimoto.variant("words_first", "tables have a row for every word.",
    arguments={"costs": rows}, result=(None, None, rows),
    words={
        "conditional probabilities w[i, j] of word j given symbol i":
            "conditional probabilities w[j, i] of word j given symbol i; costs[j, i] is the cost of word j for symbol i",
        "for all words of a row:": "for all words of a column:",
        "from a row of costs": "from a column of costs",
    })

water_level.variant("mean", "the distortion is a mean over the directions.",
    arguments={"distortion": Change("_ / len(eigenvalues)", "_ * len(eigenvalues)")},
    words={
        "sum_i min(kappa, eigenvalues_i) = distortion": "(1 / D) sum_i min(kappa, eigenvalues_i) = distortion",
        "where it is the sum of the eigenvalues or more": "where it is the mean of the eigenvalues or more",
    })
water_level.variant("deviations", "the source is given by standard deviations, and so is the level.",
    arguments={"eigenvalues": rooted.called("deviations")}, result=rooted,
    words={
        "The level kappa with sum_i min(kappa, eigenvalues_i) = distortion. eigenvalues:":
            "The level kappa with sum_i min(kappa, deviations_i)^2 = distortion. deviations, the roots of the eigenvalues:",
        "the sum of the eigenvalues or more, return the largest eigenvalue": "the sum of their squares or more, return the largest of them",
    })

greedy_net.variant("rows", "points are the rows of X.",
    arguments={"X": rows},
    words={
        "of the columns of X that": "of the rows of X that",
        "with column 0": "with row 0",
        "some column": "some row",
        "nearest chosen column": "nearest chosen row",
        "A column at": "A row at",
    })
greedy_net.variant("rows_from_one", "points are the rows of X, numbered from 1.",
    arguments={"X": rows}, result=from_one,
    words={
        "(integers) of the columns of X that": "(integers, from 1 to N) of the rows of X that",
        "with column 0": "with the first row",
        "some column": "some row",
        "nearest chosen column": "nearest chosen row",
        "A column at": "A row at",
    })

coding_rate.variant("rows_bits", "samples are the rows of Z, and the logarithm is that to base 2.",
    arguments={"Z": rows}, result=bits,
    words={"log det(I + alpha Z Z^T)": "log_2 det(I + alpha Z^T Z)", "in nats. Samples are columns": "in bits. Samples are rows"})
coding_rate.variant("rows_distortion", "samples are the rows of Z, and the distortion is given as a square.",
    arguments={"Z": rows, "eps": squared.called("distortion")},
    words={
        "log det(I + alpha Z Z^T) with alpha = d / (N eps^2)": "log det(I + alpha Z^T Z) with alpha = d / (N distortion)",
        "Samples are columns": "Samples are rows",
        "eps > 0 is squared inside": "distortion > 0 is eps^2 already",
    })

merge_gain.variant("rows_cost", "samples are rows, and a merge that is worth it has a negative cost.",
    arguments={"X_k": rows, "X_l": rows}, result=negative,
    words={
        "Nats *saved* by making one cluster of two: the length of both, with the labels that tell their samples apart, minus "
        "the length of their union. > 0 where merging is worth it, < 0 where it is not. segment_length(X_k, eps) is":
            "Nats *paid* for making one cluster of two: the length of their union, minus the length of both, with the labels "
            "that tell their samples apart. < 0 where merging is worth it, > 0 where it is not. segment_length(X_k.T, eps), with "
            "columns, is",
    })
merge_gain.variant("rows_bits", "samples are rows, and lengths are in bits.",
    arguments={"X_k": rows, "X_l": rows}, result=bits,
    words={"Nats *saved*": "Bits *saved*", "segment_length(X_k, eps) is": "segment_length(X_k.T, eps), in nats and with columns, is"})

cluster.variant("rows", "samples are the rows of X.",
    arguments={"X": rows},
    words={"merge_gain(X_k, X_l, eps)": "merge_gain(X_k.T, X_l.T, eps), which wants columns"})
cluster.variant("rows_from_one", "samples are the rows of X, and labels begin with 1.",
    arguments={"X": rows}, result=from_one,
    words={
        "merge_gain(X_k, X_l, eps)": "merge_gain(X_k.T, X_l.T, eps), which wants columns",
        "Labels are 0, ..., K - 1 in": "Labels are 1, ..., K in",
    })

rate_reduction.variant("rows_bits", "samples are the rows of Z, and rates are in bits.",
    arguments={"Z": rows}, result=bits,
    words={
        "in nats per sample": "in bits per sample",
        "1/2 log det(I + d / (n eps^2) Z Z^T), with n the number of columns":
            "1/2 log_2 det(I + d / (n eps^2) Z^T Z), with n the number of rows",
    })
rate_reduction.variant("membership", "classes are given by a matrix of zeros and ones.",
    arguments={"labels": one_hot("membership", "(K, N)")},
    words={
        "Every class from 0 to K - 1 has a sample.":
            "membership[k, i] is 1 where sample i is of class k, else 0; every class has a sample.",
    })

rate_reduction_gradient.variant("rows", "samples are the rows of Z and of the result.",
    arguments={"Z": rows}, result=rows,
    words={"column i belongs to sample i": "row i belongs to sample i", "Z Z^T": "Z^T Z"})
rate_reduction_gradient.variant("membership_loss", "classes are given by a matrix of zeros and ones, and the gradient is that of a loss.",
    arguments={"labels": one_hot("membership", "(K, N)")}, result=negative,
    words={
        "Gradient of the rate reduction (3.3)": "Gradient of minus the rate reduction (3.3)",
        "whatever the order of the labels": "and membership[k, i] is 1 where it is of class k, else 0",
    })

optimal_variance.variant("singular_value", "the result is not squared.",
    result=rooted,
    words={"The larger root x of": "The square root of the larger root x of", "the squared singular value": "the singular value"})
optimal_variance.variant("ratio", "classes are described by how often they go into the whole.",
    arguments={"rho": inverted.called("ratio")},
    words={
        "Here alpha_k is alpha / rho, and eta = alpha_k - alpha - lam (1 / rho + 1)":
            "Here alpha_k is alpha * ratio, with ratio = N / N_k, and eta = alpha_k - alpha - lam (ratio + 1)",
    })

nearest_subspace.variant("rows", "samples are the rows of Z_new.",
    arguments={"Z_new": rows},
    words={"For every column of Z_new": "For every row of Z_new"})
nearest_subspace.variant("rows_from_one", "samples and basis vectors are rows, and subspaces are numbered from 1.",
    arguments={"Us": stacked_rows, "Z_new": rows}, result=from_one,
    words={
        "For every column of Z_new the number k, from 0,": "For every row of Z_new the number k, from 1,",
        "Us[k] is an orthonormal basis of subspace k, one vector per column":
            "Us[k - 1] is an orthonormal basis of subspace k, one vector per row",
    })

ctrl_objective.variant("rows_bits", "views are rows, and the logarithm is that to base 2.",
    arguments={"Zs": stacked_rows}, result=bits,
    words={
        "in nats, for": "in bits, for",
        "(columns of Zs[k])": "(rows of Zs[k]; below they are columns of Z_k and Z)",
        "log det(I + gamma_2": "log_2 det(I + gamma_2",
        "log det(I + d / (m": "log_2 det(I + d / (m",
    })
ctrl_objective.variant("views_first_loss", "the first view of all samples comes first, and the sign is that of a loss.",
    arguments={"Zs": views_first}, result=negative,
    words={"MCR2-CTRL in nats": "Minus MCR2-CTRL in nats", "(columns of Zs[k])": "(Zs[i, k] is view i of sample k)"})

simdino.variant("rows_pairs", "views are rows, and every pair counts once.",
    arguments={"Zs": stacked_rows, "gamma": times("2")},
    words={
        "over all ordered pairs of different views: (i, j) and (j, i) both count, (i, i) does not":
            "over all pairs of different views: (i, j) and (j, i) are one pair, (i, i) is none",
        "The columns of every Zs[k]": "The rows of every Zs[k]",
    })
simdino.variant("views_first", "the first view of all samples comes first.",
    arguments={"Zs": views_first},
    words={"The columns of every Zs[k] have length 1": "Zs[i, k] is view i of sample k, of length 1"})
