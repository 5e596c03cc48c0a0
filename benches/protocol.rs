//! What a packet costs on its way in and out, by parser and size.

use std::hint::black_box;

use bytes::Bytes;
use convoke::protocol::engineio::Message;
use convoke::protocol::event::Args;
use convoke::protocol::frame::Frame;
use convoke::protocol::packet::{Decoder, Limits, Outgoing, Parser, encode};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn location() -> Args {
    let payload = r#"{"sosId":"sos-7f3a9c","latitude":14.599512,"longitude":120.984222,"accuracy":8.5,"heading":271.4,"speed":12.75,"altitude":16.2,"deviceId":"pixel-8-a1b2c3","address":{"city":"Manila","barangay":"Ermita"},"timestamp":1732182543210,"clientMessageId":"c-000123"}"#;
    Args::event("location:update", payload)
}

/// 10 KiB in some forty points.
fn batch() -> Args {
    let point = r#"{"latitude":14.599512,"longitude":120.984222,"accuracy":8.5,"heading":271.4,"speed":12.75,"altitude":16.2,"address":"Padre Faura St. corner \"Taft\" Avenue, Ermita, Manila, across the observatory's gate","deviceId":"pixel-8-a1b2c3","timestamp":1732182543210}"#;
    let points = vec![point; 10_240 / point.len()].join(",");
    Args::event("location:batch", &format!("{{\"sosId\":\"sos-7f3a9c\",\"points\":[{points}]}}"))
}

/// The message that a peer would receive.
fn message(parser: Parser, args: &Args) -> Message {
    let frames = encode(parser, "/", &Outgoing::Event { id: Some(7), args, offset: None });
    match parser {
        Parser::Text => Message::Text(Bytes::copy_from_slice(&frames[0].payload()[1..])),
        Parser::Msgpack => Message::Binary(Bytes::copy_from_slice(frames[0].payload())),
    }
}

fn protocol(criterion: &mut Criterion) {
    for (size, args) in [("location", location()), ("10 KiB", batch())] {
        let mut group = criterion.benchmark_group(size);
        group.throughput(Throughput::Bytes(args.json.len() as u64));
        for parser in [Parser::Text, Parser::Msgpack] {
            let message = message(parser, &args);
            let mut decoder = Decoder::new(Limits::default());
            group.bench_function(format!("decode {parser:?}"), |bencher| {
                bencher.iter(|| decoder.decode(black_box(message.clone())));
            });
            let offset = Some("sos:sos-7f3a9c.Zk3.1732182543210-0");
            group.bench_function(format!("encode {parser:?}"), |bencher| {
                bencher.iter(|| encode(parser, "/", &Outgoing::Event { id: None, args: black_box(&args), offset }));
            });
        }
        group.bench_function("frame", |bencher| bencher.iter(|| Frame::text(black_box(&args.json))));
        group.finish();
    }
}

criterion_group!(benches, protocol);
criterion_main!(benches);
