//! Too much of everything (X9): floods, huge and binary frames, and answers of history that swell when they are unpacked. No
//! trade is dropped, and a producer of its own process stays small. Against the simulated exchange and librdkafka's mock cluster.

#![allow(clippy::unwrap_used, reason = "a test that fails here fails as it should")]

mod support;

use std::{
    fs::{self, File},
    path::Path,
    process::{Child, Command, Stdio},
};

use futures::future::join_all;
use pricepipe_core::config::ProducerConfig;
use pricepipe_exchange_sim::{Fault, OddFrame, Rule, StreamFault};
use support::{
    SECOND, eventually, number,
    streams::{EXCHANGES, PATIENCE, TOPIC, Trial, history_path},
};

const MIB: usize = 1 << 20;
/// What a producer may have in memory at its highest: less than one of the bombs.
const MOST_MIB: u64 = 40;

/// The producer's program at work. Ended when dropped.
struct Program(Child);

impl Program {
    fn start(config: &ProducerConfig, folder: &Path) -> Program {
        let file = folder.join("producer.json");
        fs::write(&file, serde_json::to_string(config).unwrap()).unwrap();
        let log = File::create(folder.join("producer.log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_pricepipe-producer"))
            .arg(file)
            .env_clear()
            .env("PRICEPIPE_ADMIN_ADDRESS", "127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Program(child)
    }

    /// The most memory that it has had so far.
    fn most_mib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x9_a_flood_huge_frames_and_bombs_cost_no_trade_and_little_memory() {
    join_all(EXCHANGES.map(async |source| {
        let (trial, folder) = (Trial::of_trades(source, 50.0).await, tempfile::tempdir().unwrap());
        let program = Program::start(&trial.config, folder.path());
        let counter = trial.kafka.counter();
        eventually("trades arrive", PATIENCE, || counter.count(TOPIC) > 20).await;
        trial.spoil(StreamFault::Flood { times: 10 });
        let faults = trial.exchange.faults();
        for bomb in [Fault::GzipBomb { bytes: 50 * MIB }, Fault::Oversized { bytes: 50 * MIB }] {
            faults.add(Rule::once(bomb).on_path(history_path(source)));
        }
        let huge = OddFrame::Oversized { bytes: 10 * MIB };
        for (frame, after_frames) in [(OddFrame::Binary, 5), (OddFrame::Malformed, 6), (huge, 500)] {
            trial.spoil_once(StreamFault::Insert { frame, after_frames });
        }
        let opened = || trial.exchange.streams().opened_total();
        eventually("the huge frame ends a connection", PATIENCE, || opened() >= 2).await;
        // Kraken begins with the newest trades: something has to be missing that only history tells.
        faults.add(Rule::lasting(SECOND / 2, Fault::Stream(StreamFault::Drop { percent: 100 })));
        eventually("the flood alone is left", PATIENCE, || faults.rules().len() == 1).await;
        let enough = counter.count(TOPIC) + 150;
        eventually("trades arrive", PATIENCE, || counter.count(TOPIC) > enough).await;
        let most = program.most_mib();
        assert!(most <= MOST_MIB, "{source}: {most} MiB");
        let numbers: Vec<u64> = trial.messages().iter().map(number).collect();
        let whole = numbers.windows(2).all(|pair| pair[1] == pair[0] + 1);
        assert!(whole, "{source}: {numbers:?}");
    }))
    .await;
}
