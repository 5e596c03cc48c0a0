//! What clients saw, held against what Redis says was written. Knows nothing of nodes and faults, but whether a failover
//! may have taken back what nobody was promised.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use crate::support::roamer::{Record, Seen};

/// The messages of each incident as they stand in Redis, in their order.
pub type Truth = BTreeMap<String, Vec<Seen>>;

/// The offsets of all events that stand in Redis.
pub type Logged = HashSet<String>;

/// What the judge found.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Promises that were broken, in words. Empty is well.
    pub faults: Vec<String>,
    pub members: usize,
    pub written: usize,
    pub acknowledged: usize,
    pub repeats: u32,
    pub received: usize,
    /// Messages that some members saw, that were not acknowledged, and that a failover took back.
    pub taken_back: usize,
    pub reconnects: u32,
    pub recovered: u32,
    /// Connections that were not recovered.
    pub fresh: usize,
    pub refusals: BTreeMap<String, usize>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { members, written, acknowledged, repeats, received, taken_back, reconnects, recovered, fresh, .. } = self;
        writeln!(f, "{members} members; {written} messages written, {acknowledged} acknowledged, {repeats} repeats;")?;
        writeln!(f, "{received} received; {taken_back} unacknowledged ones taken back by a failover;")?;
        writeln!(f, "{reconnects} connections lost; {recovered} recovered, {fresh} begun afresh; refusals: {:?}", self.refusals)?;
        self.faults.iter().take(40).try_for_each(|fault| writeln!(f, "FAULT {fault}"))?;
        write!(f, "{} faults", self.faults.len())
    }
}

/// Judges everybody. Each member was there before the first message, and its last session reaches to the end. After failovers:
/// what stands in the logs, since they may take back what nobody was promised.
pub fn judge(truth: &Truth, records: &[Record], failed_over: Option<&Logged>) -> Verdict {
    let mut verdict = Verdict { members: records.len(), ..Verdict::default() };
    for (sos, written) in truth {
        verdict.written += written.len();
        let mut ids = HashSet::new();
        for message in written.iter().filter(|message| !ids.insert(&message.client_message_id)) {
            verdict.faults.push(format!("{sos}: written twice: {message:?}"));
        }
    }
    for record in records {
        judge_one(&mut verdict, truth.get(&record.sos).map_or(&[], Vec::as_slice), record, failed_over);
    }
    verdict
}

fn judge_one(verdict: &mut Verdict, truth: &[Seen], record: &Record, failed_over: Option<&Logged>) {
    let who = format!("{} in {}", record.user, record.sos);
    let places: HashMap<&str, usize> = truth.iter().enumerate().map(|(at, seen)| (seen.message_id.as_str(), at)).collect();
    verdict.acknowledged += record.acked.len();
    verdict.repeats += record.repeats;
    verdict.reconnects += record.reconnects;
    verdict.recovered += record.recovered;
    verdict.fresh += record.sessions.len().saturating_sub(1);
    for refusal in &record.refusals {
        *verdict.refusals.entry(refusal.clone()).or_default() += 1;
    }
    for wrong in &record.wrongs {
        verdict.faults.push(format!("{who}: {wrong}"));
    }
    // Who had received something that a failover took back cannot go on from there.
    let stood_still = |fresh: &&String| match (failed_over, offset_in(fresh)) {
        (Some(logged), Some(offset)) => logged.contains(offset),
        _ => true,
    };
    for fresh in record.fresh.iter().filter(stood_still) {
        verdict.faults.push(format!("{who}: not recovered: {fresh}"));
    }
    for (own, id) in &record.acked {
        let stands = places.get(id.as_str()).is_some_and(|at| truth[*at].client_message_id.as_ref() == Some(own));
        if !stands {
            verdict.faults.push(format!("{who}: {own} was acknowledged as {id}, and is not there"));
        }
    }
    let sessions = record.sessions.len();
    if sessions > record.fresh.len() + 1 {
        verdict.faults.push(format!("{who}: {sessions} sessions, and was not always told a pid"));
    }
    if sessions == 0 {
        verdict.faults.push(format!("{who}: never connected"));
    }
    for (number, session) in record.sessions.iter().enumerate() {
        verdict.received += session.len();
        let (mut ids, mut got) = (HashSet::new(), Vec::new());
        for seen in session {
            if !ids.insert(&seen.message_id) {
                verdict.faults.push(format!("{who}: received twice: {seen:?}"));
                continue;
            }
            match places.get(seen.message_id.as_str()) {
                Some(at) if truth[*at] == *seen => got.push(*at),
                Some(at) => verdict.faults.push(format!("{who}: received {seen:?} for {:?}", truth[*at])),
                None if failed_over.is_some() && was_said(seen) => verdict.taken_back += 1,
                None => verdict.faults.push(format!("{who}: invented: {seen:?}")),
            }
        }
        let to = if number + 1 == sessions { truth.len() } else { got.last().map_or(0, |last| last + 1) };
        let from = if number == 0 { 0 } else { got.first().copied().unwrap_or(to) };
        if !got.iter().copied().eq(from..to) {
            verdict.faults.push(format!("{who}, session {number}: {}", difference(truth, &got, from, to)));
        }
    }
}

