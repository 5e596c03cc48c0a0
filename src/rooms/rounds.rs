//! Jobs that each node does from time to time.

use std::sync::Arc;
use std::time::Duration;

use rand::Rng as _;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Does a job again and again until `stopping`, with a pause of about `every` before each time. The pauses differ a little, so that
/// nodes that were started together do not do it at the same moment.
pub fn start<T, R>(owner: &Arc<T>, every: Duration, stopping: CancellationToken, job: impl Fn(Arc<T>) -> R + Send + 'static)
where
    T: Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let owner = owner.clone();
    tokio::spawn(stopping.run_until_cancelled_owned(async move {
        loop {
            let pause = every.mul_f64(rand::rng().random_range(0.9..1.1));
            sleep(pause).await;
            job(owner.clone()).await;
        }
    }));
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_job_is_done_about_as_often_as_asked_until_it_is_stopped() {
        let (done, stopping) = (Arc::new(AtomicU32::new(0)), CancellationToken::new());
        start(&done, Duration::from_secs(10), stopping.clone(), |done| async move {
            done.fetch_add(1, SeqCst);
        });
        sleep(Duration::from_secs(8)).await;
        assert_eq!(done.load(SeqCst), 0);
        sleep(Duration::from_secs(1000)).await;
        assert!((90..=112).contains(&done.load(SeqCst)), "{done:?}");
        stopping.cancel();
        let before = done.load(SeqCst);
        sleep(Duration::from_secs(1000)).await;
        assert!(done.load(SeqCst) <= before + 1);
    }
}
