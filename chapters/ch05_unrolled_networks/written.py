"""Questions of Chapter 5 that are answered in words."""

from book_utils.course.grading.written import Flawed, Prompt

series = Prompt(
    "ch05.when_the_series_holds", "When does the series replace the inverse?",
    r"""Let $\|A\|$ be the largest singular value of the square matrix $A$, and $S_T=I+A+\dots+A^T$. Prove: if $\|A\|<1$, then
$I-A$ is invertible and $\|(I-A)^{-1}-S_T\|\le\|A\|^{T+1}/(1-\|A\|)$. Then let $A=-\alpha WW^\top$ with $\alpha>0$: for which
$\alpha$ does $S_T$ converge, and what does $I+\alpha WW^\top$ do for all the others?""",
    rubric=(
        (1, r"$(I-A)S_T=I-A^{T+1}$, by telescoping."),
        (1, r"$I-A$ is invertible: $\|(I-A)v\|\ge(1-\|A\|)\|v\|>0$ (or by an eigenvalue, or the limit of $S_T$)."),
        (1, r"The rest is $(I-A)^{-1}A^{T+1}$, with $\|(I-A)^{-1}\|\le1/(1-\|A\|)$ and $\|A^{T+1}\|\le\|A\|^{T+1}$."),
        (1, r"Exactly for $\alpha\,\sigma_1(W)^2<1$, seen in the eigenvectors of $WW^\top$: both directions, the case of equality "
            r"included."),
        (1, r"The inverse exists for every $\alpha>0$: its eigenvalues $1/(1+\alpha\sigma_i^2)$ are fine. Only the series fails."),
    ),
    model=r"""Multiplying out, $(I-A)S_T=S_T-AS_T=I-A^{T+1}$. For every $v$ is $\|(I-A)v\|\ge\|v\|-\|Av\|\ge(1-\|A\|)\|v\|$, so
$I-A$ maps no $v\ne0$ to 0 and is invertible, and with $v=(I-A)^{-1}u$ we get $\|(I-A)^{-1}u\|\le\|u\|/(1-\|A\|)$. Hence
$(I-A)^{-1}-S_T=(I-A)^{-1}A^{T+1}$, whose norm is at most $\|A\|^{T+1}/(1-\|A\|)$.

$A=-\alpha WW^\top$ is symmetric with eigenvalues $-\alpha\sigma_i^2$ in the eigenvectors of $WW^\top$, so $S_T$ has the
eigenvalues $\sum_{k\le T}(-\alpha\sigma_i^2)^k$. A geometric series converges exactly if its ratio is smaller than 1 in
absolute value: $\alpha\sigma_1^2<1$. For $\alpha\sigma_1^2=1$ it alternates between 1 and 0, for larger $\alpha$ it grows
without limit. $I+\alpha WW^\top$ has the eigenvalues $1+\alpha\sigma_i^2\ge1$ and is invertible for every $\alpha>0$: what
fails is the series, not the inverse.""",
    flawed=(
        Flawed(r"""$1/(1-a)=1+a+a^2+\dots$ for $|a|<1$. The same holds for matrices with $\|A\|<1$, so
$(I-A)^{-1}-S_T=A^{T+1}+A^{T+2}+\dots$, and its norm is at most $\|A\|^{T+1}+\|A\|^{T+2}+\dots=\|A\|^{T+1}/(1-\|A\|)$. With
$A=-\alpha WW^\top$: it converges for $\alpha\|W\|^2<1$; otherwise $I+\alpha WW^\top$ is not invertible.""",
               r"'The same holds for matrices' is what is to be proved (the estimate of the rest is then right). It is shown that "
               r"$\alpha\|W\|^2<1$ is enough, not that it is needed. And the last "
               "sentence is false: that matrix is always invertible.", 1),
        Flawed(r"""$(I-A)S_T=I-A^{T+1}\to I$, since $\|A^{T+1}\|\le\|A\|^{T+1}\to0$. So $S_T\to(I-A)^{-1}$, and the difference
is $(I-A)^{-1}A^{T+1}$ with norm at most $\|A\|^{T+1}/(1-\|A\|)$. For $A=-\alpha WW^\top$ we have $\|A\|=\alpha\sigma_1^2$, so
$S_T$ converges if and only if $\alpha\sigma_1^2<1$. The inverse of $I+\alpha WW^\top$ exists always, since this matrix is
positive definite.""",
               r"Invertibility is used before it is shown, and $\|(I-A)^{-1}\|\le1/(1-\|A\|)$ is not shown at all. 'Only if' does "
               r"not follow from the first part: a norm of 1 or more does not "
               "by itself rule out convergence (it does for a symmetric matrix, and that has to be said).", 3),
    ))

