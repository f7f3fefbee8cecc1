//! `pricepipe simulate-exchange`: the simulated exchange as a server of its own.

use std::path::PathBuf;

use pricepipe_exchange_sim::{
    AtEnd, Pace, Playback, Recording, SimConfig, TapePace, TapePlayback, TradeFlow, start,
};
use pricepipe_service::{
    shutdown,
    telemetry::{self, LogFormat},
};

use crate::{
    args::SimulateArgs,
    exit::{Exit, Failed},
    output,
};

/// Serves until it is told to stop.
pub(crate) async fn simulate_exchange(args: &SimulateArgs) -> Result<(), Failed> {
    telemetry::start(LogFormat::from_environment(LogFormat::Text), "info");
    let stop = shutdown::on_signal().map_err(|error| Failed::because(Exit::Failure, &error))?;
    let playbacks = playbacks(args)?;
    let demo = SimConfig::for_demo();
    let config = SimConfig {
        address: args.address,
        seed: args.seed,
        trades: TradeFlow { per_second: args.trades_per_second, ..demo.trades.clone() },
        tapes: playbacks.iter().map(tape).collect(),
        playbacks,
        ..demo
    };
    let exchange = start(config).await.map_err(|error| Failed::because(Exit::Invalid, &error))?;
    output::answer(&format!(
        "the simulated exchange serves {} and {}\n",
        exchange.url(),
        exchange.stream_url()
    ))?;
    stop.cancelled().await;
    let (prices, frames) = (exchange.ledger().total(), exchange.streams().totals().sent);
    let told = output::answer(&format!("served {prices} prices and {frames} frames of streams\n"));
    exchange.stop().await;
    told
}

fn playbacks(args: &SimulateArgs) -> Result<Vec<Playback>, Failed> {
    let pace = match args.speed {
        speed if speed.is_finite() && speed > 0.0 => Pace::Speed(speed),
        0.0 => Pace::PerRequest,
        speed => {
            return Err(Failed::new(Exit::Usage, format!("--speed {speed}: not zero or a positive number")));
        }
    };
    args.recordings.iter().map(|(symbol, file)| playback(symbol, file, pace)).collect()
}

fn playback(symbol: &str, file: &PathBuf, pace: Pace) -> Result<Playback, Failed> {
    let parsed =
        symbol.parse().map_err(|error| Failed::new(Exit::Usage, format!("--play {symbol}=…: {error}")))?;
    let recording = Recording::from_file(file).map_err(|error| Failed::because(Exit::Invalid, &error))?;
    Ok(Playback { symbol: parsed, recording, pace, at_end: AtEnd::StartOver })
}

/// The same recording as trades or candles, from the first subscription to its last row.
fn tape(playback: &Playback) -> TapePlayback {
    let pace = match playback.pace {
        Pace::Speed(factor) => TapePace::Speed(factor),
        Pace::PerRequest | Pace::Tick(_) => TapePace::AsRead,
    };
    TapePlayback::new(playback.symbol.clone(), playback.recording.clone(), pace)
}
