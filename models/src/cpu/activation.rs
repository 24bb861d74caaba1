//! What is done to a convolution's result, a vector at a time.

use super::simd::Vector;
use crate::{net::Activation, output::exp};

/// `activation(x)`; what is not a number stays so.
#[inline(always)]
pub(super) fn activate<V: Vector>(x: V, activation: Activation) -> V {
    let zero = V::splat(0.0);
    match activation {
        Activation::Identity => x,
        Activation::Relu => zero.max(x),
        Activation::Relu6 => V::splat(6.0).min(zero.max(x)),
        Activation::HardSwish => x.mul(hard_sigmoid(x)),
        Activation::HardSigmoid => hard_sigmoid(x),
        Activation::Sigmoid => sigmoid(x),
        Activation::Silu => x.mul(sigmoid(x)),
    }
}

/// x + 3, bounded and divided by 6. A function, since a closure is not compiled for the width in use.
#[inline(always)]
fn hard_sigmoid<V: Vector>(x: V) -> V {
    let bounded = V::splat(6.0).min(V::splat(0.0).max(x.add(V::splat(3.0))));
    bounded.mul(V::splat(1.0 / 6.0))
}

/// `1 / (1 + exp(−x))`
#[inline(always)]
fn sigmoid<V: Vector>(x: V) -> V {
    // As many as the widest vector has.
    let mut values = [0.0; 16];
    x.store(&mut values);
    for value in &mut values[..V::LANES] {
        let small = exp(-value.abs());
        let sigmoid = if *value < 0.0 { small } else { 1.0 } / (1.0 + small);
        *value = if value.is_nan() { *value } else { sigmoid };
    }
    V::load(&values)
}
