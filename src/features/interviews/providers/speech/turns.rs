//! From the vendor's messages to turns: which text is final, once for each turn and in their order.
//!
//! With formatting some models say the end of a turn twice, first as it was heard and then with punctuation. The second one is the
//! final text; if it does not come soon, the first one is.

use std::time::Duration;

use tokio::time::Instant;

use super::wire::TurnMessage;

/// How long the formatted end of a turn is waited for.
const FORMATTED_WITHIN: Duration = Duration::from_secs(3);

/// A turn, as far as it has come.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    pub order: u64,
    pub text: String,
    pub is_final: bool,
    pub confidence: f64,
    /// Where its last word ends, in milliseconds of the stream.
    pub end_ms: Option<f64>,
}

/// The turns of one stream.
#[derive(Debug, Default)]
pub struct Turns {
    /// All turns below this have ended.
    ended: u64,
    /// A turn of which something was said, and which has not ended.
    open: Option<u64>,
    unformatted: Option<(Heard, Instant)>,
}

impl Turns {
    /// What is new, oldest first.
    pub fn hear(&mut self, message: TurnMessage, now: Instant) -> Vec<Heard> {
        let order = message.turn_order;
        if order < self.ended {
            return Vec::new();
        }
        let was_open = self.open == Some(order);
        let heard = heard(&message);
        if !message.end_of_turn {
            if heard.text.is_empty() {
                return Vec::new();
            }
            self.open = Some(order);
            return vec![heard];
        }
        if was_open {
            self.open = None;
        }
        let mut told = Vec::new();
        if self.unformatted.as_ref().is_some_and(|(earlier, _)| earlier.order < order) {
            told.extend(self.give_up());
        }
        if message.turn_is_formatted {
            // The unformatted end of this turn, if there was one, has nothing more to say.
            let was_known = was_open || self.unformatted.take().is_some();
            self.ended = order.saturating_add(1);
            if was_known || !heard.text.is_empty() {
                told.push(heard);
            }
        } else {
            self.unformatted = Some((heard, now + FORMATTED_WITHIN));
        }
        told
    }

    /// When [`Turns::give_up`] is due.
    pub fn due(&self) -> Option<Instant> {
        self.unformatted.as_ref().map(|(_, due)| *due)
    }

    /// Takes the unformatted end of a turn for final.
    pub fn give_up(&mut self) -> Option<Heard> {
        let (heard, _) = self.unformatted.take()?;
        self.ended = self.ended.max(heard.order.saturating_add(1));
        Some(heard)
    }

    /// Whether everything that was said has its final text.
    pub fn are_settled(&self) -> bool {
        self.open.is_none() && self.unformatted.is_none()
    }
}

fn heard(message: &TurnMessage) -> Heard {
    let words = &message.words;
    let confidence = match words.len() {
        0 => 0.0,
        count => words.iter().map(|word| word.confidence).sum::<f64>() / count as f64,
    };
    let text = match message.transcript.trim() {
        // No word is final yet.
        "" => words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" "),
        text => text.to_owned(),
    };
    Heard {
        order: message.turn_order,
        text,
        is_final: message.end_of_turn,
        confidence: confidence.clamp(0.0, 1.0),
        end_ms: words.last().map(|word| word.end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::interviews::providers::speech::wire::Word;

    fn message(order: u64, text: &str, end_of_turn: bool, turn_is_formatted: bool) -> TurnMessage {
        let words = text.split_whitespace().zip(1..).map(|(text, n)| Word {
            text: text.into(),
            end: f64::from(n) * 100.0,
            confidence: if n % 2 == 1 { 0.9 } else { 0.7 },
        });
        TurnMessage { turn_order: order, turn_is_formatted, end_of_turn, transcript: text.into(), words: words.collect() }
    }

    fn texts(heard: &[Heard]) -> Vec<(u64, &str, bool)> {
        heard.iter().map(|heard| (heard.order, &*heard.text, heard.is_final)).collect()
    }

    #[test]
    fn the_formatted_end_of_a_turn_is_its_final_text_and_there_is_one() {
        let (mut turns, now) = (Turns::default(), Instant::now());
        assert_eq!(texts(&turns.hear(message(0, "hi", false, false), now)), [(0, "hi", false)]);
        assert!(!turns.are_settled());
        assert_eq!(turns.hear(message(0, "hi there", true, false), now), []);
        assert!(!turns.are_settled() && turns.due().is_some());
        let last = turns.hear(message(0, "Hi there.", true, true), now);
        assert_eq!(texts(&last), [(0, "Hi there.", true)]);
        assert!((last[0].confidence - 0.8).abs() < 1e-9 && last[0].end_ms == Some(200.0));
        assert!(turns.are_settled() && turns.due().is_none());
        assert_eq!(turns.hear(message(0, "Hi there.", true, true), now), [], "once");
        assert_eq!(turns.hear(message(0, "hi", false, false), now), [], "it has ended");
    }

    #[test]
    fn a_turn_whose_formatted_text_does_not_come_is_final_as_it_was_heard() {
        let (mut turns, now) = (Turns::default(), Instant::now());
        turns.hear(message(0, "hi there", true, false), now);
        assert_eq!(turns.due(), Some(now + FORMATTED_WITHIN));
        assert_eq!(turns.give_up().unwrap().text, "hi there");
        assert_eq!(turns.hear(message(0, "Hi there.", true, true), now), [], "too late");
        turns.hear(message(1, "one more", true, false), now);
        let both = turns.hear(message(2, "And another.", true, true), now);
        assert_eq!(texts(&both), [(1, "one more", true), (2, "And another.", true)], "in their order");
    }

    #[test]
    fn words_that_are_not_final_yet_are_shown_and_an_empty_turn_is_not() {
        let (mut turns, now) = (Turns::default(), Instant::now());
        let mut first = message(0, "hi my", false, false);
        first.transcript.clear();
        assert_eq!(texts(&turns.hear(first, now)), [(0, "hi my", false)]);
        assert_eq!(texts(&turns.hear(message(0, "", true, true), now)), [(0, "", true)], "what was shown is taken back");
        assert_eq!(turns.hear(message(1, "", false, false), now), []);
        assert_eq!(turns.hear(message(1, "", true, true), now), []);
        assert!(turns.are_settled());
    }
}
