"""Questions of Chapter 2 that are answered in words."""

from book_utils.course.grading.written import Flawed, Prompt

frame = Prompt(
    "ch02.why_leading_eigenvectors", "Why the leading eigenvectors?",
    r"""Let $M$ be a symmetric $D\times D$ matrix with eigenvalues $\lambda_1\ge\dots\ge\lambda_D$ (negative ones are allowed)
and orthonormal eigenvectors $q_1,\dots,q_D$. Prove that every $U\in\mathbb R^{D\times d}$ with $U^\top U=I_d$ satisfies
$\operatorname{tr}(U^\top MU)\le\lambda_1+\dots+\lambda_d$, and say for which $U$ the two are equal if
$\lambda_d>\lambda_{d+1}$.""",
    rubric=(
        (1, r"Writes the trace in the eigenbasis, $\operatorname{tr}(U^\top MU)=\sum_ip_i\lambda_i$, with $p_i=\|U^\top q_i\|^2$."),
        (1, r"Shows $0\le p_i\le1$: a projection shortens a unit vector (or: the rows of an orthonormal frame have length at most 1)."),
        (1, r"Shows $\sum_ip_i=\operatorname{tr}(UU^\top)=d$."),
        (1, r"Concludes that the sum is largest when the first $d$ weights are 1, by an argument that also holds for negative "
            r"eigenvalues."),
        (1, r"Equality exactly when the columns of $U$ span the same subspace as $q_1,\dots,q_d$, with a reason why no other "
            r"subspace does."),
    ),
    model=r"""Let $p_i=\|U^\top q_i\|^2$. From $M=\sum_i\lambda_iq_iq_i^\top$ follows
$\operatorname{tr}(U^\top MU)=\sum_i\lambda_i\operatorname{tr}(U^\top q_iq_i^\top U)=\sum_i\lambda_ip_i$. $UU^\top$ is a
projection, so $p_i=q_i^\top UU^\top q_i\le\|q_i\|^2=1$, and $p_i\ge0$. As the $q_i$ are an orthonormal basis,
$\sum_ip_i=\operatorname{tr}(UU^\top)=d$. Hence

$$\sum_{i\le d}\lambda_i-\sum_ip_i\lambda_i=\sum_{i\le d}(1-p_i)(\lambda_i-\lambda_d)+\sum_{i>d}p_i(\lambda_d-\lambda_i)\ge0 ,$$

where $\lambda_d$ could be subtracted because $\sum_{i\le d}(1-p_i)=\sum_{i>d}p_i$. No sign of an eigenvalue was used. If
$\lambda_d>\lambda_{d+1}$, equality forces $p_i=0$ for all $i>d$: the columns of $U$ are orthogonal to $q_{d+1},\dots,q_D$, so
they lie in the span of $q_1,\dots,q_d$ and, being $d$ orthonormal vectors, are a basis of it. For each such $U$ all $p_i$ with
$i\le d$ are 1, and equality holds.""",
    flawed=(
        Flawed(r"""The trace is $\sum_ip_i\lambda_i$ with weights $p_i\ge0$ that add up to $d$. Such a sum is largest when all
the weight is on the largest eigenvalues, that is on $\lambda_1,\dots,\lambda_d$, which gives $\lambda_1+\dots+\lambda_d$.""",
               r"Without $p_i\le1$ the largest value would be $d\lambda_1$: nothing keeps the weight from being all on $\lambda_1$. "
               "The bound on a single weight is missing, and with it the reason why $d$ different directions come in. Equality is "
               "not discussed.", 2),
        Flawed(r"""Choose $u_1$ to maximise $u^\top Mu$: this is $q_1$. Then choose $u_2$ orthogonal to $u_1$ to maximise
$u^\top Mu$: this is $q_2$, and so on. So $\operatorname{tr}(U^\top MU)=\sum_ku_k^\top Mu_k$ is at most
$\lambda_1+\dots+\lambda_d$, with equality for $u_k=q_k$.""",
               "That each choice is best after the earlier ones does not show that the sum is largest: a frame whose first vector "
               "is not $q_1$ is never compared. "
               "And the columns need not be eigenvectors: every rotation of them inside the subspace attains the maximum.", 1),
    ))

