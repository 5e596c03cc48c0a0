//! The conductor over fakes, with a clock that stands still: each fault with what its client sees of it.

mod answers;
mod records;
mod speech;
mod vendors;
mod world;
