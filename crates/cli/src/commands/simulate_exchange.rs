//! `pricepipe simulate-exchange`: the simulated exchange as a server of its own.

use std::path::PathBuf;

use pricepipe_exchange_sim::{AtEnd, Pace, Playback, Recording, SimConfig, start};
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
    let config = SimConfig {
        address: args.address,
        seed: args.seed,
        playbacks: playbacks(args)?,
        ..SimConfig::for_demo()
    };
    let exchange = start(config).await.map_err(|error| Failed::because(Exit::Invalid, &error))?;
    output::answer(&format!("the simulated exchange serves {}\n", exchange.url()))?;
    stop.cancelled().await;
    let told = output::answer(&format!("served {} prices\n", exchange.ledger().total()));
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
