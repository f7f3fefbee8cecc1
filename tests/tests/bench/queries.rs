//! Questions over a million documents: how long the newest thousand take, and what memory all of them need.

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use pricepipe_core::PriceMessage;
use pricepipe_tests::{command_line, documents, servers, stored, unique, worker::memory_mib};

use crate::bars::{Bars, median};

const DOCUMENTS: i64 = 1_000_000;
const ROUNDS: usize = 9;
/// What looks at every document.
const ALL: &[&str] = &[
    "stats",
    "jumps --percent 0.5 --within 1m",
    "moving-average --since 1000d --output csv",
    "volatility --since 1000d --annualise --output csv",
    "candles --interval 1m --output csv",
];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "benchmark: make bench"]
async fn bench_6_queries() {
    let (mongodb, database) = (servers::mongodb(), unique("queries"));
    let folder = tempfile::tempdir().expect("bench");
    let prices = [("btc", a_million())];
    stored::fill(&*stored::embedded(&folder.path().join("queries.sqlite")), &prices).await;
    stored::fill(&*stored::mongodb(&mongodb, &database), &prices).await;
    drop(prices);
    let file = format!(
        "{{apiVersion: pricepipe.dev/v1alpha1, kind: PricePipeline, metadata: {{name: queries}}, \
         spec: {{symbols: [{{symbol: BTCUSDT}}], mongodb: {{database: {database}}}}}}}"
    );
    std::fs::write(folder.path().join("queries.yaml"), file).expect("bench");
    let mut bars = Bars::default();
    for (store, environment) in [("SQLite", None), ("MongoDB", Some(("MONGO_CONNECTION_STRING", &*mongodb)))]
    {
        println!("\nquery over {DOCUMENTS} documents, {store}; a process each");
        let asked = |question: &str| ask(folder.path(), question, environment);
        let newest = "moving-average --limit 1000 --output csv";
        let times = (0..ROUNDS).map(|_| asked(newest).seconds * 1e3).collect();
        bars.at_most(&format!("{store}: {newest}, median"), median(times), 50.0, "ms");
        for question in ALL {
            let Asked { seconds, peak_mib } = asked(question);
            bars.at_most(&format!("{store}: {question}: peak ({seconds:.1} s)"), peak_mib, 64.0, "MiB");
        }
    }
    documents::drop(&mongodb, &database).await;
    bars.judge();
}

/// Prices every three seconds that end now, as those of a pipeline that runs.
fn a_million() -> Vec<PriceMessage> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("bench").as_millis();
    let now = i64::try_from(now).expect("bench") / 3_000 * 3_000;
    stored::walk("BTCUSDT", now - DOCUMENTS * 3_000, 6_732_150, DOCUMENTS)
}

struct Asked {
    seconds: f64,
    peak_mib: f64,
}

fn ask(folder: &Path, question: &str, environment: Option<(&str, &str)>) -> Asked {
    let words = format!("query {question} -f queries.yaml");
    let variables: Vec<(&str, &str)> = environment.into_iter().collect();
    let mut command = command_line::command(folder, &variables, &words.split(' ').collect::<Vec<_>>());
    command.stdout(Stdio::null());
    let start = Instant::now();
    let mut child = command.spawn().expect("bench");
    let mut peak_mib = 0.0;
    let status = loop {
        if let Some(status) = child.try_wait().expect("bench") {
            break status;
        }
        peak_mib = f64::max(peak_mib, memory_mib(child.id()).1);
        std::thread::sleep(Duration::from_millis(1));
    };
    let seconds = start.elapsed().as_secs_f64();
    assert!(status.success(), "{question}: {status}");
    Asked { seconds, peak_mib }
}