descent = Prompt(
    "ch05.why_a_layer_descends", "Why does a layer lower its objective?",
    r"""Let $F=f+g$, where $g$ is convex and $f$ satisfies $f(y)\le f(x)+\langle\nabla f(x),y-x\rangle+\tfrac L2\|y-x\|^2$ for
all $x,y$. Let $x^+$ minimise $m(y)=f(x)+\langle\nabla f(x),y-x\rangle+\tfrac1{2\eta}\|y-x\|^2+g(y)$, with $0<\eta\le1/L$. (With
$g=\lambda\|\cdot\|_1$ this is one layer: a gradient step, then a soft threshold.) Prove that
$F(x^+)\le F(x)-\tfrac1{2\eta}\|x^+-x\|^2$. What can happen for $\eta>2/L$?""",
    rubric=(
        (1, r"$m$ lies above $F$: $F(y)\le m(y)$ for all $y$, as $1/\eta\ge L$."),
        (1, r"$m$ touches $F$ at $x$: $m(x)=F(x)$."),
        (2, r"$m(x)\ge m(x^+)+\tfrac1{2\eta}\|x-x^+\|^2$, with the reason: $m$ is a convex function plus "
            r"$\tfrac1{2\eta}\|y-x\|^2$, and $x^+$ minimises it. "
            r"(One point for $m(x)\ge m(x^+)$ alone, which gives $F(x^+)\le F(x)$.)"),
        (1, r"For $\eta>2/L$ it can rise, with an example, as $f(z)=\tfrac L2z^2$ and $g=0$."),
    ),
    model=r"""As $1/\eta\ge L$, $F(y)=f(y)+g(y)\le f(x)+\langle\nabla f(x),y-x\rangle+\tfrac1{2\eta}\|y-x\|^2+g(y)=m(y)$ for all
$y$, and $m(x)=f(x)+g(x)=F(x)$.

$m$ is $\tfrac1{2\eta}\|y\|^2$ plus a convex function of $y$ (linear terms and $g$). For $0<s\le1$ put $y_s=x^++s(x-x^+)$. Then,
from convexity and the identity $\|y_s\|^2=(1-s)\|x^+\|^2+s\|x\|^2-s(1-s)\|x-x^+\|^2$,

$$m(x^+)\le m(y_s)\le(1-s)m(x^+)+s\,m(x)-\tfrac1{2\eta}s(1-s)\|x-x^+\|^2 .$$

Subtract $m(x^+)$, divide by $s$ and let $s\to0$: $m(x)\ge m(x^+)+\tfrac1{2\eta}\|x-x^+\|^2$. Together,
$F(x^+)\le m(x^+)\le m(x)-\tfrac1{2\eta}\|x-x^+\|^2=F(x)-\tfrac1{2\eta}\|x-x^+\|^2$.

For $\eta>2/L$ take $f(z)=\tfrac L2z^2$ and $g=0$: $x^+=(1-\eta L)x$ with $|1-\eta L|>1$, and $F$ rises at every step, without
limit.""",
    flawed=(
        Flawed(r"""The step goes against the gradient, so $f$ falls, and the soft threshold makes $\|\cdot\|_1$ smaller, so $g$
falls too. Hence $F(x^+)\le F(x)$ if the step is not too large; for $\eta>2/L$ it may overshoot.""",
               r"Neither part need fall: the threshold can raise $f$, and the gradient step can raise $g$. Only the sum falls, and "
               r"this takes the comparison with $m$. The amount is missing, and "
               "so is an example.", 0),
        Flawed(r"""By the assumption and $L\le1/\eta$, $F(y)\le m(y)$ for all $y$, and $m(x)=F(x)$. Since $x^+$ minimises $m$,
$F(x^+)\le m(x^+)\le m(x)=F(x)$. For $f=\tfrac L2z^2$, $g=0$ and $\eta>2/L$ the iterates $(1-\eta L)^kx$ grow, so $F$ rises.""",
               r"Right, but weaker than what was asked: it does not say by how much $F$ falls. For this one needs that $m$ curves "
               r"at least as much as $\tfrac1{2\eta}\|y\|^2$ around its minimiser.", 4),
    ))

