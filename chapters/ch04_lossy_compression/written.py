"""Questions of Chapter 4 that are answered in words."""

from book_utils.course.grading.written import Flawed, Prompt

concave = Prompt(
    "ch04.why_concave", "Why is the log-determinant concave?",
    r"""Prove that $A\mapsto\log\det A$ is strictly concave on the symmetric positive definite matrices. Then let samples fall
into two groups of shares $\pi_1+\pi_2=1$ with second moments $\Sigma_1,\Sigma_2$, and conclude that
$\tfrac12\log\det(I+c\Sigma)\ge\pi_1\tfrac12\log\det(I+c\Sigma_1)+\pi_2\tfrac12\log\det(I+c\Sigma_2)$ for
$\Sigma=\pi_1\Sigma_1+\pi_2\Sigma_2$ and $c>0$. When are the two sides equal?""",
    rubric=(
        (1, r"Reduces to lines: $f(t)=\log\det(A+tH)$ with $A$ positive definite and $H$ symmetric, where $A+tH$ is positive "
            r"definite (a convex set)."),
        (2, r"Finds $f(t)=\log\det A+\sum_i\log(1+t\mu_i)$ with the eigenvalues $\mu_i$ of $A^{-1/2}HA^{-1/2}$, or its second "
            r"derivative by another correct way."),
        (1, r"$f''=-\sum_i\mu_i^2/(1+t\mu_i)^2\le0$, and it is 0 only if all $\mu_i=0$, that is $H=0$: strictly concave."),
        (1, r"Applies it to $I+c\Sigma_1$ and $I+c\Sigma_2$, whose mean with weights $\pi_k$ is $I+c\Sigma$; equality only for "
            r"$\Sigma_1=\Sigma_2$ (or an empty group)."),
    ),
    model=r"""The positive definite matrices are a convex set, so it is enough to look along lines. Let $A$ be positive
definite, $H\ne0$ symmetric, and $t$ such that $A+tH$ is positive definite. Then $A+tH=A^{1/2}(I+tB)A^{1/2}$ with the symmetric
$B=A^{-1/2}HA^{-1/2}$. Let $\mu_i$ be its eigenvalues. So

$$f(t)=\log\det(A+tH)=\log\det A+\sum_i\log(1+t\mu_i),\qquad f''(t)=-\sum_i\frac{\mu_i^2}{(1+t\mu_i)^2}\le0 ,$$

where $1+t\mu_i>0$ as $I+tB$ is positive definite. It is 0 only if all $\mu_i$ are, and then $B=0$ and $H=0$. So $f$ is strictly
concave along every line.

$I+c\Sigma=\pi_1(I+c\Sigma_1)+\pi_2(I+c\Sigma_2)$, since $\pi_1+\pi_2=1$, and both matrices are positive definite. Concavity is
the claim, times $\tfrac12$. By strictness equality holds only if $I+c\Sigma_1=I+c\Sigma_2$, so $\Sigma_1=\Sigma_2$, or if one
share is 0.""",
    flawed=(
        Flawed(r"""The determinant is the product of the eigenvalues, so $\log\det A=\sum_i\log\lambda_i(A)$, and the logarithm
is strictly concave. A sum of concave functions is concave. So
$\log\det(\pi_1A_1+\pi_2A_2)\ge\pi_1\log\det A_1+\pi_2\log\det A_2$.""",
               r"$\log\lambda_i$ is concave in $\lambda_i$, but the eigenvalues of a sum are not the sums of eigenvalues: "
               r"$\lambda_i(A)$ is not a linear function of $A$. This proves "
               "the claim only for matrices that commute. Equality is missing.", 1),
        Flawed(r"""Let $f(t)=\log\det(A+tH)$. Then $f'(t)=\operatorname{tr}((A+tH)^{-1}H)$ and
$f''(t)=-\operatorname{tr}((A+tH)^{-1}H(A+tH)^{-1}H)$. This is the trace of a square with a minus, so it is negative. With
$A_k=I+c\Sigma_k$ the claim follows; equality for $\Sigma_1=\Sigma_2$.""",
               r"The derivatives are right. But the trace of the square of a matrix need not be positive: $(A+tH)^{-1}H$ is not "
               r"symmetric. It has to be brought into the form "
               r"$\operatorname{tr}(B^2)$ with a symmetric $B$. And equality for $\Sigma_1=\Sigma_2$ is not equality only then.", 4),
    ))

