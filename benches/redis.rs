//! What one script call costs the client, alone and in company, against a private Redis.

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use bytes::Bytes;
use convoke::redis::script::Script;
use convoke::redis::{Redis, RedisConfig, RedisError};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

static WRITE: Script = Script::new("write", "return redis.call('HINCRBY', KEYS[1], ARGV[1], 1)");

/// CPU time of this process, without Redis.
fn cpu() -> Duration {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: getrusage fills the struct it is given, which is valid as zeroes too.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    let time = |t: libc::timeval| Duration::from_secs(t.tv_sec as u64) + Duration::from_micros(t.tv_usec as u64);
    time(usage.ru_utime) + time(usage.ru_stime)
}

async fn calls(redis: Redis, callers: u64, each: u64) -> Result<(), RedisError> {
    let caller = |n: u64| {
        let redis = redis.clone();
        tokio::spawn(async move {
            let key = format!("bench:{{{n}}}");
            for _ in 0..each {
                redis.eval(&WRITE, &[&key], vec![Bytes::from_static(b"field")]).await?;
            }
            Ok::<_, RedisError>(())
        })
    };
    let tasks: Vec<_> = (0..callers).map(caller).collect();
    for task in tasks {
        task.await.map_err(|_| RedisError::Unknown)??;
    }
    Ok(())
}

fn eval(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let server = support::redis::Server::start(&[]);
    let config = RedisConfig { lazy: false, ..RedisConfig::new(server.url()) };
    let redis = runtime.block_on(Redis::connect(config)).expect("a working Redis");
    let mut group = criterion.benchmark_group("eval");
    group.throughput(Throughput::Elements(1));
    for callers in [1, 50] {
        for (what, clock) in [("time", false), ("cpu", true)] {
            group.bench_function(format!("{callers} callers, {what} per call"), |bencher| {
                bencher.iter_custom(|iterations| {
                    let each = iterations.div_ceil(callers);
                    let (wall, used) = (Instant::now(), cpu());
                    runtime.block_on(calls(redis.clone(), callers, each)).expect("answers");
                    let spent = if clock { cpu() - used } else { wall.elapsed() };
                    spent.mul_f64(iterations as f64 / (each * callers) as f64)
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, eval);
criterion_main!(benches);
