//! Advisory locks of PostgreSQL, which stand for no row. A key is a pair of numbers: ours, and one for each lock.

/// The first half of our keys: `conv`.
const CLASS: i32 = 0x636f_6e76;

/// Migrations, and whatever a feature changes together with them.
pub(super) const MIGRATION: (i32, i32) = feature(1);

/// A lock of a feature. Each has a number of its own; 1 is the migrations'.
pub const fn feature(number: i32) -> (i32, i32) {
    (CLASS, number)
}

/// The lock of a job that one node does at a time.
pub(super) const fn job(number: i32) -> (i32, i32) {
    (CLASS + 1, number)
}