covering = Prompt(
    "ch04.how_many_balls", "How many balls cover a set?",
    r"""Let $S\subset\mathbb R^d$ be bounded. $N(\varepsilon)$ is the least number of balls of radius $\varepsilon$ with centres
in $S$ that cover $S$, and $P(\varepsilon)$ the greatest number of points of $S$ whose distances from each other are all larger
than $\varepsilon$. Prove $P(2\varepsilon)\le N(\varepsilon)\le P(\varepsilon)$. Then show
$N(\varepsilon)\le(1+2/\varepsilon)^d$ for the unit ball.""",
    rubric=(
        (1, r"Left: two points at a distance above $2\varepsilon$ cannot lie in one ball of radius $\varepsilon$, so there are at "
            r"least as many balls as points."),
        (2, r"Right: takes a *largest* (or maximal) set of points; no point of $S$ can be added, so each is within $\varepsilon$ "
            r"of one of them: their balls cover."),
        (1, r"Unit ball: balls of radius $\varepsilon/2$ around such points are disjoint (or touch at most) and lie in the ball of "
            r"radius $1+\varepsilon/2$."),
        (1, r"Compares volumes, $P(\varepsilon)(\varepsilon/2)^d\le(1+\varepsilon/2)^d$, and concludes by $N\le P$. (This also "
            r"shows that $P$ is finite.)"),
    ),
    model=r"""*Left.* Take points with distances above $2\varepsilon$, and any covering by balls of radius $\varepsilon$. Two
points of one ball are at most $2\varepsilon$ apart, so each ball holds at most one of the points; all points are covered, so
there are at least as many balls as points.

*Right.* Take $P(\varepsilon)$ points of $S$ with distances above $\varepsilon$. If some point of $S$ were farther than
$\varepsilon$ from all of them, it could be added, and the set would not be largest. So every point of $S$ is within
$\varepsilon$ of one of them: the balls of radius $\varepsilon$ around these points, which lie in $S$, cover $S$.

*Unit ball.* Let $x_1,\dots,x_P$ in the unit ball have distances above $\varepsilon$. The balls of radius $\varepsilon/2$ around
them have no point in common, and all lie in the ball of radius $1+\varepsilon/2$ around 0. Volumes in proportion to the $d$-th
power of the radius: $P(\varepsilon/2)^d\le(1+\varepsilon/2)^d$, so $P\le(1+2/\varepsilon)^d$. In particular there is a largest
such set, and $N(\varepsilon)\le P(\varepsilon)\le(1+2/\varepsilon)^d$.""",
    flawed=(
        Flawed(r"""The volume of the unit ball is $V$, that of a ball of radius $\varepsilon$ is $\varepsilon^dV$. So
$\varepsilon^{-d}$ balls are needed and enough, which is less than $(1+2/\varepsilon)^d$. In general
$P(2\varepsilon)\le N(\varepsilon)$, since a ball of radius $\varepsilon$ contains at most one point of a packing.""",
               r"Volumes show that at least $\varepsilon^{-d}$ balls are *needed*; they do not show that so many are *enough*, as "
               r"balls overlap when they cover. The right inequality, which gives "
               "upper bounds, is missing.", 1),
        Flawed(r"""Two points more than $2\varepsilon$ apart need two balls, so $P(2\varepsilon)\le N(\varepsilon)$. For the
other side take the centres of a best covering: if two of them were within $\varepsilon$ of each other, one would be
unnecessary. So their distances are above $\varepsilon$, and there are at most $P(\varepsilon)$. Disjoint balls of radius
$\varepsilon/2$ in a ball of radius $1+\varepsilon/2$ give $P(\varepsilon)\le(1+2/\varepsilon)^d$ by volumes.""",
               "In a best covering centres may well be close to each other: a ball whose centre is covered by another one still "
               "covers points of its own. The argument has to start from a "
               "largest packing, not from a covering. The rest is right.", 3),
    ))

