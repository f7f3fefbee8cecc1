//! A frame of a stream, whoever sent it: no reader panics, and what is read has an identity that can be read again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pricepipe_core::{Exchange, config::Stream, identity};
use pricepipe_exchange::stream::{Closer, Frame, Topic};

fuzz_target!(|frame: &str| {
    for exchange in Exchange::ALL {
        for stream in Stream::ALL.iter().filter(|stream| stream.is_offered_by(*exchange)) {
            let topic = Topic { exchange: *exchange, stream: *stream, interval: None, partial: true };
            let mut records = Vec::new();
            let said = topic.read(frame, &mut records);
            assert!(records.is_empty() || matches!(said, Ok(Frame::Data { .. })));
            // Twice: the second time it knows the market.
            let mut closer = Closer::default();
            closer.settle(&topic, &mut records.clone());
            closer.settle(&topic, &mut records);
            for record in &records {
                let id = identity::event(&record.market, record.event);
                assert_eq!(identity::parse(&record.market, &id), Some(record.event));
            }
        }
    }
});
