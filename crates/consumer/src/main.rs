//! `pricepipe-consumer`: Kafka → store, from one configuration file. Secrets come from the environment.

use std::{error::Error, process::ExitCode, time::Duration};

use pricepipe_consumer::{Stop, Summary, run};
use pricepipe_core::{config::ConsumerConfig, environment::VARIABLES};
use pricepipe_service::{
    Process, admin, environment, shutdown, telemetry,
    telemetry::LogFormat,
    with_causes,
    worker::{self, Binary},
};
use tokio_util::sync::CancellationToken;

const BINARY: Binary = Binary {
    name: "pricepipe-consumer",
    purpose: "stores the prices of Kafka topics in MongoDB, or in a file",
    takes_config: true,
    variables: VARIABLES,
};

/// Closing the store must not hold the process up.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// Why the process ends, and its exit code.
type Failure = (String, ExitCode);

fn main() -> ExitCode {
    if let Some(code) = BINARY.answer() {
        return code;
    }
    telemetry::start(LogFormat::from_environment(LogFormat::Json), "info");
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return told(failed(&error)),
    };
    let ended = match BINARY.config() {
        Ok(config) => runtime.block_on(consume(config)),
        Err(error) => Err((with_causes(&error), error.exit_code())),
    };
    // What hangs is left behind: nothing of it was committed.
    runtime.shutdown_background();
    match ended {
        Ok(Summary { consumed, stored, duplicates, dead_letters }) => {
            tracing::info!(consumed, stored, duplicates, dead_letters, "stopped");
            ExitCode::SUCCESS
        }
        Err(failure) => told(failure),
    }
}

async fn consume(mut config: ConsumerConfig) -> Result<Summary, Failure> {
    let now = shutdown::on_signal().map_err(|error| failed(&error))?;
    let stop = Stop { now, when_drained: CancellationToken::new() };
    let (connection, credentials) = environment::kafka(config.kafka).map_err(|error| unusable(&error))?;
    config.kafka = connection;
    config.check().map_err(|error| unusable(&error))?;
    let connection_string = environment::mongodb().map_err(|error| unusable(&error))?;
    let store = pricepipe_store::open(&config.store, connection_string.as_ref());
    let store = store.map_err(|error| unusable(&error))?;
    let process = Process::new("consumer");
    let ended = CancellationToken::new();
    let address = worker::admin_address().map_err(|error| unusable(&error))?;
    let address = admin::start(&process, address, ended.clone()).await.map_err(|error| unusable(&error))?;
    tracing::info!(pipeline = %config.pipeline, group = config.group, %address, "consuming");
    let summary = run(config, credentials, store.clone(), &process, stop, None)
        .await
        .map_err(|error| (with_causes(&error), error.exit_code()))?;
    ended.cancel();
    if tokio::time::timeout(CLOSE_TIMEOUT, tokio::spawn(async move { store.close().await })).await.is_err() {
        tracing::warn!("the store did not close in time");
    }
    Ok(summary)
}

fn unusable(error: &dyn Error) -> Failure {
    (with_causes(error), worker::CONFIG_EXIT.into())
}

fn failed(error: &dyn Error) -> Failure {
    (with_causes(error), ExitCode::FAILURE)
}

fn told((message, code): Failure) -> ExitCode {
    tracing::error!("{message}");
    code
}
