//! `pricepipe-consumer`: Kafka → store, from one configuration file. Secrets come from the environment.

use std::{error::Error, process::ExitCode, time::Duration};

use pricepipe_consumer::{Stop, run};
use pricepipe_core::{config::ConsumerConfig, environment as variables};
use pricepipe_service::{
    Process, admin, environment::lookup, shutdown, telemetry, telemetry::LogFormat, with_causes, worker,
    worker::WorkerError,
};
use tokio_util::sync::CancellationToken;

/// Closing the store must not hold the process up.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    telemetry::start(LogFormat::from_environment(LogFormat::Json), "info");
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error, ExitCode::FAILURE),
    };
    let code = match worker::config("pricepipe-consumer") {
        Ok(config) => {
            let ended = runtime.block_on(consume(config));
            ended.map_or_else(
                |error| failed(error.as_ref(), worker::CONFIG_EXIT.into()),
                |()| ExitCode::SUCCESS,
            )
        }
        Err(error) => failed(&error, WorkerError::exit_code(&error)),
    };
    // What hangs is left behind: nothing of it was committed.
    runtime.shutdown_background();
    code
}

async fn consume(mut config: ConsumerConfig) -> Result<(), Box<dyn Error>> {
    let stop = Stop { now: shutdown::on_signal()?, when_drained: CancellationToken::new() };
    let (connection, credentials) = variables::kafka(config.kafka, lookup)?;
    config.kafka = connection;
    let store = pricepipe_store::open(&config.store, variables::mongodb(lookup)?.as_ref())?;
    let process = Process::new("consumer");
    let ended = CancellationToken::new();
    let address = admin::start(&process, worker::admin_address()?, ended.clone()).await?;
    tracing::info!(pipeline = %config.pipeline, group = config.group, %address, "consumer");
    let summary = run(config, credentials, store.clone(), &process, stop, None).await?;
    tracing::info!(?summary, "consumer ended");
    ended.cancel();
    if tokio::time::timeout(CLOSE_TIMEOUT, tokio::spawn(async move { store.close().await })).await.is_err() {
        tracing::warn!("the store did not close in time");
    }
    Ok(())
}

fn failed(error: &dyn Error, code: ExitCode) -> ExitCode {
    tracing::error!("{}", with_causes(error));
    code
}
