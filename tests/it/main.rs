//! The one integration binary; its modules are named by subject.