power = Prompt(
    "ch02.when_power_iteration_works", "When does power iteration work?",
    r"""Let $M$ be symmetric with eigenvalues $\lambda_1>\lambda_2\ge\dots\ge\lambda_D\ge0$ and orthonormal eigenvectors $q_i$,
and let $w_{t+1}=Mw_t/\|Mw_t\|$. Prove that $w_t$ converges to $q_1$ or to $-q_1$ for every unit vector $w_0$ with
$q_1^\top w_0\ne0$. Then say what happens if $\lambda_1=\lambda_2>\lambda_3$.""",
    rubric=(
        (1, r"Expands the start, $w_0=\sum_ic_iq_i$ with $c_1\ne0$, and finds that $w_t$ is $M^tw_0=\sum_i\lambda_i^tc_iq_i$, "
            r"normalised."),
        (1, r"Divides by $\lambda_1^t$ (or takes the ratio to the first coefficient), and bounds the rest by "
            r"$(\lambda_2/\lambda_1)^t$ times a constant."),
        (1, r"Concludes for the normalised vector: its limit is $\operatorname{sign}(c_1)q_1$; sees that normalising never divides "
            r"by 0."),
        (1, r"For $\lambda_1=\lambda_2$: it still converges, to the direction of $c_1q_1+c_2q_2$ (if this is not 0), which depends "
            r"on the start."),
    ),
    model=r"""Normalising only rescales, so $w_t=M^tw_0/\|M^tw_0\|$. Let $w_0=\sum_ic_iq_i$; $c_1=q_1^\top w_0\ne0$. Then
$M^tw_0=\lambda_1^t\big(c_1q_1+r_t\big)$ with $r_t=\sum_{i\ge2}(\lambda_i/\lambda_1)^tc_iq_i$. The $q_i$ are orthonormal, so
$\|r_t\|\le(\lambda_2/\lambda_1)^t\|w_0\|\to0$. As $r_t\perp q_1$, the length $\|c_1q_1+r_t\|$ is at least $|c_1|>0$: nothing is
ever divided by zero ($\lambda_1>\lambda_2\ge0$). So $w_t=(c_1q_1+r_t)/\|c_1q_1+r_t\|\to c_1q_1/|c_1|$, which is $q_1$ or
$-q_1$, by the sign of $c_1$.

If $\lambda_1=\lambda_2>\lambda_3$, the same argument with $c_1q_1+c_2q_2$ in place of $c_1q_1$ shows convergence at the rate
$\lambda_3/\lambda_1$, to the projection of $w_0$ onto the plane of $q_1$ and $q_2$, normalised, if it is not zero. That is an
eigenvector to $\lambda_1$, but which one depends on the start: a single eigenvector cannot be named any more.""",
    flawed=(
        Flawed(r"""Each step multiplies the coefficient of $q_i$ by $\lambda_i$. The largest eigenvalue is $\lambda_1$, so the
first coefficient grows fastest and wins. Therefore $w_t\to q_1$.""",
               r"This is the idea and not a proof: no coefficient need grow at all (all $\lambda_i$ may be below 1); what tends to "
               r"0 is the *ratio*, and this is "
               r"neither written down nor bounded. $c_1\ne0$ is not used, the sign is lost, and the case $\lambda_1=\lambda_2$ is "
               r"missing.", 1),
        Flawed(r"""$w_t=\sum_i(\lambda_i/\lambda_1)^tc_iq_i/\|\cdot\|\to\operatorname{sign}(c_1)q_1$, since
$(\lambda_i/\lambda_1)^t\to0$ for $i\ge2$ and $c_1\ne0$. If $\lambda_1=\lambda_2$, then $(\lambda_2/\lambda_1)^t=1$ does not
tend to zero, so power iteration does not converge.""",
               r"The first part is right. The second is not: that a term does not vanish does not mean that the iterates keep "
               r"moving. They converge, to a vector "
               r"in the plane of $q_1$ and $q_2$ that depends on the start.", 3),
    ))