order = Prompt(
    "ch05.what_attention_cannot_see", "What can attention not see?",
    r"""Let $\operatorname{SSA}(W)=W\operatorname{softmax}(W^\top W)$, the softmax down each column, for tokens
$W\in\mathbb R^{p\times n}$. Prove $\operatorname{SSA}(WP)=\operatorname{SSA}(W)P$ for every permutation matrix $P$. Conclude
what a network of such layers, of maps that act on each token alone and of a final mean over tokens can say about the order of
the tokens. Does the same hold for causal attention, where token $i$ looks at tokens $1,\dots,i$ only?""",
    rubric=(
        (1, r"Scores: $(WP)^\top(WP)=P^\top(W^\top W)P$."),
        (2, r"$\operatorname{softmax}(P^\top SP)=P^\top\operatorname{softmax}(S)P$, with the reason: reordering columns moves "
            r"whole columns, and reordering rows reorders the entries of each column, whose sum stays."),
        (1, r"Puts it together with $PP^\top=I$; and layers that act on each token alone commute with $P$, hence so does any stack "
            r"of both."),
        (1, r"The mean over tokens does not depend on $P$: the network cannot tell orders apart, unless positions are put into the "
            r"tokens."),
        (1, r"No: the mask is fixed, and permuting tokens changes which ones a token sees. With a counter-example or a precise "
            r"reason."),
    ),
    model=r"""Let $S=W^\top W$. Then $(WP)^\top(WP)=P^\top SP$: rows and columns of $S$ in another order. Softmax acts on each
column alone, so reordering columns reorders results. Within a column it divides exponentials by their sum, and the sum does not
depend on the order of entries; so reordering rows reorders results too. Hence
$\operatorname{softmax}(P^\top SP)=P^\top\operatorname{softmax}(S)P$, and
$\operatorname{SSA}(WP)=WPP^\top\operatorname{softmax}(S)P=\operatorname{SSA}(W)P$, since $PP^\top=I$.

A map that acts on each token (column) alone also commutes with reordering columns; so does a sum of such maps, and so does any
composition. With all layers $\Phi(WP)=\Phi(W)P$, and the mean of the columns of $\Phi(W)P$ is that of $\Phi(W)$: the output is
the same for every order. The network sees a *set* of tokens. What depends on order has to be put into the tokens themselves,
for instance by adding to token $i$ a vector that depends on $i$.

Causal attention does not commute with $P$. The first token sees itself only, so its output is itself; swap two different
tokens, and the one that came out unchanged before is now second and comes out as a mean of both. So it can tell orders apart,
even without positions.""",
    flawed=(
        Flawed(r"""Permuting tokens permutes the columns of $W$. Attention treats all tokens alike, so the result is permuted in
the same way. Therefore the mean is unchanged, and the network cannot see the order. Causal attention also treats all tokens by
the same rule, so the same holds.""",
               "'Treats all alike' is the claim, not a proof of it. And by the same words one would be led to the wrong answer "
               "for causal attention, where a token's rule depends on its place.", 1),
        Flawed(r"""$\operatorname{SSA}(WP)=WP\operatorname{softmax}(P^\top W^\top WP)=WPP^\top\operatorname{softmax}(W^\top W)P=\operatorname{SSA}(W)P$.
So every layer commutes with $P$, and the mean over tokens does not change: without positions the order is invisible. With a
causal mask $M$ it does not hold, as $P^\top MP\ne M$.""",
               r"Nearly complete. That $P$ can be pulled out of the softmax is used without a reason (it fails for other functions "
               r"of a matrix, and the direction of the normalisation matters). "
               "Layers that act on each token alone are not mentioned.", 4),
    ))

QUESTIONS = [series, descent, order]
