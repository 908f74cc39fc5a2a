//! Quantities with their unit in the type, so that milliseconds and blocks cannot be added.
//!
//! Refuses to mix units and to format for people: `render` does that.

use serde::{Deserialize, Serialize};
use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul, Sub};

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident($inner:ty), $add:path, $sub:path, $mul:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self($add(self.0, other.0))
            }
        }

        impl AddAssign for $name {
            fn add_assign(&mut self, other: Self) {
                *self = *self + other;
            }
        }

        impl Sub for $name {
            type Output = Self;
            fn sub(self, other: Self) -> Self {
                Self($sub(self.0, other.0))
            }
        }

        impl Mul<$inner> for $name {
            type Output = Self;
            fn mul(self, factor: $inner) -> Self {
                Self($mul(self.0, factor))
            }
        }

        impl Sum for $name {
            fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
                items.fold(Self::default(), Add::add)
            }
        }
    };
}

quantity!(
    /// Milliseconds of wall or processor time.
    Millis(f64), Add::add, Sub::sub, Mul::mul
);
quantity!(
    /// A number of rows. Fractional, because EXPLAIN prints averages per loop.
    Rows(f64), Add::add, Sub::sub, Mul::mul
);
quantity!(
    /// The planner's cost, in units of one sequential page read.
    Cost(f64), Add::add, Sub::sub, Mul::mul
);
quantity!(
    /// Buffer pages of [`Blocks::BYTES`] each. Signed, because differences are taken; a sum that overflows is the largest.
    Blocks(i64), i64::saturating_add, i64::saturating_sub, i64::saturating_mul
);
quantity!(
    /// Bytes. Signed, because differences are taken; a sum that overflows is the largest.
    Bytes(i64), i64::saturating_add, i64::saturating_sub, i64::saturating_mul
);

impl Blocks {
    /// Size of one buffer page in bytes (`block_size`; 8 kB on every packaged server).
    pub const BYTES: i64 = 8192;

    /// The bytes these blocks hold.
    pub fn bytes(self) -> Bytes {
        Bytes(self.0.saturating_mul(Self::BYTES))
    }
}

impl Bytes {
    /// Bytes from the kilobytes that EXPLAIN prints.
    pub fn from_kb(kilobytes: f64) -> Self {
        Bytes((kilobytes * 1024.0).round() as i64)
    }
}

/// A dimensionless proportion or factor.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ratio(pub f64);

impl Ratio {
    /// `part / whole`; `None` where the whole is zero or either is not a finite number.
    pub fn of(part: f64, whole: f64) -> Option<Ratio> {
        let value = part / whole;
        (whole != 0.0 && value.is_finite()).then_some(Ratio(value))
    }
}