shrinking = Prompt(
    "ch02.why_shrinking", "Why does shrinking solve it, zeros included?",
    r"""For $\lambda>0$ and a number $x$ let $F(z)=\tfrac12(z-x)^2+\lambda|z|$. Prove that $F$ has exactly one minimiser, and
that it is $\operatorname{sign}(x)\max(|x|-\lambda,0)$. Then say why the same formula, entry by entry, minimises
$\tfrac12\|z-x\|^2+\lambda\|z\|_1$ on $\mathbb R^n$, and why it would not minimise $\tfrac12\|Dz-x\|^2+\lambda\|z\|_1$ for a
general matrix $D$.""",
    rubric=(
        (1, r"One minimiser: $F$ is strictly convex and grows without bound (or: is compared with all other points directly)."),
        (1, r"Where $z\ne0$: the derivative $z-x+\lambda\operatorname{sign}(z)$ vanishes only at "
            r"$z=x-\lambda\operatorname{sign}(z)$, whose sign must be that of $z$, so $|x|>\lambda$."),
        (2, r"The case $|x|\le\lambda$, where $F$ has no derivative at its minimiser $0$: an argument there (one-sided slopes, "
            r"subgradient, or $F(z)-F(0)\ge0$)."),
        (1, r"The sum splits into one problem for each entry; with $D$ it does not, as $\|Dz\|^2$ couples the entries, unless "
            r"$D^\top D$ is diagonal."),
    ),
    model=r"""$F$ is the sum of a strictly convex function and a convex one, so it is strictly convex, and it tends to $\infty$
on both sides: there is exactly one minimiser. For $z>0$ its derivative is $z-x+\lambda$, for $z<0$ it is $z-x-\lambda$. If
$x>\lambda$, then $z=x-\lambda>0$ is a zero of the first: the minimiser. If $x<-\lambda$, likewise $z=x+\lambda<0$. If
$|x|\le\lambda$: for $z>0$ the slope is $z-x+\lambda\ge z>0$, for $z<0$ it is $z-x-\lambda\le z<0$. So $F$ falls up to $0$ and
rises from there, and $0$ is the minimiser. All three cases are $\operatorname{sign}(x)\max(|x|-\lambda,0)$.

On $\mathbb R^n$ the objective is $\sum_i\big(\tfrac12(z_i-x_i)^2+\lambda|z_i|\big)$: each term has an entry of its own, so each
is minimised alone. With a matrix, $\|Dz\|^2=\sum_{ij}z_iz_j(D^\top D)_{ij}$ has products of different entries, and the best
$z_i$ depends on the others. Only where $D^\top D$ is diagonal does it split again.""",
    flawed=(
        Flawed(r"""Set the derivative to zero: $z-x+\lambda\operatorname{sign}(z)=0$, so $z=x-\lambda\operatorname{sign}(z)$. As
$z$ has the sign of $x$, this is $\operatorname{sign}(x)(|x|-\lambda)$. If that is negative we take 0 instead. The objective on
$\mathbb R^n$ is a sum, so this holds for every entry; with $D$ the entries are coupled.""",
               r"At $z=0$ there is no derivative, and this is where the interesting case lies. 'We take 0 instead' is the claim, "
               r"not a reason for it. That the "
               r"minimiser is unique is not said.", 2),
        Flawed(r"""If $|x|\le\lambda$, then $F(z)-F(0)=\tfrac12z^2-zx+\lambda|z|\ge\tfrac12z^2>0$ for $z\ne0$, so 0 is the only
minimiser. If $|x|>\lambda$, the zero of the derivative is $x-\lambda\operatorname{sign}(x)$, and since $F$ is strictly convex
this is the only minimiser. With a matrix $D$ use the formula for $D^\top x$ in place of $x$, entry by entry.""",
               r"The scalar part is complete. The last sentence is wrong unless $D^\top D=I$: $D^\top x$ is where *one step* of "
               r"gradient descent from 0 leads, and "
               "shrinking it is the first step of an iteration. Why the problem splits without $D$ is not said.", 4),
    ))

QUESTIONS = [frame, power, shrinking]
