//! Every operation against the same arithmetic on clear slots.

mod arith;
mod fixture;
mod matrix;
mod misuse;
mod noise;
mod product;
mod rotate;
mod shifted;

pub(crate) use fixture::{Fixture, ramp, rms};
