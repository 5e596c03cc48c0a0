//! The summary of a completed interview. One that the AI does not give is told as unscored at once, and tried again for 24 hours.

use std::sync::Arc;
use std::time::Duration;

use rand::Rng as _;
use uuid::Uuid;

use super::ports::{Away, Plan, Stored};
use super::{Conductor, clean};
use crate::features::interviews::providers::ai::{self, About, Answered};
use crate::features::interviews::wire::{Recommendation, Summary};
use crate::telemetry::once_a_minute;

/// How often each node looks for summaries that are due.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Summaries that a node tries at a time.
const AT_A_TIME: u32 = 8;

/// How far this node has come with a summary.
#[derive(Default)]
pub struct Summing {
    summary: Option<Summary>,
    is_stored: bool,
}

impl Conductor {
    /// Makes the summary, stores it and tells it to those who observe.
    pub(super) async fn sum_up(&self, id: Uuid, plan: &Plan, work: &mut Summing) -> Result<(), Away> {
        if work.summary.is_none() && self.providers.ai.is_some() {
            work.summary = self.summary(plan, &self.records.answers(id).await?).await;
        }
        if let Some(summary) = work.summary.as_ref().filter(|_| !work.is_stored) {
            self.records.summary(id, summary).await?;
            work.is_stored = true;
        }
        self.state.summarize(id, work.summary.as_ref().unwrap_or(&Summary::default())).await
    }

    /// `None`: the AI gives none.
    async fn summary(&self, plan: &Plan, answers: &[Stored]) -> Option<Summary> {
        let ai = self.providers.ai.as_ref()?;
        let about = About { title: &plan.template.title, assessment: "" };
        let answers: Vec<Answered> = answers.iter().map(|stored| super::finish::answered(plan, stored)).collect();
        let summary = ai.summarize(about, &answers).await;
        let summary = summary.inspect_err(|error| once_a_minute!(warn, "an interview has no summary yet", %error)).ok()?;
        Some(wire(&summary))
    }

    /// Tries what is due, at most a few of them.
    ///
    /// # Errors
    /// If PostgreSQL or Redis is away.
    pub async fn try_summaries(&self) -> Result<usize, Away> {
        if self.providers.ai.is_none() {
            return Ok(0);
        }
        let due = self.records.summaries_due(AT_A_TIME).await?;
        for id in &due {
            let plan = self.plan(*id).await?;
            if let Some(summary) = self.summary(&plan, &self.records.answers(*id).await?).await {
                self.records.summary(*id, &summary).await?;
                // Those who observe hear of the first one only, if they have not heard that there is none.
                self.state.summarize(*id, &summary).await?;
            }
        }
        Ok(due.len())
    }

    /// Looks for summaries that are due, until this ends. Each is claimed in PostgreSQL, so that no two nodes try the same.
    pub fn start_summaries(self: &Arc<Self>) {
        let weak = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                let pause = LOOK_EVERY.mul_f64(rand::rng().random_range(0.9..1.1));
                tokio::time::sleep(pause).await;
                let Some(conductor) = weak.upgrade() else { return };
                if conductor.stopping.is_cancelled() {
                    return;
                }
                if conductor.try_summaries().await.is_err() {
                    tracing::debug!("summaries are tried again later");
                }
            }
        });
    }
}

fn wire(summary: &ai::Summary) -> Summary {
    let texts = |texts: &[String]| texts.iter().map(|text| clean(text)).collect();
    Summary {
        overall_score: Some(f64::from(summary.overall_score)),
        recommendation: Some(match summary.recommendation {
            ai::Recommendation::StrongHire => Recommendation::StrongHire,
            ai::Recommendation::Hire => Recommendation::Hire,
            ai::Recommendation::NoHire => Recommendation::NoHire,
        }),
        strengths: texts(&summary.strengths),
        weaknesses: texts(&summary.weaknesses),
    }
}
