"""Questions of Chapter 3 that are answered in words."""

from book_utils.course.grading.written import Flawed, Prompt

gibbs = Prompt(
    "ch03.why_at_most_log_n", "Why is no entropy above log n?",
    r"""Let $p$ and $q$ be probabilities of the same $n$ symbols. Prove that $-\sum_ip_i\log p_i\le-\sum_ip_i\log q_i$ (with
$0\log0=0$, and $\infty$ on the right where $q_i=0<p_i$), say when the two are equal, and conclude that the entropy of $p$ is at
most $\log n$.""",
    rubric=(
        (1, r"Uses an inequality that does the work, $\log u\le u-1$ or that of Jensen, and says for which $u$ it is an equality."),
        (1, r"Applies it to $q_i/p_i$ in a sum over symbols with $p_i>0$ only, and sees that $\sum_{p_i>0}q_i\le1$."),
        (1, r"Deals with $q_i=0$ and with $p_i=0$."),
        (1, r"Equality exactly for $p=q$, from the equality in the inequality used."),
        (1, r"Puts $q_i=1/n$: the right side is $\log n$, whatever $p$ is."),
    ),
    model=r"""If $q_i=0<p_i$ for some $i$, the right side is $\infty$. Otherwise let $S$ be the symbols with $p_i>0$; there
$q_i>0$ too. For all $u>0$ is $\log u\le u-1$, with equality for $u=1$ only. So

$$-\sum_{i\in S}p_i\log p_i+\sum_{i\in S}p_i\log q_i=\sum_{i\in S}p_i\log\frac{q_i}{p_i}
\le\sum_{i\in S}p_i\Big(\frac{q_i}{p_i}-1\Big)=\sum_{i\in S}q_i-1\le0 ,$$

and symbols outside $S$ contribute nothing to either sum. For equality both signs must be equalities: $q_i=p_i$ on $S$, and then
$\sum_{i\in S}q_i=1$ leaves $q_i=0=p_i$ elsewhere, so $q=p$. With $q_i=1/n$ the right side is $\sum_ip_i\log n=\log n$, hence
the entropy of $p$ is at most $\log n$, and it is $\log n$ for the uniform law alone.""",
    flawed=(
        Flawed(r"""The logarithm is concave, so by Jensen's inequality
$\sum_ip_i\log(q_i/p_i)\le\log\sum_ip_i(q_i/p_i)=\log\sum_iq_i=\log1=0$. This is the claim. Equality holds if $p=q$. With
$q=1/n$ we get $\log n$.""",
               r"The idea is right. Symbols with $p_i=0$ cannot be in these sums (it divides by $p_i$); without them $\sum q_i$ is "
               r"at most 1, not 1. And it shows that "
               r"$p=q$ is enough for equality, not that it is needed: for this, strict concavity has to be used.", 3),
        Flawed(r"""Maximise $-\sum_ip_i\log p_i$ subject to $\sum_ip_i=1$. With a Lagrange multiplier, $-\log p_i-1=\mu$, so all
$p_i$ are equal, $p_i=1/n$, and the entropy there is $\log n$. So it is at most $\log n$.""",
               r"This finds a stationary point and does not show that it is a maximum, nor look at the boundary, where some "
               r"$p_i=0$ and the derivative is infinite. The "
               r"inequality between $p$ and $q$, which is the question, is not touched.", 1),
    ))

best = Prompt(
    "ch03.why_the_mean", "Why is the best denoiser a mean?",
    r"""Let $x$ and $y$ be random vectors with $E\|x\|^2<\infty$, and let $m(y)=E[x\mid y]$. Prove that every function $f$ with
$E\|f(y)\|^2<\infty$ satisfies $E\|x-f(y)\|^2=E\|x-m(y)\|^2+E\|m(y)-f(y)\|^2$. In what sense is $m$ the only best denoiser? Is
it also best for $E\|x-f(y)\|$, without the square?""",
    rubric=(
        (1, r"Inserts $m(y)$ and multiplies out, with the cross term $2E\langle x-m(y),\,m(y)-f(y)\rangle$."),
        (2, r"Shows that the cross term is 0 by conditioning on $y$: given $y$ the second factor is fixed, and the first has mean 0."),
        (1, r"Uniqueness: any other best $f$ has $E\|m(y)-f(y)\|^2=0$, so $f(y)=m(y)$ with probability 1 (not at every point)."),
        (1, r"No without the square, with a reason or an example: for numbers the best is a median of $x$ given $y$."),
    ),
    model=r"""$x-f=(x-m)+(m-f)$, so $\|x-f\|^2=\|x-m\|^2+2\langle x-m,m-f\rangle+\|m-f\|^2$; all means exist as second moments
are finite. Given $y$, $m(y)-f(y)$ is a fixed vector. So
$E[\langle x-m(y),m(y)-f(y)\rangle\mid y]=\langle E[x\mid y]-m(y),\,m(y)-f(y)\rangle=0$, and averaging over $y$ the cross term
vanishes. The identity follows.

The first term does not depend on $f$ and the second is never negative: $m$ is best. If $f$ is as good, $E\|m(y)-f(y)\|^2=0$,
and a nonnegative variable of mean 0 is 0 with probability 1: $f(y)=m(y)$ for almost every $y$. Where $y$ never falls, $f$ may
be anything.

Without the square it is not best in general. Let $y$ tell nothing and $x$ be 0 with probability $0.9$ and 10 with $0.1$. The
mean is 1 and costs $0.9\cdot1+0.1\cdot9=1.8$; the median 0 costs only 1.""",
    flawed=(
        Flawed(r"""$E\|x-f\|^2=E\|x-m\|^2+2E\langle x-m,m-f\rangle+E\|m-f\|^2$. Since $E[x-m]=0$, the cross term is
$2\langle E[x-m],E[m-f]\rangle=0$. So $m$ is best, and since the second term is zero only for $f=m$, it is the only one.""",
               r"The mean of a product is not the product of means: $x-m$ and $m-f$ are not independent, and $E[x-m]=0$ is not "
               r"enough. What is needed is $E[x-m\mid y]=0$. "
               "'Only' holds with probability 1 alone, and the last question is not answered.", 1),
        Flawed(r"""For every $y$ minimise $E[\|x-a\|^2\mid y]$ over the vector $a$. Its gradient is $2(a-E[x\mid y])$, and it is
convex, so the minimum is at $a=m(y)$ for every $y$. Hence $m$ is the best denoiser, and it is the only one up to values of $y$
that have probability 0. For the distance without the square the best is again $m$, since a square root is increasing.""",
               r"That $m$ is best is shown, but not the identity that was asked for: what a worse $f$ loses. The last sentence is "
               r"wrong: the root stands inside the mean, and "
               r"the mean of a root is not the root of the mean.", 2),
    ))