/// The logged event before the offset that this tells of.
fn offset_in(text: &str) -> Option<&str> {
    text.split([' ', '"', '+']).find(|word| word.starts_with("sos:"))
}

/// Whether it looks like something that its author has said.
fn was_said(seen: &Seen) -> bool {
    let id = seen.client_message_id.as_deref().unwrap_or_default();
    id.strip_prefix(&format!("{}-", seen.user_id)).is_some_and(|number| seen.text == format!("{} says {number}", seen.user_id))
}

/// What was missed, and what came out of turn.
fn difference(truth: &[Seen], got: &[usize], from: usize, to: usize) -> String {
    let have: HashSet<usize> = got.iter().copied().collect();
    let name = |at: usize| format!("{} {}", truth[at].message_id, truth[at].text);
    let missed: Vec<String> = (from..to).filter(|at| !have.contains(at)).map(name).collect();
    let turned: Vec<String> = got.windows(2).filter(|pair| pair[0] > pair[1]).map(|pair| name(pair[1])).collect();
    let mut text = format!("missed {} of {}", missed.len(), to - from);
    if let (Some(first), Some(last)) = (missed.first(), missed.last()) {
        text += &format!(" from {first} to {last}");
    }
    if !turned.is_empty() {
        text += &format!("; out of turn: {turned:?}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(number: usize) -> Seen {
        Seen {
            message_id: format!("{number}-0"),
            client_message_id: Some(format!("u-{number}")),
            user_id: "u".into(),
            text: format!("u says {number}"),
        }
    }

    fn verdict(sessions: &[&[usize]], failed_over: bool) -> Vec<String> {
        let truth = Truth::from([("s".into(), (0..5).map(seen).collect())]);
        let record = Record {
            user: "u".into(),
            sos: "s".into(),
            sessions: sessions.iter().map(|session| session.iter().map(|number| seen(*number)).collect()).collect(),
            fresh: vec!["why".into(); sessions.len().saturating_sub(1)],
            acked: (0..5).map(|number| (format!("u-{number}"), format!("{number}-0"))).collect(),
            ..Record::default()
        };
        let mut faults = judge(&truth, &[record], failed_over.then(Logged::new).as_ref()).faults;
        faults.retain(|fault| !fault.contains("not recovered: why"));
        faults
    }

    #[test]
    fn it_is_content_with_what_was_promised() {
        assert!(verdict(&[&[0, 1, 2, 3, 4]], false).is_empty());
        // A session that was not recovered may begin and end anywhere, but is whole between.
        assert!(verdict(&[&[0, 1], &[2, 3], &[], &[3, 4], &[]], false).is_empty());
        // What a failover took back was seen by some.
        assert!(verdict(&[&[0, 1, 7, 2, 3, 4]], true).is_empty());
    }

    #[test]
    fn it_finds_what_was_lost_doubled_turned_or_invented() {
        for (sessions, word) in [
            (&[&[0, 1, 3, 4][..]][..], "missed 1 of 5"),
            (&[&[1, 2, 3, 4]], "missed 1 of 5"),
            (&[&[0, 1, 2, 3]], "missed 1 of 5"),
            (&[&[0, 1, 1, 2, 3, 4]], "received twice"),
            (&[&[0, 2, 1, 3, 4]], "out of turn"),
            (&[&[0, 1, 7, 2, 3, 4]], "invented"),
            (&[&[0, 1], &[2, 4]], "missed 1 of 3"),
            (&[], "never connected"),
        ] {
            let faults = verdict(sessions, false);
            assert!(faults.len() == 1 && faults[0].contains(word), "{sessions:?}: {faults:?}");
        }
    }

    #[test]
    fn whoever_offers_what_a_failover_took_back_may_begin_afresh() {
        let record = |offered: &str| Record {
            sos: "s".into(),
            sessions: vec![Vec::new(), Vec::new()],
            fresh: vec![offered.into()],
            ..Record::default()
        };
        let logged = Logged::from(["sos:s.e.5-0".to_owned()]);
        let faults = |offered: &str, failed_over| judge(&Truth::default(), &[record(offered)], failed_over).faults.len();
        for (offered, expected) in [
            (r#"4.1 s: offered p at Some("sos:s.e.5-0+2"), after ["sos:s.e.6-0"]"#, 1),
            ("after transport error at sos:s.e.7-0", 0),
        ] {
            assert_eq!((faults(offered, Some(&logged)), faults(offered, None)), (expected, 1), "{offered}");
        }
    }
}
