"""The two-point model's time in closed form, evaluated in high precision by mpmath.

With v = e^{(1+δ)u}, δ = 1-2λ, the flow's time is an incomplete beta function of δv, at δ = 0
an incomplete gamma function.  Nothing is shared with the package's quadrature.
"""

import mpmath as mp


def end_point(delta: mp.mpf) -> mp.mpf:
    """Return σS_∞."""
    return -mp.log(delta) / (1 + delta)


def bias(u: mp.mpf, *, delta: float, sigma: float, u0: float, b0: float) -> mp.mpf:
    """Return b on the orbit."""
    delta, sigma, u0 = mp.mpf(delta), mp.mpf(sigma), mp.mpf(u0)
    v, v0 = mp.exp((1 + delta) * u), mp.exp((1 + delta) * u0)
    rest = v0 - v if delta == 0 else mp.log((1 - delta * v) / (1 - delta * v0)) / delta
    return b0 + (-(u - u0) + rest) / sigma**2


def log_time(u: mp.mpf, *, delta: float, sigma: float, eta: float, u0: float, b0: float) -> mp.mpf:
    """Return ln t at the output u = σS, for u between u₀ and σS_∞ > u₀."""
    delta, sigma, u0 = mp.mpf(delta), mp.mpf(sigma), mp.mpf(u0)
    c = 1 / sigma**2
    v, v0 = mp.exp((1 + delta) * u), mp.exp((1 + delta) * u0)
    scale = 2 * c / mp.mpf(eta) * mp.exp(-mp.mpf(b0) - u0 * c)
    if delta == 0:
        # ∫ v^c e^{cv} dv
        total = mp.quad(lambda x: x**c * mp.exp(c * (x - v0)), mp.linspace(v0, v, 12))
        return mp.log(scale * total)
    a, b = (1 + c) / (1 + delta), -c / delta

    def primitive(v: mp.mpf) -> mp.mpf:
        x = delta * v
        return v**a / a * (1 - x) ** b * mp.hyp2f1(1, a + b, a + 1, x)

    total = (primitive(v) - primitive(v0)) * (1 - delta * v0) ** (-b) / (1 + delta)
    return mp.log(scale * total)