tweedie = Prompt(
    "ch03.why_any_law", "Why does Tweedie's formula need no density?",
    r"""Let $x$ have any law on $\mathbb R^D$, let $x_t=x+tg$ with $t>0$ and $g\sim N(0,I)$ independent of $x$, and let
$p_t(z)=E[\varphi_t(z-x)]$, where $\varphi_t$ is the density of $tg$. Prove that
$\nabla\log p_t(z)=\big(E[x\mid x_t=z]-z\big)/t^2$ for every $z$. Where is it used that $x$ has a density, or a mean?""",
    rubric=(
        (1, r"$\nabla\varphi_t(u)=-u\,\varphi_t(u)/t^2$."),
        (2, r"Exchanges gradient and expectation, with the reason: $\varphi_t$ and its gradient are bounded (a bound that depends "
            r"neither on $x$ nor on $z$)."),
        (1, r"Divides by $p_t(z)$, which is positive for every $z$, and recognises the posterior mean, "
            r"$E[x\,\varphi_t(z-x)]/p_t(z)$, by Bayes' rule."),
        (1, r"Nowhere: a density of $x$ is never used; nor is a mean of $x$, since $\|x\|\varphi_t(z-x)$ is bounded in $x$."),
    ),
    model=r"""The density of $tg$ is $\varphi_t(u)=(2\pi t^2)^{-D/2}e^{-\|u\|^2/(2t^2)}$, so
$\nabla\varphi_t(u)=-u\,\varphi_t(u)/t^2$. Both are bounded in $u$. So difference quotients of $z\mapsto\varphi_t(z-x)$ are
bounded by one constant, whatever $x$ is, and by dominated convergence

$$\nabla p_t(z)=E\big[\nabla_z\varphi_t(z-x)\big]=\frac1{t^2}E\big[(x-z)\,\varphi_t(z-x)\big].$$

$p_t(z)>0$, as the mean of a positive variable. By Bayes' rule the law of $x$ given $x_t=z$ has the weight
$\varphi_t(z-x)/p_t(z)$ relative to the law of $x$, so $E[x\mid x_t=z]=E[x\,\varphi_t(z-x)]/p_t(z)$. Dividing,
$\nabla\log p_t(z)=\nabla p_t(z)/p_t(z)=(E[x\mid x_t=z]-z)/t^2$.

Only expectations over $x$ were used, no density of it. Nor is a mean: $\|x\|\varphi_t(z-x)$ is bounded in $x$ for fixed $z$, so
the posterior mean is finite even where $E\|x\|=\infty$.""",
    flawed=(
        Flawed(r"""Let $p$ be the density of $x$. Then $p_t(z)=\int p(x)\varphi_t(z-x)\,dx$, so
$\nabla p_t(z)=\int p(x)\frac{x-z}{t^2}\varphi_t(z-x)\,dx$. Dividing by $p_t(z)$, the weights $p(x)\varphi_t(z-x)/p_t(z)$ are
the posterior density, and the formula follows. If $x$ has no density, approximate it by laws that have one.""",
               r"The calculation is right where $x$ has a density, which was not to be assumed; that the limit may be taken is not "
               r"shown. The gradient is pulled under the "
               "integral without a word. The last question is answered wrongly by implication.", 2),
        Flawed(r"""$x_t$ given $x$ is $N(x,t^2I)$, whose score is $(x-x_t)/t^2$. Take the expectation given $x_t$ on both sides:
$E[(x-x_t)/t^2\mid x_t]=(E[x\mid x_t]-x_t)/t^2$. The left side is the score of $x_t$.""",
               r"The last sentence is the theorem: that the mean of the conditional scores is the score of the mixture is what has "
               r"to be shown (it takes the gradient under "
               "the expectation, divided by $p_t$). Densities and means are not mentioned.", 1),
    ))

QUESTIONS = [gibbs, best, tweedie]
