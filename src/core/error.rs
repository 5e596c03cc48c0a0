//! How an error is put into one line.

use std::error::Error;

/// An error with its causes, in their order. The errors of HTTP clients say nothing without them.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Told(&'static str, #[source] Option<Box<Told>>);

    #[test]
    fn every_cause_is_told_in_order() {
        let innermost = Told("no route to host", None);
        assert_eq!(chain(&innermost), "no route to host");
        let outer = Told("no answer", Some(Box::new(Told("cannot connect", Some(Box::new(innermost))))));
        assert_eq!(chain(&outer), "no answer: cannot connect: no route to host");
    }
}
