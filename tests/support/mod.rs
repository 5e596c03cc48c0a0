//! What the tests share: real parts that end with the test, and clients that wait for facts.
//!
//! Not every test file uses all of it.
#![allow(dead_code)]

pub mod client;