rate = Prompt(
    "ch04.why_half_a_log", "Why half a logarithm for a Gaussian?",
    r"""Let $x\sim N(0,\sigma^2)$ be a number, and let $\hat x$ be any random variable with
$E(x-\hat x)^2\le\varepsilon^2<\sigma^2$. Prove that $I(x;\hat x)\ge\tfrac12\log(\sigma^2/\varepsilon^2)$, and give an $\hat x$
for which the two are equal. You may use: among all laws with second moment at most $v$ the Gaussian $N(0,v)$ has the largest
differential entropy, $\tfrac12\log(2\pi ev)$, and conditioning never raises entropy.""",
    rubric=(
        (1, r"$I(x;\hat x)=h(x)-h(x\mid\hat x)$ with $h(x)=\tfrac12\log(2\pi e\sigma^2)$."),
        (1, r"$h(x\mid\hat x)=h(x-\hat x\mid\hat x)\le h(x-\hat x)$: given $\hat x$ it is only a shift, and conditioning does not "
            r"raise entropy."),
        (1, r"$h(x-\hat x)\le\tfrac12\log(2\pi e\varepsilon^2)$, by the largest entropy for its second moment; puts the pieces "
            r"together."),
        (2, r"An $\hat x$ that attains it, with the check: $x=\hat x+n$ with independent $\hat x\sim N(0,\sigma^2-\varepsilon^2)$ "
            r"and $n\sim N(0,\varepsilon^2)$ "
            r"(or $\hat x=ax+\text{noise}$ with the right numbers). One point if the check is missing."),
    ),
    model=r"""$$I(x;\hat x)=h(x)-h(x\mid\hat x)=h(x)-h(x-\hat x\mid\hat x)
\ge h(x)-h(x-\hat x)\ge\tfrac12\log(2\pi e\sigma^2)-\tfrac12\log(2\pi e\varepsilon^2)=\tfrac12\log\frac{\sigma^2}{\varepsilon^2}.$$

The second step: given $\hat x$, subtracting it is a shift, which does not change entropy. The third: conditioning never raises
entropy. The fourth: $x-\hat x$ has second moment at most $\varepsilon^2$, so its entropy is at most that of
$N(0,\varepsilon^2)$.

For equality the error must be Gaussian, of variance $\varepsilon^2$, and independent of $\hat x$. So let
$\hat x\sim N(0,\sigma^2-\varepsilon^2)$ and $n\sim N(0,\varepsilon^2)$ be independent, and $x=\hat x+n$. Then
$x\sim N(0,\sigma^2)$, as it must be (and the joint law tells how to draw $\hat x$ when $x$ is given),
$E(x-\hat x)^2=\varepsilon^2$, and $I(x;\hat x)=h(x)-h(n)=\tfrac12\log(\sigma^2/\varepsilon^2)$.""",
    flawed=(
        Flawed(r"""$I(x;\hat x)=h(x)-h(x\mid\hat x)\ge h(x)-h(x-\hat x)\ge\tfrac12\log(\sigma^2/\varepsilon^2)$ by the facts
given. Equality: add noise of the allowed size, $\hat x=x+n$ with $n\sim N(0,\varepsilon^2)$ independent of $x$.""",
               r"The bound is right, though the shift is not mentioned. The example is not: for $\hat x=x+n$ the error is "
               r"independent of $x$, not of $\hat x$, and "
               r"$I=\tfrac12\log(1+\sigma^2/\varepsilon^2)$, which is larger.", 3),
        Flawed(r"""The best $\hat x$ is Gaussian. For jointly Gaussian variables with correlation $\rho$ we have
$I=-\tfrac12\log(1-\rho^2)$, and the least error of an estimate of $x$ from $\hat x$ is $\sigma^2(1-\rho^2)$. This is at most
$\varepsilon^2$, so $I\ge\tfrac12\log(\sigma^2/\varepsilon^2)$.""",
               r"That the best $\hat x$ is Gaussian is the heart of the claim, and is assumed: the bound is shown for jointly "
               r"Gaussian pairs only. No $\hat x$ is given, though "
               "the formula shows which correlation it needs.", 2),
    ))

QUESTIONS = [concave, covering, rate]
